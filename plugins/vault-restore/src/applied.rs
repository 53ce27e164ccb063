//! Waits until Vault has really applied a snapshot it accepted.
//!
//! Vault answers first and applies afterwards, for at least five seconds, during which its
//! leader answers nothing. *What counts*: the log's index has gone beyond both what it was
//! before and the snapshot's (Vault continues it there), and the leader serves requests, seen
//! twice so that nothing is concluded from the moment before it starts. *What also counts*, with
//! `force`: Vault is sealed, as it is when the snapshot has other unseal keys. Seen on Vault
//! 1.21.1; a node that fails to apply a snapshot seals itself too.

use std::time::Duration;

use sealift_function::{Error, Result, http};
use serde::Deserialize;
use vault_client::{Condition, Patience, health, leader, url};

/// Longer than a health check: the leader does not answer while it applies a snapshot.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an answer.
const ANSWER: usize = 16 * 1024;

/// How often in a row something must be seen.
const CONFIRMATIONS: u32 = 2;

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Vault runs with the restored data.
    Running,
    /// Vault has the data and waits for the unseal keys of the snapshot.
    Sealed,
}

/// One look at Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    /// No answer, or not one to conclude from.
    Nothing(String),
    /// Sealed, and will not unseal by itself.
    Sealed,
    /// The leader serves requests; how far its log is.
    Serving { index: Option<u64> },
}

/// Watches a Vault after a restore.
#[derive(Debug)]
pub(crate) struct Watch {
    before: Option<u64>,
    snapshot: u64,
    force: bool,
    /// What was concluded last, and how often in a row.
    concluded: Option<(Applied, u32)>,
}

impl Watch {
    /// `before` is the log's index before the restore, `snapshot` that of the snapshot.
    pub(crate) fn new(before: Option<u64>, snapshot: u64, force: bool) -> Self {
        Self { before, snapshot, force, concluded: None }
    }

    /// Waits for that long.
    pub(crate) fn wait(mut self, limit: Duration) -> Result<Applied> {
        let mut patience = Patience::of(limit);
        self.attempt(look, || patience.again(), limit)
    }

    fn attempt(
        &mut self,
        mut look: impl FnMut() -> Seen,
        mut again: impl FnMut() -> Result<bool>,
        limit: Duration,
    ) -> Result<Applied> {
        loop {
            let seen = look();
            if let Some(applied) = self.judge(&seen) {
                return self.accept(applied);
            }
            if !again()? {
                return Err(self.gave_up(&seen, limit));
            }
        }
    }

    /// Concludes, if it is certain enough.
    fn judge(&mut self, seen: &Seen) -> Option<Applied> {
        let now = match seen {
            Seen::Nothing(_) => None,
            Seen::Sealed => Some(Applied::Sealed),
            Seen::Serving { index } => self.went_on(*index).then_some(Applied::Running),
        };
        let times = match (self.concluded, now) {
            (Some((last, times)), Some(now)) if last == now => times + 1,
            _ => 1,
        };
        self.concluded = now.map(|now| (now, times));
        now.filter(|_| times >= CONFIRMATIONS)
    }

    fn went_on(&self, index: Option<u64>) -> bool {
        // Without an index, which only very old Vaults lack, serving requests must do.
        index.is_none_or(|index| {
            index >= self.snapshot && self.before.is_none_or(|before| index > before)
        })
    }

    fn accept(&self, applied: Applied) -> Result<Applied> {
        match applied {
            Applied::Running => Ok(applied),
            Applied::Sealed if self.force => Ok(applied),
            Applied::Sealed => Err(Error::ExternalFailed(
                "Vault sealed itself while it applied the snapshot; look into its log. Unseal it \
                 with its present keys; if it refuses them, restore with force set to true"
                    .to_owned(),
            )),
        }
    }

    fn gave_up(&self, seen: &Seen, limit: Duration) -> Error {
        let last = match seen {
            Seen::Nothing(what) => what.clone(),
            Seen::Sealed => "it is sealed".to_owned(),
            Seen::Serving { .. } => "it serves requests, but not yet with the snapshot".to_owned(),
        };
        let keys = if self.force {
            "; the unseal keys in their store are still the former ones, those of the snapshot \
             are in the repository"
        } else {
            ""
        };
        Error::ExternalFailed(format!(
            "Vault accepted the snapshot, but was not seen to have applied it after {} s \
             (waitTimeout): {last}{keys}",
            limit.as_secs()
        ))
    }
}

fn look() -> Seen {
    match health() {
        Err(error) => Seen::Nothing(error.to_string()),
        Ok(health) => match health.condition {
            Condition::Sealed if unseals_itself() => {
                Seen::Nothing("it is sealed and should unseal itself".to_owned())
            }
            Condition::Sealed => Seen::Sealed,
            condition if condition.is_ready() => serving(),
            condition => Seen::Nothing(format!("it is {condition}")),
        },
    }
}

/// A standby answers for itself while the leader is busy; a request that it must hand on to the
/// leader tells whether that one serves. What it answers does not matter, not even that the
/// token may not ask.
fn serving() -> Seen {
    match http::get(&url("/v1/sys/storage/raft/configuration")).timeout(TIMEOUT).send() {
        // The user granted less than the catalogue: the index must do.
        Err(Error::Denied(_)) => {}
        Err(error) => return Seen::Nothing(error.to_string()),
        Ok(answer) if answer.status() >= 500 => {
            return Seen::Nothing(format!("it answers requests with {}", answer.status()));
        }
        Ok(_) => {}
    }
    match leader() {
        Ok(leader) => Seen::Serving { index: leader.committed_index },
        Err(error) => Seen::Nothing(error.to_string()),
    }
}

#[derive(Deserialize)]
struct SealStatus {
    #[serde(rename = "type")]
    kind: String,
}

/// Whether a key management service unseals this Vault.
fn unseals_itself() -> bool {
    let Ok(answer) = http::get(&url("/v1/sys/seal-status")).timeout(TIMEOUT).send() else {
        return false;
    };
    serde_json::from_str::<SealStatus>(&answer.into_excerpt(ANSWER))
        .is_ok_and(|status| status.kind != "shamir")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn run(force: bool, looks: Vec<Seen>) -> Result<(Applied, usize)> {
        let mut left = looks.len();
        let mut looks = looks.into_iter();
        let mut count = 0;
        Watch::new(Some(2739), 2538, force)
            .attempt(
                || {
                    count += 1;
                    looks.next().unwrap()
                },
                || {
                    left -= 1;
                    Ok(left > 0)
                },
                Duration::from_secs(300),
            )
            .map(|applied| (applied, count))
    }

    fn at(index: u64) -> Seen {
        Seen::Serving { index: Some(index) }
    }

    fn nothing() -> Seen {
        Seen::Nothing("no answer in time".to_owned())
    }

    #[test]
    fn the_moment_before_vault_starts_is_not_taken_for_the_end() {
        let looks = vec![at(2739), nothing(), at(2745), at(2745)];
        assert_eq!(run(false, looks).unwrap(), (Applied::Running, 4));
        // Other clients wrote meanwhile, so that the index went on before Vault began.
        let looks = vec![at(2741), nothing(), at(2747), at(2747)];
        assert_eq!(run(false, looks).unwrap(), (Applied::Running, 4));
    }

    #[test]
    fn a_vault_with_other_keys_is_sealed_and_that_is_success_with_force() {
        let looks = vec![nothing(), Seen::Sealed, Seen::Sealed];
        assert_eq!(run(true, looks.clone()).unwrap(), (Applied::Sealed, 3));
        let error = run(false, looks).unwrap_err();
        assert!(error.to_string().starts_with("Vault sealed itself"), "{error}");
    }

    #[test]
    fn an_index_behind_the_snapshot_s_is_not_the_end() {
        let mut watch = Watch::new(Some(10), 2538, false);
        assert_eq!([watch.judge(&at(20)), watch.judge(&at(20))], [None, None]);
        assert_eq!(
            [watch.judge(&at(2540)), watch.judge(&at(2540))],
            [None, Some(Applied::Running)]
        );
    }

    #[test]
    fn what_was_seen_last_is_said_when_patience_ends() {
        let error = run(false, vec![at(2739), nothing()]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Vault accepted the snapshot, but was not seen to have applied it after 300 s \
             (waitTimeout): no answer in time"
        );
        let error = run(true, vec![at(2739)]).unwrap_err();
        assert!(
            error.to_string().ends_with("those of the snapshot are in the repository"),
            "{error}"
        );
    }
}
