//! The Job of a session that runs: what has become of it, and how much time it has left. The same
//! for backups and restores; what it means for the session is said by the `finish` of each.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use sealift_kube::read;
use sealift_kube::watch::Key;

use super::launch;
use crate::cluster::Cluster;
use crate::ending::{Death, Ending, judge};
use crate::engine::Next;
use crate::error::Result;

/// What is left of the time of a Job that is not over.
pub(crate) enum Left {
    /// Some; when to look again.
    Some(Next),
    /// The session's deadline has passed. The Job was ended.
    Nothing,
    /// It could not start for too long. It was ended, for this.
    NoPatience(Death),
}

/// What became of a Job: by the watch, and if that shows none, by asking.
pub(crate) async fn ending_of(cluster: &Cluster, job: &Key) -> Result<Ending> {
    let stores = &cluster.stores;
    let limit = cluster.options.pending_limit;
    let pods = stores.pods.select_in(&job.namespace, |pod| {
        let labels = pod.metadata.labels.iter().flatten();
        labels.into_iter().any(|(key, value)| {
            (key == "batch.kubernetes.io/job-name" || key == "job-name") && *value == job.name
        })
    });
    match stores.jobs.find(job) {
        Some(found) => Ok(judge(Some(&found), &pods, limit)),
        None => {
            let found = read::find::<Job>(&cluster.client, &job.namespace, &job.name).await?;
            Ok(judge(found.as_ref(), &pods, limit))
        }
    }
}

/// Ends a Job whose time is up: at its session's `deadline`, or when it is to be given up.
pub(crate) async fn time_left(
    cluster: &Cluster,
    job: &Key,
    deadline: Option<Timestamp>,
    give_up: Option<(Timestamp, Death)>,
) -> Result<Left> {
    let now = cluster.now();
    if deadline.is_some_and(|deadline| now >= deadline) {
        launch::end(cluster, job).await?;
        return Ok(Left::Nothing);
    }
    match give_up {
        Some((at, death)) if now >= at => {
            launch::end(cluster, job).await?;
            Ok(Left::NoPatience(death))
        }
        give_up => {
            let next = [deadline, give_up.map(|(at, _)| at)].into_iter().flatten().min();
            Ok(Left::Some(next.map_or(Next::Wait, |at| Next::After(until(now, at)))))
        }
    }
}

/// The time left, and a little more, so that it is over then.
fn until(now: Timestamp, at: Timestamp) -> Duration {
    let left = at.duration_since(now);
    Duration::try_from(left).unwrap_or_default() + Duration::from_millis(200)
}
