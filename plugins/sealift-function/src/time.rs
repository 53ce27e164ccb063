//! Waiting and measuring, on the clocks the host gives to every Function.

use std::time::{Duration, Instant};

/// A point in time after which something is given up.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    start: Instant,
    after: Duration,
}

impl Deadline {
    /// The deadline that much later than now.
    #[must_use]
    pub fn after(after: Duration) -> Self {
        Self { start: Instant::now(), after }
    }

    /// What is left; zero when it has passed.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.after.saturating_sub(self.start.elapsed())
    }

    /// Whether it has passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.left().is_zero()
    }
}

/// Waits. The host may stop the Function meanwhile.
#[expect(clippy::disallowed_methods, reason = "the one place where Functions wait")]
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_and_stays_passed() {
        let over = Deadline::after(Duration::ZERO);
        assert!(over.passed() && over.left().is_zero());
        let far = Deadline::after(Duration::from_secs(3600));
        assert!(!far.passed() && far.left() > Duration::from_secs(3000));
    }
}
