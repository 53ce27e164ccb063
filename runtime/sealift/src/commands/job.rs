//! `sealift job`: one session in a pod of the cluster.
//!
//! What happened is told three times: in the status of the objects, in events, and, whatever
//! became of those, in the termination message.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use sealift_core::outcome::{Ending, JobOutcome};
use sealift_host::Host;
use sealift_job::cluster::{self, Job, Place};
use sealift_job::components::LocalComponents;
use tokio_util::sync::CancellationToken;

use super::run::cancel_on_signal;
use crate::args::JobArgs;
use crate::built_in::BUILT_IN;
use crate::exit::{Exit, Failure};
use crate::logs;
use crate::output::Output;

pub(crate) async fn run(args: &JobArgs, output: Output) -> Result<Exit, Failure> {
    let started = Timestamp::now();
    let outcome = match job(args, started).await {
        Ok(outcome) => outcome,
        Err(failure) => {
            let message = failure.lines.join("; ");
            tracing::error!("{message}");
            refusal(started, "JobFailed", &message)
        }
    };
    let line = outcome.to_line();
    leave(&args.termination_log, &line);
    output.result(|| format!("{line}\n"), &outcome)?;
    Ok(exit(&outcome, args.observers_only))
}

fn refusal(started: Timestamp, reason: &str, message: &str) -> JobOutcome {
    JobOutcome::new(Ending::Refused, started.as_second(), Timestamp::now().as_second())
        .because(reason, message)
}

async fn job(args: &JobArgs, started: Timestamp) -> Result<JobOutcome, Failure> {
    // Before anything else: who may change the plan's ConfigMap must not get anything out of it.
    let plan = match cluster::read_plan(&args.plan, &args.plan_sha256) {
        Ok(plan) => plan,
        Err(error) => {
            let message = sealift_job::chain_of_causes(&error);
            tracing::error!(reason = error.reason(), "{message}");
            return Ok(refusal(started, error.reason(), &message));
        }
    };
    logs::name_session(&plan.session);
    let earlier = match &args.outcome {
        None => None,
        Some(text) => Some(
            JobOutcome::read(text, &plan).map_err(|error| Failure::of(Exit::Invalid, &error))?,
        ),
    };
    let cancel = CancellationToken::new();
    cancel_on_signal(cancel.clone())?;
    let failed = |error: &dyn std::error::Error| Failure::of(Exit::Failed, error);
    let client = sealift_kube::connect().await.map_err(|error| failed(&error))?;
    let job = Job {
        client,
        host: Host::new().map_err(|error| failed(&error))?,
        components: Arc::new(LocalComponents::new(BUILT_IN, "/".into())),
        cancel,
        place: Place { pod: args.pod_name.clone(), interim_dir: args.interim_dir.clone() },
    };
    tracing::info!(pod = args.pod_name, "the session begins");
    let outcome = match args.observers_only {
        false => cluster::run(&job, plan).await,
        true => cluster::observe(&job, plan, earlier).await,
    };
    tracing::info!(ending = ?outcome.ending, reason = outcome.reason, "the session ended");
    Ok(outcome)
}

/// Writes the termination message. A machine without a kubelet has no such file.
pub(super) fn leave(path: &Path, line: &str) {
    if let Err(error) = std::fs::write(path, line) {
        tracing::warn!("the termination message was not written to {path:?}: {error}");
    }
}

fn exit(outcome: &JobOutcome, observers_only: bool) -> Exit {
    match outcome.ending {
        Ending::Refused => Exit::Invalid,
        _ if observers_only && outcome.observed => Exit::Done,
        _ if observers_only => Exit::Failed,
        Ending::Succeeded => Exit::Done,
        Ending::SnapshotSafe => Exit::Maintenance,
        Ending::Failed => Exit::Failed,
        Ending::Cancelled => Exit::Interrupted,
    }
}
