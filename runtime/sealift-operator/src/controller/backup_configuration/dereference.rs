//! What a BackupConfiguration names: Repository, its Secret, the target; and the plan of them.

use std::sync::Arc;
use std::time::Duration;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::planner::PlanError;
use sealift_api::repository::Repository;
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::{ObjectRef, Plan};
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::planning;
use crate::secret_check::Seen;

/// An API server that could not be asked is asked again soon.
const ASK_AGAIN: Duration = Duration::from_secs(8);

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

/// The Secret of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackendSecret {
    pub(crate) key: Key,
    pub(crate) presence: Presence,
    /// When to look again: Secrets are not watched.
    pub(crate) again: Duration,
}

/// Everything a BackupConfiguration names.
pub(crate) struct Dereferenced {
    pub(crate) configuration: Arc<BackupConfiguration>,
    pub(crate) repository_key: Option<Key>,
    pub(crate) repository: Option<Arc<Repository>>,
    /// The Secret of the storage; none = the Repository names none.
    pub(crate) secret: Option<BackendSecret>,
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
) -> Option<BackendSecret> {
    let name = repository.spec.backend.storage_secret_name.as_deref()?;
    let key = Key::new(repository.namespace(), name);
    if name.is_empty() {
        return None;
    }
    let (presence, again) = match cluster.secrets.look(&key).await {
        Ok(Seen { there: true, again }) => (Presence::There, again),
        Ok(Seen { there: false, again }) => (Presence::Missing, again),
        Err(error) => (Presence::Unknown(chain_of_causes(&error)), ASK_AGAIN),
    };
    Some(BackendSecret { key, presence, again })
}
