//! One session from begin to end.
//!
//! Flow: hook before → storage secrets → repository (made if a backup finds none) → lock → chain
//! → commit → maintenance → hook after → observers.
//!
//! Guarantees: a snapshot appears only after every stage has succeeded and the repository has
//! proven it complete; observers run in every outcome and cannot change it; the locks are free
//! afterwards. Assumptions: the plan was checked when it was made. Whatever fails before the
//! commit leaves the repository's snapshots as they were.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use sealift_core::plan::{Direction, Plan, SnapshotSelection};
use sealift_host::ports::Ports;
use sealift_host::{ArtifactRecord, Chain, Stage};
use sealift_repository::{Committed, ErrorClass, Repository, SnapshotInfo};
use tempfile::TempDir;

use crate::chain_of_causes;
use crate::failure::{LastWords, SessionError};
use crate::hooks::{self, HookResult, hook_name};
use crate::interim;
use crate::locks::LocksError;
use crate::maintenance;
use crate::observers;
use crate::opening;
use crate::reader::SelectedSnapshot;
use crate::report::{Outcome, SessionReport};
use crate::slot::{CommitError, SnapshotSlot};
use crate::surroundings::{Surroundings, load, ports, spawn};

/// Runs a plan to its end.
pub async fn run(plan: Plan, started: Timestamp, around: &Surroundings) -> SessionReport {
    let mut report = SessionReport::new(plan, started);
    report.hooks.before = hooks::before(&report, around).await;
    let result = match &report.hooks.before {
        Some(HookResult::Failed(_)) if around.cancel.is_cancelled() => {
            Err(SessionError::Cancelled(LastWords::default()))
        }
        Some(HookResult::Failed(error)) => Err(SessionError::BeforeHook {
            hook: hook_name(&report.plan.direction, true),
            error: error.clone(),
        }),
        _ => execute(&mut report, around).await,
    };
    let began = !matches!(report.hooks.before, Some(HookResult::Failed(_)));
    judge(&mut report, result);
    report.finished = Timestamp::now();
    if began {
        after(&mut report, around).await;
    }
    observers::run(&mut report, around).await;
    report
}

/// The report of a plan that was refused before anything was touched: only its observers run.
pub async fn refused(
    plan: Plan,
    started: Timestamp,
    error: SessionError,
    around: &Surroundings,
) -> SessionReport {
    let mut report = SessionReport::new(plan, started);
    judge(&mut report, Err(error));
    report.finished = Timestamp::now();
    observers::run(&mut report, around).await;
    report
}

fn judge(report: &mut SessionReport, result: Result<(), SessionError>) {
    report.outcome = match &result {
        Ok(()) => Outcome::Succeeded,
        Err(SessionError::Cancelled(_)) => Outcome::Cancelled,
        Err(SessionError::Maintenance(_) | SessionError::AfterHook { .. }) => {
            Outcome::MaintenanceFailed
        }
        Err(_) => Outcome::Failed,
    };
    report.failure = result.err();
    // What is found before anything is written counts as what the check finds afterwards.
    if let Some(damage) = report.failure.as_ref().and_then(SessionError::damage) {
        report.maintenance.findings = Some(vec![damage.to_string()]);
    }
}

/// The hook after the work. Its failure fails a session that succeeded; of one that failed
/// already it is only told.
async fn after(report: &mut SessionReport, around: &Surroundings) {
    let succeeded = report.outcome == Outcome::Succeeded;
    let error = report.failure.as_ref().map(|error| chain_of_causes(error));
    report.hooks.after = hooks::after(report, succeeded, error.as_deref(), around).await;
    let Some(HookResult::Failed(error)) = &report.hooks.after else { return };
    let hook = hook_name(&report.plan.direction, false);
    if succeeded {
        let error = error.clone();
        judge(report, Err(SessionError::AfterHook { hook, error }));
    } else {
        report.warnings.push(format!("the {hook} hook failed, too: {error}"));
    }
}

/// Everything that decides the outcome.
async fn execute(report: &mut SessionReport, around: &Surroundings) -> Result<(), SessionError> {
    let plan = report.plan.clone();
    let stages = load(&plan.stages, around)?;
    let interim = interim::folder(&plan, &around.interim_dir)?;
    let opened = opening::open(&plan, interim.as_ref().map(TempDir::path), around).await?;
    let repository = Arc::new(opened.repository);
    report.repository_created = opened.created;
    if opened.resumed_packs > 0 {
        report.notes.push(format!(
            "an earlier backup was broken off: {} packs it had uploaded are used again",
            opened.resumed_packs
        ));
    }
    report.notes.extend(opened.note.clone());
    report.repository_note = opened.note;
    let lost = opened.lock.lost();
    let done = chain_and_commit(report, stages, &repository, around).await;
    opened.lock.release().await;
    match done {
        // Nobody interrupted the session from outside: it ended itself.
        Err(SessionError::Cancelled(_)) if lost.is_cancelled() => Err(SessionError::Locked {
            namespace: plan.repository.reference.namespace,
            name: plan.repository.reference.name,
            source: LocksError::Lost,
        }),
        Err(error) => Err(error),
        Ok(None) => Ok(()),
        Ok(Some(committed)) => maintain(report, &repository, committed, around).await,
    }
}

/// Keeps the repository in order after the commit. The snapshot stays, whatever comes of it.
async fn maintain(
    report: &mut SessionReport,
    repository: &Arc<Repository>,
    committed: Committed,
    around: &Surroundings,
) -> Result<(), SessionError> {
    let (left, snapshot) = (hooks::remaining(report), &committed.snapshot.id);
    report.maintenance = maintenance::run(&report.plan, repository, snapshot, left, around).await;
    report.committed = Some(committed);
    maintenance::verdict(&report.maintenance).map_err(SessionError::Maintenance)
}

/// Everything that is done while the repository is shared; a backup's snapshot.
async fn chain_and_commit(
    report: &mut SessionReport,
    stages: Vec<Stage>,
    repository: &Arc<Repository>,
    around: &Surroundings,
) -> Result<Option<Committed>, SessionError> {
    let plan = report.plan.clone();
    let repository = Arc::clone(repository);
    let mut ports = ports(&plan, report.started, around);
    match &plan.direction {
        Direction::Backup(identity) => {
            let slot = Arc::new(SnapshotSlot::new(repository, identity.clone(), report.started));
            ports.repository_writer = Some(Arc::clone(&slot) as _);
            run_chain(report, stages, ports, around).await?;
            commit(report, &slot, around).await.map(Some)
        }
        Direction::Restore(selection) => {
            let selected = select(&plan, selection, &repository).await?;
            report.restored = Some(selected.clone());
            ports.repository_reader = Some(Arc::new(SelectedSnapshot::new(
                repository,
                selected,
                selection.paths.clone(),
            )));
            run_chain(report, stages, ports, around).await?;
            Ok(None)
        }
    }
}

/// The chain ends with the session's time and when the session is interrupted.
fn chain(report: &SessionReport, stages: Vec<Stage>, ports: Ports, around: &Surroundings) -> Chain {
    Chain {
        stages,
        ports,
        cancel: around.cancel.child_token(),
        deadline: Some(hooks::remaining(report)),
    }
}

/// Commits what the chain handed over, unless the session was interrupted at its very end.
async fn commit(
    report: &SessionReport,
    slot: &SnapshotSlot,
    around: &Surroundings,
) -> Result<Committed, SessionError> {
    if around.cancel.is_cancelled() {
        return Err(SessionError::Cancelled(LastWords::default()));
    }
    let handed_over = handed_over(report);
    slot.commit(&handed_over).await.map_err(commit_error)
}

async fn run_chain(
    report: &mut SessionReport,
    stages: Vec<Stage>,
    ports: Ports,
    around: &Surroundings,
) -> Result<(), SessionError> {
    let outcome = around.host.run_chain(chain(report, stages, ports, around)).await;
    report.stages = outcome.stages;
    report.artifacts = outcome.artifacts;
    let Some(failure) = outcome.failure else { return Ok(()) };
    let last_words = LastWords::of(&report.stages, &failure);
    if around.cancel.is_cancelled() {
        return Err(SessionError::Cancelled(last_words));
    }
    Err(SessionError::Chain { failure: Box::new(failure), last_words })
}

/// What was handed to the sink: the artifacts of the stage before it.
fn handed_over(report: &SessionReport) -> Vec<ArtifactRecord> {
    let mut stages = report.plan.stages.iter().rev().skip(1);
    let before_sink = stages.next().map(|stage| stage.name.as_str());
    let artifacts = report.artifacts.iter();
    artifacts.filter(|artifact| Some(artifact.stage.as_str()) == before_sink).cloned().collect()
}

/// A commit that was interrupted before the snapshot was released is an interruption.
fn commit_error(error: CommitError) -> SessionError {
    match &error {
        CommitError::Commit(source) if source.class() == ErrorClass::Cancelled => {
            SessionError::Cancelled(LastWords::default())
        }
        _ => SessionError::Commit(Box::new(error)),
    }
}

async fn select(
    plan: &Plan,
    selection: &SnapshotSelection,
    repository: &Arc<Repository>,
) -> Result<SnapshotInfo, SessionError> {
    let repository = Arc::clone(repository);
    let selection = selection.clone();
    spawn(move || repository.select(&selection)).await?.map_err(|source| SessionError::Select {
        namespace: plan.repository.reference.namespace.clone(),
        name: plan.repository.reference.name.clone(),
        source: Box::new(source),
    })
}
