//! RestoreSessions: validated, started once, watched to their end. One that has ended is never
//! run again.

mod apply;
mod dereference;
mod finish;
mod status;
mod validate;

use std::sync::Arc;

use sealift_api::restore_session::RestoreSessionPhase;
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::engine::Next;
use crate::error::Result;
use crate::labels;

/// The name in Events.
pub(crate) const COMPONENT: &str = "RestoreSession Controller";

/// Looks at one RestoreSession.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let Some(session) = cluster.stores.restores.find(&key) else { return Ok(Next::Wait) };
    if labels::is_going(&session.metadata) {
        apply::cleanup(&cluster, &session).await?;
        return Ok(Next::Wait);
    }
    if cluster.is_ending(&key.namespace) {
        return Ok(Next::Wait);
    }
    match session.status.as_ref().and_then(|status| status.phase) {
        Some(
            RestoreSessionPhase::Succeeded
            | RestoreSessionPhase::Failed
            | RestoreSessionPhase::Unknown,
        ) => Ok(Next::Wait),
        Some(RestoreSessionPhase::Running) => finish::watch(&cluster, &session).await,
        Some(RestoreSessionPhase::Pending | RestoreSessionPhase::Invalid) | None => {
            begin(&cluster, &session).await
        }
    }
}

async fn begin(
    cluster: &Cluster,
    session: &Arc<sealift_api::restore_session::RestoreSession>,
) -> Result<Next> {
    let found = dereference::dereference(cluster, session).await;
    let valid = validate::validate(&found);
    let plan = match (&found.plan, valid.sound) {
        (Ok(plan), true) => plan,
        _ => {
            status::waiting(cluster, session, &valid.statements).await?;
            return Ok(Next::After(sealift_kube::backoff::spread(status::LOOK_AGAIN)));
        }
    };
    apply::start(cluster, session, &found, plan, valid.statements).await
}
