//! Ends a BackupSession: when its Job has said all, when it died, when time is up, or before it
//! began.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_core::causes::chain_of_causes;
use sealift_core::names::DEFAULT_HOSTNAME;
use sealift_core::outcome::JobOutcome;
use sealift_core::session::Phase;
use sealift_kube::event::Event;
use sealift_kube::read;
use sealift_kube::watch::Key;

use super::dereference::{Dereferenced, configuration_of, target_of};
use super::status::{self, Conclusion, End};
use super::{COMPONENT, history, leave};
use crate::cluster::Cluster;
use crate::condition::{Statement, Type};
use crate::controller::launch;
use crate::controller::push::{self, Unpushed};
use crate::ending::{Death, Ending, Verdict, judge};
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, Purpose};
use crate::names;

/// Under this name the Job writes its Events; those about its end come from one place.
const REPORTER: &str = "Status Updater";

/// Watches the Job of a session that runs.
pub(super) async fn watch(cluster: &Cluster, session: &Arc<BackupSession>) -> Result<Next> {
    let job = Key::new(session.namespace(), names::backup_job(session.name()));
    let ending = ending_of(cluster, &job).await?;
    let mut session = Arc::clone(session);
    if ending.is_over() && !status::is_reported(&session) {
        // The Job's last write may not have come through the watch yet.
        let live = read::find::<BackupSession>(&cluster.client, &job.namespace, session.name());
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
            Verdict::Done(record) => Conclusion::Recorded(record),
            Verdict::Lost(death) => Conclusion::Lost(death),
        }
    };
    conclude(cluster, &session, conclusion, record.as_ref()).await
}

/// What became of the Job: by the watch, and if that shows none, by asking.
pub(crate) async fn ending_of(cluster: &Cluster, job: &Key) -> Result<Ending> {
    let stores = &cluster.stores;
    let limit = cluster.options.pending_limit;
    let pods = stores.pods.select_in(&job.namespace, |pod| {
        let labels = pod.metadata.labels.iter().flatten();
        labels.into_iter().any(|(key, value)| {
            (key == "batch.kubernetes.io/job-name" || key == "job-name") && *value == job.name
        })
    });
    match stores.jobs.find(job) {
        Some(found) => Ok(judge(Some(&found), &pods, limit)),
        None => {
            let found = read::find::<Job>(&cluster.client, &job.namespace, &job.name).await?;
            Ok(judge(found.as_ref(), &pods, limit))
        }
    }
}

/// The Job is not over: is there time left?
async fn on_time(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    job: &Key,
    give_up: Option<(Timestamp, Death)>,
) -> Result<Next> {
    let now = cluster.now();
    let deadline = session
        .status
        .as_ref()
        .and_then(|status| status.session_deadline.as_ref())
        .map(|deadline| deadline.0);
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

/// The time left, and a little more, so that it is over then.
pub(crate) fn until(now: Timestamp, at: Timestamp) -> Duration {
    let left = at.duration_since(now);
    Duration::try_from(left).unwrap_or_default() + Duration::from_millis(200)
}

/// Metrics that are missing are pushed again. Nothing of the session depends on it.
async fn push(
    cluster: &Cluster,
    session: &BackupSession,
    invoker: &BackupConfiguration,
    record: Option<&JobOutcome>,
) {
    if status::is_pushed(session) {
        return;
    }
    let unpushed = Unpushed {
        session: Key::of(session),
        session_owner: &labels::owner(session),
        purpose: Purpose::Backup,
        invoker: &invoker.metadata,
        invoker_owner: &labels::owner(invoker),
        runtime: invoker.spec.runtime_settings.as_ref(),
        record,
    };
    if let Err(error) = push::again(cluster, &unpushed).await {
        let error = chain_of_causes(&error);
        tracing::warn!(session = %unpushed.session, error, "the metrics are not pushed again");
    }
}

async fn conclude(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    conclusion: Conclusion,
    record: Option<&JobOutcome>,
) -> Result<Next> {
    let invoker = configuration_of(cluster, session);
    let target = invoker.as_deref().and_then(target_of);
    let hostname = invoker
        .as_ref()
        .and_then(|invoker| invoker.spec.target.as_ref()?.alias.clone())
        .filter(|alias| !alias.is_empty())
        .unwrap_or_else(|| DEFAULT_HOSTNAME.to_owned());
    let time_out = invoker.as_ref().and_then(|invoker| invoker.spec.time_out.clone());
    let end = End {
        conclusion: &conclusion,
        target: target.as_ref(),
        hostname: &hostname,
        time_out: time_out.as_deref().unwrap_or("20h"),
        retry_delay: retry_delay(invoker.as_deref()),
        history_cleaned: None,
        now: cluster.now(),
    };
    let written = end_with(cluster, session, invoker.as_deref(), end).await?;
    if let Some(invoker) = &invoker {
        push(cluster, &written, invoker, record).await;
    }
    if let Some(error) = conclusion.error(&hostname, time_out.as_deref().unwrap_or("20h"))
        && !matches!(conclusion, Conclusion::Reported)
    {
        let name = target.as_ref().map_or(("", ""), |target| (&target.kind, &target.name));
        let message = format!(
            "backup failed for host \"{hostname}\" of \"{}\"/\"{}\". Reason: {error}",
            name.0, name.1
        );
        cluster.tell(REPORTER, &written, Event::warning("Host Backup Failed", message)).await;
    }
    Ok(Next::Wait)
}

/// The invoker is not ready, or another session runs.
pub(super) async fn skip(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    found: &Dereferenced,
    reason: &str,
) -> Result<Next> {
    let statement = Statement::yes(Type::BackupSkipped, "SkippedTakingNewBackup", reason);
    let conclusion = Conclusion::Skipped(statement);
    let end = End::before_it_began(&conclusion, found.target.as_ref(), cluster.now());
    end_with(cluster, session, found.invoker.as_deref(), end).await?;
    cluster.tell(COMPONENT, &**session, Event::warning("SkippedTakingNewBackup", reason)).await;
    Ok(Next::Wait)
}

/// It cannot be run.
pub(super) async fn refuse(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    found: &Dereferenced,
    reason: &str,
) -> Result<Next> {
    let message = format!("Failed to ensure backup executor. Reason: {reason}");
    let statement =
        Statement::no(Type::BackupExecutorEnsured, "FailedToEnsureBackupExecutor", &message);
    let conclusion = Conclusion::Refused(statement);
    let end = End {
        retry_delay: retry_delay(found.invoker.as_deref()),
        ..End::before_it_began(&conclusion, found.target.as_ref(), cluster.now())
    };
    end_with(cluster, session, found.invoker.as_deref(), end).await?;
    cluster
        .tell(COMPONENT, &**session, Event::warning("FailedToEnsureBackupExecutor", message))
        .await;
    Ok(Next::Wait)
}

/// Removes old sessions, then writes the end: so both stand in one status.
async fn end_with(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    invoker: Option<&BackupConfiguration>,
    mut end: End<'_>,
) -> Result<BackupSession> {
    if let Some(invoker) = invoker {
        let phase = status::ended(session, &end).phase.map_or(Phase::Failed, status::core_phase);
        let cleaned = history::clean(cluster, invoker, session, phase).await;
        end.history_cleaned = Some(cleaned.map_err(|error| chain_of_causes(&error)));
    }
    let written = status::end(cluster, session, &end).await?;
    leave(cluster, &Key::of(&**session));
    Ok(written)
}

fn retry_delay(invoker: Option<&BackupConfiguration>) -> u64 {
    let delay = invoker
        .and_then(|invoker| invoker.spec.retry_config.as_ref())
        .and_then(|retry| retry.delay.as_deref());
    delay.and_then(|text| sealift_core::duration::parse_seconds(text).ok()).unwrap_or(0)
}
