//! The Job of a session that runs: what has become of it, and how much time it has left. The same
//! for backups and restores; what it means for the session is said by the `finish` of each.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_api::backup_session::BackupSession;
use sealift_api::restore_session::RestoreSession;
use sealift_core::outcome::JobOutcome;
use sealift_kube::watch::Key;
use sealift_kube::{delete, read};

use super::pull_secrets;
use crate::build::job::plan_digest;
use crate::cluster::Cluster;
use crate::ending::{Death, Ending, Verdict, judge};
use crate::engine::Next;
use crate::error::Result;
use crate::{labels, names};

/// What a Job that reported nothing comes to.
pub(crate) enum Come {
    /// It goes on; when to look again.
    On(Next),
    /// Its record says that the data is safe.
    Done(Box<JobOutcome>),
    /// It died, or was given up.
    Lost(Death),
    /// The session's deadline has passed.
    Deadline,
}

/// What a Job that reported nothing comes to by its `ending`. One whose time is up is ended.
pub(crate) async fn come(
    cluster: &Cluster,
    job: &OwnJob,
    ending: Ending,
    deadline: Option<Timestamp>,
) -> Result<Come> {
    Ok(match ending.verdict(&job.key().to_string()) {
        Verdict::Open(give_up) => match time_left(cluster, job, deadline, give_up).await? {
            Left::Some(next) => Come::On(next),
            Left::Nothing => Come::Deadline,
            Left::NoPatience(death) => Come::Lost(death),
        },
        Verdict::Done(record) => Come::Done(record),
        Verdict::Lost(death) if death.is_late() => Come::Deadline,
        Verdict::Lost(death) => Come::Lost(death),
    })
}

/// What is left of the time of a Job that is not over.
enum Left {
    /// Some; when to look again.
    Some(Next),
    /// The session's deadline has passed. The Job was ended.
    Nothing,
    /// It could not start for too long. It was ended, for this.
    NoPatience(Death),
}

/// The Job of one session. A Job that only has its name is another's: of a session that was
/// deleted and made anew, or of one whose name differs in a dot.
pub(crate) struct OwnJob {
    key: Key,
    session: String,
}

impl OwnJob {
    /// Of a BackupSession.
    pub(crate) fn of_backup(session: &BackupSession) -> Self {
        Self::new(session.namespace(), names::backup_job(session.name()), &session.metadata)
    }

    /// Of a RestoreSession.
    pub(crate) fn of_restore(session: &RestoreSession) -> Self {
        Self::new(session.namespace(), names::restore_job(session.name()), &session.metadata)
    }

    fn new(namespace: &str, name: String, session: &ObjectMeta) -> Self {
        Self { key: Key::new(namespace, name), session: session.uid.clone().unwrap_or_default() }
    }

    /// Namespace and name.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The digest of the plan it was told, also when it was ended since.
    pub(crate) async fn plan_digest(&self, cluster: &Cluster) -> Result<Option<String>> {
        Ok(match self.find(cluster).await? {
            Some(job) => plan_digest(&job).map(str::to_owned),
            None => cluster.given_up.digest(&self.session),
        })
    }

    /// Its plan is not needed any more.
    pub(crate) fn forget_plan(&self, cluster: &Cluster) {
        cluster.given_up.forget(&self.session);
    }

    /// As the watch shows it.
    pub(crate) fn seen(&self, cluster: &Cluster) -> Option<Arc<Job>> {
        cluster.stores.jobs.find(&self.key).filter(|found| self.owns(found))
    }

    /// As it is now.
    pub(crate) async fn find(&self, cluster: &Cluster) -> Result<Option<Arc<Job>>> {
        let Key { namespace, name } = &self.key;
        let found = read::find::<Job>(&cluster.client, namespace, name).await?;
        Ok(found.filter(|found| self.owns(found)).map(Arc::new))
    }

    fn owns(&self, job: &Job) -> bool {
        labels::is_controlled_by(&job.metadata, &self.session)
    }

    /// What became of it: by the watch, and if that shows none, by asking.
    pub(crate) async fn ending(&self, cluster: &Cluster) -> Result<Ending> {
        let limit = cluster.options.pending_limit;
        let job = match self.seen(cluster) {
            Some(job) => Some(job),
            None => self.find(cluster).await?,
        };
        let Some(job) = job else { return Ok(judge(None, &[], limit)) };
        let uid = job.metadata.uid.as_deref().unwrap_or_default();
        let is_its = |pod: &Pod| labels::is_controlled_by(&pod.metadata, uid);
        let mut pods = cluster.stores.pods.select_in(&self.key.namespace, is_its);
        let ending = judge(Some(&job), &pods, limit);
        if ending.is_over() && ending.record().is_none() {
            // What the pod said last may come after the Job's end: the two are watched apart.
            let selector = format!("batch.kubernetes.io/controller-uid={uid}");
            let live = read::list::<Pod>(&cluster.client, Some(&self.key.namespace), &selector);
            pods = live.await?.into_iter().filter(is_its).map(Arc::new).collect();
            return Ok(judge(Some(&job), &pods, limit));
        }
        Ok(ending)
    }

    /// Ends it.
    pub(crate) async fn end(&self, cluster: &Cluster) -> Result<()> {
        let Some(job) = self.find(cluster).await? else { return Ok(()) };
        let Key { namespace, name } = &self.key;
        if let Some(digest) = plan_digest(&job) {
            cluster.given_up.remember(&self.session, digest);
        }
        let uid = job.metadata.uid.as_deref();
        delete::delete::<Job>(&cluster.client, namespace, name, uid).await?;
        Ok(())
    }
}

/// Ends a Job whose time is up: at its session's `deadline`, or when it is to be given up.
async fn time_left(
    cluster: &Cluster,
    job: &OwnJob,
    deadline: Option<Timestamp>,
    give_up: Option<(Timestamp, Death)>,
) -> Result<Left> {
    cluster.time.settle(&cluster.client).await;
    let mut now = cluster.now();
    let late = |now| {
        let until = [deadline, give_up.as_ref().map(|(at, _)| *at)];
        until.into_iter().flatten().any(|at| now >= at)
    };
    if late(now) {
        // Nothing is ended because the clock here was moved.
        cluster.time.measure(&cluster.client).await;
        now = cluster.now();
    }
    if deadline.is_some_and(|deadline| now >= deadline) {
        job.end(cluster).await?;
        return Ok(Left::Nothing);
    }
    match give_up {
        Some((at, mut death)) if now >= at => {
            if let Some(found) = job.find(cluster).await? {
                death = pull_secrets::explain(cluster, &found, death).await;
            }
            job.end(cluster).await?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_that_only_has_the_name_is_anothers() {
        let session: BackupSession = serde_json::from_value(json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
            "metadata": {"name": "backup-1", "namespace": "demo", "uid": "own"}, "spec": {}
        }))
        .unwrap();
        let own = OwnJob::of_backup(&session);
        let job = |uid: &str, controller: bool| -> Job {
            serde_json::from_value(json!({"metadata": {"name": own.key.name, "namespace": "demo",
                "ownerReferences": [{"apiVersion": "stash.appscode.com/v1beta1",
                    "kind": "BackupSession", "name": "backup.1", "uid": uid,
                    "controller": controller}]}}))
            .unwrap()
        };
        assert!(own.owns(&job("own", true)));
        assert!(!own.owns(&job("other", true)));
        assert!(!own.owns(&job("own", false)));
        assert!(!own.owns(&Job::default()));
    }
}
