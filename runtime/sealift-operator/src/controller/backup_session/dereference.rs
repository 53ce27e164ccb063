//! What a BackupSession names: its invoker; and the other sessions that concern it.

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::{BackupSession, InvokerRef};
use sealift_core::plan::ObjectRef;
use sealift_kube::watch::Key;

use super::is_open;
use crate::cluster::Cluster;
use crate::planning;

/// What a BackupSession names.
pub(super) struct Dereferenced {
    pub(super) session: Arc<BackupSession>,
    pub(super) invoker: Option<Arc<BackupConfiguration>>,
    pub(super) target: Option<ObjectRef>,
    /// Other open sessions of the same invoker.
    pub(super) siblings: Vec<Arc<BackupSession>>,
    /// Open sessions of other invokers with the same target.
    pub(super) rivals: Vec<Arc<BackupSession>>,
}

pub(super) fn dereference(cluster: &Cluster, session: &Arc<BackupSession>) -> Dereferenced {
    let stores = &cluster.stores;
    let namespace = session.namespace();
    let invoker = configuration_of(cluster, session);
    let target = invoker.as_deref().and_then(target_of);
    let siblings = match invoker.as_deref() {
        None => Vec::new(),
        Some(invoker) => {
            let mut siblings = super::of_invoker(stores, &Key::of(invoker));
            siblings.retain(|other| other.name() != session.name() && is_open(other));
            siblings
        }
    };
    let rivals = match (&target, invoker.as_deref()) {
        (Some(target), Some(invoker)) => {
            let own = Key::of(invoker);
            let mut rivals = super::with_target(stores, target, |other| Key::of(other) != own);
            // As in `admission`: at home, nobody waits for sessions of other namespaces.
            let counts = |other: &BackupSession| {
                other.namespace() == target.namespace || namespace != target.namespace
            };
            rivals.retain(|other| counts(other) && is_open(other));
            rivals
        }
        _ => Vec::new(),
    };
    Dereferenced { session: Arc::clone(session), invoker, target, siblings, rivals }
}

pub(super) fn configuration_of(
    cluster: &Cluster,
    session: &BackupSession,
) -> Option<Arc<BackupConfiguration>> {
    let InvokerRef { kind, name, .. } = session.spec.invoker.as_ref()?;
    (kind == "BackupConfiguration")
        .then(|| cluster.stores.configurations.get(session.namespace(), name))
        .flatten()
}

pub(super) fn target_of(configuration: &BackupConfiguration) -> Option<ObjectRef> {
    let target = configuration.spec.target.as_ref().and_then(|target| target.reference.as_ref());
    planning::target(configuration.namespace(), target)
}
