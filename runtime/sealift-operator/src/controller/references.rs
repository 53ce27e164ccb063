//! What BackupConfigurations and RestoreSessions name alike: Repository, its Secret, the target.
//!
//! It is only looked up here; `validate` of each kind judges what was found.

use std::sync::Arc;
use std::time::Duration;

use sealift_api::planner::PlanError;
use sealift_api::reference::{RepositoryRef, TargetRef};
use sealift_api::repository::Repository;
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::{ObjectRef, Plan};
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::labels;
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

/// An object and everything it names.
pub(crate) struct Dereferenced<Object> {
    pub(crate) object: Arc<Object>,
    pub(crate) repository_key: Option<Key>,
    pub(crate) repository: Option<Arc<Repository>>,
    /// It is there, but being deleted.
    pub(crate) repository_goes: bool,
    /// The Secret of the storage; none = the Repository names none.
    pub(crate) secret: Option<BackendSecret>,
    pub(crate) target: Option<ObjectRef>,
    pub(crate) target_found: bool,
    pub(crate) plan: Result<Plan, PlanError>,
}

/// What an object says it refers to, from its spec.
pub(crate) struct Named<'a> {
    /// The namespace of the object, which counts where none is named.
    pub(crate) namespace: &'a str,
    pub(crate) repository: Option<&'a RepositoryRef>,
    pub(crate) target: Option<&'a TargetRef>,
}

impl<Object> Dereferenced<Object> {
    /// Looks everything up. Only the Secret is asked for, and seldom; all else is watched.
    pub(crate) async fn read(
        cluster: &Cluster,
        object: &Arc<Object>,
        named: &Named<'_>,
        plan: Result<Plan, PlanError>,
    ) -> Self {
        let stores = &cluster.stores;
        let repository_key = planning::repository_key(named.namespace, named.repository);
        let found = repository_key.as_ref().and_then(|key| stores.repositories.find(key));
        // One that is being deleted takes no new session.
        let repository_goes = found.as_ref().is_some_and(|it| labels::is_going(&it.metadata));
        let repository = found.filter(|_| !repository_goes);
        // Who may not use a Repository is not told what its Secret is called, nor whether it is there.
        let secret = match repository.as_deref().filter(|_| !planning::is_forbidden(&plan)) {
            Some(repository) => backend_secret(cluster, repository).await,
            None => None,
        };
        let target = planning::target(named.namespace, named.target);
        let target_found = target.as_ref().is_some_and(|target| {
            stores.app_bindings.get(&target.namespace, &target.name).is_some()
        });
        let object = Arc::clone(object);
        Self {
            object,
            repository_key,
            repository,
            repository_goes,
            secret,
            target,
            target_found,
            plan,
        }
    }
}

/// The Secret a Repository names, and whether it is there.
async fn backend_secret(cluster: &Cluster, repository: &Repository) -> Option<BackendSecret> {
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
