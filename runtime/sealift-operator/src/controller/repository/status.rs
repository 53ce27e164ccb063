//! What stands in the status of a Repository: who uses it, what is wrong with it, and what its
//! deletion waits for. Size, integrity and counts are written by Jobs.

use std::sync::Arc;

use jiff::Timestamp;
use sealift_api::repository::{Repository, RepositoryStatus, TypedObjectReference};
use sealift_kube::event::Event;
use sealift_kube::status;

use super::{COMPONENT, USER_KIND};
use crate::cluster::Cluster;
use crate::condition::{self, Statement, Type};
use crate::error::Result;

/// A session works in it.
pub(super) const IN_USE: &str = "RepositoryInUse";
/// Its data is being removed.
pub(super) const RUNNING: &str = "WipeOutRunning";

/// Writes who uses it and what is wrong with it.
pub(super) async fn observed(
    cluster: &Cluster,
    known: &Arc<Repository>,
    users: &[TypedObjectReference],
    wrong: Option<&Statement>,
) -> Result<()> {
    let now = cluster.now();
    status::update_known(&cluster.client, &**known, |found: &mut Repository| {
        // Somebody edited it meanwhile: what was found is not about this generation.
        if found.metadata.generation == known.metadata.generation {
            observe(found, users, wrong, now);
        }
    })
    .await?;
    if let Some(wrong) = wrong {
        tell(cluster, known, wrong).await;
    }
    Ok(())
}

/// Says on the object what its deletion waits for.
pub(super) async fn waits(
    cluster: &Cluster,
    known: &Arc<Repository>,
    statement: &Statement,
) -> Result<()> {
    let now = cluster.now();
    status::update_known(&cluster.client, &**known, |found: &mut Repository| {
        let generation = found.metadata.generation;
        let status = found.status.get_or_insert_default();
        status.observed_generation = generation;
        condition::set(&mut status.conditions, statement, generation, now);
    })
    .await?;
    tell(cluster, known, statement).await;
    Ok(())
}

/// An Event for what was not said before.
async fn tell(cluster: &Cluster, known: &Arc<Repository>, statement: &Statement) {
    let before = known.status.as_ref().and_then(|status| {
        condition::find(&status.conditions, statement.type_)?.message.as_deref()
    });
    if before != Some(&statement.message) {
        let event = match statement.reason {
            IN_USE | RUNNING => Event::normal(statement.reason, &statement.message),
            reason => Event::warning(reason, &statement.message),
        };
        cluster.tell(COMPONENT, &**known, event).await;
    }
}

/// The new status: users of other kinds stay, since others may have written them. A Repository
/// without fault has no condition, as the original's has none.
fn observe(
    repository: &mut Repository,
    users: &[TypedObjectReference],
    wrong: Option<&Statement>,
    now: Timestamp,
) {
    let generation = repository.metadata.generation;
    let status = repository.status.get_or_insert_with(RepositoryStatus::default);
    status.observed_generation = generation;
    let others = status.references.iter().filter(|user| user.kind.as_deref() != Some(USER_KIND));
    status.references = others.chain(users).cloned().collect();
    match wrong {
        Some(wrong) => condition::set(&mut status.conditions, wrong, generation, now),
        None => condition::remove(&mut status.conditions, Type::ValidationPassed),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use sealift_api::manifest::STASH_GROUP;
    use sealift_api::planner::repository_in_pod;

    use super::super::validate::validate;

    fn repository(backend: serde_json::Value) -> Repository {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
            "metadata": {"name": "r", "namespace": "demo", "generation": 3},
            "spec": {"backend": backend},
            "status": {"snapshotCount": 5, "references": [
                {"kind": "BackupConfiguration", "namespace": "demo", "name": "gone"},
                {"kind": "BackupBatch", "namespace": "demo", "name": "batch"}
            ]}
        }))
        .unwrap()
    }

    #[test]
    fn users_are_told_once_and_those_of_other_kinds_stay() {
        let mut repository = repository(serde_json::json!({}));
        let user = TypedObjectReference {
            api_group: Some(STASH_GROUP.to_owned()),
            kind: Some(USER_KIND.to_owned()),
            namespace: Some("demo".to_owned()),
            name: "demo-backup".to_owned(),
        };
        let now = Timestamp::UNIX_EPOCH;
        observe(&mut repository, std::slice::from_ref(&user), None, now);
        let once = repository.clone();
        observe(&mut repository, &[user], None, now);
        assert_eq!(once, repository);
        insta::assert_yaml_snapshot!(repository.status, @r"
        observedGeneration: 3
        snapshotCount: 5
        references:
          - kind: BackupBatch
            namespace: demo
            name: batch
          - apiGroup: stash.appscode.com
            kind: BackupConfiguration
            namespace: demo
            name: demo-backup
        ");
    }

    #[test]
    fn a_storage_that_is_not_served_is_named_and_the_condition_goes_with_it() {
        let mut found =
            repository(serde_json::json!({"swift": {"container": "c"}, "storageSecretName": "s"}));
        let wrong = validate(&repository_in_pod(&found)).unwrap();
        assert!(wrong.message.contains("demo/r: spec.backend.swift: "), "{}", wrong.message);
        let now = Timestamp::UNIX_EPOCH;
        observe(&mut found, &[], Some(&wrong), now);
        let conditions = |found: &Repository| found.status.clone().unwrap().conditions;
        assert_eq!(condition::holds(&conditions(&found), Type::ValidationPassed), Some(false));
        observe(&mut found, &[], None, now);
        assert_eq!(conditions(&found), []);
    }
}
