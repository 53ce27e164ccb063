//! Runs the observers of a plan once the outcome stands.
//!
//! An observer sees what happened and tells the world, such as a Pushgateway. Whatever it
//! does, the outcome stays: a failed observer is a warning. One that reaches for a Pushgateway
//! where the plan binds none is not started at all: no session can help that, so it is said in
//! the condition and nowhere else.

use jiff::Timestamp;
use sealift_core::outcome::{Ending, JobOutcome};
use sealift_core::plan::{Plan, StagePlan};
use sealift_host::{FunctionError, OutcomeKind, OutcomeStage, SessionOutcome, Stage, Status};
use tokio_util::sync::CancellationToken;

use crate::chain_of_causes;
use crate::failure::SessionError;
use crate::hooks::{HookResult, hook_name};
use crate::report::{Outcome, SessionReport};
use crate::surroundings::{Surroundings, load, ports};

/// The name on the network that metrics are pushed to.
const PUSHGATEWAY: &str = "pushgateway";

/// Runs each observer; failures become warnings of the report.
///
/// The observers get a cancellation of their own: an interrupted session still says so to the
/// Pushgateway.
pub(crate) async fn run(report: &mut SessionReport, around: &Surroundings) {
    let Some(stages) = ready(report, around) else { return };
    let outcome = outcome(report);
    observe(report, stages, &outcome, around).await;
}

/// Runs the observers of a plan again, from the record of an earlier Job.
pub(crate) async fn again(
    plan: Plan,
    earlier: &JobOutcome,
    around: &Surroundings,
) -> SessionReport {
    let at = |second| Timestamp::from_second(second).unwrap_or_default();
    let mut report = SessionReport::new(plan, at(earlier.started_seconds));
    report.finished = at(earlier.finished_seconds);
    let Some(stages) = ready(&mut report, around) else { return report };
    let outcome = SessionOutcome {
        overall: match earlier.ending {
            Ending::Succeeded => Status::Succeeded,
            Ending::Cancelled => Status::Cancelled,
            Ending::SnapshotSafe | Ending::Failed | Ending::Refused => Status::Failed,
        },
        cause: (earlier.ending != Ending::Succeeded)
            .then(|| FunctionError::External(earlier.message.clone())),
        stages: Vec::new(),
        statistics: earlier.statistics.clone().into_iter().collect(),
        committed: earlier.snapshot.clone(),
    };
    observe(&mut report, stages, &outcome, around).await;
    report
}

/// Loads the observers that can do anything; says why of the others.
fn ready(report: &mut SessionReport, around: &Surroundings) -> Option<Vec<Stage>> {
    let plan = &report.plan;
    let bound = plan.origins.iter().any(|origin| origin.name == PUSHGATEWAY);
    let lost = |stage: &&StagePlan| !bound && stage.grants.reaches(PUSHGATEWAY);
    let nobody =
        plan.observers.iter().any(|stage| lost(&stage)).then(|| {
            "no Pushgateway is known; start the operator with --pushgateway-url".to_owned()
        });
    let wanted: Vec<StagePlan> =
        plan.observers.iter().filter(|stage| !lost(stage)).cloned().collect();
    report.observers_refused = nobody;
    match load(&wanted, around) {
        Ok(stages) => Some(stages),
        Err(error) => {
            let error = chain_of_causes(&error);
            report.observer_warnings.push(error.clone());
            report.observers_refused = Some(error);
            None
        }
    }
}

async fn observe(
    report: &mut SessionReport,
    stages: Vec<Stage>,
    outcome: &SessionOutcome,
    around: &Surroundings,
) {
    let ports = ports(&report.plan, report.started, around);
    for stage in stages {
        let observed =
            around.host.run_observer(stage, outcome, &ports, CancellationToken::new()).await;
        if let Some(error) = &observed.error {
            report.observer_warnings.push(format!(
                "observer {} failed, the outcome stays: {}",
                observed.name,
                chain_of_causes(error)
            ));
        }
        report.observers.push(observed);
    }
}

/// The outcome as observers see it.
fn outcome(report: &SessionReport) -> SessionOutcome {
    let overall = match report.outcome {
        Outcome::Succeeded => Status::Succeeded,
        Outcome::Failed | Outcome::MaintenanceFailed => Status::Failed,
        Outcome::Cancelled => Status::Cancelled,
    };
    SessionOutcome {
        overall,
        cause: report.failure.as_ref().map(function_error),
        stages: stages(report),
        statistics: statistics(report),
        committed: report.committed.as_ref().map(|committed| committed.snapshot.id.clone()),
    }
}

/// The chain's stages, then what was done for the repository.
fn stages(report: &SessionReport) -> Vec<OutcomeStage> {
    let mut stages: Vec<_> = report.stages.iter().map(OutcomeStage::from).collect();
    let maintenance = &report.maintenance;
    let mut step = |kind: OutcomeKind, reached: bool, error: Option<String>| {
        if reached {
            stages.push(OutcomeStage {
                name: kind.as_str().to_owned(),
                kind,
                status: if error.is_some() { Status::Failed } else { Status::Succeeded },
                error: error.map(FunctionError::External),
                statistics: Vec::new(),
            });
        }
    };
    step(
        OutcomeKind::Retention,
        maintenance.retention.is_some() || maintenance.retention_error.is_some(),
        maintenance.retention_error.clone(),
    );
    step(
        OutcomeKind::Integrity,
        maintenance.findings.is_some(),
        maintenance.findings.as_ref().and_then(|findings| findings.first().cloned()),
    );
    let direction = &report.plan.direction;
    for (before, result) in [(true, &report.hooks.before), (false, &report.hooks.after)] {
        let (status, error) = match result {
            None => continue,
            Some(HookResult::Succeeded) => (Status::Succeeded, None),
            Some(HookResult::Skipped(_)) => (Status::Skipped, None),
            Some(HookResult::Failed(error)) => (Status::Failed, Some(error.clone())),
        };
        stages.push(OutcomeStage {
            name: hook_name(direction, before).to_owned(),
            kind: OutcomeKind::Hook,
            status,
            error: error.map(FunctionError::External),
            statistics: Vec::new(),
        });
    }
    stages
}

/// The statistics by the names of `wit/README.md`.
#[expect(clippy::cast_precision_loss, reason = "gauges are 64-bit floats")]
pub(crate) fn statistics(report: &SessionReport) -> Vec<(String, f64)> {
    let mut statistics = vec![
        ("duration-seconds".to_owned(), report.seconds()),
        ("finished-seconds".to_owned(), report.finished.as_second() as f64),
    ];
    let mut add = |name: &str, value: f64| statistics.push((name.to_owned(), value));
    if let Some(committed) = &report.committed {
        let stored = &committed.statistics;
        add("data-size-bytes", stored.total_bytes as f64);
        add("uploaded-bytes", stored.uploaded_bytes as f64);
        add("files-total", stored.files_total as f64);
        add("files-new", stored.files_new as f64);
        add("files-modified", stored.files_modified as f64);
        add("files-unmodified", stored.files_unmodified as f64);
        let processing = report.stages.iter().map(|stage| stage.wall.as_secs_f64());
        add("processing-seconds", processing.fold(0.0, f64::max));
    }
    let maintenance = &report.maintenance;
    if let Some(findings) = &maintenance.findings {
        add("repository-integrity", if findings.is_empty() { 1.0 } else { 0.0 });
    }
    if let Some(repository) = &maintenance.statistics {
        add("repository-size-bytes", repository.stored_bytes as f64);
        add("repository-snapshots", repository.snapshots as f64);
    }
    if let Some(retention) = &maintenance.retention {
        add("repository-snapshots-removed", retention.removed.len() as f64);
    }
    statistics
}

/// A session's failure in the words of the contract.
fn function_error(error: &SessionError) -> FunctionError {
    match error {
        SessionError::Chain { failure, .. } => failure.error.clone(),
        SessionError::Cancelled(_) => FunctionError::Cancelled(error.to_string()),
        other => FunctionError::External(chain_of_causes(other)),
    }
}
