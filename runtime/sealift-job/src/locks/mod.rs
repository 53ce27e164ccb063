//! The port through which a session keeps others away from its repository.
//!
//! Two adapters: `file` (this machine, `sealift run`) and, in the Job, a Lease of the cluster.
//! Backups and restores share a repository; making it, repairing it and maintaining it need it
//! alone. A lock that was lost although nobody released it ends the session's work.

mod file;

use std::time::Duration;

use async_trait::async_trait;
use sealift_core::plan::RepositoryPlan;
use sealift_repository::LockError;
use tokio_util::sync::CancellationToken;

pub use file::FileLocks;

/// How a repository is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Beside other backups and restores.
    Shared,
    /// Alone.
    Alone,
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LocksError {
    /// Of this machine.
    #[error(transparent)]
    File(#[from] LockError),
    /// Somebody else in the cluster holds it.
    #[error(
        "the repository is in use by {}; wait for it to end",
        if holders.is_empty() { "another session".to_owned() } else { holders.join(", ") }
    )]
    Held {
        /// Who, as they called themselves.
        holders: Vec<String>,
    },
    /// The Lease cannot be used.
    #[error("cannot use the Lease {namespace}/{name}")]
    Lease {
        /// Namespace of the Lease.
        namespace: String,
        /// Its name.
        name: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It was held and is no more.
    #[error("the lock was lost: it could not be renewed in time, so others may have taken it")]
    Lost,
}

impl LocksError {
    /// Whether it is only a matter of time.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::File(LockError::Held { .. }))
    }
}

/// Takes locks of repositories.
#[async_trait]
pub trait Locks: Send + Sync {
    /// Takes the lock at once or not at all. `holder` is what others are told.
    ///
    /// # Errors
    /// Somebody else holds it ([`LocksError::is_held`]), or it cannot be used.
    async fn try_lock(
        &self,
        repository: &RepositoryPlan,
        holder: &str,
        hold: Hold,
    ) -> Result<Box<dyn Lock>, LocksError>;

    /// Takes the lock as soon as it is free, at most after `wait`, and not at all once `cancel`
    /// is cancelled.
    ///
    /// # Errors
    /// It was not free in time, or cannot be used.
    async fn lock(
        &self,
        repository: &RepositoryPlan,
        holder: &str,
        hold: Hold,
        wait: Duration,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Lock>, LocksError>;

    /// How long the begin of a session waits while somebody else is alone.
    fn patience(&self) -> Duration;
}

/// A lock that is held. Dropped without `release`, it is released as soon as can be.
#[async_trait]
pub trait Lock: Send + Sync {
    /// Cancelled when the lock is lost although nobody released it.
    fn lost(&self) -> CancellationToken;

    /// Lets others in.
    async fn release(self: Box<Self>);
}

/// Ends `work` when the lock is lost: nobody may write to a repository that others believe free.
pub fn end_when_lost(lock: &dyn Lock, work: &CancellationToken) {
    let lost = lock.lost();
    let work = work.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = lost.cancelled() => {
                tracing::error!("the repository's lock was lost; ending the session's work");
                work.cancel();
            }
            () = work.cancelled() => {}
        }
    });
}
