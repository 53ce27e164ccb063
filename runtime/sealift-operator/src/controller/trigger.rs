//! Jobs that carry `stash.appscode.com/delete-job-on-completion`: those of CronJobs, and those a
//! person makes of them. They are deleted once they have succeeded, and those of the same CronJob
//! that failed before with them: until then the BackupConfiguration says that there are no sessions
//! of it, and why, since nobody else does.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_kube::delete;
use sealift_kube::watch::Key;

use crate::cluster::{Cluster, Stores};
use crate::condition::{self, Statement, Type};
use crate::ending::{Ending, container, has, judge, terminated};
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, DELETE_ON_COMPLETION};
use crate::relations;

/// Of what a pod said last, so many characters from its end.
const WORDS: usize = 600;

/// Looks at one Job.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let Some(job) = cluster.stores.jobs.find(&key).filter(|job| is_due(job)) else {
        return Ok(Next::Wait);
    };
    let mut over = match labels::cron_job_of(&job.metadata) {
        Some(owner) => failed(&cluster.stores, &Key::new(&key.namespace, &owner.name), &owner.uid),
        None => Vec::new(),
    };
    let earlier =
        |other: &Job| other.metadata.creation_timestamp <= job.metadata.creation_timestamp;
    over.retain(|other| earlier(other));
    // Itself last: should this break off, it is still there to say that the others are over.
    over.push(job);
    for job in over {
        let name = job.metadata.name.as_deref().unwrap_or_default();
        let uid = job.metadata.uid.as_deref();
        delete::delete::<Job>(&cluster.client, &key.namespace, name, uid).await?;
    }
    Ok(Next::Wait)
}

/// Whether a Job has succeeded and asks to be deleted then.
#[must_use]
pub fn is_due(job: &Job) -> bool {
    asks(job) && has(job, "Complete") && !labels::is_going(&job.metadata)
}

/// Whether a Job has failed that would have been deleted otherwise.
pub(crate) fn has_failed(job: &Job) -> bool {
    asks(job) && (has(job, "Failed") || has(job, "FailureTarget"))
}

fn asks(job: &Job) -> bool {
    let (label, value) = DELETE_ON_COMPLETION;
    let labels = job.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get(label)).is_some_and(|found| found == value)
}

/// The BackupConfiguration whose sessions a Job makes.
pub(crate) fn configuration_of(stores: &Stores, job: &ObjectMeta) -> Option<Key> {
    let namespace = job.namespace.as_deref().unwrap_or_default();
    let cron_job = stores.cron_jobs.get(namespace, &labels::cron_job_of(job)?.name)?;
    let owner = labels::controller_of(&cron_job.metadata, "BackupConfiguration")?;
    Some(Key::new(namespace, &owner.name))
}

/// What is said of a BackupConfiguration whose newest trigger failed, if none has succeeded since.
pub(crate) fn failure(stores: &Stores, configuration: &BackupConfiguration) -> Option<Statement> {
    let own = configuration.metadata.uid.as_deref().unwrap_or_default();
    let cron_jobs = stores.cron_jobs.related(relations::OWNER, &Key::of(configuration));
    let job = cron_jobs
        .iter()
        .filter(|cron_job| labels::is_controlled_by(&cron_job.metadata, own))
        .flat_map(|cron_job| {
            let uid = cron_job.metadata.uid.as_deref().unwrap_or_default();
            failed(stores, &Key::of(&**cron_job), uid)
        })
        .max_by_key(|job| job.metadata.creation_timestamp.clone())?;
    let uid = job.metadata.uid.as_deref().unwrap_or_default();
    let is_its = |pod: &Pod| labels::is_controlled_by(&pod.metadata, uid);
    let pods = stores.pods.select_in(configuration.namespace(), is_its);
    let conditions = configuration.status.as_ref().map(|status| status.conditions.as_slice());
    let told = condition::find(conditions.unwrap_or_default(), Type::BackupTriggered);
    let told = told.and_then(|told| told.message.as_deref());
    Some(Statement::no(Type::BackupTriggered, "TriggerJobFailed", text(&job, &pods, told)))
}

/// Why a Job failed. Once its pods are gone, what was `told` of them stays.
fn text(job: &Job, pods: &[Arc<Pod>], told: Option<&str>) -> String {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let head = format!("Job {name} failed, which was to make a BackupSession: ");
    let newest = pods.iter().max_by_key(|pod| pod.metadata.creation_timestamp.clone());
    match (newest.and_then(|pod| last_words(pod)), told) {
        (Some(words), _) => head + &words,
        (None, Some(told)) if told.starts_with(&head) => told.to_owned(),
        (None, _) => match judge(Some(job), pods, Duration::ZERO) {
            Ending::Dead(death, _) => head + &death.message,
            _ => head + "it does not say why",
        },
    }
}

/// What a pod said before its end, or why it never began.
fn last_words(pod: &Pod) -> Option<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let said = terminated(pod).and_then(|ended| ended.message.as_deref()).map(str::trim);
    if let Some(said) = said.filter(|said| !said.is_empty()) {
        let cut = said.chars().count().saturating_sub(WORDS);
        let end: String = said.chars().skip(cut).collect();
        return Some(format!("its pod {name} said last: {end}"));
    }
    let state = container(pod).and_then(|found| found.state.as_ref());
    if let Some(waiting) = state.and_then(|state| state.waiting.as_ref()) {
        let reason = waiting.reason.as_deref().unwrap_or("Waiting");
        let detail = waiting.message.as_deref().unwrap_or("no details");
        return Some(format!("its pod {name} did not start: {reason}: {detail}"));
    }
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let unscheduled =
        conditions.iter().find(|found| found.type_ == "PodScheduled" && found.status == "False")?;
    let detail = unscheduled.message.as_deref().unwrap_or("no details");
    Some(format!("its pod {name} was not scheduled: {detail}"))
}

/// The Jobs of a CronJob that have failed.
fn failed(stores: &Stores, cron_job: &Key, uid: &str) -> Vec<Arc<Job>> {
    let mut jobs = stores.jobs.related(relations::CRON_JOB, cron_job);
    let is_of = |job: &Job| labels::cron_job_of(&job.metadata).is_some_and(|it| it.uid == uid);
    jobs.retain(|job| is_of(job) && has_failed(job) && !labels::is_going(&job.metadata));
    jobs
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::{Value, json};

    use super::*;

    fn job(reason: &str) -> Job {
        serde_json::from_value(json!({
            "metadata": {"name": "t-1", "namespace": "demo", "uid": "j"},
            "status": {"conditions": [{"type": "Failed", "status": "True", "reason": reason,
                "message": "the Job's own words"}]}
        }))
        .unwrap()
    }

    fn pod(name: &str, second: u32, status: &Value) -> Arc<Pod> {
        let pod = json!({
            "metadata": {"name": name, "creationTimestamp": format!("2026-01-01T00:00:{second:02}Z")},
            "status": status
        });
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_failure_is_told_in_the_last_words_of_the_newest_pod() {
        let said = |message: &str| {
            json!({"containerStatuses": [{"name": "c", "image": "", "imageID": "", "ready": false,
                "restartCount": 0, "state": {"terminated": {"exitCode": 1, "message": message}}}]})
        };
        let waits = json!({"containerStatuses": [{"name": "c", "image": "", "imageID": "",
            "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}]});
        let unscheduled = json!({"conditions": [{"type": "PodScheduled", "status": "False",
            "message": "0/3 nodes are available"}]});
        let head = "Job t-1 failed, which was to make a BackupSession: ";
        let older = pod("t-1-a", 1, &said("older"));
        for (status, words) in [
            (said(" newer\n"), "its pod t-1-b said last: newer"),
            (waits, "its pod t-1-b did not start: ErrImagePull: no such image"),
            (unscheduled, "its pod t-1-b was not scheduled: 0/3 nodes are available"),
        ] {
            let pods = [pod("t-1-b", 2, &status), Arc::clone(&older)];
            let told = text(&job("BackoffLimitExceeded"), &pods, None);
            assert_eq!(told, format!("{head}{words}"));
            // It stays when the pods are gone.
            assert_eq!(text(&job("BackoffLimitExceeded"), &[], Some(&told)), told);
        }
        let of_another = "Job t-0 failed, which was to make a BackupSession: its pod said last: x";
        let told = text(&job("Odd"), &[], Some(of_another));
        assert_eq!(told, format!("{head}the Job failed: the Job's own words"));
    }
}
