//! The status of a BackupSession: what stands in it as facts, and how it is written. Everything
//! but the two writes at its end is pure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sealift_api::backup_session::{
    BackupSession, BackupSessionPhase, BackupSessionStatus, BackupTargetStatus, HostBackupStats,
    HostPhase, SnapshotStats, TargetPhase,
};
use sealift_api::manifest::APP_CATALOG_V1ALPHA1;
use sealift_api::reference::TargetRef;
use sealift_core::duration::format_seconds;
use sealift_core::outcome::{Ending, JobOutcome};
use sealift_core::plan::ObjectRef;
use sealift_core::session::{BackupFacts, Phase, TargetFacts};
use sealift_kube::status as server;

use super::recorded;
use crate::cluster::Cluster;
use crate::condition::{self, Statement, Type, holds, seconds};
use crate::controller::queued;
use crate::ending::Death;
use crate::error::Result;

/// The phase as the domain knows it; nothing = Pending.
pub(super) fn phase_of(session: &BackupSession) -> Phase {
    session.status.as_ref().and_then(|status| status.phase).map_or(Phase::Pending, core_phase)
}

pub(super) fn core_phase(phase: BackupSessionPhase) -> Phase {
    match phase {
        BackupSessionPhase::Pending => Phase::Pending,
        BackupSessionPhase::Skipped => Phase::Skipped,
        BackupSessionPhase::Running => Phase::Running,
        BackupSessionPhase::Succeeded => Phase::Succeeded,
        BackupSessionPhase::Failed => Phase::Failed,
        BackupSessionPhase::Unknown => Phase::Unknown,
    }
}

fn api_phase(phase: Phase) -> BackupSessionPhase {
    match phase {
        Phase::Pending => BackupSessionPhase::Pending,
        Phase::Skipped => BackupSessionPhase::Skipped,
        Phase::Running => BackupSessionPhase::Running,
        Phase::Succeeded => BackupSessionPhase::Succeeded,
        Phase::Failed => BackupSessionPhase::Failed,
        Phase::Unknown => BackupSessionPhase::Unknown,
    }
}

/// Whether the Job has said how each target ended. It writes that once, at its very end and
/// together with everything else, so nothing more will come.
pub(super) fn is_reported(session: &BackupSession) -> bool {
    let Some(status) = &session.status else { return false };
    !status.targets.is_empty()
        && status.targets.iter().all(|target| target_phase(target).is_final())
}

/// When its time is up.
pub(super) fn deadline(session: &BackupSession) -> Option<Timestamp> {
    session.status.as_ref()?.session_deadline.as_ref().map(|deadline| deadline.0)
}

/// Whether the metrics have reached the Pushgateway.
pub(super) fn is_pushed(session: &BackupSession) -> bool {
    let status = session.status.as_ref();
    status.is_some_and(|status| holds(&status.conditions, Type::MetricsPushed) == Some(true))
}

/// What is begun.
pub(super) struct Begun<'a> {
    pub(super) target: Option<&'a ObjectRef>,
    pub(super) deadline: Timestamp,
}

/// How it ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Conclusion {
    /// The Job has said it.
    Reported,
    /// The Job could only leave a record.
    Recorded(Box<JobOutcome>),
    /// The Job died.
    Lost(Death),
    /// Time is up.
    Deadline,
    /// It never began, because of another session or its invoker.
    Skipped(Statement),
    /// It could not begin.
    Refused(Statement),
}

impl Conclusion {
    /// What went wrong, if the Job has not said it.
    pub(super) fn error(&self, _hostname: &str, time_out: &str) -> Option<String> {
        match self {
            Self::Lost(death) => Some(death.message.clone()),
            Self::Deadline => Some(deadline_message(time_out)),
            Self::Reported | Self::Recorded(_) | Self::Skipped(_) | Self::Refused(_) => None,
        }
    }
}

/// How it ends, and what is needed to say it.
#[derive(Debug, Clone)]
pub(super) struct End<'a> {
    pub(super) conclusion: &'a Conclusion,
    pub(super) target: Option<&'a ObjectRef>,
    pub(super) hostname: &'a str,
    pub(super) time_out: &'a str,
    pub(super) retry_delay: u64,
    pub(super) history_cleaned: Option<Result<(), String>>,
    pub(super) now: Timestamp,
}

impl<'a> End<'a> {
    pub(super) fn before_it_began(
        conclusion: &'a Conclusion,
        target: Option<&'a ObjectRef>,
        now: Timestamp,
    ) -> Self {
        Self {
            conclusion,
            target,
            hostname: "",
            time_out: "",
            retry_delay: 0,
            history_cleaned: None,
            now,
        }
    }
}

/// It waits, and says for what.
pub(super) async fn wait(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    target: Option<&ObjectRef>,
    said: &Statement,
) -> Result<()> {
    let now = cluster.now();
    server::update_known(&cluster.client, &**session, |found: &mut BackupSession| {
        let status = found.status.get_or_insert_default();
        if status.phase.map_or(Phase::Pending, core_phase) != Phase::Pending {
            return;
        }
        status.phase = Some(BackupSessionPhase::Pending);
        let first = first_target(status, target);
        first.phase = first.phase.or(Some(TargetPhase::Pending));
        queued::tell(&mut status.conditions, said, now);
    })
    .await?;
    Ok(())
}

/// Since when it is said that its Job cannot be made yet.
pub(super) fn has_no_job_since(session: &BackupSession) -> Option<Timestamp> {
    let target = session.status.as_ref()?.targets.first()?;
    let said = condition::find(&target.conditions, Type::BackupExecutorEnsured)?;
    (said.status == "Unknown").then_some(said.last_transition_time.0)
}

/// Its Job cannot be made yet; what is in the way.
pub(super) async fn has_no_job(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    target: Option<&ObjectRef>,
    said: &Statement,
) -> Result<()> {
    let now = cluster.now();
    server::update_known(&cluster.client, &**session, |found: &mut BackupSession| {
        if phase_of(found) != Phase::Pending {
            return;
        }
        let status = found.status.get_or_insert_default();
        status.phase = Some(BackupSessionPhase::Pending);
        condition::remove(&mut status.conditions, Type::Queued);
        let first = first_target(status, target);
        first.phase = first.phase.or(Some(TargetPhase::Pending));
        condition::set(&mut first.conditions, said, None, now);
    })
    .await?;
    Ok(())
}

/// It has a Job.
pub(super) async fn begun(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    begun: &Begun<'_>,
) -> Result<()> {
    let now = cluster.now();
    server::update_known(&cluster.client, &**session, |found: &mut BackupSession| {
        // What was known may be old: what has begun, or has ended, stays as it is.
        if phase_of(found) == Phase::Pending {
            begin(found.status.get_or_insert_default(), begun, now);
        }
    })
    .await?;
    Ok(())
}

fn begin(status: &mut BackupSessionStatus, begun: &Begun<'_>, now: Timestamp) {
    condition::remove(&mut status.conditions, Type::Queued);
    status.session_deadline = Some(Time(seconds(begun.deadline)));
    let target = first_target(status, begun.target);
    target.total_hosts = Some(1);
    target.pre_backup_actions = vec!["InitializeBackendRepository".to_owned()];
    target.post_backup_actions =
        ["ApplyRetentionPolicy", "VerifyRepositoryIntegrity", "SendRepositoryMetrics"]
            .map(str::to_owned)
            .to_vec();
    let ensured = Statement::yes(
        Type::BackupExecutorEnsured,
        "SuccessfullyEnsuredBackupExecutor",
        "Successfully ensured backup executor.",
    );
    condition::set(&mut target.conditions, &ensured, None, now);
    target.phase = api_target_phase(target_phase(target));
    status.phase = Some(BackupSessionPhase::Running);
}

/// One that somebody else has ended stays as it is.
fn end_once(found: &mut BackupSession, end: &End<'_>) {
    if !phase_of(found).is_final() {
        found.status = Some(ended(found, end));
    }
}

/// Writes the end.
pub(super) async fn end(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
    end: &End<'_>,
) -> Result<BackupSession> {
    let written = server::update_known(&cluster.client, &**session, |found: &mut BackupSession| {
        end_once(found, end);
    })
    .await?;
    let status = written.status.as_ref();
    tracing::info!(
        session = %sealift_kube::watch::Key::of(&**session),
        phase = ?status.and_then(|status| status.phase),
        duration = status.and_then(|status| status.session_duration.as_deref()).unwrap_or_default(),
        "a BackupSession has ended"
    );
    Ok(written)
}

/// The status of a session that ends so.
pub(super) fn ended(session: &BackupSession, end: &End<'_>) -> BackupSessionStatus {
    let mut status = session.status.clone().unwrap_or_default();
    condition::remove(&mut status.conditions, Type::Queued);
    conclude_targets(&mut status, end);
    match end.conclusion {
        Conclusion::Skipped(said) => {
            condition::set(&mut status.conditions, said, None, end.now);
            // Nothing of it was begun.
            status.targets.clear();
        }
        Conclusion::Deadline => {
            let said = Statement::yes(
                Type::DeadlineExceeded,
                "FailedToCompleteWithinDeadline",
                deadline_message(end.time_out),
            );
            condition::set(&mut status.conditions, &said, None, end.now);
        }
        Conclusion::Recorded(record) => {
            if let Some(said) = recorded::failed(record) {
                match said.type_ {
                    Type::PostBackupHookExecutionSucceeded => {
                        let target = first_target(&mut status, end.target);
                        condition::set(&mut target.conditions, &said, None, end.now);
                        target.phase = api_target_phase(target_phase(target));
                    }
                    _ => condition::set(&mut status.conditions, &said, None, end.now),
                }
            }
        }
        Conclusion::Reported | Conclusion::Lost(_) | Conclusion::Refused(_) => {}
    }
    if let Some(cleaned) = &end.history_cleaned
        && !matches!(end.conclusion, Conclusion::Skipped(_))
    {
        condition::set(&mut status.conditions, &history(cleaned), None, end.now);
    }
    let phase = match end.conclusion {
        // Retention, check or hook failed, whether or not it is known which.
        Conclusion::Recorded(record) if record.ending != Ending::Succeeded => Phase::Failed,
        _ => facts_phase(&status),
    };
    status.phase = Some(api_phase(phase));
    let created = session.metadata.creation_timestamp.as_ref().map_or(end.now, |time| time.0);
    if phase != Phase::Skipped {
        let took = end.now.as_second().saturating_sub(created.as_second()).max(1);
        status.session_duration = Some(format_seconds(took.unsigned_abs()));
    }
    if phase == Phase::Failed && session.spec.retry_left.unwrap_or(0) > 0 {
        let delay = i64::try_from(end.retry_delay).unwrap_or(i64::MAX);
        let due = end.now.checked_add(SignedDuration::from_secs(delay));
        status.next_retry = Some(Time(seconds(due.unwrap_or(Timestamp::MAX))));
    }
    status
}

fn history(cleaned: &Result<(), String>) -> Statement {
    match cleaned {
        Ok(()) => Statement::yes(
            Type::BackupHistoryCleaned,
            "SuccessfullyCleanedBackupHistory",
            "Successfully cleaned up backup history according to backupHistoryLimit.",
        ),
        Err(error) => Statement::no(
            Type::BackupHistoryCleaned,
            "FailedToCleanBackupHistory",
            format!("Failed to cleanup old BackupSessions. Reason: {error}"),
        ),
    }
}

fn deadline_message(time_out: &str) -> String {
    format!("Failed to complete backup within {time_out}.")
}

fn conclude_targets(status: &mut BackupSessionStatus, end: &End<'_>) {
    if let Conclusion::Reported | Conclusion::Skipped(_) = end.conclusion {
        return;
    }
    let error = end.conclusion.error(end.hostname, end.time_out);
    let target = first_target(status, end.target);
    match end.conclusion {
        Conclusion::Refused(said) => {
            condition::set(&mut target.conditions, said, None, end.now);
        }
        // What the Job has said of its end counts.
        _ if target_phase(target).is_final() => {}
        Conclusion::Recorded(record) => {
            target.total_hosts = Some(1);
            target.stats = vec![HostBackupStats {
                hostname: Some(end.hostname.to_owned()),
                phase: Some(HostPhase::Succeeded),
                duration: None,
                error: Some(record.message.clone()).filter(|message| !message.is_empty()),
                snapshots: record
                    .snapshot
                    .iter()
                    .map(|id| SnapshotStats {
                        name: Some(id.chars().take(8).collect()),
                        ..SnapshotStats::default()
                    })
                    .collect(),
            }];
        }
        _ => {
            target.total_hosts = Some(1);
            target.stats = vec![HostBackupStats {
                hostname: Some(end.hostname.to_owned()),
                phase: Some(HostPhase::Failed),
                duration: None,
                error,
                snapshots: Vec::new(),
            }];
        }
    }
    for target in &mut status.targets {
        target.phase = api_target_phase(target_phase(target));
    }
}

/// Everything is reported by the time this is asked.
fn facts_phase(status: &BackupSessionStatus) -> Phase {
    let phases: Vec<Phase> = status.targets.iter().map(target_phase).collect();
    let said = |type_| holds(&status.conditions, type_);
    let facts = BackupFacts {
        skipped: said(Type::BackupSkipped) == Some(true),
        deadline_exceeded: said(Type::DeadlineExceeded) == Some(true),
        history_cleaned: said(Type::BackupHistoryCleaned),
        global_hooks: [
            said(Type::GlobalPreBackupHookSucceeded),
            said(Type::GlobalPostBackupHookSucceeded),
        ],
        targets: &phases,
        retention: said(Type::RetentionPolicyApplied),
        integrity: said(Type::RepositoryIntegrityVerified),
        reported: true,
    };
    match facts.phase() {
        // It is over, and a target that never began has failed.
        Phase::Pending | Phase::Running => Phase::Failed,
        phase => phase,
    }
}

fn target_phase(target: &BackupTargetStatus) -> Phase {
    let ended: Vec<bool> = target
        .stats
        .iter()
        .filter_map(|host| match host.phase? {
            HostPhase::Succeeded => Some(true),
            HostPhase::Failed => Some(false),
            HostPhase::Running | HostPhase::Unknown => None,
        })
        .collect();
    let said = |type_| holds(&target.conditions, type_);
    TargetFacts {
        executor_ensured: said(Type::BackupExecutorEnsured),
        hooks: [
            said(Type::PreBackupHookExecutionSucceeded),
            said(Type::PostBackupHookExecutionSucceeded),
        ],
        disrupted: said(Type::BackupDisrupted) == Some(true),
        hosts: target.total_hosts.and_then(|hosts| usize::try_from(hosts).ok()),
        ended: &ended,
    }
    .phase()
}

fn api_target_phase(phase: Phase) -> Option<TargetPhase> {
    match phase {
        Phase::Pending => Some(TargetPhase::Pending),
        Phase::Running => Some(TargetPhase::Running),
        Phase::Succeeded => Some(TargetPhase::Succeeded),
        Phase::Failed => Some(TargetPhase::Failed),
        Phase::Skipped | Phase::Unknown => None,
    }
}

/// The only target a BackupConfiguration has.
fn first_target<'a>(
    status: &'a mut BackupSessionStatus,
    target: Option<&ObjectRef>,
) -> &'a mut BackupTargetStatus {
    if status.targets.is_empty() {
        status.targets.push(BackupTargetStatus {
            reference: target.map(|target| TargetRef {
                api_version: Some(APP_CATALOG_V1ALPHA1.to_owned()),
                kind: Some(target.kind.clone()),
                name: Some(target.name.clone()),
                namespace: Some(target.namespace.clone()),
            }),
            ..BackupTargetStatus::default()
        });
    }
    #[expect(clippy::indexing_slicing, reason = "one was added if there was none")]
    &mut status.targets[0]
}

#[cfg(test)]
mod tests;
