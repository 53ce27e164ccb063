//! How long to wait before something is tried again: longer each time, and never all at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Exponential delays per key, with jitter. A success forgets the key.
#[derive(Debug)]
pub struct Backoff<Key> {
    first: Duration,
    longest: Duration,
    failures: HashMap<Key, u32>,
}

impl<Key: Eq + Hash> Backoff<Key> {
    /// Delays from `first` to `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: HashMap::new() }
    }

    /// The delay after one more failure.
    pub fn failed(&mut self, key: Key) -> Duration {
        let count = self.failures.entry(key).or_default();
        *count = count.saturating_add(1);
        let doubled = self.first.saturating_mul(1_u32.checked_shl(*count - 1).unwrap_or(u32::MAX));
        jittered(doubled.min(self.longest), fastrand::f64())
    }

    /// It worked, or it is gone.
    pub fn forget(&mut self, key: &Key) {
        self.failures.remove(key);
    }

    /// How many keys have failed last time.
    #[must_use]
    pub fn failing(&self) -> usize {
        self.failures.len()
    }
}

/// A delay between 75 % and 100 % of `delay`; `draw` is from 0 to 1.
#[must_use]
pub fn jittered(delay: Duration, draw: f64) -> Duration {
    delay.mul_f64(0.75 + 0.25 * draw.clamp(0.0, 1.0))
}

/// As [`jittered`], with a draw of its own.
#[must_use]
pub fn spread(delay: Duration) -> Duration {
    jittered(delay, fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_a_success_begins_anew() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let mut last = Duration::ZERO;
        for tries in 0..40 {
            let delay = backoff.failed("a");
            let full = Duration::from_secs(1 << tries.min(6)).min(Duration::from_secs(60));
            assert!(delay <= full && delay >= full.mul_f64(0.74), "{tries}: {delay:?} of {full:?}");
            last = delay;
        }
        assert!(last >= Duration::from_secs(44));
        assert_eq!(backoff.failing(), 1);
        backoff.forget(&"a");
        assert!(backoff.failed("a") <= Duration::from_secs(1));
        assert!(backoff.failed("b") <= Duration::from_secs(1));
    }

    #[test]
    fn jitter_shortens_by_a_quarter_at_most() {
        let delay = Duration::from_secs(100);
        assert_eq!(jittered(delay, 0.0), Duration::from_secs(75));
        assert_eq!(jittered(delay, 1.0), delay);
        assert_eq!(jittered(delay, 7.0), delay);
    }
}
