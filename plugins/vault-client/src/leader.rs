//! `sys/leader`: who leads, and how far its log is.
//!
//! A standby answers a request for a snapshot with a redirect to the leader, which the host
//! follows; without a leader there is nothing to follow, and the request would fail with less
//! to say.

use std::time::Duration;

use sealift_function::{Error, Result, http};
use serde::Deserialize;

use crate::refusal::refusal;
use crate::{SMALL_ANSWER, url};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Answer of `sys/leader`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// Its API address, as it advertises it.
    pub address: String,
    /// Index of the last entry of the log the cluster agreed on.
    pub committed_index: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    ha_enabled: bool,
    #[serde(default)]
    leader_address: String,
    raft_committed_index: Option<u64>,
}

impl Leader {
    fn judge(body: &[u8]) -> Result<Self> {
        let answer: Answer = serde_json::from_slice(body).map_err(|error| {
            Error::ExternalFailed(format!("the answer of sys/leader cannot be read: {error}"))
        })?;
        if answer.ha_enabled && answer.leader_address.is_empty() {
            return Err(Error::retryable(
                "the cluster has no leader at the moment; check that most of its nodes are unsealed",
            ));
        }
        Ok(Self {
            address: answer.leader_address,
            committed_index: answer.raft_committed_index.filter(|index| *index > 0),
        })
    }
}

/// Asks once.
///
/// # Errors
/// There was no answer, or there is no leader.
pub fn leader() -> Result<Leader> {
    leader_within(TIMEOUT)
}

/// Asks once, for a caller that must not wait as long as [`leader`] does.
///
/// # Errors
/// There was no answer in that time, or there is no leader.
pub fn leader_within(timeout: Duration) -> Result<Leader> {
    let answer = http::get(&url("/v1/sys/leader")).timeout(timeout).send()?;
    let status = answer.status();
    let success = answer.is_success();
    let body = answer.into_excerpt(SMALL_ANSWER);
    if success {
        Leader::judge(body.as_bytes())
    } else {
        Err(refusal(status, &body).into_error("sys/leader"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn leader_and_index_are_read() {
        let body = br#"{"ha_enabled":true,"is_self":true,"leader_address":"http://10.0.0.1:8200",
            "raft_committed_index":2745,"raft_applied_index":2745}"#;
        let expected =
            Leader { address: "http://10.0.0.1:8200".to_owned(), committed_index: Some(2745) };
        assert_eq!(Leader::judge(body).unwrap(), expected);
        // Of a storage that is not Raft.
        let body = br#"{"ha_enabled":false,"raft_committed_index":0}"#;
        assert_eq!(Leader::judge(body).unwrap().committed_index, None);
    }

    #[test]
    fn no_leader_can_be_tried_again() {
        let error = Leader::judge(br#"{"ha_enabled":true,"leader_address":""}"#).unwrap_err();
        assert!(matches!(error, Error::Retryable { .. }), "{error:?}");
    }
}
