//! What objects are related to: by what the stores find them besides their own names.
//!
//! With thousands of objects, whoever looks through all of them for each one looks for minutes.

use k8s_openapi::api::batch::v1::Job;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_api::reference::{RepositoryRef, TargetRef};
use sealift_api::restore_session::RestoreSession;
use sealift_kube::kube::core::PartialObjectMeta;
use sealift_kube::watch::Key;

use crate::{labels, planning};

/// To the Repository an object names.
pub const REPOSITORY: &str = "repository";
/// To the target an object names: its namespace and name, whatever its kind.
pub const TARGET: &str = "target";
/// To the BackupConfiguration of a BackupSession.
pub const INVOKER: &str = "invoker";
/// To the BackupConfiguration that controls what was made for it.
pub const OWNER: &str = "owner";
/// To the CronJob that a Job was made of.
pub const CRON_JOB: &str = "cron-job";

/// Relations of one object.
pub type Relations = Vec<(&'static str, Key)>;

/// Of a BackupConfiguration: its Repository and its target.
#[must_use]
pub fn of_configuration(found: &BackupConfiguration) -> Relations {
    let target = found.spec.target.as_ref().and_then(|target| target.reference.as_ref());
    of_references(found.namespace(), found.spec.repository.as_ref(), target)
}

/// Of a RestoreSession: its Repository and its target.
#[must_use]
pub fn of_restore(found: &RestoreSession) -> Relations {
    let target = found.spec.target.as_ref().and_then(|target| target.reference.as_ref());
    of_references(found.namespace(), found.spec.repository.as_ref(), target)
}

/// Of a BackupSession: its BackupConfiguration.
#[must_use]
pub fn of_session(found: &BackupSession) -> Relations {
    let named = found.spec.invoker.as_ref().filter(|named| named.kind == "BackupConfiguration");
    named.map(|named| (INVOKER, Key::new(found.namespace(), &named.name))).into_iter().collect()
}

/// Of what is made for a BackupConfiguration: that one.
#[must_use]
pub fn of_child<K>(found: &PartialObjectMeta<K>) -> Relations {
    let namespace = found.metadata.namespace.as_deref().unwrap_or_default();
    let owner = labels::controller_of(&found.metadata, "BackupConfiguration");
    owner.map(|owner| (OWNER, Key::new(namespace, &owner.name))).into_iter().collect()
}

/// Of a Job: the CronJob it was made of.
#[must_use]
pub fn of_job(found: &Job) -> Relations {
    let namespace = found.metadata.namespace.as_deref().unwrap_or_default();
    let owner = labels::cron_job_of(&found.metadata);
    owner.map(|owner| (CRON_JOB, Key::new(namespace, &owner.name))).into_iter().collect()
}

fn of_references(
    namespace: &str,
    repository: Option<&RepositoryRef>,
    target: Option<&TargetRef>,
) -> Relations {
    let repository = planning::repository_key(namespace, repository);
    let target = planning::target(namespace, target);
    let target = target.map(|target| (TARGET, Key::new(target.namespace, target.name)));
    repository.map(|key| (REPOSITORY, key)).into_iter().chain(target).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_backup_configuration_is_found_by_its_repository_and_its_target_wherever_they_are() {
        let of = |spec: serde_json::Value| {
            let found: BackupConfiguration = serde_json::from_value(serde_json::json!({
                "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
                "metadata": {"name": "b", "namespace": "demo"}, "spec": spec
            }))
            .unwrap();
            let told = |(relation, key): (&str, Key)| format!("{relation} {key}");
            of_configuration(&found).into_iter().map(told).collect::<Vec<String>>()
        };
        let policy = serde_json::json!({"name": "keep", "prune": true});
        let target = serde_json::json!({"ref": {"kind": "AppBinding", "name": "vault",
            "apiVersion": "appcatalog.appscode.com/v1alpha1"}});
        assert_eq!(
            of(serde_json::json!({"retentionPolicy": policy, "target": target,
                "repository": {"name": "r", "namespace": "storage"}})),
            ["repository storage/r", "target demo/vault"]
        );
        assert_eq!(of(serde_json::json!({"retentionPolicy": policy})), [] as [&str; 0]);
    }
}
