//! Objects read and written through the API server: the adapter of the Job.
//!
//! Secrets are read by name, when they are needed; nothing is listed or watched. A Secret that
//! a session changes is patched in place, with the resource version that was read, and what its
//! keys held before is kept in the same Secret under other names: so the Job needs rights on
//! that one Secret only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::Secret;
use sealift_api::app_binding::AppBinding;
use sealift_core::plan::{ObjectRef, SecretRef};
use sealift_kube::kube::api::{Patch, PatchParams, PostParams};
use sealift_kube::kube::{self, Api, Client};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::ask::{AskError, ask};
use super::kept::kept_name;
use crate::objects::{ObjectError, Objects};
use crate::secrets::SecretData;

/// The Secret may change between reading and writing; more often than this nobody changes it.
const CONFLICTS: u32 = 5;

/// Objects of a cluster.
pub struct ClusterObjects {
    client: Client,
    /// Name of the session: replaced values are kept under names that end with it.
    session: String,
    written: Mutex<Vec<String>>,
}

impl ClusterObjects {
    /// Reads and writes with this client.
    #[must_use]
    pub fn new(client: Client, session: &str) -> Self {
        Self { client, session: session.to_owned(), written: Mutex::default() }
    }

    /// What was written, for events: names of Secrets and keys, no values. Each is told once.
    pub fn take_written(&self) -> Vec<String> {
        std::mem::take(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, told: Option<String>) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
    }

    fn secrets(&self, secret: &SecretRef) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &secret.namespace)
    }

    async fn get(&self, secret: &SecretRef) -> Result<Secret, ObjectError> {
        let api = self.secrets(secret);
        ask("get", &named(secret), || api.get(&secret.name)).await.map_err(|error| {
            match error.is_not_found() {
                true => ObjectError::SecretNotFound(secret.clone()),
                false => ObjectError::Ask(Box::new(error)),
            }
        })
    }

    async fn may(&self, verb: &str, secret: &SecretRef) -> Result<bool, ObjectError> {
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let review = SelfSubjectAccessReview {
            spec: SelfSubjectAccessReviewSpec {
                resource_attributes: Some(ResourceAttributes {
                    namespace: Some(secret.namespace.clone()),
                    name: Some(secret.name.clone()),
                    resource: Some("secrets".to_owned()),
                    verb: Some(verb.to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SelfSubjectAccessReviewSpec::default()
            },
            ..SelfSubjectAccessReview::default()
        };
        let parameters = PostParams::default();
        let what = "SelfSubjectAccessReview";
        let answer = ask("create", what, || api.create(&parameters, &review)).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}

impl From<AskError> for ObjectError {
    fn from(error: AskError) -> Self {
        Self::Ask(Box::new(error))
    }
}

fn named(secret: &SecretRef) -> String {
    format!("Secret {}/{}", secret.namespace, secret.name)
}

/// The values, moved out of the object.
fn data_of(secret: Secret) -> SecretData {
    let values = secret.data.unwrap_or_default().into_iter();
    SecretData::new(values.map(|(key, value)| (key, Zeroizing::new(value.0))).collect())
}

#[async_trait]
impl Objects for ClusterObjects {
    async fn secret(&self, secret: &SecretRef) -> Result<SecretData, ObjectError> {
        self.get(secret).await.map(data_of)
    }

    async fn added_key(
        &self,
        binding: &ObjectRef,
        key: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ObjectError> {
        let api: Api<AppBinding> = Api::namespaced(self.client.clone(), &binding.namespace);
        let found = ask("get", &binding.to_string(), || api.get(&binding.name)).await?;
        found
            .spec
            .secret_transforms
            .iter()
            .filter_map(|transform| transform.add_key.as_ref())
            // Transforms act in order: the last of a name wins.
            .rfind(|add| add.key == key)
            .map(|add| Zeroizing::new(add.bytes().to_vec()))
            .ok_or_else(|| ObjectError::AddedKeyNotFound {
                binding: binding.clone(),
                key: key.to_owned(),
            })
    }

    async fn check_writable(&self, secret: &SecretRef) -> Result<(), ObjectError> {
        let refused = |reason: &str| ObjectError::WriteRefused {
            secret: secret.clone(),
            reason: reason.to_owned(),
        };
        let found = match self.get(secret).await {
            Err(ObjectError::SecretNotFound(_)) => {
                return Err(refused(
                    "it does not exist; create it empty, so that a right on it alone is enough",
                ));
            }
            found => found?,
        };
        if found.immutable == Some(true) {
            return Err(refused("it is immutable; replace it by one that is not"));
        }
        match self.may("patch", secret).await? {
            true => Ok(()),
            false => Err(refused("grant patch on it to the ServiceAccount of the Job")),
        }
    }

    /// Nobody needs a Secret without the keys that others put there: they stay.
    async fn write_secret(&self, secret: &SecretRef, data: SecretData) -> Result<(), ObjectError> {
        self.set_keys(secret, data).await
    }

    async fn set_keys(&self, secret: &SecretRef, data: SecretData) -> Result<(), ObjectError> {
        let api = self.secrets(secret);
        let mut told = None;
        for _ in 0..CONFLICTS {
            let found = self.get(secret).await?;
            let version = found.metadata.resource_version.clone().unwrap_or_default();
            let change = change(&data_of(found), &data, &self.session);
            if change.values.is_empty() {
                // An earlier try arrived although its answer did not.
                self.tell(told);
                return Ok(());
            }
            told = Some(change.told(secret));
            let patch = Patch::Merge(SecretPatch { version, values: &change.values });
            match api.patch(&secret.name, &PatchParams::default(), &patch).await {
                Ok(_) => {
                    self.tell(told);
                    return Ok(());
                }
                // What was read is no longer what is there, or nobody knows whether the patch
                // arrived: reading again tells.
                Err(kube::Error::Api(status)) if status.is_conflict() || status.code >= 500 => {}
                Err(kube::Error::HyperError(_) | kube::Error::Service(_)) => {}
                Err(error) => {
                    return Err(ObjectError::from(AskError::new("patch", named(secret), &error)));
                }
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
        Err(ObjectError::WriteRefused {
            secret: secret.clone(),
            reason: "it changed under every try to write it; find out who else writes it"
                .to_owned(),
        })
    }
}

/// A change of some keys, if the Secret is still the one that was read. Not shown by `Debug`.
struct SecretPatch<'a> {
    version: String,
    values: &'a BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl Serialize for SecretPatch<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut data = BTreeMap::new();
        for (key, value) in self.values {
            data.insert(key.as_str(), Encoded(STANDARD.encode(value).into()));
        }
        let mut patch = serializer.serialize_map(Some(2))?;
        patch.serialize_entry("metadata", &BTreeMap::from([("resourceVersion", &self.version)]))?;
        patch.serialize_entry("data", &data)?;
        patch.end()
    }
}

impl fmt::Debug for SecretPatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

/// Base64 that is wiped.
struct Encoded(Zeroizing<String>);

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What is written into a Secret.
struct Change {
    values: BTreeMap<String, Zeroizing<Vec<u8>>>,
    set: Vec<String>,
    kept: Vec<String>,
}

/// The keys that differ, and what they held before under names of its own. A value that was
/// kept before is never overwritten: it may be the only one that still opens a Vault.
fn change(present: &SecretData, wanted: &SecretData, session: &str) -> Change {
    let mut change = Change { values: BTreeMap::new(), set: Vec::new(), kept: Vec::new() };
    for (key, value) in wanted.iter() {
        let before = present.get(key);
        if before.is_some_and(|before| before.as_slice() == value) {
            continue;
        }
        change.set.push(key.to_owned());
        change.values.insert(key.to_owned(), Zeroizing::new(value.to_vec()));
        if let Some(before) = before {
            let name = kept_name(key, session);
            if present.get(&name).is_none() {
                change.values.insert(name.clone(), before.clone());
                change.kept.push(name);
            }
        }
    }
    change
}

impl Change {
    fn told(&self, secret: &SecretRef) -> String {
        let mut text = format!("{}: keys {} were written", named(secret), self.set.join(", "));
        if !self.kept.is_empty() {
            text.push_str(&format!(
                "; what they held before is kept there as {}; remove it when nothing needs it any more",
                self.kept.join(", ")
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// Objects of an API server that gives these answers, one to each request.
    async fn answered(answers: Vec<(u16, Value)>) -> ClusterObjects {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            for (status, answer) in answers {
                let mut stream = BufReader::new(listener.accept().await.unwrap().0);
                let (mut length, mut line) = (0, String::new());
                while stream.read_line(&mut line).await.unwrap() > 2 {
                    let header = line.to_ascii_lowercase();
                    if let Some(value) = header.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                stream.read_exact(&mut vec![0; length]).await.unwrap();
                let body = answer.to_string();
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n", body.len());
                let head = head + "connection: close\r\ncontent-type: application/json\r\n\r\n";
                stream.write_all((head + &body).as_bytes()).await.unwrap();
            }
        });
        let config = kube::Config::new(url.parse().unwrap());
        ClusterObjects::new(sealift_kube::connect::client(config).unwrap(), "r")
    }

    /// Before anything is done to a Vault whose keys could not be written then.
    #[tokio::test]
    async fn a_secret_that_cannot_be_written_is_found_out_by_asking() {
        let secret = SecretRef { namespace: "demo".into(), name: "vault-keys".into() };
        let found = |immutable: bool| {
            let meta = json!({"name": "vault-keys", "namespace": "demo"});
            (
                200,
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "immutable": immutable}),
            )
        };
        let may = |allowed: bool| {
            let review = json!({"apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview", "spec": {}, "status": {"allowed": allowed}});
            (201, review)
        };
        let missing = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": "no", "reason": "NotFound", "code": 404});
        for (answers, words) in [
            (vec![(404, missing)], "it does not exist"),
            (vec![found(true), may(true)], "it is immutable"),
            (vec![found(false), may(false)], "grant patch on it"),
        ] {
            let error = answered(answers).await.check_writable(&secret).await.unwrap_err();
            assert!(matches!(error, ObjectError::WriteRefused { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        answered(vec![found(false), may(true)]).await.check_writable(&secret).await.unwrap();
    }

    fn data(values: &[(&str, &str)]) -> SecretData {
        let mut data = SecretData::default();
        for (key, value) in values {
            data.insert(key, Zeroizing::new(value.as_bytes().to_vec()));
        }
        data
    }

    #[test]
    fn replaced_keys_are_kept_and_what_is_equal_is_left_alone() {
        let present = data(&[("a", "old"), ("b", "same"), ("other", "x")]);
        let wanted = data(&[("a", "new"), ("b", "same"), ("c", "first")]);
        let change = change(&present, &wanted, "restore-1");
        let written: Vec<_> =
            change.values.iter().map(|(key, value)| (&**key, value.as_slice())).collect();
        assert_eq!(
            written,
            [("a", &b"new"[..]), ("a.replaced.restore-1", b"old"), ("c", b"first")]
        );
        let secret = SecretRef { namespace: "demo".into(), name: "vault-keys".into() };
        assert_eq!(
            change.told(&secret),
            "Secret demo/vault-keys: keys a, c were written; what they held before is kept there as a.replaced.restore-1; remove it when nothing needs it any more"
        );
    }

    #[test]
    fn a_patch_holds_the_version_and_shows_no_value() {
        let values = BTreeMap::from([("a".to_owned(), Zeroizing::new(b"secret".to_vec()))]);
        let patch = SecretPatch { version: "7".into(), values: &values };
        assert_eq!(
            serde_json::to_string(&patch).unwrap(),
            r#"{"metadata":{"resourceVersion":"7"},"data":{"a":"c2VjcmV0"}}"#
        );
        assert_eq!(format!("{patch:?}"), r#"{"a"}"#);
    }

    #[test]
    fn what_was_kept_before_is_never_overwritten() {
        let present = data(&[("a", "newer"), ("a.replaced.r", "oldest")]);
        let change = change(&present, &data(&[("a", "newest")]), "r");
        assert_eq!(change.values.keys().collect::<Vec<_>>(), ["a"]);
        assert!(change.kept.is_empty());
    }
}
