//! Running a chain: all stages at once, joined by pipes, ended together.
//!
//! # Guarantees
//! - Nothing starts unless every stage may.
//! - The outcome names the first cause; a stage that was dragged along is Cancelled.
//! - When `run_chain` returns, or its future is dropped, no stage runs any more.
//!
//! Committing what a chain wrote is not done here: the caller does it, after a chain without a
//! failure.

use std::sync::Arc;
use std::time::Duration;

use sealift_core::plan::Kind;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::artifact::ArtifactRecord;
use crate::cause::{FirstCause, Stop};
use crate::edge::edge;
use crate::engine::Host;
use crate::error::{FunctionError, LimitKind};
use crate::outcome::{ChainFailure, ChainOutcome, SessionOutcome, StageOutcome, Status};
use crate::ports::Ports;
use crate::secrets::Secrets;
use crate::stage::{self, Checked, Connections, Stage};

/// What is to be run.
pub struct Chain {
    /// Source, transforms, sink, in this order.
    pub stages: Vec<Stage>,
    /// What they are connected to.
    pub ports: Ports,
    /// Stops the chain from outside.
    pub cancel: CancellationToken,
    /// Time for the whole chain.
    pub deadline: Option<Duration>,
}

impl Host {
    /// Runs a chain to its end.
    pub async fn run_chain(&self, chain: Chain) -> ChainOutcome {
        let Chain { stages, ports, cancel, deadline } = chain;
        let checked = match check(self, &stages, &ports) {
            Ok(checked) => checked,
            Err(outcome) => return *outcome,
        };
        let stop = Stop::default();
        let mut running = start(self, checked, &ports, &stop);
        let mut ended: Vec<Option<(StageOutcome, Vec<ArtifactRecord>)>> = Vec::new();
        ended.resize_with(stages.len(), || None);
        let out_of_time = async {
            match deadline {
                Some(deadline) => tokio::time::sleep(deadline).await,
                None => std::future::pending().await,
            }
        };
        let mut out_of_time = std::pin::pin!(out_of_time);
        loop {
            tokio::select! {
                joined = running.join_next() => match joined {
                    None => break,
                    Some(Ok((index, outcome))) => {
                        if let Some(place) = ended.get_mut(index) {
                            *place = Some(outcome);
                        }
                    }
                    Some(Err(error)) => {
                        let why = format!("a stage's task ended: {error}");
                        fell_over(&stop, outside(FunctionError::Internal(why)));
                    }
                },
                () = cancel.cancelled(), if !stop.is_set() => {
                    let why = "the session was cancelled".to_owned();
                    stop.because(outside(FunctionError::Cancelled(why)));
                }
                () = &mut out_of_time, if !stop.is_set() => {
                    stop.because(outside(passed(deadline)));
                }
            }
        }
        outcome(&stages, ended, &stop)
    }

    /// Runs one observer with the outcome of the session.
    pub async fn run_observer(
        &self,
        stage: Stage,
        outcome: &SessionOutcome,
        ports: &Ports,
        cancel: CancellationToken,
    ) -> StageOutcome {
        let failed =
            |error| StageOutcome { status: Status::Failed, error: Some(error), ..stage.skipped() };
        if stage.function.kind() != Kind::Observer {
            return failed(FunctionError::InvalidState(format!(
                "{} cannot be run as an observer",
                stage.describe()
            )));
        }
        let checked = match stage::check(self, &stage, ports) {
            Ok(checked) => checked,
            Err(error) => return failed(error),
        };
        let stop = Stop::default();
        let connections = Connections {
            ports: ports.clone(),
            stop: stop.clone(),
            upstream: None,
            downstream: None,
            outcome: Some(Arc::new(outcome.clone())),
            secrets: Arc::default(),
        };
        let mut run = std::pin::pin!(stage::run(self, checked, connections));
        let (outcome, _) = tokio::select! {
            biased;
            ended = &mut run => ended,
            () = cancel.cancelled() => {
                let why = "the session was cancelled".to_owned();
                stop.because(outside(FunctionError::Cancelled(why)));
                run.await
            }
        };
        outcome
    }
}

fn outside(error: FunctionError) -> FirstCause {
    FirstCause { stage: None, artifact: None, error }
}

/// A neighbour may have noticed first, and knows only that it was left.
fn fell_over(stop: &Stop, cause: FirstCause) {
    match stop.cause() {
        Some(FirstCause { stage: Some(_), error: FunctionError::Cancelled(_), .. }) => {
            stop.complete(cause);
        }
        _ => {
            stop.because(cause);
        }
    }
}

fn passed(deadline: Option<Duration>) -> FunctionError {
    FunctionError::Limit {
        which: LimitKind::Deadline,
        message: format!(
            "the chain did not end within {} s, which timeOut allows",
            deadline.unwrap_or_default().as_secs()
        ),
    }
}

/// Checks the order of the kinds and every stage.
fn check(host: &Host, stages: &[Stage], ports: &Ports) -> Result<Vec<Checked>, Box<ChainOutcome>> {
    let kinds: Vec<Kind> = stages.iter().map(|stage| stage.function.kind()).collect();
    let is_chain = match kinds.as_slice() {
        [Kind::Source, between @ .., Kind::Sink] => {
            between.iter().all(|kind| *kind == Kind::Transform)
        }
        _ => false,
    };
    if !is_chain {
        let names: Vec<String> = stages.iter().map(Stage::describe).collect();
        let error = FunctionError::InvalidState(format!(
            "a chain is a source, any transforms and a sink, in this order; this one is: {}",
            names.join(", ")
        ));
        return Err(Box::new(refused(stages, None, error)));
    }
    let mut checked = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        match stage::check(host, stage, ports) {
            Ok(stage) => checked.push(stage),
            Err(error) => return Err(Box::new(refused(stages, Some(index), error))),
        }
    }
    Ok(checked)
}

/// The outcome of a chain of which nothing was started.
fn refused(stages: &[Stage], culprit: Option<usize>, error: FunctionError) -> ChainOutcome {
    let outcomes = stages.iter().enumerate().map(|(index, stage)| {
        if Some(index) == culprit {
            StageOutcome { status: Status::Failed, error: Some(error.clone()), ..stage.skipped() }
        } else {
            stage.skipped()
        }
    });
    let culprit = culprit.and_then(|index| stages.get(index));
    ChainOutcome {
        stages: outcomes.collect(),
        artifacts: Vec::new(),
        failure: Some(ChainFailure {
            stage: culprit.map(|stage| stage.name.clone()).unwrap_or_default(),
            function: culprit.map(Stage::describe).unwrap_or_default(),
            artifact: None,
            error: error.clone(),
        }),
    }
}

type Running = JoinSet<(usize, (StageOutcome, Vec<ArtifactRecord>))>;

fn start(host: &Host, checked: Vec<Checked>, ports: &Ports, stop: &Stop) -> Running {
    let mut running = JoinSet::new();
    let last = checked.len().saturating_sub(1);
    let mut upstream = None;
    // Of all stages: what one was answered reaches the next ones inside artifacts.
    let secrets = Arc::new(Secrets::default());
    for (index, checked) in checked.into_iter().enumerate() {
        let (downstream, next) = match index == last {
            true => (None, None),
            false => {
                let (writer, reader) = edge(stop);
                (Some(writer), Some(reader))
            }
        };
        let connections = Connections {
            ports: ports.clone(),
            stop: stop.clone(),
            upstream: std::mem::replace(&mut upstream, next),
            downstream,
            outcome: None,
            secrets: Arc::clone(&secrets),
        };
        let host = host.clone();
        running.spawn(async move { (index, stage::run(&host, checked, connections).await) });
    }
    running
}

fn outcome(
    stages: &[Stage],
    ended: Vec<Option<(StageOutcome, Vec<ArtifactRecord>)>>,
    stop: &Stop,
) -> ChainOutcome {
    let mut outcomes = Vec::new();
    let mut artifacts = Vec::new();
    for (stage, ended) in stages.iter().zip(ended) {
        match ended {
            Some((outcome, mut records)) => {
                outcomes.push(outcome);
                artifacts.append(&mut records);
            }
            None => outcomes.push(StageOutcome {
                status: Status::Failed,
                error: Some(FunctionError::Internal("the stage's task ended".to_owned())),
                ..stage.skipped()
            }),
        }
    }
    let failure = stop.cause().map(|cause| {
        let culprit = stages.iter().find(|stage| Some(&stage.name) == cause.stage.as_ref());
        ChainFailure {
            stage: cause.stage.clone().unwrap_or_default(),
            function: culprit.map(Stage::describe).unwrap_or_default(),
            artifact: cause.artifact.clone(),
            error: cause.error.clone(),
        }
    });
    ChainOutcome { stages: outcomes, artifacts, failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_fell_over_is_the_cause_even_if_its_neighbour_noticed_first() {
        let told = |stage: Option<&str>, error| {
            let stop = Stop::default();
            stop.because(FirstCause { stage: stage.map(str::to_owned), artifact: None, error });
            fell_over(&stop, outside(FunctionError::Internal("it fell over".to_owned())));
            stop.cause().map(|cause| cause.error.code().to_owned()).unwrap_or_default()
        };
        let cancelled = || FunctionError::Cancelled("it was left".to_owned());
        assert_eq!(told(Some("sink-0"), cancelled()), "internal");
        // Another reason came first and stays.
        assert_eq!(told(None, cancelled()), "cancelled");
        assert_eq!(told(Some("sink-0"), FunctionError::External(String::new())), "external-failed");
    }
}
