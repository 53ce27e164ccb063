//! `sealift trigger`: makes one BackupSession of a BackupConfiguration.
//!
//! The CronJob runs it; so may a person, also while the schedule is paused. Whether the session
//! is run or skipped is the operator's decision.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::{BackupSession, BackupSessionSpec, InvokerRef};
use sealift_api::manifest::{STASH_GROUP, STASH_V1BETA1};
use sealift_kube::apply::{self, Created};
use sealift_kube::kube::Client;
use sealift_kube::read;
use serde::Serialize;

use crate::args::TriggerArgs;
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// The one kind of invoker there is.
const KIND: &str = "BackupConfiguration";
/// Longest value of a label.
const LABEL_CHARACTERS: usize = 63;

/// What was made.
#[derive(Serialize)]
struct Triggered {
    namespace: String,
    name: String,
    /// False: a session of this name was there for the same configuration.
    created: bool,
}

pub(crate) async fn run(args: &TriggerArgs, output: Output) -> Result<Exit, Failure> {
    if args.invoker_kind != KIND {
        let kind = &args.invoker_kind;
        return Err(Failure::new(
            Exit::Invalid,
            format!("--invoker-kind {kind:?} is not supported"),
        )
        .help(format!("sessions are made of a {KIND}")));
    }
    let failed = |error: sealift_kube::Error| Failure::of(Exit::Failed, &error);
    let client = sealift_kube::connect().await.map_err(failed)?;
    let namespace =
        args.invoker_namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
    let name = &args.invoker_name;
    let configuration: BackupConfiguration =
        read::find(&client, &namespace, name).await.map_err(failed)?.ok_or_else(|| {
            Failure::new(Exit::Invalid, format!("{KIND} {namespace}/{name} does not exist"))
                .help("check --invoker-name and --invoker-namespace")
        })?;
    if configuration.metadata.deletion_timestamp.is_some() {
        let message = format!("{KIND} {namespace}/{name} is being deleted");
        return Err(Failure::new(Exit::Invalid, message));
    }
    let session = session(&configuration, Timestamp::now());
    let created = create(&client, &session).await?;
    let triggered =
        Triggered { namespace: namespace.clone(), name: session.name().to_owned(), created };
    let verb = if created { "made" } else { "there already" };
    let text = || format!("BackupSession {namespace}/{} {verb}\n", session.name());
    output.result(text, &triggered)?;
    Ok(Exit::Done)
}

/// Makes the session; one of its name that is there must be of the same configuration.
async fn create(client: &Client, session: &BackupSession) -> Result<bool, Failure> {
    let failed = |error: sealift_kube::Error| Failure::of(Exit::Failed, &error);
    match apply::create(client, session).await.map_err(failed)? {
        Created::New(_) => return Ok(true),
        Created::Exists => {}
    }
    let (namespace, name) = (session.namespace(), session.name());
    let found: Option<BackupSession> = read::find(client, namespace, name).await.map_err(failed)?;
    match found {
        Some(found) if found.spec.invoker == session.spec.invoker => Ok(false),
        _ => Err(Failure::new(
            Exit::Failed,
            format!("BackupSession {namespace}/{name} exists and is of another invoker"),
        )
        .help("try again: the name ends with the time in seconds")),
    }
}

/// The session of a configuration at a time.
fn session(configuration: &BackupConfiguration, now: Timestamp) -> BackupSession {
    let metadata = &configuration.metadata;
    let spec = BackupSessionSpec {
        invoker: Some(InvokerRef {
            api_group: Some(STASH_GROUP.to_owned()),
            kind: KIND.to_owned(),
            name: configuration.name().to_owned(),
        }),
        retry_left: configuration.spec.retry_config.as_ref().and_then(|retry| retry.max_retry),
    };
    let owner = OwnerReference {
        api_version: STASH_V1BETA1.to_owned(),
        kind: KIND.to_owned(),
        name: configuration.name().to_owned(),
        uid: metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        // It would need the right to change the owner's finalizers on some clusters.
        block_owner_deletion: None,
    };
    let metadata = ObjectMeta {
        name: Some(format!("{}-{}", configuration.name(), now.as_second())),
        namespace: Some(configuration.namespace().to_owned()),
        labels: Some(labels(configuration)),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    BackupSession::new(metadata, spec)
}

/// Labels of the original, and those of the configuration. A name that is no value of a label is
/// left out: the session says it in `spec.invoker`.
fn labels(configuration: &BackupConfiguration) -> BTreeMap<String, String> {
    let target = configuration.spec.target.as_ref();
    let target = target.and_then(|target| target.reference.clone()).unwrap_or_default();
    let namespace = target.namespace.filter(|namespace| !namespace.is_empty());
    let mut labels = configuration.metadata.labels.clone().unwrap_or_default();
    for (name, value) in [
        ("app.kubernetes.io/component", Some("stash-backup".to_owned())),
        ("app.kubernetes.io/managed-by", Some("stash.appscode.com".to_owned())),
        ("stash.appscode.com/invoker-type", Some(KIND.to_owned())),
        ("stash.appscode.com/invoker-name", Some(configuration.name().to_owned())),
        ("stash.appscode.com/target-kind", target.kind),
        ("stash.appscode.com/target-name", target.name),
        (
            "stash.appscode.com/target-namespace",
            Some(namespace.unwrap_or_else(|| configuration.namespace().to_owned())),
        ),
    ] {
        if let Some(value) = value.filter(|value| value.len() <= LABEL_CHARACTERS) {
            labels.insert(name.to_owned(), value);
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn configuration(name: &str) -> BackupConfiguration {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
            "metadata": {"name": name, "namespace": "demo", "uid": "u-1", "labels": {"team": "a"}},
            "spec": {
                "schedule": "*/5 * * * *",
                "repository": {"name": "gcp-demo-repo"},
                "retryConfig": {"maxRetry": 2, "delay": "5s"},
                "target": {"ref": {"apiVersion": "appcatalog.appscode.com/v1alpha1",
                    "kind": "AppBinding", "name": "vault"}},
                "retentionPolicy": {"name": "keep-last-5", "keepLast": 5, "prune": true},
            },
        }))
        .unwrap()
    }

    #[test]
    fn a_session_looks_as_the_original_makes_it() {
        let session =
            session(&configuration("demo-backup"), Timestamp::from_second(1_700_000_000).unwrap());
        assert_eq!(
            serde_json::to_value(&session).unwrap(),
            serde_json::json!({
                "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
                "metadata": {
                    "name": "demo-backup-1700000000", "namespace": "demo",
                    "labels": {
                        "team": "a",
                        "app.kubernetes.io/component": "stash-backup",
                        "app.kubernetes.io/managed-by": "stash.appscode.com",
                        "stash.appscode.com/invoker-type": "BackupConfiguration",
                        "stash.appscode.com/invoker-name": "demo-backup",
                        "stash.appscode.com/target-kind": "AppBinding",
                        "stash.appscode.com/target-name": "vault",
                        "stash.appscode.com/target-namespace": "demo",
                    },
                    "ownerReferences": [{
                        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
                        "name": "demo-backup", "uid": "u-1", "controller": true,
                    }],
                },
                "spec": {
                    "invoker": {
                        "apiGroup": "stash.appscode.com", "kind": "BackupConfiguration",
                        "name": "demo-backup",
                    },
                    "retryLeft": 2,
                },
            })
        );
    }

    #[test]
    fn a_name_too_long_for_a_label_is_left_out() {
        let name = "n".repeat(64);
        let labels = labels(&configuration(&name));
        assert!(!labels.contains_key("stash.appscode.com/invoker-name"));
        assert_eq!(labels.get("stash.appscode.com/target-name").unwrap(), "vault");
    }
}
