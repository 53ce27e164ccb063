//! One look at a Vault that is applying a snapshot. What follows from several is `applied`'s.
//!
//! An answer that cannot be understood is never a state: it is [`Seen::Nothing`].

use std::time::Duration;

use sealift_function::{Error, Result, http, session};
use serde::Deserialize;
use vault_client::{Condition, health_within, leader_within, url};

/// A Vault that serves answers at once; one that applies a snapshot is silent for five seconds
/// and more, and then answers what it was asked meanwhile: who waits that long misses the
/// silence. Also less than what the host leaves a cancelled Function to say its last word.
const TIMEOUT: Duration = Duration::from_millis(1500);

/// Most bytes of an answer.
const ANSWER: usize = 16 * 1024;

/// Most letters of a service's name: what is told ends after 1024.
const SERVICE: usize = 32;

/// Who unseals a Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsealer {
    /// Somebody with the keys: it stays sealed until they come.
    Keys,
    /// A service that holds the key to it and that Vault asks by itself, such as `awskms`.
    Service(String),
    /// It did not say.
    Unknown,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// No answer, or not one to conclude from.
    Nothing(String),
    /// Nobody listens at its address.
    Refused,
    /// Sealed, and will not unseal by itself.
    Sealed,
    /// The leader serves requests.
    Serving {
        /// How far its log is.
        index: Option<u64>,
    },
}

/// Looks once.
pub(crate) fn look() -> Seen {
    match health_within(TIMEOUT) {
        _ if session::cancelled() => cancelled(),
        Err(error) => unanswered(&error),
        Ok(health) => match health.condition {
            Condition::Sealed => sealed(seal_status()),
            condition if condition.is_ready() => serving(),
            condition => Seen::Nothing(format!("it is {condition}")),
        },
    }
}

/// Nobody listens where a Service leads to the active node only and there is none.
fn unanswered(error: &Error) -> Seen {
    match error {
        Error::Retryable { message, .. } if message.ends_with("connection refused") => {
            Seen::Refused
        }
        error => Seen::Nothing(error.to_string()),
    }
}

/// Who unseals this Vault.
pub(crate) fn unsealer() -> Unsealer {
    seal_status().map_or(Unsealer::Unknown, |status| unsealer_of(&status))
}

fn unsealer_of(status: &str) -> Unsealer {
    match serde_json::from_str::<SealStatus>(status) {
        Ok(SealStatus { kind, .. }) if kind == "shamir" => Unsealer::Keys,
        Ok(SealStatus { kind, .. }) if !kind.is_empty() => {
            Unsealer::Service(kind.chars().take(SERVICE).collect())
        }
        Ok(_) | Err(_) => Unsealer::Unknown,
    }
}

/// A standby answers for itself while the leader is busy; a request that it must hand on to the
/// leader tells whether that one serves. What it answers does not matter, not even that the
/// token may not ask.
fn serving() -> Seen {
    let answer = http::get(&url("/v1/sys/storage/raft/configuration")).timeout(TIMEOUT).send();
    if let Some(why) = busy(answer.map(|answer| answer.status())) {
        return Seen::Nothing(why);
    }
    if session::cancelled() {
        return cancelled();
    }
    match leader_within(TIMEOUT) {
        Ok(leader) => Seen::Serving { index: leader.committed_index },
        Err(error) => Seen::Nothing(error.to_string()),
    }
}

/// Why the leader does not serve, from the status of its answer.
fn busy(status: Result<u16>) -> Option<String> {
    match status {
        // The user granted less than the catalogue: the index must do.
        Err(Error::Denied(_)) => None,
        Err(error) => Some(error.to_string()),
        Ok(status) if status >= 500 => Some(format!("it answers requests with {status}")),
        Ok(_) => None,
    }
}

/// There is no time for the rest of the look.
fn cancelled() -> Seen {
    Seen::Nothing("the session was cancelled".to_owned())
}

#[derive(Deserialize)]
struct SealStatus {
    #[serde(rename = "type")]
    kind: String,
    sealed: bool,
}

fn seal_status() -> Result<String> {
    let answer = http::get(&url("/v1/sys/seal-status")).timeout(TIMEOUT).send()?;
    Ok(answer.into_excerpt(ANSWER))
}

/// A Vault that says to be sealed: for good only if nothing else unseals it.
fn sealed(status: Result<String>) -> Seen {
    let nothing = |why: String| Seen::Nothing(format!("it is sealed; {why}"));
    let status = match status {
        Ok(body) => serde_json::from_str::<SealStatus>(&body),
        Err(error) => return nothing(error.to_string()),
    };
    match status {
        Ok(SealStatus { sealed: false, .. }) => nothing("somebody is unsealing it".to_owned()),
        Ok(SealStatus { kind, .. }) if kind == "shamir" => Seen::Sealed,
        Ok(SealStatus { kind, .. }) => nothing(format!(
            "{kind} should unseal it, and can only with the key of the Vault that was backed up"
        )),
        Err(error) => nothing(format!("the answer of sys/seal-status cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_answers_with_its_own_failure_serves_nobody() {
        for (status, serves) in [(200, true), (403, true), (404, true), (500, false), (503, false)]
        {
            assert_eq!(busy(Ok(status)).is_none(), serves, "{status}");
        }
        assert_eq!(busy(Err(Error::Denied("GET is not granted".to_owned()))), None);
        assert_eq!(busy(Err(Error::retryable("no answer"))), Some("no answer".to_owned()));
    }

    #[test]
    fn only_a_refused_connection_means_that_nobody_listens() {
        let refused = Error::retryable("connection refused").context("GET /v1/sys/health");
        assert_eq!(unanswered(&refused), Seen::Refused);
        for other in [Error::retryable("no answer in time"), Error::Denied("refused".to_owned())] {
            assert_eq!(unanswered(&other), Seen::Nothing(other.to_string()));
        }
    }

    #[test]
    fn who_unseals_a_vault_is_what_it_says_itself() {
        let of = |kind: &str| unsealer_of(&format!(r#"{{"type":"{kind}","sealed":false}}"#));
        assert_eq!(of("shamir"), Unsealer::Keys);
        assert_eq!(of("awskms"), Unsealer::Service("awskms".to_owned()));
        assert_eq!(of(&"x".repeat(9000)), Unsealer::Service("x".repeat(SERVICE)));
        for unknown in
            ["", r#"{"errors":[]}"#, "<html>bad gateway", r#"{"type":"","sealed":false}"#]
        {
            assert_eq!(unsealer_of(unknown), Unsealer::Unknown, "{unknown}");
        }
    }

    #[test]
    fn only_vault_s_own_word_makes_it_sealed_for_good() {
        let shamir = r#"{"type":"shamir","initialized":true,"sealed":true,"t":3,"n":5}"#;
        assert_eq!(sealed(Ok(shamir.to_owned())), Seen::Sealed);
        for (status, why) in [
            (Err(Error::retryable("no answer in time")), "no answer in time"),
            (Err(Error::Denied("GET is not granted".to_owned())), "GET is not granted"),
            (Ok(String::new()), "cannot be read"),
            (Ok("<html>bad gateway".to_owned()), "cannot be read"),
            (Ok(r#"{"errors":[]}"#.to_owned()), "cannot be read"),
            (Ok(r#"{"type":"awskms","sealed":true}"#.to_owned()), "awskms should unseal it"),
            (Ok(r#"{"type":"shamir","sealed":false}"#.to_owned()), "is unsealing it"),
        ] {
            let seen = sealed(status);
            assert!(
                matches!(&seen, Seen::Nothing(text)
                    if text.starts_with("it is sealed; ") && text.contains(why)),
                "{why}: {seen:?}"
            );
        }
    }
}
