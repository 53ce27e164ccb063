//! Begins a BackupSession, or lets it wait, or ends it before it began.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_core::plan::Plan;
use sealift_kube::backoff::spread;
use sealift_kube::event::Event;
use sealift_kube::watch::Key;

use super::dereference::{Dereferenced, configuration_of, dereference, target_of};
use super::status::{self, Begun};
use super::validate::{Decision, validate};
use super::{COMPONENT, adopt, finish, leave, runs};
use crate::admission::{self, Turn};
use crate::build::{self, Work};
use crate::cluster::Cluster;
use crate::condition::{self, Statement, Type};
use crate::controller::job::OwnJob;
use crate::controller::launch::{self, Launch, NAME_TAKEN, Refusal};
use crate::controller::queued;
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, Purpose};
use crate::planning;

/// Time counts from a session's creation if it begins within this time of it.
const PROMPT: SignedDuration = SignedDuration::from_secs(60);
/// How often it is looked whether a name is free: its end is not watched by this session.
const LOOK_FOR_NAME: Duration = Duration::from_secs(5);

pub(super) async fn begin(cluster: &Cluster, session: &Arc<BackupSession>) -> Result<Next> {
    let session = &adopt::adopt(cluster, session).await?;
    if status::is_reported(session) {
        // Its Job has said how it ended; only the operator has not said that it began.
        runs(cluster, session);
        return finish::watch(cluster, session).await;
    }
    if resume(cluster, session).await? {
        return Ok(Next::After(Duration::from_secs(1)));
    }
    let found = dereference(cluster, session);
    match validate(&found, cluster.now()) {
        Decision::Skip(reason) => finish::skip(cluster, session, &found, &reason).await,
        Decision::Refuse(reason) => finish::refuse(cluster, session, &found, &reason).await,
        Decision::WaitFor(other) => wait(cluster, &found, &queued::for_other(&other)).await,
        Decision::Begin => claim(cluster, &found).await,
    }
}

/// A session that has its Job, but does not say so: the operator was interrupted between the two.
/// Whatever has become of its invoker meanwhile, it runs, or has run.
async fn resume(cluster: &Cluster, session: &Arc<BackupSession>) -> Result<bool> {
    let own = OwnJob::of_backup(session);
    if own.seen(cluster).is_none() {
        return Ok(false);
    }
    let Some(job) = own.find(cluster).await? else { return Ok(false) };
    let invoker = configuration_of(cluster, session);
    let target = invoker.as_deref().and_then(target_of);
    let deadline = build::job::deadline(&job).unwrap_or(Timestamp::MAX);
    let begun = Begun { target: target.as_ref(), deadline };
    runs(cluster, session);
    status::begun(cluster, session, &begun).await?;
    tracing::info!(session = %Key::of(&**session), "a session that has its Job goes on");
    Ok(true)
}

/// What the watches show may be older than what this process has just decided: claims are not.
async fn claim(cluster: &Cluster, found: &Dereferenced) -> Result<Next> {
    let (Some(invoker), Some(target)) = (&found.invoker, &found.target) else {
        let reason = "spec.target.ref of the BackupConfiguration: no target is named";
        return finish::refuse(cluster, &found.session, found, reason).await;
    };
    let session = admission::Session::backup(Key::of(&*found.session));
    if let Err(other) = cluster.admission.claim(&session, Some(&Key::of(&**invoker)), target) {
        return wait(cluster, found, &queued::for_other(&other)).await;
    }
    match cluster.admission.ask(&session, created(&found.session), cluster.is_shared()) {
        Turn::Wait { position, waiting, running, kept } => {
            let said = queued::for_place(position, waiting, running, kept);
            wait(cluster, found, &said).await?;
            Ok(Next::After(spread(queued::look_again(position))))
        }
        Turn::Now => start(cluster, found, invoker).await,
    }
}

async fn wait(cluster: &Cluster, found: &Dereferenced, said: &Statement) -> Result<Next> {
    status::wait(cluster, &found.session, found.target.as_ref(), said).await?;
    Ok(Next::After(spread(queued::LOOK_AGAIN)))
}

async fn start(
    cluster: &Cluster,
    found: &Dereferenced,
    invoker: &BackupConfiguration,
) -> Result<Next> {
    let session = &found.session;
    cluster.time.settle(&cluster.client).await;
    let planned = planning::backup(&cluster.stores, &cluster.options, invoker, session.name());
    let plan = match planned {
        Ok(plan) => plan,
        Err(error) => {
            let reason = planning::text(&error.problems);
            return finish::refuse(cluster, session, found, &reason).await;
        }
    };
    if let Err(Refusal { message }) = launch::check_secrets(cluster, &plan).await? {
        // The invoker is no longer ready, and shall say so soon.
        cluster.queues.configurations.now(Key::of(invoker));
        return finish::refuse(cluster, session, found, &message).await;
    }
    let deadline = deadline(session, &plan, cluster.now());
    match launch(cluster, session, invoker, &plan, deadline).await? {
        Launch::Made => {
            let begun = Begun { target: Some(&plan.target.reference), deadline };
            status::begun(cluster, session, &begun).await?;
            Ok(Next::After(Duration::from_secs(1)))
        }
        Launch::Refused(Refusal { message }) => {
            finish::refuse(cluster, session, found, &message).await
        }
        Launch::NameTaken(message) => wait_for_name(cluster, found, &message).await,
    }
}

/// What has the name may go. It is waited for as long as for a pod that does not start, since later
/// sessions of the invoker wait for this one.
async fn wait_for_name(cluster: &Cluster, found: &Dereferenced, message: &str) -> Result<Next> {
    let session = &found.session;
    let limit = SignedDuration::try_from(cluster.options.pending_limit).unwrap_or(PROMPT);
    let since = status::has_no_job_since(session);
    if since.is_some_and(|since| cluster.now().duration_since(since) >= limit) {
        return finish::refuse(cluster, session, found, message).await;
    }
    // Its place and its target are free meanwhile.
    leave(cluster, &Key::of(&**session));
    let said = Statement::unknown(Type::BackupExecutorEnsured, NAME_TAKEN, message);
    status::has_no_job(cluster, session, found.target.as_ref(), &said).await?;
    if since.is_none() {
        cluster.tell(COMPONENT, &**session, Event::warning(NAME_TAKEN, message)).await;
    }
    Ok(Next::After(spread(LOOK_FOR_NAME)))
}

async fn launch(
    cluster: &Cluster,
    session: &BackupSession,
    invoker: &BackupConfiguration,
    plan: &Plan,
    deadline: Timestamp,
) -> Result<Launch> {
    let place = &plan.repository.reference;
    let Some(repository) = cluster.stores.repositories.get(&place.namespace, &place.name) else {
        let message = format!("{place} does not exist any more");
        return Ok(Launch::Refused(Refusal { message }));
    };
    let work = Work {
        plan,
        purpose: Purpose::Backup,
        invoker: &invoker.metadata,
        invoker_owner: &labels::owner(invoker),
        session_owner: &labels::owner(session),
        runtime: invoker.spec.runtime_settings.as_ref(),
        temp_dir: invoker.spec.temp_dir.as_ref(),
        interim: invoker.spec.interim_volume_template.as_ref(),
        repository: &repository,
        seconds_left: deadline.as_second() - cluster.now().as_second(),
        options: &cluster.options,
    };
    launch::launch(cluster, &work).await
}

fn created(session: &BackupSession) -> Timestamp {
    session.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

/// Time counts from the session's creation; where it had to wait for its turn or for an operator,
/// from when it began: waiting is not its fault.
fn deadline(session: &BackupSession, plan: &Plan, began: Timestamp) -> Timestamp {
    let seconds = i64::try_from(plan.timeout_seconds).unwrap_or(i64::MAX);
    let span = SignedDuration::from_secs(seconds);
    let waited = session
        .status
        .as_ref()
        .is_some_and(|status| condition::find(&status.conditions, Type::Queued).is_some());
    let waited = waited || began.duration_since(created(session)) > PROMPT;
    let from = if waited { began } else { created(session) };
    from.checked_add(span).unwrap_or(Timestamp::MAX)
}
