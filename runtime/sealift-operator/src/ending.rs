//! What became of a Job: from the Job and its pods, and the record it left.
//!
//! Pure. A Job that ends well reports by itself; this is for the ones that do not: killed,
//! evicted, out of memory, deleted, never started. Messages say what happened and what to do.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use sealift_core::outcome::{JobOutcome, OUTCOME_VERSION};

use crate::labels;

/// Why kubelet cannot start a container; it tries again, and a person may help meanwhile.
const START_PROBLEMS: [&str; 8] = [
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RunContainerError",
];

/// The Job controller's word for a Job that ran longer than its `activeDeadlineSeconds`.
const DEADLINE: &str = "DeadlineExceeded";

/// What became of a Job.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// There is no such Job.
    Missing,
    /// It has not started yet; at `give_up` it is ended for `death`. None = there is nothing
    /// wrong so far.
    Starting {
        /// When to give up.
        give_up: Option<(Timestamp, Death)>,
    },
    /// It runs.
    Running,
    /// It has ended well, or says so.
    Complete(Option<Box<JobOutcome>>),
    /// It has died, or ended without success.
    Dead(Death, Option<Box<JobOutcome>>),
}

/// What an ending means for a session whose Job has reported nothing to it.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The Job is not over; at the time given it is ended for the death beside it.
    Open(Option<(Timestamp, Death)>),
    /// Its record says that the data is safe.
    Done(Box<JobOutcome>),
    /// The session has failed.
    Lost(Death),
}

impl Ending {
    /// Whether nothing more will come of the Job.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !matches!(self, Self::Starting { .. } | Self::Running)
    }

    /// The record the Job left.
    #[must_use]
    pub fn record(&self) -> Option<&JobOutcome> {
        match self {
            Self::Complete(record) | Self::Dead(_, record) => record.as_deref(),
            Self::Missing | Self::Starting { .. } | Self::Running => None,
        }
    }

    /// What it means; `job` is the Job's name in messages.
    #[must_use]
    pub fn verdict(self, job: &str) -> Verdict {
        match self {
            Self::Missing => Verdict::Lost(Death::new(
                "JobDeleted",
                format!("Job {job} was deleted before it had reported an end"),
            )),
            Self::Complete(Some(record)) | Self::Dead(_, Some(record)) if record.data_is_safe() => {
                Verdict::Done(record)
            }
            Self::Complete(Some(record)) if !record.message.is_empty() => {
                Verdict::Lost(Death { reason: record.reason, message: record.message })
            }
            Self::Complete(_) => Verdict::Lost(Death::new(
                "NoReport",
                "the Job ended without a report of what it did",
            )),
            Self::Dead(death, _) => Verdict::Lost(death),
            Self::Running => Verdict::Open(None),
            Self::Starting { give_up } => Verdict::Open(give_up),
        }
    }
}

/// Why a Job did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Death {
    /// A stable word.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl Death {
    /// For a reason of ours.
    #[must_use]
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }

    /// Whether its time was up, by the Job's own `activeDeadlineSeconds`.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.reason == DEADLINE
    }
}

/// Judges a Job. `limit` is how long it may take until its container runs.
#[must_use]
pub fn judge(job: Option<&Job>, pods: &[Arc<Pod>], limit: Duration) -> Ending {
    let Some(job) = job else { return Ending::Missing };
    let newest = pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.clone());
    let record = || newest.and_then(|pod| record(pod)).map(Box::new);
    if has(job, "Complete") || has(job, "SuccessCriteriaMet") {
        return Ending::Complete(record());
    }
    if has(job, "Failed") || has(job, "FailureTarget") {
        return Ending::Dead(death(job, newest.map(|pod| &**pod)), record());
    }
    if labels::is_going(&job.metadata) {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let message = format!("Job {name} was deleted before it had reported an end");
        return Ending::Dead(Death::new("JobDeleted", message), record());
    }
    match newest {
        None => Ending::Starting { give_up: no_pod(job, limit) },
        Some(pod) if is_started(pod) => Ending::Running,
        Some(pod) => Ending::Starting { give_up: not_started(pod, limit) },
    }
}

/// Whether a condition of a Job holds.
pub(crate) fn has(job: &Job, type_: &str) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|found| found.type_ == type_ && found.status == "True")
}

/// What is known of a pod's container.
pub(crate) fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

/// How it ended.
pub(crate) fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    container(pod)?.state.as_ref()?.terminated.as_ref()
}

fn is_started(pod: &Pod) -> bool {
    let state = container(pod).and_then(|container| container.state.as_ref());
    state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

/// What the Job wrote down before it ended.
fn record(pod: &Pod) -> Option<JobOutcome> {
    let text = terminated(pod)?.message.as_deref()?;
    serde_json::from_str(text).ok().filter(|read: &JobOutcome| read.version == OUTCOME_VERSION)
}

fn no_pod(job: &Job, limit: Duration) -> Option<(Timestamp, Death)> {
    let since = job.metadata.creation_timestamp.as_ref()?.0;
    let message = format!(
        "no pod was made for the Job within {} s; `kubectl describe job` shows why, such as a quota or an admission policy",
        limit.as_secs()
    );
    Some((after(since, limit)?, Death::new("PodNotCreated", message)))
}

fn not_started(pod: &Pod, limit: Duration) -> Option<(Timestamp, Death)> {
    let status = pod.status.as_ref()?;
    let since = pod.metadata.creation_timestamp.as_ref()?.0;
    let waiting = container(pod)
        .and_then(|found| found.state.as_ref())
        .and_then(|state| state.waiting.as_ref());
    if let Some(waiting) = waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        if START_PROBLEMS.contains(&reason) {
            let detail = waiting.message.as_deref().unwrap_or("no details");
            let message = format!(
                "the container did not start within {} s: {reason}: {detail}",
                limit.as_secs()
            );
            return Some((after(since, limit)?, Death::new(reason, message)));
        }
    }
    let scheduled = status.conditions.iter().flatten().find(|found| found.type_ == "PodScheduled");
    let seconds = limit.as_secs();
    let death = match (scheduled.map(|found| found.status.as_str()), waiting) {
        (Some("True"), Some(waiting)) => {
            let reason = waiting.reason.as_deref().unwrap_or("Waiting");
            let detail =
                waiting.message.as_deref().map_or_else(String::new, |text| format!(": {text}"));
            let text = format!(
                "the container did not start within {seconds} s and is still {reason}{detail}; `kubectl describe pod` shows why, such as a volume that cannot be mounted"
            );
            Death::new("ContainerNotStarted", text)
        }
        (Some("True"), None) => Death::new(
            "ContainerNotStarted",
            format!(
                "the container did not start within {seconds} s and its node says nothing of it; `kubectl describe pod` shows why"
            ),
        ),
        (Some(_), _) => {
            let detail = scheduled.and_then(|found| found.message.as_deref());
            let detail = detail.unwrap_or("no details");
            Death::new(
                "Unschedulable",
                format!(
                    "the pod was not scheduled within {seconds} s: {detail}; check requests, nodeSelector, affinity and tolerations in spec.runtimeSettings"
                ),
            )
        }
        (None, _) => Death::new(
            "Unschedulable",
            format!(
                "no scheduler took the pod within {seconds} s; check schedulerName in spec.runtimeSettings.pod"
            ),
        ),
    };
    Some((after(since, limit)?, death))
}

fn after(time: Timestamp, limit: Duration) -> Option<Timestamp> {
    time.checked_add(SignedDuration::try_from(limit).ok()?).ok()
}

fn death(job: &Job, pod: Option<&Pod>) -> Death {
    let of_pod = pod.and_then(death_of_pod);
    let failed = job
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .find(|found| found.type_ == "Failed" || found.type_ == "FailureTarget");
    let reason = failed.and_then(|found| found.reason.as_deref()).unwrap_or("JobFailed");
    let message = failed.and_then(|found| found.message.as_deref()).unwrap_or_default();
    match (of_pod, reason) {
        // How the container took its end says nothing more.
        (_, DEADLINE) => {
            Death::new(DEADLINE, "the Job ran longer than its activeDeadlineSeconds and was ended")
        }
        (Some(death), _) => death,
        // The pod is gone, and with it what it could have told.
        (None, "BackoffLimitExceeded") => Death::new(
            "PodDeleted",
            "the pod was deleted, or vanished with its node, before it had ended",
        ),
        (None, reason) => Death::new(reason, format!("the Job failed: {message}")),
    }
}

fn death_of_pod(pod: &Pod) -> Option<Death> {
    let status = pod.status.as_ref()?;
    if status.reason.as_deref() == Some("Evicted") {
        let detail = status.message.as_deref().unwrap_or("no details");
        return Some(Death::new("Evicted", format!("the pod was evicted: {detail}")));
    }
    let disrupted = status
        .conditions
        .iter()
        .flatten()
        .find(|found| found.type_ == "DisruptionTarget" && found.status == "True");
    if let Some(disrupted) = disrupted {
        let reason = disrupted.reason.as_deref().unwrap_or("DisruptionTarget");
        let detail = disrupted.message.as_deref().unwrap_or("no details");
        return Some(Death::new(reason, format!("the pod was removed ({reason}): {detail}")));
    }
    let ended = terminated(pod)?;
    match (ended.reason.as_deref(), ended.exit_code) {
        (Some("OOMKilled"), _) => Some(Death::new(
            "OOMKilled",
            "the container used more memory than its limit and was killed (OOMKilled); raise spec.runtimeSettings.container.resources.limits.memory",
        )),
        (reason, code) => {
            let told = record(pod).filter(|told| !told.message.is_empty());
            let message = match told {
                Some(told) => told.message,
                None => format!(
                    "the container ended with exit code {code} ({}) and did not report how",
                    reason.unwrap_or("no reason")
                ),
            };
            let reason = record(pod).map(|told| told.reason).filter(|reason| !reason.is_empty());
            Some(Death { reason: reason.unwrap_or_else(|| "JobFailed".to_owned()), message })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    const LIMIT: Duration = Duration::from_secs(600);

    fn job(conditions: serde_json::Value) -> Job {
        serde_json::from_value(json!({
            "metadata": {"name": "j", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"conditions": conditions}
        }))
        .unwrap()
    }

    fn pod(status: serde_json::Value) -> Vec<Arc<Pod>> {
        let pod = json!({
            "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:05Z"}, "status": status
        });
        vec![Arc::new(serde_json::from_value(pod).unwrap())]
    }

    fn failed() -> Job {
        job(
            json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "m"}]),
        )
    }

    fn told(ending: &Ending) -> String {
        match ending {
            Ending::Starting { give_up: Some((at, death)) } => {
                format!("at {at}: {}: {}", death.reason, death.message)
            }
            Ending::Dead(death, record) => {
                format!(
                    "{}: {}{}",
                    death.reason,
                    death.message,
                    if record.is_some() { " (record)" } else { "" }
                )
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn every_death_says_what_happened_and_what_to_do() {
        let terminated = |reason: &str, code: i32, message: &str| {
            pod(json!({"phase": "Failed", "containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}}
            }]}))
        };
        let record = JobOutcome::new(sealift_core::outcome::Ending::Refused, 1, 2)
            .because("PlanOutdated", "the AppBinding changed")
            .to_line();
        let rows = [
            judge(Some(&failed()), &terminated("OOMKilled", 137, ""), LIMIT),
            judge(Some(&failed()), &terminated("Error", 101, "no record"), LIMIT),
            judge(Some(&failed()), &terminated("Error", 2, &record), LIMIT),
            judge(Some(&failed()), &[], LIMIT),
            judge(
                Some(&failed()),
                &pod(json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"})),
                LIMIT,
            ),
            judge(
                Some(&failed()),
                &pod(json!({"conditions": [{"type": "DisruptionTarget", "status": "True",
                    "reason": "EvictionByEvictionAPI", "message": "Eviction API: evicting"}]})),
                LIMIT,
            ),
            judge(
                Some(&job(
                    json!([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}]),
                )),
                &[],
                LIMIT,
            ),
        ];
        insta::assert_snapshot!(rows.iter().map(told).collect::<Vec<_>>().join("\n"), @r"
        OOMKilled: the container used more memory than its limit and was killed (OOMKilled); raise spec.runtimeSettings.container.resources.limits.memory
        JobFailed: the container ended with exit code 101 (Error) and did not report how
        PlanOutdated: the AppBinding changed (record)
        PodDeleted: the pod was deleted, or vanished with its node, before it had ended
        Evicted: the pod was evicted: low on memory
        EvictionByEvictionAPI: the pod was removed (EvictionByEvictionAPI): Eviction API: evicting
        DeadlineExceeded: the Job ran longer than its activeDeadlineSeconds and was ended
        ");
    }

    /// What a Job comes to with this record in its pod.
    fn comes_to(job: &Job, record: &str) -> String {
        let state = json!({"terminated": {"exitCode": 0, "reason": "Error", "message": record}});
        let pods = pod(json!({"containerStatuses": [{"name": "c", "image": "i", "imageID": "",
            "ready": false, "restartCount": 0, "state": state}]}));
        match judge(Some(job), &pods, LIMIT).verdict("demo/j") {
            Verdict::Done(record) => format!("done: {:?}", record.ending),
            Verdict::Lost(death) => format!("lost: {}", death.reason),
            Verdict::Open(_) => "open".to_owned(),
        }
    }

    #[test]
    fn only_a_record_that_says_so_makes_an_end_a_success() {
        use sealift_core::outcome::Ending as Left;
        let complete = job(json!([{"type": "Complete", "status": "True"}]));
        let record = |ending| JobOutcome::new(ending, 1, 2).because("Why", "what happened");
        for (ending, comes) in [
            (Left::Succeeded, "done: Succeeded"),
            (Left::SnapshotSafe, "done: SnapshotSafe"),
            (Left::Failed, "lost: Why"),
            (Left::Cancelled, "lost: Why"),
            (Left::Refused, "lost: Why"),
        ] {
            for job in [&complete, &failed()] {
                assert_eq!(comes_to(job, &record(ending).to_line()), comes, "{ending:?} {job:?}");
            }
        }
        // Of a form that is not known, or none at all.
        let other = JobOutcome { version: "v0".to_owned(), ..record(Left::Succeeded) };
        for text in [other.to_line(), String::new(), "{}".to_owned()] {
            assert_eq!(comes_to(&complete, &text), "lost: NoReport", "{text}");
        }
        // While it is being deleted, which may take long.
        let mut going = job(json!([]));
        going.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-01T00:01:00Z")).unwrap();
        assert_eq!(comes_to(&going, ""), "lost: JobDeleted");
        assert_eq!(comes_to(&going, &record(Left::Succeeded).to_line()), "done: Succeeded");
        assert!(matches!(Ending::Missing.verdict("demo/j"), Verdict::Lost(_)));
        assert_eq!(Ending::Running.verdict("demo/j"), Verdict::Open(None));
    }

    #[test]
    fn a_pod_that_does_not_start_has_until_the_limit() {
        let running = job(json!([]));
        let waiting = |reason: &str| {
            pod(json!({"phase": "Pending", "containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": "not found"}}
            }]}))
        };
        let scheduled = |reason: &str| {
            pod(json!({"phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{
                "name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": reason}}
            }]}))
        };
        let rows = [
            judge(Some(&running), &[], LIMIT),
            judge(Some(&running), &waiting("ImagePullBackOff"), LIMIT),
            judge(
                Some(&running),
                &pod(json!({"conditions": [{"type": "PodScheduled", "status": "False",
                    "reason": "Unschedulable", "message": "0/1 nodes are available"}]})),
                LIMIT,
            ),
            judge(Some(&running), &scheduled("ContainerCreating"), LIMIT),
            judge(Some(&running), &pod(json!({"phase": "Pending"})), LIMIT),
        ];
        insta::assert_snapshot!(rows.iter().map(told).collect::<Vec<_>>().join("\n"), @r"
        at 2026-01-01T00:10:00Z: PodNotCreated: no pod was made for the Job within 600 s; `kubectl describe job` shows why, such as a quota or an admission policy
        at 2026-01-01T00:10:05Z: ImagePullBackOff: the container did not start within 600 s: ImagePullBackOff: not found
        at 2026-01-01T00:10:05Z: Unschedulable: the pod was not scheduled within 600 s: 0/1 nodes are available; check requests, nodeSelector, affinity and tolerations in spec.runtimeSettings
        at 2026-01-01T00:10:05Z: ContainerNotStarted: the container did not start within 600 s and is still ContainerCreating; `kubectl describe pod` shows why, such as a volume that cannot be mounted
        at 2026-01-01T00:10:05Z: Unschedulable: no scheduler took the pod within 600 s; check schedulerName in spec.runtimeSettings.pod
        ");
    }

    #[test]
    fn what_runs_runs_and_what_is_not_there_is_missing() {
        let started = pod(json!({"phase": "Running", "containerStatuses": [{
            "name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
            "state": {"running": {}}
        }]}));
        assert_eq!(judge(Some(&job(json!([]))), &started, LIMIT), Ending::Running);
        assert_eq!(judge(None, &started, LIMIT), Ending::Missing);
        let complete = job(json!([{"type": "Complete", "status": "True"}]));
        assert_eq!(judge(Some(&complete), &started, LIMIT), Ending::Complete(None));
        let mut going = job(json!([]));
        going.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH));
        assert!(matches!(judge(Some(&going), &started, LIMIT), Ending::Dead(..)));
    }
}
