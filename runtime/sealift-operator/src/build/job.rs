//! The Job of a session: one pod, one try, the plan mounted and pinned by its digest.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Error, Work, pod};
use crate::labels::{self, Purpose};
use crate::names;

/// The operator ends a Job at its session's deadline and says so. Should there be no operator
/// then, the Job's own deadline does it a little later.
const BACKSTOP_SECONDS: i64 = 60;

/// How often a push is tried again, with the growing pauses of a Job: an hour in all.
const PUSHES: i32 = 8;
const PUSH_SECONDS: i64 = 4 * 3600;

/// The Job that pushes the metrics of a session that is over, from the same plan. `record` is what
/// the session's own Job left; without it, the session's status tells.
///
/// # Errors
/// As [`super::desired`].
pub fn push(work: &Work<'_>, digest: &str, record: Option<&str>) -> Result<Job, Error> {
    let mut job = job(work, digest)?;
    job.metadata.name = Some(names::push_job(&work.plan.session));
    let (key, value) = labels::DELETE_ON_COMPLETION;
    job.metadata.labels.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    if let Some(spec) = job.spec.as_mut() {
        spec.backoff_limit = Some(PUSHES);
        spec.active_deadline_seconds = Some(PUSH_SECONDS);
        let containers = spec.template.spec.iter_mut().flat_map(|pod| pod.containers.iter_mut());
        for container in containers {
            let args = container.args.get_or_insert_default();
            args.push("--observers-only".to_owned());
            args.extend(record.map(|record| format!("--outcome={record}")));
        }
    }
    Ok(job)
}

/// The session's deadline, as its Job was told; none = the Job has none of ours.
#[must_use]
pub fn deadline(job: &Job) -> Option<Timestamp> {
    let seconds = job.spec.as_ref()?.active_deadline_seconds?.saturating_sub(BACKSTOP_SECONDS);
    let created = job.metadata.creation_timestamp.as_ref()?.0;
    created.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// The digest of the plan a Job was told to carry out.
#[must_use]
pub fn plan_digest(job: &Job) -> Option<&str> {
    let pod = job.spec.as_ref()?.template.spec.as_ref()?;
    let mut args = pod.containers.first()?.args.as_ref()?.iter();
    args.find(|arg| *arg == pod::PLAN_DIGEST)?;
    args.next().map(String::as_str)
}

pub(super) fn job(work: &Work<'_>, digest: &str) -> Result<Job, Error> {
    let session = &work.plan.session.name;
    let name = match work.purpose {
        Purpose::Backup => names::backup_job(session),
        Purpose::Restore => names::restore_job(session),
    };
    let user = work.runtime.and_then(|runtime| runtime.pod.as_ref());
    let mut pod_labels = user.map(|pod| pod.pod_labels.clone()).unwrap_or_default();
    // Ours win: the operator finds its pods by them.
    pod_labels.extend(work.labels());
    let annotations = user.map(|pod| pod.pod_annotations.clone());
    Ok(Job {
        metadata: work.metadata(name, work.session_owner),
        spec: Some(JobSpec {
            active_deadline_seconds: Some(
                work.seconds_left.max(1).saturating_add(BACKSTOP_SECONDS),
            ),
            backoff_limit: Some(0),
            completions: Some(1),
            parallelism: Some(1),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels),
                    annotations: annotations.filter(|annotations| !annotations.is_empty()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod::spec(work, digest)?),
            },
            ..JobSpec::default()
        }),
        status: None,
    })
}
