//! The time as the operator judges by it: its own clock, set right by the API server's.
//!
//! Sessions, Jobs and pods are dated by the API server. A clock here that differs, or is moved,
//! would end sessions that have time left, or none that have not. So the difference is measured at
//! the start, after the clock was moved, now and then, and once more before anything is ended for
//! being late. Whether the clock was moved shows by the time that cannot be: that since the start.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use sealift_core::causes::chain_of_causes;
use sealift_kube::Clock;
use sealift_kube::kube::Client;
use sealift_kube::server_time::server_time;

/// The API server tells whole seconds, and its answer takes some time; clocks that are kept in
/// step differ by less than this, too.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(3);
/// Clocks that are not kept in step drift apart by less than the tolerance in this time.
const MEASURE_EVERY: Duration = Duration::from_secs(600);

/// A clock that follows the API server's.
pub struct Time {
    clock: Arc<dyn Clock>,
    measured: Mutex<Measured>,
}

#[derive(Clone, Copy)]
struct Measured {
    /// What is added to the clock.
    correction: SignedDuration,
    /// What the clock told then.
    at: Timestamp,
    since: Instant,
}

impl Time {
    /// One that has not measured anything yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let at = clock.now();
        let measured = Measured { correction: SignedDuration::ZERO, at, since: Instant::now() };
        Self { clock, measured: Mutex::new(measured) }
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.clock.now();
        now.checked_add(self.measured().correction).unwrap_or(now)
    }

    /// Measures the difference if it may have changed.
    pub async fn settle(&self, client: &Client) {
        if self.is_stale() {
            self.measure(client).await;
        }
    }

    /// Measures the difference. An API server that does not tell changes nothing.
    pub async fn measure(&self, client: &Client) {
        match server_time(client).await {
            Ok(told) => self.correct(told),
            Err(error) => {
                let error = chain_of_causes(&error);
                tracing::warn!(error, "the clock is not compared with the API server's");
            }
        }
    }

    fn is_stale(&self) -> bool {
        let Measured { at, since, .. } = *self.measured();
        let passed = since.elapsed();
        let told = self.clock.now().duration_since(at);
        let moved = SignedDuration::try_from(passed).map_or(TOLERANCE, |passed| told - passed);
        passed >= MEASURE_EVERY || moved.abs() > TOLERANCE
    }

    fn correct(&self, told: Timestamp) {
        let at = self.clock.now();
        let difference = told.duration_since(at);
        let correction =
            if difference.abs() <= TOLERANCE { SignedDuration::ZERO } else { difference };
        let mut measured = self.measured();
        if (measured.correction - correction).abs() > TOLERANCE {
            let seconds = correction.as_secs();
            tracing::warn!(seconds, "the clock differs from the API server's, which counts");
        }
        *measured = Measured { correction, at, since: Instant::now() };
    }

    fn measured(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[derive(Default)]
    struct Set(AtomicI64);

    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap_or_default()
        }
    }

    fn at(second: i64) -> (Time, Arc<Set>) {
        let clock = Arc::new(Set(AtomicI64::new(second)));
        (Time::new(Arc::clone(&clock) as _), clock)
    }

    fn corrected(here: i64, there: i64) -> i64 {
        let (time, _) = at(here);
        time.correct(Timestamp::from_second(there).unwrap_or_default());
        time.now().as_second()
    }

    #[test]
    fn the_time_of_the_api_server_counts_whichever_is_ahead() {
        assert_eq!(corrected(1_000_000, 5_000), 5_000);
        assert_eq!(corrected(5_000, 1_000_000), 1_000_000);
    }

    #[test]
    fn a_clock_in_step_is_left_alone() {
        assert_eq!(corrected(5_002, 5_000), 5_002);
        assert_eq!(corrected(5_000, 5_003), 5_000);
    }

    #[test]
    fn a_clock_that_was_moved_is_measured_again() {
        let (time, clock) = at(5_000);
        assert!(!time.is_stale());
        for moved in [9_000, 1_000] {
            clock.0.store(moved, Ordering::SeqCst);
            assert!(time.is_stale(), "{moved}");
            time.correct(Timestamp::from_second(5_000).unwrap_or_default());
            assert!(!time.is_stale(), "{moved}");
            assert_eq!(time.now().as_second(), 5_000);
        }
    }
}
