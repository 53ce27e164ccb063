//! RestoreSessions: validated, let in beside BackupSessions, started once, watched to their end.
//! One that has ended is never run again.

mod apply;
mod cleanup;
mod dereference;
mod finish;
mod status;
mod validate;

use std::sync::Arc;

use sealift_api::restore_session::{RestoreSession, RestoreSessionPhase};
use sealift_kube::watch::Key;

use crate::admission::Session;
use crate::cluster::Cluster;
use crate::controller::unreadable;
use crate::engine::Next;
use crate::error::Result;
use crate::{labels, planning};

/// The name in Events.
pub(crate) const COMPONENT: &str = "RestoreSession Controller";

/// Looks at one RestoreSession.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let Some(session) = cluster.stores.restores.find(&key) else {
        leave(&cluster, &key);
        let restores = &cluster.stores.restores;
        unreadable::reconcile(&cluster, COMPONENT, restores, &key, labels::FINALIZER).await?;
        return Ok(Next::Wait);
    };
    if labels::is_going(&session.metadata) {
        leave(&cluster, &key);
        cleanup::cleanup(&cluster, &session).await?;
        return Ok(Next::Wait);
    }
    if cluster.is_ending(&key.namespace) {
        leave(&cluster, &key);
        return Ok(Next::Wait);
    }
    match phase_of(&session) {
        Some(
            RestoreSessionPhase::Succeeded
            | RestoreSessionPhase::Failed
            | RestoreSessionPhase::Unknown,
        ) => {
            leave(&cluster, &key);
            finish::push(&cluster, &session).await?;
            Ok(Next::Wait)
        }
        Some(RestoreSessionPhase::Running) => {
            runs(&cluster, &session);
            finish::watch(&cluster, &session).await
        }
        Some(RestoreSessionPhase::Pending | RestoreSessionPhase::Invalid) | None => {
            apply::begin(&cluster, &session).await
        }
    }
}

/// Whether a restore has a Job.
pub(crate) fn is_running(session: &RestoreSession) -> bool {
    phase_of(session) == Some(RestoreSessionPhase::Running) && !labels::is_going(&session.metadata)
}

/// It is counted, and its target is its own.
pub(crate) fn runs(cluster: &Cluster, session: &RestoreSession) {
    let named = session.spec.target.as_ref().and_then(|target| target.reference.as_ref());
    let target = planning::target(session.namespace(), named);
    cluster.admission.runs(&Session::restore(Key::of(session)), target);
}

fn phase_of(session: &RestoreSession) -> Option<RestoreSessionPhase> {
    session.status.as_ref().and_then(|status| status.phase)
}

/// Everything a restore held is free.
fn leave(cluster: &Cluster, key: &Key) {
    cluster.leave(&Session::restore(key.clone()));
}
