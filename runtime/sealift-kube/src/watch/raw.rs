//! Objects as they come, before they are read as what they are.
//!
//! All watches carry this one type, so what kube does for a watch is compiled once and not once a
//! kind, and reading is a step of its own: an object that cannot be read still has its name and
//! its version, and stops neither list nor watch. What becomes of it is the watch's to say.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::api::{Api, ApiResource};
use kube::core::DynamicResourceScope;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;

use super::Key;

/// An object of any kind; with `META`, one of which only the metadata was asked for.
#[derive(Debug, Clone)]
pub(super) struct Raw<const META: bool> {
    /// What a watch needs to go on: name, namespace and version. Nothing else is in it.
    metadata: ObjectMeta,
    object: Value,
}

impl<const META: bool> Raw<META> {
    /// The same place, its objects not yet read.
    pub(super) fn api<K: Resource<DynamicType = ()>>(api: Api<K>) -> Api<Self> {
        let kind = ApiResource::erase::<K>(&());
        let namespace = api.namespace().map(str::to_owned);
        let client = api.into_client();
        match namespace {
            Some(namespace) => Api::namespaced_with(client, &namespace, &kind),
            None => Api::all_with(client, &kind),
        }
    }

    /// Which object it is.
    pub(super) fn key(&self) -> Key {
        Key::of(self)
    }

    /// The object, or why it is none of this kind.
    pub(super) fn read<K: DeserializeOwned>(self) -> Result<K, serde_json::Error> {
        serde_json::from_value(self.object)
    }
}

impl<'de, const META: bool> Deserialize<'de> for Raw<META> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Value::deserialize(deserializer)?;
        let text = |name: &str| {
            object.get("metadata")?.get(name).and_then(Value::as_str).map(str::to_owned)
        };
        let metadata = ObjectMeta {
            name: text("name"),
            namespace: text("namespace"),
            resource_version: text("resourceVersion"),
            ..ObjectMeta::default()
        };
        Ok(Self { metadata, object })
    }
}

impl<const META: bool> Resource for Raw<META> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.kind)
    }

    fn group(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.group)
    }

    fn version(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.version)
    }

    fn plural(kind: &ApiResource) -> Cow<'_, str> {
        Cow::Borrowed(&kind.plural)
    }

    fn metadata_api() -> bool {
        META
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use k8s_openapi::api::batch::v1::Job;
    use k8s_openapi::api::core::v1::{Namespace, Pod};
    use kube::core::{ObjectList, PartialObjectMeta, WatchEvent};
    use serde_json::json;

    #[test]
    fn it_is_asked_for_where_its_kind_is() {
        fn same<K: Resource<DynamicType = ()>, const META: bool>(namespace: Option<&str>) {
            let kind = ApiResource::erase::<K>(&());
            assert_eq!(Raw::<META>::url_path(&kind, namespace), K::url_path(&(), namespace));
            assert_eq!(Raw::<META>::metadata_api(), K::metadata_api());
        }
        same::<Pod, false>(Some("demo"));
        same::<Job, false>(None);
        same::<Namespace, false>(None);
        same::<PartialObjectMeta<Job>, true>(Some("demo"));
    }

    #[test]
    fn what_cannot_be_read_has_a_name_and_a_version_and_the_rest_of_the_list_is_read() {
        let list: ObjectList<Raw<false>> = serde_json::from_value(json!({
            "apiVersion": "v1", "kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": [
                {"metadata": {"name": "a", "namespace": "demo", "resourceVersion": "7"},
                 "spec": {"containers": "none"}},
                {"metadata": {"name": "b", "namespace": "demo", "resourceVersion": "8",
                              "labels": {"whose": "ours"}},
                 "spec": {"containers": []}},
                {"metadata": {"name": "c", "namespace": "demo", "labels": "ours"}},
            ],
        }))
        .unwrap();
        let mut read = list.items.into_iter().map(|raw| {
            let (key, version) = (raw.key(), raw.meta().resource_version.clone());
            (key.to_string(), version, raw.read::<Pod>())
        });
        let (key, version, pod) = read.next().unwrap();
        assert_eq!((key.as_str(), version.as_deref()), ("demo/a", Some("7")));
        let error = pod.unwrap_err().to_string();
        assert!(error.contains("\"none\""), "{error}");
        let (key, _, pod) = read.next().unwrap();
        assert_eq!(key, "demo/b");
        let labels = pod.unwrap().metadata.labels.unwrap();
        assert_eq!(labels.get("whose").map(String::as_str), Some("ours"));
        // Metadata that cannot be read has no say in what the object is called.
        let (key, _, pod) = read.next().unwrap();
        assert_eq!(key, "demo/c");
        pod.unwrap_err();
    }

    #[test]
    fn a_watch_that_reports_an_error_is_not_taken_for_an_object() {
        let line = r#"{"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1",
            "metadata": {}, "status": "Failure", "message": "too old", "reason": "Expired",
            "code": 410}}"#;
        let event: WatchEvent<Raw<false>> = serde_json::from_str(line).unwrap();
        assert!(matches!(event, WatchEvent::Error(status) if status.code == 410));
    }
}
