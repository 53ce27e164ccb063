//! Repositories: their finalizer, who uses them, and their end.
//!
//! Beside the steps of all kinds, `wipe` has the data of a deleted one removed, if it says so, and
//! `place` finds others that keep theirs there. Size, integrity and counts are written by Jobs.

mod cleanup;
mod dereference;
mod place;
mod status;
mod validate;
mod wipe;

use std::sync::Arc;

use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::controller::{finalizer, unreadable};
use crate::engine::Next;
use crate::error::Result;
use crate::labels::{self, REPOSITORY_FINALIZER};

/// The name in Events.
const COMPONENT: &str = "Repository Controller";
const USER_KIND: &str = "BackupConfiguration";

/// Looks at one Repository.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let repositories = &cluster.stores.repositories;
    let Some(repository) = repositories.find(&key) else {
        // Gone, or not readable: then it may be there.
        if repositories.unreadable(&key).is_none() {
            wipe::sweep(&cluster, &key).await?;
        }
        unreadable::reconcile(&cluster, COMPONENT, repositories, &key, REPOSITORY_FINALIZER)
            .await?;
        return Ok(Next::Wait);
    };
    let has = labels::has_finalizer(&repository.metadata, REPOSITORY_FINALIZER);
    let repository = match (labels::is_going(&repository.metadata), has) {
        (true, true) => return cleanup::cleanup(&cluster, &repository).await,
        (true, false) => return Ok(Next::Wait),
        // In a namespace that goes, so will this.
        (false, _) if cluster.is_ending(&key.namespace) => return Ok(Next::Wait),
        (false, _) => finalizer::add(&cluster, repository, REPOSITORY_FINALIZER).await?,
    };
    let found = dereference::dereference(&cluster, &repository);
    let wrong = validate::validate(&found.plan);
    status::observed(&cluster, &repository, &found.users, wrong.as_ref()).await?;
    Ok(Next::Wait)
}
