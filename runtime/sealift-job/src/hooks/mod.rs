//! Hooks: what a user wants done before and after the work.
//!
//! A hook before the work that fails ends the session before anything was touched, and the hook
//! after it is not run then. A hook after the work is run as its policy says; its failure fails
//! the session, though the snapshot stays. What templates may say was checked with the plan.
//! Commands in pods go through a port, since only a cluster has pods.

mod action;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sealift_core::duration::format_seconds;
use sealift_core::hook::{HOOK_SECONDS, HookAction, Summary};
use sealift_core::plan::Direction;
use sealift_core::template::TemplateError;
use sealift_host::OutboundError;

use crate::chain_of_causes;
use crate::report::SessionReport;
use crate::surroundings::Surroundings;

/// What a hook after an interrupted session may take: a pod that is being ended has 20 s.
const AFTER_INTERRUPTION: Duration = Duration::from_secs(10);

/// Why a hook failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// A template cannot be rendered with what is known now.
    #[error("failed to render the template")]
    Template(#[source] TemplateError),
    /// The request was not answered.
    #[error("failed to send the request")]
    Send(#[source] OutboundError),
    /// The answer was not one of success.
    #[error("{place} answered {status}; a hook succeeds with 200 to 399")]
    Answer {
        /// Scheme, host and port.
        place: String,
        /// The status.
        status: u16,
    },
    /// The connection was not taken.
    #[error("failed to connect")]
    Connect(#[source] OutboundError),
    /// The command was not run, or failed.
    #[error("failed to run the command")]
    Exec(#[source] ExecError),
    /// It took too long.
    #[error("it did not end within {seconds} s")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// The session was interrupted meanwhile.
    #[error("the session was interrupted")]
    Interrupted,
}

/// Why a command in a pod failed. What it printed is not repeated: it may hold secrets.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// There are no pods here.
    #[error("there is no cluster to run it in; leave the hook out for a run on this machine")]
    NoCluster,
    /// Nothing is behind the Service.
    #[error("no pod is behind Service {namespace}/{service}; check its selector and the pods")]
    NoPod {
        /// Namespace of the Service.
        namespace: String,
        /// The Service.
        service: String,
    },
    /// The pod has no such container.
    #[error("pod {namespace}/{pod} has no container {container:?}; it has {known}")]
    NoContainer {
        /// Namespace of the pod.
        namespace: String,
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// What it has.
        known: String,
    },
    /// The API server refused or could not be asked.
    #[error("{what}")]
    Ask {
        /// What was asked, of which object.
        what: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The command ended with another code than 0.
    #[error("in container {container} of pod {namespace}/{pod}: {message}")]
    Command {
        /// Namespace of the pod.
        namespace: String,
        /// The pod.
        pod: String,
        /// The container.
        container: String,
        /// What the kubelet says, such as the exit code.
        message: String,
    },
}

/// Runs commands in pods.
#[async_trait]
pub trait PodExec: Send + Sync {
    /// Runs a command in a pod behind this Service, ready pods first, and waits for its end. A
    /// dropped future gives it up; the command may go on.
    ///
    /// # Errors
    /// It did not end with 0.
    async fn exec(
        &self,
        namespace: &str,
        service: &str,
        container: Option<&str>,
        command: &[String],
    ) -> Result<(), ExecError>;
}

/// What hooks need besides the plan.
#[derive(Clone, Default)]
pub struct HookSurroundings {
    /// Runs commands in pods; none = there are no pods here.
    pub exec: Option<Arc<dyn PodExec>>,
    /// Tries that are left after this session.
    pub retry_left: i32,
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookResult {
    /// It was run and succeeded.
    Succeeded,
    /// It was not due; why.
    Skipped(String),
    /// It was run and failed; why.
    Failed(String),
}

/// How the hooks of a session ended; none = there is none, or it was not reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookResults {
    /// Before the work.
    pub before: Option<HookResult>,
    /// After the work.
    pub after: Option<HookResult>,
}

impl HookResults {
    /// The failure, if there is one, with the hook's name in this direction.
    #[must_use]
    pub fn failure(&self, direction: &Direction) -> Option<(&'static str, &str)> {
        [(true, &self.before), (false, &self.after)].into_iter().find_map(|(before, result)| {
            match result {
                Some(HookResult::Failed(error)) => Some((hook_name(direction, before), &**error)),
                _ => None,
            }
        })
    }
}

/// The field of a hook in its manifest.
#[must_use]
pub fn hook_name(direction: &Direction, before: bool) -> &'static str {
    match (direction, before) {
        (Direction::Backup(_), true) => "preBackup",
        (Direction::Backup(_), false) => "postBackup",
        (Direction::Restore(_), true) => "preRestore",
        (Direction::Restore(_), false) => "postRestore",
    }
}

/// Runs the hook before the work.
pub(crate) async fn before(report: &SessionReport, around: &Surroundings) -> Option<HookResult> {
    let action = report.plan.hooks.before.as_ref()?;
    let summary = summary(report, around, "Running", "", "");
    let run = run(action, &summary, remaining(report), around);
    let result = tokio::select! {
        result = run => result,
        () = around.cancel.cancelled() => Err(HookError::Interrupted),
    };
    Some(finished(hook_name(&report.plan.direction, true), result))
}

/// Runs the hook after the work, if it is due. It is run after an interruption, too: it may undo
/// what the first one did.
pub(crate) async fn after(
    report: &SessionReport,
    succeeded: bool,
    error: Option<&str>,
    around: &Surroundings,
) -> Option<HookResult> {
    let hook = report.plan.hooks.after.as_ref()?;
    let name = hook_name(&report.plan.direction, false);
    let phase = if succeeded { "Succeeded" } else { "Failed" };
    if !hook.policy.is_due(succeeded, around.hooks.retry_left) {
        return Some(HookResult::Skipped(format!(
            "Skipping executing {name}. Reason: executionPolicy is \"{}\" but phase is \"{phase}\".",
            hook.policy.as_str()
        )));
    }
    let seconds = Timestamp::now().duration_since(report.started).as_secs();
    let duration = format_seconds(u64::try_from(seconds).unwrap_or_default().max(1));
    let summary = summary(report, around, phase, &duration, error.unwrap_or_default());
    let limit = match around.cancel.is_cancelled() {
        true => AFTER_INTERRUPTION,
        // It has time of its own: a session that used all of its time up still ends its work.
        false => remaining(report).max(Duration::from_secs(HOOK_SECONDS)),
    };
    Some(finished(name, run(&hook.action, &summary, limit, around).await))
}

fn finished(name: &str, result: Result<(), HookError>) -> HookResult {
    match result {
        Ok(()) => {
            tracing::info!(hook = name, "the hook succeeded");
            HookResult::Succeeded
        }
        Err(error) => {
            let error = chain_of_causes(&error);
            tracing::warn!(hook = name, "the hook failed: {error}");
            HookResult::Failed(error)
        }
    }
}

async fn run(
    action: &HookAction,
    summary: &Summary<'_>,
    limit: Duration,
    around: &Surroundings,
) -> Result<(), HookError> {
    let limit = match action {
        HookAction::Exec { .. } => limit,
        _ => limit.min(Duration::from_secs(HOOK_SECONDS)),
    };
    let data = summary.value();
    let work = action::run(action, &data, limit, around);
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| HookError::Timeout { seconds: limit.as_secs() })?
}

/// What is left of the session's time.
pub(crate) fn remaining(report: &SessionReport) -> Duration {
    let used = Timestamp::now().duration_since(report.started);
    let used = Duration::try_from(used).unwrap_or_default();
    Duration::from_secs(report.plan.timeout_seconds).saturating_sub(used)
}

fn summary<'a>(
    report: &'a SessionReport,
    around: &Surroundings,
    phase: &'a str,
    duration: &'a str,
    error: &'a str,
) -> Summary<'a> {
    Summary {
        session: &report.plan.session,
        invoker: &report.plan.invoker,
        target: &report.plan.target.reference,
        target_version: sealift_api::manifest::APP_CATALOG_V1ALPHA1,
        phase,
        duration,
        error,
        retry_left: around.hooks.retry_left,
    }
}
