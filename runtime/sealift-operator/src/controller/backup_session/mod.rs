//! BackupSessions: from the first look at them to their end, and what follows it.
//!
//! The Job writes what it did; here is decided whether a session may run, when it is over, and
//! how. A session that is over is never run again.

mod adopt;
mod dereference;
mod finish;
mod history;
mod retry;
mod start;
mod status;
mod validate;

use std::sync::Arc;

use sealift_api::backup_session::BackupSession;
use sealift_core::session::Phase;
use sealift_kube::watch::Key;

use crate::admission::Session;
use crate::cluster::{Cluster, Stores};
use crate::engine::Next;
use crate::error::Result;
use crate::labels;

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
        adopt::adopt(&cluster, &session).await?;
        finish::push(&cluster, &session).await?;
        return retry::retry(&cluster, &session).await;
    }
    if phase == Phase::Running {
        runs(&cluster, &session);
        return finish::watch(&cluster, &session).await;
    }
    start::begin(&cluster, &session).await
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
    let waits = |session: &BackupSession| is_of(session, &invoker.name) && is_waiting(session);
    let found = stores.sessions.select_in(&invoker.namespace, waits);
    found.iter().map(|session| Key::of(&**session)).collect()
}

/// Sessions that may have waited for this one: of its invoker, or with its target.
pub(crate) fn waiting_for(stores: &Stores, ended: &BackupSession) -> Vec<Key> {
    let target = |session: &BackupSession| {
        let named = session.spec.invoker.as_ref()?;
        let invoker = stores.configurations.get(session.namespace(), &named.name)?;
        dereference::target_of(&invoker)
    };
    let of_ended = target(ended);
    let waits = |session: &BackupSession| {
        let same =
            session.namespace() == ended.namespace() && session.spec.invoker == ended.spec.invoker;
        is_waiting(session) && (same || of_ended.is_some() && target(session) == of_ended)
    };
    stores.sessions.select(waits).iter().map(|session| Key::of(&**session)).collect()
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

/// Whether a session is of this invoker.
fn is_of(session: &BackupSession, invoker: &str) -> bool {
    let named = session.spec.invoker.as_ref();
    named.is_some_and(|named| named.kind == "BackupConfiguration" && named.name == invoker)
}
