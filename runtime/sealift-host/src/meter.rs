//! CPU time of a stage: what its thread spent while the Function was being run.
//!
//! Ticks of the engine's epoch cannot be counted instead: they also pass while the Function
//! waits in the host, and a fast source behind a slow sink would be killed for waiting. The time
//! a thread spends inside `poll` is summed; tasks of the network and of the repository run
//! elsewhere and are not charged.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The sum, readable while the stage runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct CpuTime(Arc<AtomicU64>);

impl CpuTime {
    /// What was spent in finished polls.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// A future whose polls are charged.
pub(crate) struct Metered<F> {
    future: Pin<Box<F>>,
    time: CpuTime,
}

impl<F> Metered<F> {
    /// Charges the polls of this future.
    pub(crate) fn new(future: F, time: CpuTime) -> Self {
        Self { future: Box::pin(future), time }
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let before = thread_nanos();
        let polled = self.future.as_mut().poll(context);
        // One poll runs on one thread from start to end.
        self.time.0.fetch_add(thread_nanos().saturating_sub(before), Ordering::Relaxed);
        polled
    }
}

fn thread_nanos() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec)
        .unwrap_or_default()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_costs_nothing_and_computing_does() {
        let time = CpuTime::default();
        Metered::new(tokio::time::sleep(Duration::from_secs(3600)), time.clone()).await;
        assert!(time.spent() < Duration::from_secs(60));
        let before = time.spent();
        let work = async {
            let mut sum = 0_u64;
            for number in 0..3_000_000_u64 {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(number));
            }
            sum
        };
        Metered::new(work, time.clone()).await;
        assert!(time.spent() > before);
    }
}
