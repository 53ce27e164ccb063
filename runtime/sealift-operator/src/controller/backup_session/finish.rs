//! Ends a BackupSession: when its Job has said all, when it died, when time is up, or before it
//! began.

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_core::names::DEFAULT_HOSTNAME;
use sealift_core::plan::ObjectRef;
use sealift_core::session::Phase;
use sealift_kube::event::Event;
use sealift_kube::read;
use sealift_kube::watch::Key;

use super::dereference::{Dereferenced, configuration_of, target_of};
use super::status::{self, Conclusion, End};
use super::{COMPONENT, history, leave, of_invoker, recorded};
use crate::cluster::Cluster;
use crate::condition::{Statement, Type};
use crate::controller::job::{self, Come, OwnJob};
use crate::controller::push::{self, Unpushed};
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, Purpose};

/// Under this name the Job writes its Events; those about its end come from one place.
const REPORTER: &str = "Status Updater";

/// Watches the Job of a session that runs.
pub(super) async fn watch(cluster: &Cluster, session: &Arc<BackupSession>) -> Result<Next> {
    let job = OwnJob::of_backup(session);
    let ending = job.ending(cluster).await?;
    let mut session = Arc::clone(session);
    if ending.is_over() && !status::is_reported(&session) {
        // The Job's last write may not have come through the watch yet.
        let live =
            read::find::<BackupSession>(&cluster.client, session.namespace(), session.name());
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
            Come::Done(record) => Conclusion::Recorded(record),
            Come::Lost(death) => Conclusion::Lost(death),
            Come::Deadline => Conclusion::Deadline,
        }
    };
    conclude(cluster, &session, conclusion).await
}

async fn conclude(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    conclusion: Conclusion,
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
    push::supersede(cluster, &earlier(cluster, session)).await;
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
    if let Conclusion::Recorded(record) = &conclusion
        && let Some(said) = recorded::failed(record)
    {
        cluster.tell(REPORTER, &written, Event::warning(said.reason, said.message)).await;
    }
    Ok(Next::Wait)
}

/// Pushes the metrics of a session that has ended, if that is due and no later one of its invoker
/// has begun.
pub(super) async fn push(cluster: &Cluster, session: &Arc<BackupSession>) -> Result<()> {
    let Some(invoker) = configuration_of(cluster, session) else { return Ok(()) };
    let began = matches!(status::phase_of(session), Phase::Succeeded | Phase::Failed);
    let later = |other: &BackupSession| {
        other.metadata.creation_timestamp > session.metadata.creation_timestamp
            && !matches!(status::phase_of(other), Phase::Pending | Phase::Skipped)
    };
    if !began
        || status::is_pushed(session)
        || of_invoker(&cluster.stores, &Key::of(&*invoker)).iter().any(|other| later(other))
    {
        return Ok(());
    }
    let unpushed = Unpushed {
        session: session.reference(),
        job: OwnJob::of_backup(session),
        session_owner: &labels::owner(&**session),
        purpose: Purpose::Backup,
        invoker: &invoker.metadata,
        invoker_owner: &labels::owner(&*invoker),
        runtime: invoker.spec.runtime_settings.as_ref(),
    };
    push::missing(cluster, &unpushed).await
}

/// The sessions of the same invoker that were made before.
fn earlier(cluster: &Cluster, session: &BackupSession) -> Vec<ObjectRef> {
    let earlier = |other: &BackupSession| {
        other.spec.invoker == session.spec.invoker
            && other.metadata.creation_timestamp < session.metadata.creation_timestamp
    };
    let found = cluster.stores.sessions.select_in(session.namespace(), earlier);
    found.iter().map(|other| other.reference()).collect()
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
        end.history_cleaned = Some(history::clean(cluster, invoker, session, phase).await?);
    }
    let written = status::end(cluster, session, &end).await?;
    leave(cluster, &Key::of(&**session));
    Ok(written)
}

/// Seconds. A session that is refused at once must not be repeated as fast as it can be made.
const SHORTEST_RETRY: u64 = 5;

fn retry_delay(invoker: Option<&BackupConfiguration>) -> u64 {
    let delay = invoker
        .and_then(|invoker| invoker.spec.retry_config.as_ref())
        .and_then(|retry| retry.delay.as_deref());
    delay
        .and_then(|text| sealift_core::duration::parse_seconds(text).ok())
        .unwrap_or(0)
        .max(SHORTEST_RETRY)
}
