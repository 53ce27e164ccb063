//! What concerns a Repository: who uses it, and where it points.

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::manifest::STASH_GROUP;
use sealift_api::object::Namespace;
use sealift_api::planner::{PlanError, Use, repository_in_pod, usage};
use sealift_api::repository::{Repository, TypedObjectReference};
use sealift_core::plan::RepositoryPlan;
use sealift_kube::watch::Key;

use super::USER_KIND;
use crate::cluster::Cluster;
use crate::{labels, relations};

/// What concerns a Repository.
pub(super) struct Dereferenced {
    pub(super) users: Vec<TypedObjectReference>,
    pub(super) plan: Result<RepositoryPlan, PlanError>,
}

pub(super) fn dereference(cluster: &Cluster, repository: &Repository) -> Dereferenced {
    Dereferenced { users: users(cluster, repository), plan: repository_in_pod(repository) }
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
