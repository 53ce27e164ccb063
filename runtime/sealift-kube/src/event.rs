//! Events about objects, as `kubectl describe` shows them.
//!
//! core/v1 Events with `source.component`, because that is what scripts written for the original
//! look at; five of its reasons contain blanks, which the newer API refuses. An Event's name is
//! made of what it says: the same statement about the same object is written once, however often
//! and by however many processes it is made.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event as CoreEvent, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::{Client, Resource, ResourceExt};
use sha2::{Digest, Sha256};

use crate::apply;
use crate::error::{Error, Result};

/// Longest message the API server takes.
const MESSAGE_BYTES: usize = 1024;
/// Longest reason the API server takes.
const REASON_BYTES: usize = 128;
/// Cluster-scoped objects have their Events here.
const CLUSTER_NAMESPACE: &str = "default";

/// How an Event is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// Something went as it should.
    Normal,
    /// Somebody should look.
    Warning,
}

impl Severity {
    fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// How it is shown.
    pub severity: Severity,
    /// A stable word; the same as the condition's.
    pub reason: String,
    /// For people; never a secret.
    pub message: String,
}

impl Event {
    /// A Normal one.
    #[must_use]
    pub fn normal(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Normal, reason: reason.into(), message: message.into() }
    }

    /// A Warning.
    #[must_use]
    pub fn warning(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, reason: reason.into(), message: message.into() }
    }
}

/// Writes Events under one name.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    component: String,
    instance: String,
}

impl Recorder {
    /// `component` is `source.component`, such as `Status Updater`; `instance` the pod.
    #[must_use]
    pub fn new(client: Client, component: impl Into<String>, instance: impl Into<String>) -> Self {
        Self { client, component: component.into(), instance: instance.into() }
    }

    /// Writes an Event about an object. One that says the same is left as it is.
    ///
    /// # Errors
    /// The API server refuses or cannot be reached. No work should depend on it: log it.
    pub async fn publish(
        &self,
        about: &ObjectReference,
        event: &Event,
        now: Timestamp,
    ) -> Result<()> {
        let object = self.object(about, event, now);
        match apply::create(&self.client, &object).await {
            Ok(_) => Ok(()),
            Err(Error::Apply { source, .. }) => {
                Err(Error::Event { object: Box::new(about.clone()), source })
            }
            Err(other) => Err(other),
        }
    }

    fn object(&self, about: &ObjectReference, event: &Event, now: Timestamp) -> CoreEvent {
        let namespace = about.namespace.clone().filter(|namespace| !namespace.is_empty());
        CoreEvent {
            metadata: ObjectMeta {
                name: Some(name(about, &self.component, event)),
                namespace: Some(namespace.unwrap_or_else(|| CLUSTER_NAMESPACE.to_owned())),
                ..ObjectMeta::default()
            },
            involved_object: about.clone(),
            type_: Some(event.severity.as_str().to_owned()),
            reason: Some(cut(&event.reason, REASON_BYTES)),
            message: Some(cut(&event.message, MESSAGE_BYTES)),
            source: Some(EventSource { component: Some(self.component.clone()), host: None }),
            reporting_component: Some(self.component.clone()),
            reporting_instance: Some(cut(&self.instance, REASON_BYTES)),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            ..CoreEvent::default()
        }
    }
}

/// What an Event points at.
#[must_use]
pub fn reference<K: Resource<DynamicType = ()>>(object: &K) -> ObjectReference {
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        name: Some(object.name_any()),
        namespace: object.namespace(),
        uid: object.uid(),
        resource_version: None,
        field_path: None,
    }
}

/// `<object's name>.<16 hex digits of what is said>`.
fn name(about: &ObjectReference, component: &str, event: &Event) -> String {
    let mut hash = Sha256::new();
    for part in [
        about.uid.as_deref().unwrap_or_default(),
        about.kind.as_deref().unwrap_or_default(),
        component,
        event.severity.as_str(),
        &event.reason,
        &event.message,
    ] {
        hash.update(part.as_bytes());
        // What cannot stand in a part keeps two parts from reading as one.
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    let object: String = about.name.as_deref().unwrap_or("unnamed").chars().take(200).collect();
    format!("{object}.{}", digest.get(..16).unwrap_or(&digest))
}

/// At most this many bytes, never within a character.
fn cut(text: &str, bytes: usize) -> String {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(uid: &str) -> ObjectReference {
        ObjectReference {
            kind: Some("BackupSession".into()),
            name: Some("demo-backup-1".into()),
            namespace: Some("demo".into()),
            uid: Some(uid.into()),
            ..ObjectReference::default()
        }
    }

    #[test]
    fn the_same_statement_has_the_same_name_and_any_other_does_not() {
        let said = Event::normal("Host Backup Succeeded", "backup succeeded");
        let same = name(&about("u"), "Status Updater", &said);
        assert_eq!(same, name(&about("u"), "Status Updater", &said));
        assert!(same.starts_with("demo-backup-1.") && same.len() == "demo-backup-1.".len() + 16);
        for other in [
            name(&about("v"), "Status Updater", &said),
            name(&about("u"), "Operator", &said),
            name(&about("u"), "Status Updater", &Event::warning(&said.reason, &said.message)),
            name(&about("u"), "Status Updater", &Event::normal(&said.reason, "failed")),
        ] {
            assert_ne!(same, other);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("aäö", 2), "a");
        assert_eq!(cut("aäö", 3), "aä");
        assert_eq!(cut("short", 100), "short");
    }
}
