//! Begins a restore, or lets it wait.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sealift_api::restore_session::RestoreSession;
use sealift_core::plan::Plan;
use sealift_kube::backoff::spread;
use sealift_kube::event::Event;
use sealift_kube::watch::Key;

use super::dereference::{Dereferenced, dereference};
use super::status::{self, LOOK_AGAIN};
use super::validate::validate;
use super::{COMPONENT, finish, leave};
use crate::admission::{Session, Turn};
use crate::build::Work;
use crate::cluster::Cluster;
use crate::condition::{Statement, Type};
use crate::controller::launch::{self, Launch, NAME_TAKEN, Refusal};
use crate::controller::{finalizer, queued};
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, Purpose};

pub(super) async fn begin(cluster: &Cluster, session: &Arc<RestoreSession>) -> Result<Next> {
    let found = dereference(cluster, session).await;
    let mut valid = validate(&found);
    // A change of what it waits for wakes it, but Secrets are not watched.
    let mut next = found.secret.as_ref().map_or(Next::Wait, |secret| once_asked(secret.again));
    if let (Ok(plan), true) = (&found.plan, valid.sound)
        && let Some((Refusal { message }, again)) = launch::missing_secret(cluster, plan).await?
    {
        valid.refuse(message);
        next = next.or(once_asked(again));
    }
    let (Ok(plan), true) = (&found.plan, valid.sound) else {
        // What cannot run takes nobody's place, nor keeps anybody from its target.
        leave(cluster, &Key::of(&**session));
        status::waiting(cluster, session, &valid.statements, None).await?;
        return Ok(next);
    };
    let own = Session::restore(Key::of(&**session));
    if let Err(other) = cluster.admission.claim(&own, None, &plan.target.reference) {
        let said = queued::for_other(&other);
        return wait(cluster, session, &valid.statements, Some(&said)).await;
    }
    match cluster.admission.ask(&own, created(session), cluster.is_shared()) {
        Turn::Wait { position, waiting, running, kept } => {
            let said = queued::for_place(position, waiting, running, kept);
            wait(cluster, session, &valid.statements, Some(&said)).await?;
            Ok(Next::After(spread(queued::look_again(position))))
        }
        Turn::Now => start(cluster, session, &found, plan, valid.statements).await,
    }
}

/// A little later than what is known of a Secret expires.
fn once_asked(again: Duration) -> Next {
    Next::After(again + spread(Duration::from_secs(1)))
}

async fn wait(
    cluster: &Cluster,
    session: &Arc<RestoreSession>,
    statements: &[Statement],
    queued: Option<&Statement>,
) -> Result<Next> {
    status::waiting(cluster, session, statements, queued).await?;
    // Whoever it waits for wakes it.
    let again = if queued.is_some() { status::LOOK_AGAIN_QUEUED } else { status::LOOK_AGAIN };
    Ok(Next::After(spread(again)))
}

fn created(session: &RestoreSession) -> Timestamp {
    session.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |time| time.0)
}

async fn start(
    cluster: &Cluster,
    session: &Arc<RestoreSession>,
    found: &Dereferenced,
    plan: &Plan,
    mut statements: Vec<Statement>,
) -> Result<Next> {
    let Some(repository) = &found.repository else { return Ok(Next::After(LOOK_AGAIN)) };
    if let Err(Refusal { message }) = launch::check_secrets(cluster, plan).await? {
        // It may come; until then the restore waits like one without a Repository.
        statements.retain(|said| said.type_ != Type::ValidationPassed);
        statements.push(Statement::no(Type::ValidationPassed, "ResourceValidationFailed", message));
        leave(cluster, &Key::of(&**session));
        return wait(cluster, session, &statements, None).await;
    }
    if repository.namespace() != session.namespace() {
        // In the Repository's namespace something is made that must be removed by hand.
        finalizer::add(cluster, Arc::clone(session), labels::FINALIZER).await?;
    }
    let now = cluster.now();
    // A restore may have waited for its Secret for days: its time counts from now.
    let seconds = i64::try_from(plan.timeout_seconds).unwrap_or(i64::MAX);
    let deadline = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    let owner = labels::owner(&**session);
    let work = Work {
        plan,
        purpose: Purpose::Restore,
        invoker: &session.metadata,
        invoker_owner: &owner,
        session_owner: &owner,
        runtime: session.spec.runtime_settings.as_ref(),
        temp_dir: session.spec.temp_dir.as_ref(),
        interim: session.spec.interim_volume_template.as_ref(),
        repository,
        seconds_left: seconds,
        options: &cluster.options,
    };
    match launch::launch(cluster, &work).await? {
        Launch::Made => {
            status::begun(cluster, session, &statements, plan, deadline).await?;
            Ok(Next::After(Duration::from_secs(1)))
        }
        Launch::NameTaken(message) => {
            statements.push(Statement::unknown(Type::RestoreJobCreated, NAME_TAKEN, message));
            leave(cluster, &Key::of(&**session));
            wait(cluster, session, &statements, None).await
        }
        Launch::Refused(Refusal { message }) => {
            let reason = "RestoreJobCreationFailed";
            let text = format!("Failed to create restore job. Reason: {message}");
            cluster.tell(COMPONENT, &**session, Event::warning(reason, &text)).await;
            statements.push(Statement::no(Type::RestoreJobCreated, reason, text));
            statements.push(Statement::no(
                Type::RestoreExecutorEnsured,
                "FailedToEnsureRestoreExecutor",
                format!("failed to ensure restore executor. Reason: {message}"),
            ));
            finish::refuse(cluster, session, &statements).await
        }
    }
}
