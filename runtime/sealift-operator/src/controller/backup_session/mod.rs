//! BackupSessions: from the first look at them to their end, and what follows it.
//!
//! The Job writes what it did; here is decided whether a session may run, when it is over, and
//! how. A session that is over is never run again.

mod adopt;
mod apply;
mod dereference;
mod finish;
mod history;
mod recorded;
mod retry;
mod status;
mod success;
mod validate;

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_core::plan::ObjectRef;
use sealift_core::session::Phase;
use sealift_kube::watch::Key;

use crate::admission::Session;
use crate::cluster::{Cluster, Stores};
use crate::engine::Next;
use crate::error::Result;
use crate::{labels, relations};

/// The name in Events.
pub(crate) const COMPONENT: &str = "BackupSession Controller";

/// Looks at one BackupSession.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let found = cluster.stores.sessions.find(&key);
    let stays = |session: &Arc<BackupSession>| {
        !labels::is_going(&session.metadata) && !cluster.is_ending(&key.namespace)
    };
    let Some(session) = found.filter(stays) else {
        leave(&cluster, &key);
        cluster.tell_unreadable(COMPONENT, &cluster.stores.sessions, &key).await;
        return Ok(Next::Wait);
    };
    let phase = status::phase_of(&session);
    if phase.is_final() || phase == Phase::Unknown {
        leave(&cluster, &key);
        let session = adopt::adopt(&cluster, &session).await?;
        success::remember(&cluster, &session).await?;
        finish::push(&cluster, &session).await?;
        return retry::retry(&cluster, &session).await;
    }
    if phase == Phase::Running {
        runs(&cluster, &session);
        return finish::watch(&cluster, &session).await;
    }
    apply::begin(&cluster, &session).await
}

/// Everything a session held is free; whoever waited for it is looked at.
pub(crate) fn leave(cluster: &Cluster, key: &Key) {
    cluster.leave(&Session::backup(key.clone()));
}

/// It is counted, and its target is its own.
pub(crate) fn runs(cluster: &Cluster, session: &BackupSession) {
    let invoker = dereference::configuration_of(cluster, session);
    let target = invoker.as_deref().and_then(dereference::target_of);
    cluster.admission.runs(&Session::backup(Key::of(session)), target);
}

/// Sessions that have not begun and wait for what becomes of this invoker.
pub(crate) fn waiting_of(stores: &Stores, invoker: &Key) -> Vec<Key> {
    keys_of_waiting(&of_invoker(stores, invoker))
}

/// Sessions that may have waited for this one: of its invoker, or with its target.
pub(crate) fn waiting_for(stores: &Stores, ended: &BackupSession) -> Vec<Key> {
    let Some(named) = &ended.spec.invoker else { return Vec::new() };
    let invoker = Key::new(ended.namespace(), &named.name);
    let mut found = of_invoker(stores, &invoker);
    let target = stores.configurations.find(&invoker).as_deref().and_then(dereference::target_of);
    if let Some(target) = target {
        found.extend(with_target(stores, &target, |other| Key::of(other) != invoker));
    }
    keys_of_waiting(&found)
}

/// All sessions of an invoker.
fn of_invoker(stores: &Stores, invoker: &Key) -> Vec<Arc<BackupSession>> {
    stores.sessions.related(relations::INVOKER, invoker)
}

/// All sessions with this target whose invoker is wanted.
fn with_target(
    stores: &Stores,
    target: &ObjectRef,
    wanted: impl Fn(&BackupConfiguration) -> bool,
) -> Vec<Arc<BackupSession>> {
    let place = Key::new(&target.namespace, &target.name);
    let invokers = stores.configurations.related(relations::TARGET, &place);
    let is = |invoker: &&Arc<BackupConfiguration>| {
        wanted(invoker) && dereference::target_of(invoker).as_ref() == Some(target)
    };
    invokers.iter().filter(is).flat_map(|it| of_invoker(stores, &Key::of(&**it))).collect()
}

fn keys_of_waiting(sessions: &[Arc<BackupSession>]) -> Vec<Key> {
    sessions.iter().filter(|it| is_waiting(it)).map(|it| Key::of(&**it)).collect()
}

/// Whether a session has a Job.
pub(crate) fn is_running(session: &BackupSession) -> bool {
    status::phase_of(session) == Phase::Running && is_open(session)
}

fn is_waiting(session: &BackupSession) -> bool {
    status::phase_of(session) == Phase::Pending && is_open(session)
}

/// Whether a session is neither over nor going.
pub(crate) fn is_open(session: &BackupSession) -> bool {
    let phase = status::phase_of(session);
    !phase.is_final() && phase != Phase::Unknown && !labels::is_going(&session.metadata)
}
