//! One session from begin to end.
//!
//! Flow: storage secrets → repository (made if a backup finds none) → lock → chain → commit →
//! maintenance → observers.
//!
//! Guarantees: a snapshot appears only after every stage has succeeded and the repository has
//! proven it complete; observers run in every outcome and cannot change it; the locks are free
//! afterwards. Assumptions: the plan was checked when it was made. Whatever fails before the
//! commit leaves the repository's snapshots as they were.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sealift_core::plan::{Direction, Plan, SnapshotSelection};
use sealift_host::ports::Ports;
use sealift_host::{ArtifactRecord, Chain, Stage};
use sealift_repository::{ErrorClass, Repository, SnapshotInfo};
use tempfile::TempDir;

use crate::failure::{LastWords, SessionError};
use crate::interim;
use crate::maintenance;
use crate::observers;
use crate::opening;
use crate::reader::SelectedSnapshot;
use crate::report::{Maintenance, Outcome, SessionReport};
use crate::slot::{CommitError, SnapshotSlot};
use crate::surroundings::{Surroundings, load, ports, spawn};

/// Runs a plan to its end.
pub async fn run(plan: Plan, started: Timestamp, around: &Surroundings) -> SessionReport {
    let mut report = SessionReport {
        warnings: plan.notes.clone(),
        plan,
        started,
        finished: started,
        outcome: Outcome::Failed,
        failure: None,
        stages: Vec::new(),
        artifacts: Vec::new(),
        observers: Vec::new(),
        repository_created: false,
        repository_note: None,
        committed: None,
        restored: None,
        maintenance: Maintenance::default(),
    };
    match execute(&mut report, around).await {
        Ok(()) => report.outcome = Outcome::Succeeded,
        Err(error @ SessionError::Cancelled(_)) => {
            report.outcome = Outcome::Cancelled;
            report.failure = Some(error);
        }
        Err(error @ SessionError::Maintenance(_)) => {
            report.outcome = Outcome::MaintenanceFailed;
            report.failure = Some(error);
        }
        Err(error) => report.failure = Some(error),
    }
    report.finished = Timestamp::now();
    observers::run(&mut report, around).await;
    report
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
        report.warnings.push(format!(
            "an earlier backup was broken off: {} packs it had uploaded are used again",
            opened.resumed_packs
        ));
    }
    report.warnings.extend(opened.note.clone());
    report.repository_note = opened.note;
    let lock = opened.lock;
    let mut ports = ports(&plan, report.started, around);
    match &plan.direction {
        Direction::Backup(identity) => {
            let slot = Arc::new(SnapshotSlot::new(
                Arc::clone(&repository),
                identity.clone(),
                report.started,
            ));
            ports.repository_writer = Some(Arc::clone(&slot) as _);
            run_chain(report, stages, ports, around).await?;
            if around.cancel.is_cancelled() {
                return Err(SessionError::Cancelled(LastWords::default()));
            }
            let handed_over = handed_over(report);
            let committed = slot.commit(&handed_over).await.map_err(commit_error)?;
            drop(lock);
            report.maintenance =
                maintenance::run(&plan, &repository, &committed.snapshot.id, around).await;
            report.committed = Some(committed);
            maintenance::verdict(&report.maintenance).map_err(SessionError::Maintenance)
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
            drop(lock);
            Ok(())
        }
    }
}

async fn run_chain(
    report: &mut SessionReport,
    stages: Vec<Stage>,
    ports: Ports,
    around: &Surroundings,
) -> Result<(), SessionError> {
    let outcome = around
        .host
        .run_chain(Chain {
            stages,
            ports,
            cancel: around.cancel.child_token(),
            deadline: Some(Duration::from_secs(report.plan.timeout_seconds)),
        })
        .await;
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
