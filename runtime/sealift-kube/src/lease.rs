//! The Lease of a repository: who may work in it, across machines.
//!
//! Flow: `acquire` reads the Lease, enters a holder (`holders`), writes it with the
//! `resourceVersion` it read, and tries again while others are in the way. A task renews the
//! entry until it is released. Guarantees: two processes that both keep to this never hold it
//! against each other's mode while both can reach the API server, and a holder that cannot is
//! told (`Held::lost`) before anybody else may take it for dead. Assumptions: the Lease exists
//! (the operator makes it); clocks may differ, speeds may not. Caveats: a holder that ignores
//! `lost` works without protection.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Client;
use kube::api::{Api, PostParams};
use sealift_core::plan::ObjectRef;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backoff::spread;
use crate::clock::Clock;
use crate::error::{Error, Failure, Result};
use crate::holders::{Busy, Holders, Mode};
use crate::request::{call, reference};

/// Where the holders stand. `spec.holderIdentity` has room for one.
pub const HOLDERS: &str = "sealift.dev/holders";

/// How often a holder says that it lives.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// A holder that could not say so for this long stops its work: well before `DEAD_AFTER`, so
/// that it has stopped when another one begins.
const LOST_AFTER: Duration = Duration::from_secs(40);
/// Whose beat an observer has not seen change for this long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(60);
/// How often somebody who waits looks again.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// An API server that has just started forbids everything until it has read the roles: after these
/// pauses, in seconds, a right is missing. Together they are shorter than `RENEW_EVERY`.
const FORBIDDEN_PAUSES: [u64; 3] = [1, 2, 4];

/// After these pauses, in seconds, it is tried again to give a repository back: whoever comes next,
/// often the same session, would wait for `DEAD_AFTER` otherwise.
const RELEASE_PAUSES: [u64; 4] = [1, 2, 4, 8];

/// `sealift-<uid of the Repository>`: the uid, so that a Repository that is deleted and made anew
/// does not inherit holders.
#[must_use]
pub fn name(repository_uid: &str) -> String {
    format!("sealift-{repository_uid}")
}

/// An empty Lease, as the operator makes it.
#[must_use]
pub fn empty(namespace: &str, repository_uid: &str) -> Lease {
    Lease {
        metadata: ObjectMeta {
            name: Some(name(repository_uid)),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        spec: None,
    }
}

/// A repository's Lease, seen by one holder.
#[derive(Clone)]
pub struct RepositoryLease {
    client: Client,
    object: ObjectRef,
    holder: String,
    clock: Arc<dyn Clock>,
}

impl RepositoryLease {
    /// `holder` must be unique among all processes, such as the pod's name and uid.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        holder: impl Into<String>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let object = reference::<Lease>(Some(namespace), name);
        Self { client, object, holder: holder.into(), clock }
    }

    /// Waits until the repository can be held so. `waiting` is told whom it waits for, whenever
    /// that changes. Dropping the future leaves an entry behind that is dead after a minute.
    ///
    /// # Errors
    /// The Lease does not exist, cannot be read, or the API server refuses. Faults that may pass
    /// are waited out.
    pub async fn acquire(&self, mode: Mode, mut waiting: impl FnMut(&Busy)) -> Result<Held> {
        let mut seen = Seen::default();
        let mut told = None;
        loop {
            match self.enter(mode, &mut seen).await {
                Ok(Ok(())) => return Ok(self.hold()),
                Ok(Err(busy)) => {
                    if told.as_ref() != Some(&busy) {
                        waiting(&busy);
                        told = Some(busy);
                    }
                }
                Err(error) if error.class() == crate::Class::Transient => {
                    tracing::warn!(error = %sealift_core::causes::chain_of_causes(&error), "a Lease cannot be taken yet");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(spread(LOOK_EVERY)).await;
        }
    }

    /// Takes the repository if nobody is in the way just now.
    ///
    /// # Errors
    /// The Lease does not exist, cannot be read, or the API server refuses or cannot be reached.
    pub async fn try_acquire(&self, mode: Mode) -> Result<Result<Held, Busy>> {
        let entered = self.enter(mode, &mut Seen::default()).await?;
        if entered.is_err() {
            // Nobody renews an entry that waits.
            self.change(|holders| holders.leave(&self.holder)).await?;
        }
        Ok(entered.map(|()| self.hold()))
    }

    async fn enter(&self, mode: Mode, seen: &mut Seen) -> Result<Result<(), Busy>> {
        let now = self.clock.now();
        self.change(|holders| {
            let dead = seen.look(holders);
            holders.enter(&self.holder, mode, &dead, now)
        })
        .await
    }

    fn hold(&self) -> Held {
        let (release, released) = oneshot::channel();
        let lost = CancellationToken::new();
        let keeper = tokio::spawn(keep(self.clone(), lost.clone(), released));
        Held { lost, release: Some(release), keeper }
    }

    /// Changes the holders, and writes them if they are different then.
    async fn change<T>(&self, mut change: impl FnMut(&mut Holders) -> T) -> Result<T> {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.object.namespace);
        let failed = |source| Error::Lease { object: self.object.clone(), source };
        let mut forbidden = FORBIDDEN_PAUSES.iter();
        loop {
            let mut lease = match call(api.get(&self.object.name)).await {
                Ok(lease) => lease,
                Err(failure) => {
                    let pause = forbidden.next().filter(|_| failure.code() == Some(403));
                    let Some(seconds) = pause else { return Err(failed(failure)) };
                    tokio::time::sleep(Duration::from_secs(*seconds)).await;
                    continue;
                }
            };
            let mut holders = self.read(&lease)?;
            let before = holders.clone();
            let result = change(&mut holders);
            if holders == before {
                return Ok(result);
            }
            self.write(&mut lease, &holders)?;
            match call(api.replace(&self.object.name, &PostParams::default(), &lease)).await {
                Ok(_) => return Ok(result),
                Err(failure) if failure.is_conflict() => {}
                Err(failure) => return Err(failed(failure)),
            }
        }
    }

    fn read(&self, lease: &Lease) -> Result<Holders> {
        let text = lease.metadata.annotations.as_ref().and_then(|found| found.get(HOLDERS));
        match text {
            None => Ok(Holders::default()),
            Some(text) => serde_json::from_str(text).map_err(|source| self.unreadable(source)),
        }
    }

    fn write(&self, lease: &mut Lease, holders: &Holders) -> Result<()> {
        let text = serde_json::to_string(holders).map_err(|source| self.unreadable(source))?;
        lease.metadata.annotations.get_or_insert_default().insert(HOLDERS.to_owned(), text);
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        spec.holder_identity = holders.summary();
        spec.renew_time = Some(MicroTime(self.clock.now()));
        spec.lease_duration_seconds = i32::try_from(DEAD_AFTER.as_secs()).ok();
        Ok(())
    }

    fn unreadable(&self, source: serde_json::Error) -> Error {
        let field = "metadata.annotations[sealift.dev/holders]";
        Error::LeaseContent { object: self.object.clone(), field, source }
    }
}

/// A repository that is held. Dropped without `release`, it counts as held until it is dead.
pub struct Held {
    lost: CancellationToken,
    release: Option<oneshot::Sender<()>>,
    keeper: JoinHandle<Result<()>>,
}

impl Held {
    /// Cancelled when the repository may not be worked in any more: the entry could not be
    /// renewed in time, or somebody removed it.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Gives it back.
    ///
    /// # Errors
    /// It could not be written; the entry is dead after a minute.
    pub async fn release(mut self) -> Result<()> {
        if let Some(release) = self.release.take() {
            // The keeper may have ended with the Lease lost; its result says so.
            let _ = release.send(());
        }
        match (&mut self.keeper).await {
            Ok(result) => result,
            // Aborted with the runtime: nobody is left to care.
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Renews until told to release, or until it is lost.
async fn keep(
    lease: RepositoryLease,
    lost: CancellationToken,
    mut released: oneshot::Receiver<()>,
) -> Result<()> {
    // However this task ends, a panic included: unless it was released, it is lost.
    let guard = lost.drop_guard();
    let mut renewed = Instant::now();
    loop {
        tokio::select! {
            _ = &mut released => break,
            () = tokio::time::sleep(RENEW_EVERY) => {}
        }
        let began = Instant::now();
        let now = lease.clock.now();
        let left = LOST_AFTER.saturating_sub(renewed.elapsed());
        let renewal = lease.change(|holders| holders.renew(&lease.holder, now));
        match tokio::time::timeout(left, renewal).await {
            Ok(Ok(true)) => renewed = began,
            Ok(Ok(false)) => return Ok(()),
            // Whoever makes it anew knows of no holder.
            Ok(Err(error)) if error.is_not_found() => return Err(error),
            Ok(Err(error)) => {
                tracing::warn!(error = %sealift_core::causes::chain_of_causes(&error), "a Lease is not renewed");
            }
            Err(_) => {}
        }
        if renewed.elapsed() >= LOST_AFTER {
            return Err(Error::Lease {
                object: lease.object.clone(),
                source: Failure::Silence { seconds: LOST_AFTER.as_secs() },
            });
        }
    }
    guard.disarm();
    for seconds in RELEASE_PAUSES {
        match lease.change(|holders| holders.leave(&lease.holder)).await {
            Err(error) if error.class() == crate::Class::Transient => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            done => return done,
        }
    }
    lease.change(|holders| holders.leave(&lease.holder)).await
}

/// Since when an observer has seen each holder's beat.
#[derive(Default)]
struct Seen {
    beats: HashMap<String, (u64, Instant)>,
}

impl Seen {
    /// Takes note of the beats, and names the dead.
    fn look(&mut self, holders: &Holders) -> BTreeSet<String> {
        let now = Instant::now();
        let mut next = HashMap::new();
        let mut dead = BTreeSet::new();
        for (name, beat) in holders.beats() {
            let since = match self.beats.get(name) {
                Some((seen, since)) if *seen == beat => *since,
                _ => now,
            };
            if now.duration_since(since) >= DEAD_AFTER {
                dead.insert(name.to_owned());
            }
            next.insert(name.to_owned(), (beat, since));
        }
        self.beats = next;
        dead
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use jiff::Timestamp;

    #[tokio::test(start_paused = true)]
    async fn dead_is_whose_beat_stood_still_for_an_observer() {
        let mut holders = Holders::default();
        let none = BTreeSet::new();
        for name in ["lives", "died"] {
            assert_eq!(holders.enter(name, Mode::Shared, &none, Timestamp::UNIX_EPOCH), Ok(()));
        }
        let mut seen = Seen::default();
        assert_eq!(seen.look(&holders), none);
        for _ in 0..7 {
            tokio::time::advance(RENEW_EVERY).await;
            assert!(holders.renew("lives", Timestamp::UNIX_EPOCH));
            seen.look(&holders);
        }
        assert_eq!(seen.look(&holders), BTreeSet::from(["died".to_owned()]));
        // Somebody who has just come has seen nothing yet.
        assert_eq!(Seen::default().look(&holders), none);
    }

    /// Nobody listens there.
    fn out_of_reach() -> RepositoryLease {
        let url = "http://127.0.0.1:1".parse().unwrap();
        let client = crate::connect::client(kube::Config::new(url)).unwrap();
        RepositoryLease::new(client, "demo", "x", "a", Arc::new(crate::SystemClock))
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_that_cannot_say_that_it_lives_has_lost_before_it_is_dead() {
        let held = out_of_reach().hold();
        let (lost, began) = (held.lost(), Instant::now());
        tokio::time::timeout(DEAD_AFTER, lost.cancelled()).await.unwrap();
        assert!(began.elapsed() >= LOST_AFTER, "{:?}", began.elapsed());
        held.release().await.unwrap_err();
    }

    #[test]
    fn a_holder_stops_before_others_may_begin() {
        assert!(LOST_AFTER + 2 * RENEW_EVERY <= DEAD_AFTER);
    }
}
