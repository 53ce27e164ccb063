//! Locks of this machine: the kernel's locks on files, gone when the process is.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use sealift_core::plan::RepositoryPlan;
use sealift_repository::RepositoryLock;
use tokio_util::sync::CancellationToken;

use super::{Hold, Lock, Locks, LocksError};

/// A file lock tells nobody when it is released.
const POLL: Duration = Duration::from_millis(250);

/// Locks in a folder of this machine.
#[derive(Debug, Clone)]
pub struct FileLocks {
    folder: PathBuf,
}

impl FileLocks {
    /// Lock files lie in this folder, which is made if it is missing.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }
}

#[async_trait]
impl Locks for FileLocks {
    async fn try_lock(
        &self,
        repository: &RepositoryPlan,
        holder: &str,
        hold: Hold,
    ) -> Result<Box<dyn Lock>, LocksError> {
        let lock = match hold {
            Hold::Shared => RepositoryLock::shared(&self.folder, &repository.location, holder),
            Hold::Alone => RepositoryLock::exclusive(&self.folder, &repository.location, holder),
        }?;
        Ok(Box::new(FileLock { _lock: lock }))
    }

    async fn lock(
        &self,
        repository: &RepositoryPlan,
        holder: &str,
        hold: Hold,
        wait: Duration,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Lock>, LocksError> {
        let end = tokio::time::Instant::now() + wait;
        loop {
            match self.try_lock(repository, holder, hold).await {
                Err(error) if error.is_held() => {
                    if tokio::time::Instant::now() >= end || cancel.is_cancelled() {
                        return Err(error);
                    }
                    tokio::select! {
                        () = tokio::time::sleep(POLL) => {}
                        () = cancel.cancelled() => {}
                    }
                }
                result => return result,
            }
        }
    }

    /// A person sits in front of it, and may start again.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

struct FileLock {
    _lock: RepositoryLock,
}

#[async_trait]
impl Lock for FileLock {
    fn lost(&self) -> CancellationToken {
        CancellationToken::new()
    }

    async fn release(self: Box<Self>) {}
}
