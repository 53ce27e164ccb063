//! `sys/health`: the one question Vault answers to anybody, in any state.

use std::fmt;
use std::time::Duration;

use sealift_function::{Result, http};
use serde::Deserialize;

use crate::{SMALL_ANSWER, url};

/// How long an answer may take. Vault answers at once, except while it applies a snapshot.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What state a Vault is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Unsealed, and the leader.
    Active,
    /// Unsealed, and follows a leader.
    Standby,
    /// Unsealed, but its cluster has no leader.
    Leaderless,
    /// A disaster-recovery secondary, which serves no snapshot.
    RecoverySecondary,
    /// Sealed.
    Sealed,
    /// Never initialised.
    Uninitialised,
    /// Removed from its cluster.
    Removed,
    /// Not an answer of Vault.
    Unknown(u16),
}

impl Condition {
    /// Whether it can serve or take a snapshot, itself or through its leader.
    #[must_use]
    pub fn is_ready(self) -> bool {
        matches!(self, Self::Active | Self::Standby)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("active"),
            Self::Standby => f.write_str("standby"),
            Self::Leaderless => f.write_str("without a leader"),
            Self::RecoverySecondary => f.write_str("a disaster-recovery secondary"),
            Self::Sealed => f.write_str("sealed"),
            Self::Uninitialised => f.write_str("not initialised"),
            Self::Removed => f.write_str("removed from its cluster"),
            Self::Unknown(status) => write!(f, "answering sys/health with status {status}"),
        }
    }
}

/// Answer of `sys/health`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Its state.
    pub condition: Condition,
    /// Its version, such as `1.21.1`.
    pub version: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    initialized: Option<bool>,
    sealed: Option<bool>,
    standby: Option<bool>,
    version: Option<String>,
}

impl Health {
    /// Reads an answer. The body counts where it says something: a proxy in between may have
    /// changed the status, and `sys/health?…code=` may be set in an address.
    pub(crate) fn judge(status: u16, body: &[u8]) -> Self {
        let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
        let condition = match (status, &answer) {
            (530, _) => Condition::Removed,
            (472, _) => Condition::RecoverySecondary,
            (_, Answer { initialized: Some(false), .. }) => Condition::Uninitialised,
            (_, Answer { sealed: Some(true), .. }) => Condition::Sealed,
            (_, Answer { sealed: Some(false), standby: Some(true), .. }) => Condition::Standby,
            (_, Answer { sealed: Some(false), .. }) => Condition::Active,
            (501, _) => Condition::Uninitialised,
            (status, _) => Condition::Unknown(status),
        };
        Self { condition, version: answer.version }
    }
}

/// Asks once.
///
/// # Errors
/// There was no answer.
pub fn health() -> Result<Health> {
    health_within(TIMEOUT)
}

/// Asks once, for a caller that must not wait as long as [`health`] does.
///
/// # Errors
/// There was no answer in that time.
pub fn health_within(timeout: Duration) -> Result<Health> {
    let answer = http::get(&url("/v1/sys/health")).timeout(timeout).send()?;
    let status = answer.status();
    Ok(Health::judge(status, answer.into_excerpt(SMALL_ANSWER).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(status: u16, body: &str) -> Condition {
        Health::judge(status, body.as_bytes()).condition
    }

    #[test]
    fn every_answer_of_vault_is_told_apart() {
        let active = r#"{"initialized":true,"sealed":false,"standby":false,"version":"1.21.1"}"#;
        assert_eq!(
            Health::judge(200, active.as_bytes()),
            Health { condition: Condition::Active, version: Some("1.21.1".to_owned()) }
        );
        let standby = r#"{"initialized":true,"sealed":false,"standby":true}"#;
        assert_eq!(condition(429, standby), Condition::Standby);
        assert_eq!(condition(473, standby), Condition::Standby);
        assert_eq!(condition(472, standby), Condition::RecoverySecondary);
        let sealed = r#"{"initialized":true,"sealed":true,"standby":true}"#;
        assert_eq!(condition(503, sealed), Condition::Sealed);
        let fresh = r#"{"initialized":false,"sealed":true,"standby":true}"#;
        assert_eq!(condition(501, fresh), Condition::Uninitialised);
        assert_eq!(condition(530, sealed), Condition::Removed);
    }

    #[test]
    fn an_answer_of_something_else_is_not_taken_for_a_vault() {
        assert_eq!(condition(200, "<html>welcome</html>"), Condition::Unknown(200));
        assert_eq!(condition(503, "no healthy upstream"), Condition::Unknown(503));
        assert!(!condition(200, "{}").is_ready());
    }
}
