//! RestoreSessions: validated, let in beside BackupSessions, started once, watched to their end.
//! One that has ended is never run again.

mod apply;
mod dereference;
mod finish;
mod status;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sealift_api::restore_session::{RestoreSession, RestoreSessionPhase};
use sealift_kube::backoff::spread;
use sealift_kube::watch::Key;

use crate::admission::{Session, Turn};
use crate::cluster::Cluster;
use crate::condition::Statement;
use crate::controller::launch::{self, Refusal};
use crate::controller::{queued, unreadable};
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
        apply::cleanup(&cluster, &session).await?;
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
            begin(&cluster, &session).await
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

async fn begin(cluster: &Cluster, session: &Arc<RestoreSession>) -> Result<Next> {
    let found = dereference::dereference(cluster, session).await;
    let mut valid = validate::validate(&found);
    // A change of what it waits for wakes it, but Secrets are not watched.
    let mut next = found.secret.as_ref().map_or(Next::Wait, |secret| once_asked(secret.again));
    if let (Ok(plan), true) = (&found.plan, valid.sound)
        && let Some((Refusal { message }, again)) = launch::missing_secret(cluster, plan).await?
    {
        valid.refuse(message);
        next = next.or(once_asked(again));
    }
    let (Ok(plan), true) = (&found.plan, valid.sound) else {
        // What cannot run takes nobody's place, nor keeps anybody from its target.
        leave(cluster, &Key::of(&**session));
        status::waiting(cluster, session, &valid.statements, None).await?;
        return Ok(next);
    };
    let own = Session::restore(Key::of(&**session));
    if let Err(other) = cluster.admission.claim(&own, None, &plan.target.reference) {
        let said = queued::for_other(&other);
        return wait(cluster, session, &valid.statements, Some(&said)).await;
    }
    match cluster.admission.ask(&own, created(session), cluster.is_shared()) {
        Turn::Wait { position, waiting, running, kept } => {
            let said = queued::for_place(position, waiting, running, kept);
            wait(cluster, session, &valid.statements, Some(&said)).await?;
            Ok(Next::After(spread(queued::look_again(position))))
        }
        Turn::Now => apply::start(cluster, session, &found, plan, valid.statements).await,
    }
}

/// A little later than what is known of a Secret expires.
fn once_asked(again: Duration) -> Next {
    Next::After(again + spread(Duration::from_secs(1)))
}

async fn wait(
    cluster: &Cluster,
    session: &Arc<RestoreSession>,
    statements: &[Statement],
    queued: Option<&Statement>,
) -> Result<Next> {
    status::waiting(cluster, session, statements, queued).await?;
    // Whoever it waits for wakes it.
    let again = if queued.is_some() { status::LOOK_AGAIN_QUEUED } else { status::LOOK_AGAIN };
    Ok(Next::After(spread(again)))
}

fn created(session: &RestoreSession) -> Timestamp {
    session.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}
