//! Locks of the cluster: one Lease for each Repository, in its namespace.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sealift_core::plan::RepositoryPlan;
use sealift_kube::holders::{Busy, Mode};
use sealift_kube::kube::Client;
use sealift_kube::lease::{self, Held, RepositoryLease};
use sealift_kube::{Error, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::chain_of_causes;
use crate::locks::{Hold, Lock, Locks, LocksError};

/// Others' maintenance takes minutes, and a holder that died is gone after one; whoever waits
/// longer than this finds something else wrong.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Locks by Leases.
pub struct LeaseLocks {
    lease: RepositoryLease,
    namespace: String,
    name: String,
}

impl LeaseLocks {
    /// The lock of one Repository, which the API server knows by this uid, for one process.
    /// `holder` is unique among all processes, and tells people who it is.
    #[must_use]
    pub fn new(client: Client, repository: &RepositoryPlan, uid: &str, holder: &str) -> Self {
        let namespace = repository.reference.namespace.clone();
        let name = lease::name(uid);
        let clock = Arc::new(SystemClock);
        let lease = RepositoryLease::new(client, &namespace, &name, holder, clock);
        Self { lease, namespace, name }
    }

    fn failed(&self, source: Error) -> LocksError {
        LocksError::Lease {
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            source: Box::new(source),
        }
    }
}

fn mode(hold: Hold) -> Mode {
    match hold {
        Hold::Shared => Mode::Shared,
        Hold::Alone => Mode::Alone,
    }
}

#[async_trait]
impl Locks for LeaseLocks {
    async fn try_lock(
        &self,
        _repository: &RepositoryPlan,
        _holder: &str,
        hold: Hold,
    ) -> Result<Box<dyn Lock>, LocksError> {
        match self.lease.try_acquire(mode(hold)).await {
            Ok(Ok(held)) => Ok(Box::new(LeaseLock { held })),
            Ok(Err(Busy { by })) => Err(LocksError::Held { holders: by }),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn lock(
        &self,
        _repository: &RepositoryPlan,
        _holder: &str,
        hold: Hold,
        wait: Duration,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Lock>, LocksError> {
        let mut holders = Vec::new();
        let acquired = {
            let acquire = self.lease.acquire(mode(hold), |busy| {
                tracing::info!("waiting for the repository: {busy}");
                holders.clone_from(&busy.by);
            });
            tokio::select! {
                acquired = acquire => Some(acquired),
                () = tokio::time::sleep(wait) => None,
                () = cancel.cancelled() => None,
            }
        };
        match acquired {
            Some(Ok(held)) => Ok(Box::new(LeaseLock { held })),
            Some(Err(error)) => Err(self.failed(error)),
            None => Err(LocksError::Held { holders }),
        }
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}

struct LeaseLock {
    held: Held,
}

#[async_trait]
impl Lock for LeaseLock {
    fn lost(&self) -> CancellationToken {
        self.held.lost()
    }

    async fn release(self: Box<Self>) {
        if let Err(error) = self.held.release().await {
            let error = chain_of_causes(&error);
            tracing::warn!("the Lease was not released and runs out by itself: {error}");
        }
    }
}
