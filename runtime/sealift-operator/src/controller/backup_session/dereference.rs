//! What a BackupSession names: its invoker; and the other sessions that concern it.

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::{BackupSession, InvokerRef};
use sealift_core::plan::ObjectRef;

use super::{is_of, is_open};
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
        Some(invoker) => stores.sessions.select_in(namespace, |other| {
            other.name() != session.name() && is_of(other, invoker.name()) && is_open(other)
        }),
    };
    let rivals = match (&target, invoker.as_deref()) {
        (Some(target), Some(invoker)) => stores.sessions.select(|other| {
            let same = other.namespace() == namespace && is_of(other, invoker.name());
            !same
                && is_open(other)
                && configuration_of(cluster, other)
                    .is_some_and(|other| target_of(&other).as_ref() == Some(target))
        }),
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
