//! One queue per kind: keys go in, at most so many are reconciled at once, and none twice at the
//! same time. A failure comes back later, each key with its own back-off.
//!
//! kube's scheduler does the waiting and the merging; its `Controller` is not used, since it
//! owns its watches, and ours are shared by all kinds.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use sealift_core::causes::chain_of_causes;
use sealift_kube::Class;
use sealift_kube::backoff::Backoff;
use sealift_kube::kube::runtime::scheduler::{ScheduleRequest, scheduler};
use sealift_kube::watch::Key;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::metrics::{KindMetrics, Outcome};

/// Several changes that come together (a status and its conditions) are looked at once.
const DEBOUNCE: Duration = Duration::from_millis(50);
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// What others must change is looked at again this often at the latest, besides being watched.
const LONGEST_RETRY: Duration = Duration::from_secs(120);
/// How long reconciliations that are under way may take once the operator ends.
const DRAIN: Duration = Duration::from_secs(20);

/// What follows a reconciliation that worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A change brings it back.
    Wait,
    /// It is looked at again after this time, if nothing brings it back earlier.
    After(Duration),
}

impl Next {
    /// The earlier one.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::After(one), Self::After(two)) => Self::After(one.min(two)),
            (Self::Wait, next) | (next, Self::Wait) => next,
        }
    }
}

/// The way into a queue.
#[derive(Debug, Clone)]
pub struct Queue {
    sender: mpsc::UnboundedSender<ScheduleRequest<Key>>,
    /// When each key that is in the queue is due; the scheduler does not tell.
    due: Arc<Mutex<HashMap<Key, Instant>>>,
}

/// The other end of a queue.
pub type Requests = mpsc::UnboundedReceiver<ScheduleRequest<Key>>;

/// A queue. It is unbounded because watches must not wait for reconciliations; keys are merged,
/// so it holds at most what came since the last look.
#[must_use]
pub fn queue() -> (Queue, Requests) {
    let (sender, requests) = mpsc::unbounded_channel();
    (Queue { sender, due: Arc::default() }, requests)
}

impl Queue {
    /// Looks at an object soon.
    pub fn now(&self, key: Key) {
        self.after(key, Duration::ZERO);
    }

    /// Looks at an object after some time, if nothing brings it earlier.
    pub fn after(&self, key: Key, delay: Duration) {
        let run_at = Instant::now() + DEBOUNCE + delay;
        // As the scheduler does: the earlier time counts.
        self.due().entry(key.clone()).and_modify(|due| *due = run_at.min(*due)).or_insert(run_at);
        // It fails only when the operator ends.
        let _ = self.sender.send(ScheduleRequest { message: key, run_at });
    }

    /// How many objects are due and wait for their turn.
    #[must_use]
    pub fn depth(&self) -> usize {
        let now = Instant::now();
        self.due().values().filter(|due| **due <= now).count()
    }

    fn taken(&self, key: &Key) {
        self.due().remove(key);
    }

    fn due(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reconciles what comes out of a queue until told to stop, then waits for what is under way.
pub async fn run<F, Fut>(
    requests: Requests,
    queue: Queue,
    concurrency: usize,
    metrics: Arc<KindMetrics>,
    stop: CancellationToken,
    reconcile: F,
) where
    F: Fn(Key) -> Fut,
    Fut: Future<Output = Result<Next>> + Send + 'static,
{
    let incoming = stream::unfold(requests, |mut requests| async move {
        requests.recv().await.map(|request| (request, requests))
    });
    let mut scheduler = pin!(scheduler(incoming));
    let mut active: HashSet<Key> = HashSet::new();
    let mut running: JoinSet<(Key, Duration, Result<Next>)> = JoinSet::new();
    let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
    loop {
        metrics.set_running(active.len());
        let full = active.len() >= concurrency;
        let next =
            async { scheduler.as_mut().hold_unless(|key| !active.contains(key)).next().await };
        tokio::select! {
            () = stop.cancelled() => break,
            Some(done) = running.join_next() => {
                let Ok((key, took, result)) = done else { continue };
                active.remove(&key);
                follow_up(&queue, &mut backoff, &metrics, key, took, result);
            }
            key = next, if !full => {
                let Some(key) = key else { break };
                queue.taken(&key);
                active.insert(key.clone());
                running.spawn(guarded(key.clone(), reconcile(key)));
            }
        }
    }
    let drained = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!(kind = metrics.kind(), "reconciliations are broken off at the end");
    }
}

/// A panic ends one reconciliation, not the operator.
async fn guarded(
    key: Key,
    reconciliation: impl Future<Output = Result<Next>>,
) -> (Key, Duration, Result<Next>) {
    let began = Instant::now();
    let caught = AssertUnwindSafe(reconciliation).catch_unwind().await;
    let result = caught.unwrap_or_else(|_| Err(Error::Panic { key: key.to_string() }));
    (key, began.elapsed(), result)
}

fn follow_up(
    queue: &Queue,
    backoff: &mut Backoff<Key>,
    metrics: &KindMetrics,
    key: Key,
    took: Duration,
    result: Result<Next>,
) {
    let kind = metrics.kind();
    match result {
        Ok(next) => {
            metrics.finished(Outcome::Done, took);
            backoff.forget(&key);
            if let Next::After(delay) = next {
                queue.after(key, delay);
            }
        }
        Err(error) => {
            let (reason, class) = (error.reason(), error.class());
            metrics.finished(Outcome::Failed { reason, class }, took);
            let text = chain_of_causes(&error);
            let delay = backoff.failed(key.clone());
            match class {
                Class::Invalid | Class::Internal => {
                    tracing::error!(kind, object = %key, reason, class = class.as_str(), error = %text, "reconciliation failed");
                }
                Class::Blocked | Class::Transient => {
                    tracing::warn!(kind, object = %key, reason, class = class.as_str(), error = %text, "reconciliation failed");
                }
            }
            queue.after(key, delay);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn metrics() -> Arc<KindMetrics> {
        Arc::new(KindMetrics::new("Test"))
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_merged_and_none_is_worked_on_twice_at_once() {
        let (queue, requests) = queue();
        let stop = CancellationToken::new();
        let seen = queue.clone();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let at_once = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let reconcile = {
            let (log, at_once, most) = (log.clone(), at_once.clone(), most.clone());
            move |key: Key| {
                let (log, at_once, most) = (log.clone(), at_once.clone(), most.clone());
                async move {
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    log.lock().unwrap().push(key.name);
                    Ok(Next::Wait)
                }
            }
        };
        for _ in 0..10 {
            queue.now(Key::new("", "a"));
        }
        for name in ["b", "c", "d"] {
            queue.after(Key::new("", name), Duration::from_millis(100));
        }
        let again = {
            let (queue, stop) = (queue.clone(), stop.clone());
            async move {
                // While `a` is worked on, it comes again: it is worked on once more.
                tokio::time::sleep(Duration::from_millis(500)).await;
                // Two are worked on, the others are due.
                assert_eq!(queue.depth(), 2);
                queue.now(Key::new("", "a"));
                tokio::time::sleep(Duration::from_secs(60)).await;
                stop.cancel();
            }
        };
        tokio::join!(run(requests, queue, 2, metrics(), stop, reconcile), again);
        let mut log = log.lock().unwrap().clone();
        log.sort();
        assert_eq!(log, ["a", "a", "b", "c", "d"]);
        assert_eq!(most.load(Ordering::SeqCst), 2);
        assert_eq!(seen.depth(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_and_panics_come_back_later_each_time() {
        let (queue, requests) = queue();
        let stop = CancellationToken::new();
        let times: Arc<Mutex<Vec<Duration>>> = Arc::default();
        let began = Instant::now();
        let reconcile = {
            let times = times.clone();
            move |key: Key| {
                let times = times.clone();
                async move {
                    let mut times = times.lock().unwrap();
                    times.push(began.elapsed());
                    let count = times.len();
                    drop(times);
                    match count {
                        1 => std::panic::resume_unwind(Box::new("test")),
                        2..5 => Err(Error::Panic { key: key.to_string() }),
                        _ => Ok(Next::Wait),
                    }
                }
            }
        };
        queue.now(Key::new("", "a"));
        let end = {
            let stop = stop.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(600)).await;
                stop.cancel();
            }
        };
        tokio::join!(run(requests, queue, 2, metrics(), stop, reconcile), end);
        let times = times.lock().unwrap().clone();
        assert_eq!(times.len(), 5);
        let gaps: Vec<Duration> =
            times.windows(2).filter_map(|pair| Some(*pair.get(1)? - *pair.first()?)).collect();
        assert!(gaps.windows(2).all(|pair| pair.get(1) > pair.first()), "{gaps:?}");
    }
}
