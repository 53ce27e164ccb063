//! Starts a restore, and cleans up behind one that goes.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sealift_api::restore_session::RestoreSession;
use sealift_core::plan::Plan;
use sealift_kube::apply as server;
use sealift_kube::event::Event;
use sealift_kube::watch::Key;

use super::dereference::Dereferenced;
use super::status::{self, LOOK_AGAIN};
use super::{COMPONENT, finish, leave, wait};
use crate::build::Work;
use crate::cluster::Cluster;
use crate::condition::{Statement, Type};
use crate::controller::backup_configuration::repository_access;
use crate::controller::launch::{self, Launch, NAME_TAKEN, Refusal};
use crate::engine::Next;
use crate::error::{Error, Result};
use crate::labels::{self, Purpose};

pub(super) async fn start(
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
        finalizer(cluster, session).await?;
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

/// In the Repository's namespace something is made that must be removed by hand.
async fn finalizer(cluster: &Cluster, session: &RestoreSession) -> Result<()> {
    let meta = &session.metadata;
    if labels::has_finalizer(meta, labels::FINALIZER) {
        return Ok(());
    }
    let mut finalizers = meta.finalizers.clone().unwrap_or_default();
    finalizers.push(labels::FINALIZER.to_owned());
    patch(cluster, session, &finalizers).await
}

/// The restore goes; what it owns goes with it.
pub(super) async fn cleanup(cluster: &Cluster, session: &RestoreSession) -> Result<()> {
    let meta = &session.metadata;
    if !labels::has_finalizer(meta, labels::FINALIZER) {
        return Ok(());
    }
    repository_access(cluster, &session.reference(), None).await?;
    let finalizers = meta.finalizers.iter().flatten();
    let rest: Vec<String> =
        finalizers.filter(|finalizer| *finalizer != labels::FINALIZER).cloned().collect();
    match patch(cluster, session, &rest).await {
        Err(Error::Call(error)) if error.is_not_found() => Ok(()),
        done => done,
    }
}

async fn patch(cluster: &Cluster, session: &RestoreSession, finalizers: &[String]) -> Result<()> {
    let patch = serde_json::json!({
        "finalizers": finalizers, "resourceVersion": session.metadata.resource_version
    });
    let (namespace, name) = (session.namespace(), session.name());
    server::patch_metadata::<RestoreSession>(&cluster.client, namespace, name, &patch).await?;
    Ok(())
}
