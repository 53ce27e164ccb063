//! Repositories: their finalizer, who uses them, and their end.
//!
//! `status` is what is said on the object, `cleanup` lets a deleted one go, `wipe` has its data
//! removed before, if it says so, `place` finds others that keep theirs there. Size, integrity and
//! counts are written by Jobs.

mod cleanup;
mod place;
mod status;
mod wipe;

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::manifest::STASH_GROUP;
use sealift_api::object::Namespace;
use sealift_api::planner::{Use, repository_in_pod, usage};
use sealift_api::repository::{Repository, TypedObjectReference};
use sealift_kube::apply as server;
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::controller::unreadable;
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, REPOSITORY_FINALIZER};
use crate::relations;

/// The name in Events.
const COMPONENT: &str = "Repository Controller";
const USER_KIND: &str = "BackupConfiguration";

/// Looks at one Repository.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let repositories = &cluster.stores.repositories;
    let Some(repository) = repositories.find(&key) else {
        // Gone, or not readable: then it may be there.
        if repositories.unreadable(&key).is_none() {
            wipe::sweep(&cluster, &key).await?;
        }
        unreadable::reconcile(&cluster, COMPONENT, repositories, &key, REPOSITORY_FINALIZER)
            .await?;
        return Ok(Next::Wait);
    };
    let has = labels::has_finalizer(&repository.metadata, REPOSITORY_FINALIZER);
    let repository = match (labels::is_going(&repository.metadata), has) {
        (true, true) => return cleanup::cleanup(&cluster, &repository).await,
        (true, false) => return Ok(Next::Wait),
        // In a namespace that goes, so will this.
        (false, _) if cluster.is_ending(&key.namespace) => return Ok(Next::Wait),
        (false, false) => {
            let mut finalizers = repository.metadata.finalizers.clone().unwrap_or_default();
            finalizers.push(REPOSITORY_FINALIZER.to_owned());
            let metadata = patch(&cluster, &repository, &finalizers).await?;
            Arc::new(Repository { metadata, ..(*repository).clone() })
        }
        (false, true) => repository,
    };
    let users = users(&cluster, &repository);
    let wrong = status::judge(&repository_in_pod(&repository));
    status::observed(&cluster, &repository, &users, wrong.as_ref()).await?;
    Ok(Next::Wait)
}

/// Who uses it, in order. Who only names it and may not use it does not count: otherwise anybody
/// could fill the status of a Repository of another namespace.
fn users(cluster: &Cluster, repository: &Repository) -> Vec<TypedObjectReference> {
    let key = Key::of(repository);
    let may = |namespace: &str| {
        namespace == key.namespace
            || cluster.stores.namespaces.get("", namespace).is_some_and(|found| {
                let labels = found.metadata.labels.clone();
                let namespace = Namespace::new(namespace.to_owned(), labels);
                usage(repository, namespace.name(), Some(namespace.labels())) == Use::Allowed
            })
    };
    let uses = |configuration: &BackupConfiguration| {
        !labels::is_going(&configuration.metadata) && may(configuration.namespace())
    };
    let mut found = cluster.stores.configurations.related(relations::REPOSITORY, &key);
    found.retain(|configuration| uses(configuration));
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

async fn patch(
    cluster: &Cluster,
    repository: &Repository,
    finalizers: &[String],
) -> Result<ObjectMeta> {
    let patch = serde_json::json!({
        "finalizers": finalizers, "resourceVersion": repository.metadata.resource_version
    });
    let (namespace, name) = (repository.namespace(), repository.name());
    let client = &cluster.client;
    Ok(server::patch_metadata::<Repository>(client, namespace, name, &patch).await?)
}
