//! One operator at a time: leader election by a Lease, in the form client-go uses.
//!
//! Flow: `stand` waits until the Lease is free or its holder has been silent for its duration,
//! takes it, and renews it in a task. Guarantees: `Leadership::lost` is cancelled before another
//! process may take the Lease. Assumptions: clocks may differ, speeds may not. Caveats: the
//! process must end when it has lost; work that is under way is idempotent.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Client;
use kube::api::{Api, PostParams};
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::ObjectRef;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::spread;
use crate::clock::Clock;
use crate::error::{Error, Failure, Result};
use crate::request::{call, reference};

/// The figures of client-go: a leader that died is replaced within about 15 s, and a slow API
/// server may take 10 s without costing the leader its place.
const DURATION: Duration = Duration::from_secs(15);
const RENEW_WITHIN: Duration = Duration::from_secs(10);
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// A place that one of several processes can have.
#[derive(Clone)]
pub struct Candidate {
    client: Client,
    object: ObjectRef,
    identity: String,
    clock: Arc<dyn Clock>,
}

/// The place is ours.
pub struct Leadership {
    candidate: Candidate,
    lost: CancellationToken,
    keeper: JoinHandle<()>,
}

impl Candidate {
    /// Stands for the Lease `name`; `identity` must be unique, such as the pod's name.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let object = reference::<Lease>(Some(namespace), name);
        Self { client, object, identity: identity.into(), clock }
    }

    /// Waits until the place is ours. Faults of the API server are waited out.
    ///
    /// # Errors
    /// Our rights do not suffice, or the Lease is refused.
    pub async fn stand(self) -> Result<Leadership> {
        let mut seen: Option<(String, Instant)> = None;
        loop {
            match self.try_take(&mut seen).await {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) if error.class() == crate::Class::Transient => {
                    tracing::warn!(error = %chain_of_causes(&error), "the leader's Lease cannot be taken yet");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(spread(RETRY_EVERY)).await;
        }
        let lost = CancellationToken::new();
        let keeper = tokio::spawn(keep(self.clone(), lost.clone()));
        Ok(Leadership { candidate: self, lost, keeper })
    }

    /// `seen` is the last version of the Lease and since when it stands.
    async fn try_take(&self, seen: &mut Option<(String, Instant)>) -> Result<bool> {
        let api = self.api();
        let found = call(api.get_opt(&self.object.name)).await.map_err(|e| self.failed(e))?;
        let Some(mut lease) = found else {
            return self.written(call(api.create(&PostParams::default(), &self.new_lease())).await);
        };
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let since = match seen {
            Some((last, since)) if *last == version => *since,
            _ => Instant::now(),
        };
        *seen = Some((version, since));
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        let holder = spec.holder_identity.as_deref().unwrap_or_default();
        let free = holder.is_empty() || holder == self.identity || since.elapsed() >= DURATION;
        if !free {
            return Ok(false);
        }
        if holder != self.identity {
            spec.lease_transitions =
                Some(spec.lease_transitions.unwrap_or_default().saturating_add(1));
            spec.acquire_time = Some(MicroTime(self.clock.now()));
        }
        self.fill(spec);
        self.written(call(api.replace(&self.object.name, &PostParams::default(), &lease)).await)
    }

    /// False = no longer ours.
    async fn renew(&self) -> Result<bool> {
        let api = self.api();
        let mut lease = call(api.get(&self.object.name)).await.map_err(|e| self.failed(e))?;
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return Ok(false);
        }
        self.fill(spec);
        call(api.replace(&self.object.name, &PostParams::default(), &lease))
            .await
            .map(|_| true)
            .map_err(|e| self.failed(e))
    }

    async fn give_back(&self) -> Result<()> {
        let api = self.api();
        let mut lease = call(api.get(&self.object.name)).await.map_err(|e| self.failed(e))?;
        match lease.spec.as_mut() {
            Some(spec) if spec.holder_identity.as_deref() == Some(&self.identity) => {
                spec.holder_identity = None;
            }
            _ => return Ok(()),
        }
        call(api.replace(&self.object.name, &PostParams::default(), &lease))
            .await
            .map(drop)
            .map_err(|e| self.failed(e))
    }

    fn new_lease(&self) -> Lease {
        let mut spec = LeaseSpec {
            acquire_time: Some(MicroTime(self.clock.now())),
            lease_transitions: Some(0),
            ..LeaseSpec::default()
        };
        self.fill(&mut spec);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.object.name.clone()),
                namespace: Some(self.object.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
        }
    }

    fn fill(&self, spec: &mut LeaseSpec) {
        spec.holder_identity = Some(self.identity.clone());
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
        spec.renew_time = Some(MicroTime(self.clock.now()));
    }

    fn written(&self, answer: Result<Lease, Failure>) -> Result<bool> {
        match answer {
            Ok(_) => Ok(true),
            // Somebody was faster.
            Err(failure) if failure.is_conflict() => Ok(false),
            Err(failure) => Err(self.failed(failure)),
        }
    }

    fn api(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), &self.object.namespace)
    }

    fn failed(&self, source: Failure) -> Error {
        Error::Lease { object: self.object.clone(), source }
    }
}

impl Leadership {
    /// Cancelled when the place is lost.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Gives the place back, so that the next one need not wait.
    pub async fn resign(self) {
        self.keeper.abort();
        if let Err(error) = self.candidate.give_back().await {
            tracing::warn!(error = %chain_of_causes(&error), "the leader's Lease is not given back");
        }
    }
}

async fn keep(candidate: Candidate, lost: CancellationToken) {
    let mut renewed = Instant::now();
    // The token is cancelled on every way out, a panic included.
    let _guard = lost.drop_guard();
    loop {
        tokio::time::sleep(RETRY_EVERY).await;
        let began = Instant::now();
        let left = RENEW_WITHIN.saturating_sub(renewed.elapsed());
        match tokio::time::timeout(left, candidate.renew()).await {
            Ok(Ok(true)) => renewed = began,
            Ok(Ok(false)) => {
                tracing::error!("another process took the leader's Lease");
                return;
            }
            Ok(Err(error)) => {
                tracing::warn!(error = %chain_of_causes(&error), "the leader's Lease is not renewed");
            }
            Err(_) => {}
        }
        if renewed.elapsed() >= RENEW_WITHIN {
            tracing::error!("the leader's Lease could not be renewed in time");
            return;
        }
    }
}
