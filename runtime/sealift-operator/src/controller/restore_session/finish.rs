//! Ends a RestoreSession: when its Job has said all, when it died, or when time is up.

use std::sync::Arc;

use sealift_api::restore_session::RestoreSession;
use sealift_core::names::DEFAULT_HOSTNAME;
use sealift_core::outcome::Ending;
use sealift_kube::event::Event;
use sealift_kube::read;
use sealift_kube::watch::Key;

use super::leave;
use super::status::{self, Conclusion, End};
use crate::cluster::Cluster;
use crate::condition::Statement;
use crate::controller::job::{self, Come, OwnJob};
use crate::controller::push::{self, Unpushed};
use crate::ending::Death;
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, Purpose};

/// Under this name the Job writes its Events; those about its end come from one place.
const REPORTER: &str = "Status Updater";

/// Watches the Job of a restore that runs.
pub(super) async fn watch(cluster: &Cluster, session: &Arc<RestoreSession>) -> Result<Next> {
    let job = OwnJob::of_restore(session);
    let ending = job.ending(cluster).await?;
    let mut session = Arc::clone(session);
    if ending.is_over() && !status::is_reported(&session) {
        let live =
            read::find::<RestoreSession>(&cluster.client, session.namespace(), session.name());
        match live.await? {
            Some(live) => session = Arc::new(live),
            None => return Ok(Next::Wait),
        }
    }
    let conclusion = if status::is_reported(&session) {
        Conclusion::Reported
    } else {
        match job::come(cluster, &job, ending, status::deadline(&session)).await? {
            Come::On(next) => return Ok(next),
            // The hook after it failed, and the Job could not say so.
            Come::Done(record) if record.ending != Ending::Succeeded => {
                Conclusion::Lost(Death { reason: record.reason, message: record.message })
            }
            Come::Done(_) => Conclusion::Done,
            Come::Lost(death) => Conclusion::Lost(death),
            Come::Deadline => Conclusion::Deadline,
        }
    };
    conclude(cluster, &session, conclusion).await
}

async fn conclude(
    cluster: &Cluster,
    session: &Arc<RestoreSession>,
    conclusion: Conclusion,
) -> Result<Next> {
    let alias = session.spec.target.as_ref().and_then(|target| target.alias.as_deref());
    let hostname = alias.filter(|alias| !alias.is_empty()).unwrap_or(DEFAULT_HOSTNAME);
    let time_out = session.spec.time_out.as_deref().unwrap_or("20h");
    let end =
        End { conclusion: &conclusion, hostname, time_out, statements: &[], now: cluster.now() };
    let written = status::end(cluster, session, &end).await?;
    leave(cluster, &Key::of(&**session));
    if let Some(error) = conclusion.error(time_out) {
        let message = format!("restore failed for host \"{hostname}\". Reason: {error}");
        cluster.tell(REPORTER, &written, Event::warning("Host Restore Failed", message)).await;
    }
    Ok(Next::Wait)
}

/// Pushes the metrics of a restore that has ended, if that is due.
pub(super) async fn push(cluster: &Cluster, session: &Arc<RestoreSession>) -> Result<()> {
    if status::is_pushed(session) {
        return Ok(());
    }
    let owner = labels::owner(&**session);
    let unpushed = Unpushed {
        session: session.reference(),
        job: OwnJob::of_restore(session),
        session_owner: &owner,
        purpose: Purpose::Restore,
        invoker: &session.metadata,
        invoker_owner: &owner,
        runtime: session.spec.runtime_settings.as_ref(),
    };
    push::missing(cluster, &unpushed).await
}

/// It cannot be run.
pub(super) async fn refuse(
    cluster: &Cluster,
    session: &Arc<RestoreSession>,
    statements: &[Statement],
) -> Result<Next> {
    let end = End {
        conclusion: &Conclusion::Reported,
        hostname: "",
        time_out: "",
        statements,
        now: cluster.now(),
    };
    status::end(cluster, session, &end).await?;
    leave(cluster, &Key::of(&**session));
    Ok(Next::Wait)
}
