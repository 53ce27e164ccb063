//! Jobs that carry `stash.appscode.com/delete-job-on-completion`: those of CronJobs, and those a
//! person makes of them. They are deleted once they have succeeded.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use sealift_kube::delete;
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, DELETE_ON_COMPLETION};

/// Looks at one Job.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    if let Some(job) = cluster.stores.jobs.find(&key)
        && is_due(&job)
    {
        let uid = job.metadata.uid.as_deref();
        delete::delete::<Job>(&cluster.client, &key.namespace, &key.name, uid).await?;
    }
    Ok(Next::Wait)
}

/// Whether a Job has succeeded and asks to be deleted then.
#[must_use]
pub fn is_due(job: &Job) -> bool {
    let asks = job.metadata.labels.as_ref().is_some_and(|labels| {
        labels.get(DELETE_ON_COMPLETION.0).map(String::as_str) == Some(DELETE_ON_COMPLETION.1)
    });
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    let complete = conditions
        .into_iter()
        .flatten()
        .any(|found| found.type_ == "Complete" && found.status == "True");
    asks && complete && !labels::is_going(&job.metadata)
}
