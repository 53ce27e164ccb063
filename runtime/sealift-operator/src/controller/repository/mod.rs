//! Repositories: their finalizer, who uses them, and their end.
//!
//! Size, integrity and counts are written by Jobs.

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::manifest::STASH_GROUP;
use sealift_api::repository::{Repository, RepositoryStatus, TypedObjectReference};
use sealift_kube::event::Event;
use sealift_kube::watch::Key;
use sealift_kube::{apply as server, status};

use crate::cluster::Cluster;
use crate::engine::Next;
use crate::error::{Error, Result};
use crate::labels::{self, REPOSITORY_FINALIZER};
use crate::planning;

/// The name in Events.
const COMPONENT: &str = "Repository Controller";
const USER_KIND: &str = "BackupConfiguration";

/// Looks at one Repository.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let Some(repository) = cluster.stores.repositories.find(&key) else { return Ok(Next::Wait) };
    let has = labels::has_finalizer(&repository.metadata, REPOSITORY_FINALIZER);
    match (labels::is_going(&repository.metadata), has) {
        (true, true) => cleanup(&cluster, &repository).await?,
        (true, false) => {}
        (false, false) => {
            let mut finalizers = repository.metadata.finalizers.clone().unwrap_or_default();
            finalizers.push(REPOSITORY_FINALIZER.to_owned());
            patch(&cluster, &repository, &finalizers).await?;
        }
        (false, true) => {}
    }
    if !labels::is_going(&repository.metadata) {
        let users = users(&cluster, &key);
        status::update_known(&cluster.client, &*repository, |found: &mut Repository| {
            observe(found, &users);
        })
        .await?;
    }
    Ok(Next::Wait)
}

/// Who uses it, in order.
fn users(cluster: &Cluster, key: &Key) -> Vec<TypedObjectReference> {
    let uses = |configuration: &BackupConfiguration| {
        let named = configuration.spec.repository.as_ref();
        !labels::is_going(&configuration.metadata)
            && planning::repository_key(configuration.namespace(), named).as_ref() == Some(key)
    };
    let found = cluster.stores.configurations.select(uses);
    found
        .iter()
        .map(|user| TypedObjectReference {
            api_group: Some(STASH_GROUP.to_owned()),
            kind: Some(USER_KIND.to_owned()),
            namespace: Some(user.namespace().to_owned()),
            name: user.name().to_owned(),
        })
        .collect()
}

/// The new status: users of other kinds stay, since others may have written them.
fn observe(repository: &mut Repository, users: &[TypedObjectReference]) {
    let generation = repository.metadata.generation;
    let status = repository.status.get_or_insert_with(RepositoryStatus::default);
    status.observed_generation = generation;
    let others = status.references.iter().filter(|user| user.kind.as_deref() != Some(USER_KIND));
    status.references = others.chain(users).cloned().collect();
}

/// Nothing in the storage is touched, but for `wipeOut`, which says so.
async fn cleanup(cluster: &Cluster, repository: &Repository) -> Result<()> {
    if repository.spec.wipe_out == Some(true) {
        let text = "spec.wipeOut: the data in the storage is not removed by this version; remove what lies under the Repository's prefix by hand";
        cluster.tell(COMPONENT, repository, Event::warning("WipeOutNotSupported", text)).await;
    }
    let finalizers = repository.metadata.finalizers.iter().flatten();
    let rest: Vec<String> =
        finalizers.filter(|finalizer| *finalizer != REPOSITORY_FINALIZER).cloned().collect();
    match patch(cluster, repository, &rest).await {
        Err(Error::Call(error)) if error.is_not_found() => Ok(()),
        done => done,
    }
}

async fn patch(cluster: &Cluster, repository: &Repository, finalizers: &[String]) -> Result<()> {
    let patch = serde_json::json!({
        "finalizers": finalizers, "resourceVersion": repository.metadata.resource_version
    });
    let (namespace, name) = (repository.namespace(), repository.name());
    server::patch_metadata::<Repository>(&cluster.client, namespace, name, &patch).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn users_are_told_once_and_those_of_other_kinds_stay() {
        let mut repository: Repository = serde_json::from_value(serde_json::json!({
            "apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
            "metadata": {"name": "r", "namespace": "demo", "generation": 3},
            "spec": {"backend": {}},
            "status": {"snapshotCount": 5, "references": [
                {"kind": "BackupConfiguration", "namespace": "demo", "name": "gone"},
                {"kind": "BackupBatch", "namespace": "demo", "name": "batch"}
            ]}
        }))
        .unwrap();
        let user = TypedObjectReference {
            api_group: Some(STASH_GROUP.to_owned()),
            kind: Some(USER_KIND.to_owned()),
            namespace: Some("demo".to_owned()),
            name: "demo-backup".to_owned(),
        };
        observe(&mut repository, std::slice::from_ref(&user));
        let once = repository.clone();
        observe(&mut repository, &[user]);
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
}
