//! What a RestoreSession names: Repository, its Secret, the target; and the plan of them.

use std::sync::Arc;

use sealift_api::planner::PlanError;
use sealift_api::repository::Repository;
use sealift_api::restore_session::RestoreSession;
use sealift_core::plan::{ObjectRef, Plan};
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::controller::backup_configuration::{BackendSecret, backend_secret};
use crate::planning;

/// Everything a RestoreSession names.
pub(super) struct Dereferenced {
    pub(super) session: Arc<RestoreSession>,
    pub(super) repository_key: Option<Key>,
    pub(super) repository: Option<Arc<Repository>>,
    /// The Secret of the storage; none = the Repository names none.
    pub(super) secret: Option<BackendSecret>,
    pub(super) target: Option<ObjectRef>,
    pub(super) target_found: bool,
    pub(super) plan: Result<Plan, PlanError>,
}

pub(super) async fn dereference(cluster: &Cluster, session: &Arc<RestoreSession>) -> Dereferenced {
    let namespace = session.namespace();
    let spec = &session.spec;
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
    let plan = planning::restore(stores, &cluster.options, session);
    Dereferenced {
        session: Arc::clone(session),
        repository_key,
        repository,
        secret,
        target,
        target_found,
        plan,
    }
}
