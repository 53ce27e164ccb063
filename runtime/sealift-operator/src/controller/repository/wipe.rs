//! Has the data of a Repository with `wipeOut` removed: by one Job after the other, until one says
//! that nothing is left.
//!
//! *Guarantees*: the finalizer stays until a Job has listed the place and found it empty; a
//! Repository that others share the place with is not touched; whatever is in the way is said on
//! the object, with what to do. *Way out*: `spec.wipeOut: false` keeps the data and lets it go.
//! Attempts are numbered on the Jobs, so that the pauses between them survive this process.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use sealift_api::planner::repository_in_pod;
use sealift_api::repository::Repository;
use sealift_core::plan::{Location, RepositoryPlan};
use sealift_kube::apply::{self, create};
use sealift_kube::watch::Key;
use sealift_kube::{delete, read};

use super::{place, status};
use crate::build::Access;
use crate::build::wipe::Wipe;
use crate::cluster::Cluster;
use crate::condition::{Statement, Type};
use crate::controller::pull_secrets;
use crate::ending::{Death, Verdict, judge};
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, WIPE_ATTEMPT, WIPE_GENERATION, WIPE_OF, WIPE_UID};
use crate::{names, planning};

/// Pauses between attempts double from here.
const FIRST_PAUSE: Duration = Duration::from_secs(10);
/// A storage that is away for long is asked this often.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// What a person has to change is looked at again; Secrets and other Repositories' places are not
/// watched for this.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// A Job that was deleted is gone soon.
const SOON: Duration = Duration::from_secs(1);
/// What a person can always do.
const WAY_OUT: &str = "To keep the data and let the Repository go, set spec.wipeOut to false";

/// How far the removal is.
pub(super) enum Progress {
    /// Nothing is left; the Job's own words.
    Done(String),
    /// Not yet; why, and when to look again.
    Waits(Statement, Next),
}

/// Does the next step.
pub(super) async fn advance(cluster: &Cluster, repository: &Arc<Repository>) -> Result<Progress> {
    let plan = match repository_in_pod(repository) {
        Ok(plan) => plan,
        Err(error) => {
            return Ok(blocked("ResourceValidationFailed", &planning::text(&error.problems)));
        }
    };
    if !matches!(plan.location, Location::S3 { .. }) {
        let text = format!(
            "spec.wipeOut: the data of a {} backend cannot be removed with the Repository, only that of s3; remove it by hand",
            plan.location.provider()
        );
        return Ok(blocked("WipeOutNotSupported", &text));
    }
    let all = cluster.stores.repositories.all();
    if let Some(other) =
        place::shared_with(repository, &plan.location, all.iter().map(|other| &**other))
    {
        let text = format!(
            "{} keeps its snapshots in the same place or below it; delete that one first, or give it another prefix",
            other.reference()
        );
        return Ok(blocked("StorageShared", &text));
    }
    let jobs = jobs(cluster, &Key::of(&**repository)).await?;
    match newest(repository, jobs) {
        Newest::None => start(cluster, repository, &plan, 1).await,
        Newest::Outdated(job) => {
            delete_job(cluster, &job).await?;
            Ok(running(&job, 0, SOON))
        }
        Newest::Attempt(number, job) => follow(cluster, repository, &plan, number, &job).await,
    }
}

/// Nothing is removed any more.
pub(super) async fn give_up(cluster: &Cluster, repository: &Key) -> Result<()> {
    let is =
        |job: &Job| labels::annotation(&job.metadata, WIPE_OF) == Some(repository.name.as_str());
    for job in cluster.stores.jobs.select_in(&repository.namespace, is) {
        delete_job(cluster, &job).await?;
    }
    Ok(())
}

/// Takes away what was made for a Repository that is gone: all is owned by the ServiceAccount.
pub(super) async fn sweep(cluster: &Cluster, repository: &Key) -> Result<()> {
    if cluster.is_ending(&repository.namespace) {
        return Ok(());
    }
    let of = cluster.stores.service_accounts.select_in(&repository.namespace, |account| {
        labels::annotation(&account.metadata, WIPE_OF) == Some(repository.name.as_str())
            && !labels::is_going(&account.metadata)
    });
    for account in of {
        let Key { namespace, name } = Key::of(&*account);
        let uid = account.metadata.uid.as_deref();
        delete::delete::<ServiceAccount>(&cluster.client, &namespace, &name, uid).await?;
    }
    Ok(())
}

/// The watch may lag behind what was just made, and an attempt must not be made twice.
async fn jobs(cluster: &Cluster, repository: &Key) -> Result<Vec<Job>> {
    let selector = format!("{WIPE_OF}={}", names::label_value(&repository.name));
    let found: Vec<Job> =
        read::list(&cluster.client, Some(&repository.namespace), &selector).await?;
    let of =
        |job: &Job| labels::annotation(&job.metadata, WIPE_OF) == Some(repository.name.as_str());
    Ok(found.into_iter().filter(of).collect())
}

enum Newest {
    None,
    /// Made for another object of this name, or for what it said before an edit.
    Outdated(Job),
    Attempt(u32, Job),
}

fn newest(repository: &Repository, jobs: Vec<Job>) -> Newest {
    let meta = &repository.metadata;
    let is_current = |job: &Job| {
        let generation = meta.generation.unwrap_or_default().to_string();
        labels::annotation(&job.metadata, WIPE_UID) == meta.uid.as_deref()
            && labels::annotation(&job.metadata, WIPE_GENERATION) == Some(generation.as_str())
    };
    let number = |job: &Job| -> u32 {
        labels::annotation(&job.metadata, WIPE_ATTEMPT)
            .and_then(|text| text.parse().ok())
            .unwrap_or(1)
    };
    let (current, mut outdated): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(is_current);
    if let Some(job) = outdated.pop() {
        return Newest::Outdated(job);
    }
    match current.into_iter().max_by_key(number) {
        None => Newest::None,
        Some(job) => Newest::Attempt(number(&job), job),
    }
}

async fn follow(
    cluster: &Cluster,
    repository: &Arc<Repository>,
    plan: &RepositoryPlan,
    number: u32,
    job: &Job,
) -> Result<Progress> {
    let now = cluster.now();
    let key = Key::of(job);
    let selector = format!("batch.kubernetes.io/job-name={}", key.name);
    let live = read::list::<Pod>(&cluster.client, Some(&key.namespace), &selector).await?;
    // Labels are anybody's, and what a pod leaves says that the data is gone.
    let uid = job.metadata.uid.as_deref().unwrap_or_default();
    let is_its = |pod: &Pod| labels::is_controlled_by(&pod.metadata, uid);
    let pods: Vec<Arc<Pod>> = live.into_iter().filter(is_its).map(Arc::new).collect();
    let (death, since) = match judge(Some(job), &pods, cluster.options.pending_limit)
        .verdict(&key.to_string())
    {
        Verdict::Done(record) => return Ok(Progress::Done(record.message)),
        Verdict::Open(None) => return Ok(running(job, number, LOOK_AGAIN)),
        Verdict::Open(Some((at, _))) if now < at => {
            return Ok(running(job, number, LOOK_AGAIN));
        }
        Verdict::Open(Some((at, death))) => (pull_secrets::explain(cluster, job, death).await, at),
        Verdict::Lost(death) => (death, ended(job).unwrap_or(now)),
    };
    let again = due(since, number);
    if now < again {
        return Ok(failed(&death, number, again, now));
    }
    let next = start(cluster, repository, plan, number.saturating_add(1)).await?;
    delete_job(cluster, job).await?;
    Ok(next)
}

/// Makes everything, the Job last.
async fn start(
    cluster: &Cluster,
    repository: &Arc<Repository>,
    plan: &RepositoryPlan,
    number: u32,
) -> Result<Progress> {
    let secret = Key::new(&plan.secret.namespace, &plan.secret.name);
    if !cluster.secrets.ask(&secret).await?.there {
        let text = format!(
            "spec.wipeOut: Secret {secret} does not exist, so the storage cannot be asked; create it again with the keys of the storage and the password of the repository"
        );
        return Ok(blocked("BackendSecretNotAvailable", &text));
    }
    let client = &cluster.client;
    let wipe = Wipe { repository, plan, options: &cluster.options };
    let service_account = apply::apply(client, &wipe.service_account()).await?;
    let Access { service_account, role, binding } = wipe.access(service_account);
    apply::apply(client, &role).await?;
    apply::apply(client, &binding).await?;
    create(client, &wipe.lease(&service_account)).await?;
    let job = wipe.job(&service_account, number);
    create(client, &job).await?;
    tracing::info!(object = %Key::of(&job), "a Job is made that removes the data of a Repository");
    Ok(running(&job, number, LOOK_AGAIN))
}

async fn delete_job(cluster: &Cluster, job: &Job) -> Result<()> {
    let Key { namespace, name } = Key::of(job);
    let uid = job.metadata.uid.as_deref();
    delete::delete::<Job>(&cluster.client, &namespace, &name, uid).await?;
    Ok(())
}

/// Somebody has to change something.
fn blocked(reason: &'static str, text: &str) -> Progress {
    let statement = Statement::no(Type::Deletable, reason, format!("{text}. {WAY_OUT}."));
    Progress::Waits(statement, Next::After(LOOK_AGAIN))
}

fn running(job: &Job, number: u32, look: Duration) -> Progress {
    let name = job.metadata.name.as_deref().unwrap_or_default();
    let text = match number {
        0 => format!("Job {name} was made for what the Repository said before and is ended."),
        number => format!("Job {name} removes the data in the storage, attempt {number}."),
    };
    Progress::Waits(Statement::no(Type::Deletable, status::RUNNING, text), Next::After(look))
}

fn failed(death: &Death, number: u32, again: Timestamp, now: Timestamp) -> Progress {
    let Death { reason, message } = death;
    let text = format!(
        "spec.wipeOut: attempt {number} to remove the data failed ({reason}): {message}. It is tried again at {}; at once if its Job is deleted. {WAY_OUT}.",
        crate::condition::seconds(again)
    );
    let left = Duration::try_from(again.duration_since(now)).unwrap_or_default();
    let next = Next::After(left + Duration::from_millis(200));
    Progress::Waits(Statement::no(Type::Deletable, "WipeOutFailed", text), next)
}

/// When a Job failed.
fn ended(job: &Job) -> Option<Timestamp> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions.iter().find(|found| {
        found.status == "True" && (found.type_ == "Failed" || found.type_ == "Complete")
    });
    failed?.last_transition_time.as_ref().map(|time| time.0)
}

/// When the next attempt is due after one that failed.
fn due(failed: Timestamp, attempt: u32) -> Timestamp {
    let doublings = attempt.saturating_sub(1).min(16);
    let pause = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    let pause = SignedDuration::try_from(pause).unwrap_or_default();
    failed.checked_add(pause).unwrap_or(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn repository() -> Repository {
        serde_json::from_value(serde_json::json!({
            "apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
            "metadata": {"name": "r", "namespace": "demo", "uid": "u", "generation": 2},
            "spec": {"backend": {}, "wipeOut": true},
        }))
        .unwrap()
    }

    fn job(uid: &str, generation: i64, attempt: u32) -> Job {
        serde_json::from_value(serde_json::json!({"metadata": {
            "name": format!("{uid}-{attempt}"), "namespace": "demo", "annotations": {
                WIPE_OF: "r", WIPE_UID: uid, WIPE_GENERATION: generation.to_string(),
                WIPE_ATTEMPT: attempt.to_string(),
            }
        }}))
        .unwrap()
    }

    #[test]
    fn pauses_between_attempts_double_up_to_ten_minutes() {
        let at = Timestamp::UNIX_EPOCH;
        let pauses: Vec<i64> = [1, 2, 3, 6, 7, 8, 1000].map(|it| due(at, it).as_second()).into();
        assert_eq!(pauses, [10, 20, 40, 320, 600, 600, 600]);
    }

    #[test]
    fn the_newest_attempt_counts_and_jobs_of_what_was_before_are_ended_first() {
        match newest(&repository(), vec![job("u", 2, 1), job("u", 2, 10), job("u", 2, 9)]) {
            Newest::Attempt(10, _) => {}
            _ => panic!("not the tenth"),
        }
        for outdated in [job("u", 1, 3), job("v", 2, 3)] {
            match newest(&repository(), vec![job("u", 2, 1), outdated.clone()]) {
                Newest::Outdated(job) => assert_eq!(job, outdated),
                _ => panic!("not outdated"),
            }
        }
        assert!(matches!(newest(&repository(), Vec::new()), Newest::None));
    }

    #[test]
    fn what_failed_is_said_with_the_way_out() {
        let death = Death::new("StorageFailed", "the storage failed to list s3:x");
        let at = Timestamp::UNIX_EPOCH;
        let Progress::Waits(said, _) = failed(&death, 3, due(at, 3), at) else { panic!() };
        insta::assert_snapshot!(said.message, @"spec.wipeOut: attempt 3 to remove the data failed (StorageFailed): the storage failed to list s3:x. It is tried again at 1970-01-01T00:00:40Z; at once if its Job is deleted. To keep the data and let the Repository go, set spec.wipeOut to false.");
    }
}
