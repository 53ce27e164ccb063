//! A Repository goes: once no session works in it any more, and its data is removed if it says so.
//! Never validates anything first; what is already gone is success.
//!
//! In a namespace that goes, it goes at once and its data stays: no Job can be made there, the
//! Secret goes as well, and a finalizer that waits would keep the namespace for ever.

use std::sync::Arc;
use std::time::Duration;

use sealift_api::backup_session::BackupSession;
use sealift_api::repository::Repository;
use sealift_api::restore_session::{RestoreSession, RestoreSessionPhase};
use sealift_kube::event::Event;
use sealift_kube::watch::Key;

use super::wipe::{self, Progress};
use super::{COMPONENT, status};
use crate::cluster::{Cluster, Stores};
use crate::condition::{Statement, Type};
use crate::controller::{backup_session, finalizer};
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, REPOSITORY_FINALIZER};
use crate::planning;

/// Sessions take minutes; whoever deletes a Repository waits for their end.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

pub(super) async fn cleanup(cluster: &Cluster, repository: &Arc<Repository>) -> Result<Next> {
    let key = Key::of(&**repository);
    let wipes = repository.spec.wipe_out == Some(true);
    if cluster.is_ending(&key.namespace) {
        if wipes {
            namespace_goes(cluster, &key).await;
        }
        return release(cluster, repository).await;
    }
    if let Some(session) = worked_in_by(cluster, &key) {
        let text =
            format!("{session} works in this Repository; it is deleted once the session has ended");
        let statement = Statement::no(Type::Deletable, status::IN_USE, text);
        status::waits(cluster, repository, &statement).await?;
        return Ok(Next::After(LOOK_AGAIN));
    }
    if !wipes {
        wipe::give_up(cluster, &key).await?;
        return release(cluster, repository).await;
    }
    match wipe::advance(cluster, repository).await? {
        Progress::Done(text) => {
            cluster.tell(COMPONENT, &**repository, Event::normal("WipedOut", text)).await;
            release(cluster, repository).await
        }
        Progress::Waits(statement, next) => {
            status::waits(cluster, repository, &statement).await?;
            Ok(next)
        }
    }
}

/// A session that works in it. One that has not begun finds no Repository any more.
fn worked_in_by(cluster: &Cluster, repository: &Key) -> Option<String> {
    let stores = &cluster.stores;
    let backs_up = |session: &BackupSession| {
        backup_session::is_running(session)
            && repository_of(stores, session).as_ref() == Some(repository)
    };
    if let Some(session) = stores.sessions.select(backs_up).first() {
        return Some(session.reference().to_string());
    }
    let restores = |session: &RestoreSession| {
        let phase = session.status.as_ref().and_then(|status| status.phase);
        let named = session.spec.repository.as_ref();
        phase == Some(RestoreSessionPhase::Running)
            && !labels::is_going(&session.metadata)
            && planning::repository_key(session.namespace(), named).as_ref() == Some(repository)
    };
    let found = stores.restores.select(restores);
    found.first().map(|session| session.reference().to_string())
}

fn repository_of(stores: &Stores, session: &BackupSession) -> Option<Key> {
    let named = session.spec.invoker.as_ref()?;
    let invoker = stores.configurations.get(session.namespace(), &named.name)?;
    planning::repository_key(invoker.namespace(), invoker.spec.repository.as_ref())
}

/// The Repository and its Events go with the namespace: this one is about the namespace.
async fn namespace_goes(cluster: &Cluster, repository: &Key) {
    let text = format!(
        "Repository {repository} has spec.wipeOut, but its namespace is being deleted: its data stays in the storage; to remove it as well, delete the Repository before the namespace"
    );
    tracing::warn!(object = %repository, "{text}");
    if let Some(namespace) = cluster.stores.namespaces.get("", &repository.namespace) {
        cluster.tell(COMPONENT, &*namespace, Event::warning("RepositoryNotWiped", text)).await;
    }
}

async fn release(cluster: &Cluster, repository: &Repository) -> Result<Next> {
    finalizer::remove::<Repository>(cluster, &repository.metadata, REPOSITORY_FINALIZER).await?;
    Ok(Next::Wait)
}
