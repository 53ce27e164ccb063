//! What a BackupConfiguration names: Repository, its Secret, the target; and the plan of them.

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::planner::PlanError;
use sealift_api::repository::Repository;
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::{ObjectRef, Plan};
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::planning;

/// Whether something that is not watched is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is.
    There,
    /// It is not.
    Missing,
    /// It could not be asked; why.
    Unknown(String),
}

/// Everything a BackupConfiguration names.
pub(crate) struct Dereferenced {
    pub(crate) configuration: Arc<BackupConfiguration>,
    pub(crate) repository_key: Option<Key>,
    pub(crate) repository: Option<Arc<Repository>>,
    /// The Secret of the storage; none = the Repository names none.
    pub(crate) secret: Option<(Key, Presence)>,
    pub(crate) target: Option<ObjectRef>,
    pub(crate) target_found: bool,
    pub(crate) plan: Result<Plan, PlanError>,
}

pub(super) async fn dereference(
    cluster: &Cluster,
    configuration: &Arc<BackupConfiguration>,
) -> Dereferenced {
    let namespace = configuration.namespace();
    let spec = &configuration.spec;
    let stores = &cluster.stores;
    let repository_key = planning::repository_key(namespace, spec.repository.as_ref());
    let repository = repository_key.as_ref().and_then(|key| stores.repositories.find(key));
    let secret = match repository.as_deref() {
        Some(repository) => backend_secret(cluster, repository).await,
        None => None,
    };
    let named = spec.target.as_ref().and_then(|target| target.reference.as_ref());
    let target = planning::target(namespace, named);
    let target_found = target
        .as_ref()
        .is_some_and(|target| stores.app_bindings.get(&target.namespace, &target.name).is_some());
    // The session's name goes into the plan, and this plan is only looked at.
    let session = format!("{}-0", configuration.name());
    let plan = planning::backup(stores, &cluster.options, configuration, &session);
    Dereferenced {
        configuration: Arc::clone(configuration),
        repository_key,
        repository,
        secret,
        target,
        target_found,
        plan,
    }
}

/// The Secret a Repository names, and whether it is there.
pub(crate) async fn backend_secret(
    cluster: &Cluster,
    repository: &Repository,
) -> Option<(Key, Presence)> {
    let name = repository.spec.backend.storage_secret_name.as_deref()?;
    let key = Key::new(repository.namespace(), name);
    if name.is_empty() {
        return None;
    }
    let presence = match cluster.secrets.is_there(&key).await {
        Ok(true) => Presence::There,
        Ok(false) => Presence::Missing,
        Err(error) => Presence::Unknown(chain_of_causes(&error)),
    };
    Some((key, presence))
}
