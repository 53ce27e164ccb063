//! Ends a RestoreSession: when its Job has said all, when it died, or when time is up.

use std::sync::Arc;

use jiff::Timestamp;
use sealift_api::restore_session::RestoreSession;
use sealift_core::causes::chain_of_causes;
use sealift_core::names::DEFAULT_HOSTNAME;
use sealift_core::outcome::JobOutcome;
use sealift_kube::event::Event;
use sealift_kube::read;
use sealift_kube::watch::Key;

use super::status::{self, Conclusion, End};
use crate::cluster::Cluster;
use crate::condition::Statement;
use crate::controller::backup_session::{ending_of, until};
use crate::controller::launch;
use crate::controller::push::{self, Unpushed};
use crate::ending::{Death, Verdict};
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, Purpose};
use crate::names;

/// Under this name the Job writes its Events; those about its end come from one place.
const REPORTER: &str = "Status Updater";

/// Watches the Job of a restore that runs.
pub(super) async fn watch(cluster: &Cluster, session: &Arc<RestoreSession>) -> Result<Next> {
    let job = Key::new(session.namespace(), names::restore_job(session.name()));
    let ending = ending_of(cluster, &job).await?;
    let mut session = Arc::clone(session);
    if ending.is_over() && !status::is_reported(&session) {
        let live = read::find::<RestoreSession>(&cluster.client, &job.namespace, session.name());
        match live.await? {
            Some(live) => session = Arc::new(live),
            None => return Ok(Next::Wait),
        }
    }
    let record = ending.record().cloned();
    let conclusion = if status::is_reported(&session) {
        Conclusion::Reported
    } else {
        match ending.verdict(&job.to_string()) {
            Verdict::Open(give_up) => return on_time(cluster, &session, &job, give_up).await,
            Verdict::Done(_) => Conclusion::Done,
            Verdict::Lost(death) => Conclusion::Lost(death),
        }
    };
    conclude(cluster, &session, conclusion, record.as_ref()).await
}

async fn on_time(
    cluster: &Cluster,
    session: &Arc<RestoreSession>,
    job: &Key,
    give_up: Option<(Timestamp, Death)>,
) -> Result<Next> {
    let now = cluster.now();
    let status = session.status.as_ref();
    let deadline =
        status.and_then(|status| status.session_deadline.as_ref()).map(|deadline| deadline.0);
    if deadline.is_some_and(|deadline| now >= deadline) {
        launch::end(cluster, job).await?;
        return conclude(cluster, session, Conclusion::Deadline, None).await;
    }
    if let Some((at, death)) = &give_up
        && now >= *at
    {
        launch::end(cluster, job).await?;
        return conclude(cluster, session, Conclusion::Lost(death.clone()), None).await;
    }
    let next = [deadline, give_up.map(|(at, _)| at)].into_iter().flatten().min();
    Ok(next.map_or(Next::Wait, |at| Next::After(until(now, at))))
}

/// Metrics that are missing are pushed again. Nothing of the session depends on it.
async fn push(cluster: &Cluster, session: &RestoreSession, record: Option<&JobOutcome>) {
    if status::is_pushed(session) {
        return;
    }
    let owner = labels::owner(session);
    let unpushed = Unpushed {
        session: Key::of(session),
        session_owner: &owner,
        purpose: Purpose::Restore,
        invoker: &session.metadata,
        invoker_owner: &owner,
        runtime: session.spec.runtime_settings.as_ref(),
        record,
    };
    if let Err(error) = push::again(cluster, &unpushed).await {
        let error = chain_of_causes(&error);
        tracing::warn!(session = %unpushed.session, error, "the metrics are not pushed again");
    }
}

async fn conclude(
    cluster: &Cluster,
    session: &Arc<RestoreSession>,
    conclusion: Conclusion,
    record: Option<&JobOutcome>,
) -> Result<Next> {
    let alias = session.spec.target.as_ref().and_then(|target| target.alias.as_deref());
    let hostname = alias.filter(|alias| !alias.is_empty()).unwrap_or(DEFAULT_HOSTNAME);
    let time_out = session.spec.time_out.as_deref().unwrap_or("20h");
    let end =
        End { conclusion: &conclusion, hostname, time_out, statements: &[], now: cluster.now() };
    let written = status::end(cluster, session, &end).await?;
    push(cluster, &written, record).await;
    if let Some(error) = conclusion.error(time_out) {
        let message = format!("restore failed for host \"{hostname}\". Reason: {error}");
        cluster.tell(REPORTER, &written, Event::warning("Host Restore Failed", message)).await;
    }
    Ok(Next::Wait)
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
    Ok(Next::Wait)
}
