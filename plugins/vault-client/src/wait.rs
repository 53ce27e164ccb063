//! Waits until a Vault is ready, and says what it saw last when it never is.

use std::time::Duration;

use sealift_function::time::{Deadline, sleep};
use sealift_function::{Error, Result, session};

use crate::health::{Condition, Health, health};
use crate::leader::{Leader, leader};

/// Longest sleep without asking whether the session is cancelled.
const SLICE: Duration = Duration::from_millis(500);

/// When to ask again: soon at first, then every five seconds, as the original does.
#[derive(Debug, Clone)]
pub struct Patience {
    deadline: Deadline,
    limit: Duration,
    pause: Duration,
}

impl Patience {
    /// Patience for that long.
    #[must_use]
    pub fn of(limit: Duration) -> Self {
        Self { deadline: Deadline::after(limit), limit, pause: Duration::from_millis(500) }
    }

    /// What it was at first.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits for the next attempt, and longer every time; false = no patience left.
    ///
    /// # Errors
    /// The session was cancelled.
    pub fn again(&mut self) -> Result<bool> {
        let more = self.again_soon()?;
        self.pause = (self.pause * 2).min(Duration::from_secs(5));
        Ok(more)
    }

    /// As [`again`](Self::again), but not longer than before: half a second, if always this is
    /// called. For what lasts only a few seconds and must not be missed.
    ///
    /// # Errors
    /// The session was cancelled.
    pub fn again_soon(&mut self) -> Result<bool> {
        wait(self.pause, &self.deadline, session::cancelled, sleep)
    }
}

/// In slices: the host ends a Function soon after a cancellation, whatever it still had to say.
fn wait(
    mut pause: Duration,
    deadline: &Deadline,
    cancelled: impl Fn() -> bool,
    mut sleep: impl FnMut(Duration),
) -> Result<bool> {
    let any_left = !deadline.passed();
    loop {
        if cancelled() {
            return Err(Error::Cancelled("cancelled while waiting for Vault".to_owned()));
        }
        let slice = pause.min(SLICE).min(deadline.left());
        if slice.is_zero() {
            return Ok(any_left);
        }
        sleep(slice);
        pause = pause.saturating_sub(slice);
    }
}

/// Asks until Vault is initialised and unsealed and has a leader.
///
/// # Errors
/// What was seen last, after `limit`; at once what waiting cannot heal.
pub fn wait_until_ready(limit: Duration) -> Result<Health> {
    let mut patience = Patience::of(limit);
    attempt(ask, || patience.again(), limit)
}

fn ask() -> Result<Health> {
    led(health()?, leader)
}

/// A Vault that is ready is of no use without a leader.
fn led(mut health: Health, leader: impl FnOnce() -> Result<Leader>) -> Result<Health> {
    if health.condition.is_ready() {
        match leader() {
            Ok(_) => {}
            Err(Error::Retryable { .. }) => health.condition = Condition::Leaderless,
            Err(error) => return Err(error),
        }
    }
    Ok(health)
}

fn attempt(
    mut ask: impl FnMut() -> Result<Health>,
    mut again: impl FnMut() -> Result<bool>,
    limit: Duration,
) -> Result<Health> {
    loop {
        let seen = ask();
        match &seen {
            Ok(health) if health.condition.is_ready() => return seen,
            // Not granted, a wrong certificate: the same in five minutes.
            Err(error) if !matches!(error, Error::Retryable { .. }) => return seen,
            Ok(_) | Err(_) => {}
        }
        if !again()? {
            return Err(gave_up(seen, limit));
        }
    }
}

fn gave_up(seen: Result<Health>, limit: Duration) -> Error {
    let after = format!("after {} s (waitTimeout)", limit.as_secs());
    match seen {
        Err(error) => error.context(format!("Vault could not be reached {after}")),
        Ok(Health { condition, .. }) => {
            let advice = match condition {
                Condition::Sealed => "unseal it",
                Condition::Uninitialised => "initialise and unseal it",
                Condition::RecoverySecondary => "use the primary cluster",
                Condition::Leaderless => "check that most nodes of its cluster are unsealed",
                Condition::Removed => "use another node of the cluster",
                Condition::Active | Condition::Standby | Condition::Unknown(_) => {
                    "check the address in the AppBinding"
                }
            };
            Error::retryable(format!("Vault is still {condition} {after}; {advice}"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::cell::Cell;

    use super::*;

    fn seen(condition: Condition) -> Result<Health> {
        Ok(Health { condition, version: None })
    }

    fn run(answers: Vec<Result<Health>>) -> (Result<Health>, usize) {
        let count = answers.len();
        let mut answers = answers.into_iter();
        let mut asked = 0;
        let result = attempt(
            || {
                asked += 1;
                answers.next().unwrap()
            },
            {
                let mut left = count;
                move || {
                    left -= 1;
                    Ok(left > 0)
                }
            },
            Duration::from_secs(300),
        );
        (result, asked)
    }

    #[test]
    fn a_cancellation_is_noticed_in_the_middle_of_a_long_pause() {
        let slept = Cell::new(Duration::ZERO);
        let sleep = |time| slept.set(slept.get() + time);
        let deadline = Deadline::after(Duration::from_secs(300));
        let pause = Duration::from_secs(5);
        let end = wait(pause, &deadline, || slept.get() >= Duration::from_secs(1), sleep);
        assert!(matches!(end, Err(Error::Cancelled(_))), "{end:?}");
        assert_eq!(slept.take(), Duration::from_secs(1));
        let sleep = |time| slept.set(slept.get() + time);
        assert_eq!(wait(pause, &deadline, || false, sleep), Ok(true));
        assert_eq!(slept.get(), pause);
        let over = Deadline::after(Duration::ZERO);
        assert_eq!(wait(pause, &over, || false, |_| {}), Ok(false));
    }

    #[test]
    fn it_waits_until_vault_is_unsealed() {
        let (result, asked) = run(vec![
            Err(Error::retryable("connection refused")),
            seen(Condition::Sealed),
            seen(Condition::Standby),
            seen(Condition::Sealed),
        ]);
        assert_eq!((result.unwrap().condition, asked), (Condition::Standby, 3));
    }

    #[test]
    fn a_vault_without_a_leader_is_not_ready() {
        let led = |condition, leader| led(seen(condition).unwrap(), || leader);
        let none = || Err(Error::retryable("the cluster has no leader at the moment"));
        let one = Ok(Leader { address: String::new(), committed_index: None });
        assert_eq!(led(Condition::Active, one).unwrap().condition, Condition::Active);
        for ready in [Condition::Active, Condition::Standby] {
            assert_eq!(led(ready, none()).unwrap().condition, Condition::Leaderless);
        }
        // Who is not ready is not asked.
        assert_eq!(led(Condition::Sealed, none()).unwrap().condition, Condition::Sealed);
        let denied = Err(Error::Denied("GET is not granted".to_owned()));
        assert!(matches!(led(Condition::Active, denied), Err(Error::Denied(_))));
    }

    #[test]
    fn what_was_seen_last_is_said() {
        for (last, text) in [
            (seen(Condition::Sealed), "Vault is still sealed after 300 s (waitTimeout); unseal it"),
            (
                seen(Condition::Uninitialised),
                "Vault is still not initialised after 300 s (waitTimeout); initialise and unseal it",
            ),
            (
                seen(Condition::Leaderless),
                "Vault is still without a leader after 300 s (waitTimeout); check that most nodes \
                 of its cluster are unsealed",
            ),
            (
                seen(Condition::Unknown(404)),
                "Vault is still answering sys/health with status 404 after 300 s (waitTimeout); \
                 check the address in the AppBinding",
            ),
            (
                Err(Error::retryable("GET http://target/v1/sys/health: connection refused")),
                "Vault could not be reached after 300 s (waitTimeout): \
                 GET http://target/v1/sys/health: connection refused",
            ),
        ] {
            let (result, _) = run(vec![seen(Condition::Sealed), last]);
            let error = result.unwrap_err();
            assert!(matches!(error, Error::Retryable { .. }), "{error:?}");
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn what_waiting_cannot_heal_fails_at_once() {
        let certificate = Error::ExternalFailed("the certificate is not trusted".to_owned());
        let (result, asked) = run(vec![Err(certificate.clone()), seen(Condition::Active)]);
        assert_eq!((result.unwrap_err(), asked), (certificate, 1));
    }
}
