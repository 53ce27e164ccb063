//! Asks whether Vault would take a snapshot, before it gets one.
//!
//! An empty request changes nothing: Vault checks the token, a standby redirects to the leader
//! (which the host remembers, and which it could not do with a streamed body), and the leader
//! answers that it cannot decompress nothing. It leaves one line in Vault's log.

use std::time::Duration;

use sealift_function::{Result, http};
use vault_client::{Refusal, refusal, url};

/// Nothing has to be done for the answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of the answer.
const ANSWER: usize = 16 * 1024;

/// The path of Vault's API without `/v1/`.
pub(crate) fn path(force: bool) -> &'static str {
    if force { "sys/storage/raft/snapshot-force" } else { "sys/storage/raft/snapshot" }
}

/// What the token must be allowed.
pub(crate) fn policy(force: bool) -> String {
    format!(r#"path "{}" {{ capabilities = ["update"] }}"#, path(force))
}

/// Fails if Vault would not take a snapshot.
pub(crate) fn check(force: bool) -> Result<()> {
    let answer = http::post(&url(&format!("/v1/{}", path(force)))).timeout(TIMEOUT).send()?;
    let status = answer.status();
    let refusal = refusal(status, &answer.into_excerpt(ANSWER));
    if would_take(&refusal) {
        return Ok(());
    }
    Err(refusal.into_policy_error(path(force), &policy(force)))
}

/// Any answer to the empty body but a refusal to look at it.
fn would_take(refusal: &Refusal) -> bool {
    match refusal.status {
        400 | 500 => {
            let message = refusal.message.to_lowercase();
            ["decompress", "eof", "gzip", "snapshot file"].iter().any(|sign| message.contains(sign))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_complaint_about_the_empty_body_is_good() {
        let answer = |status, text: &str| would_take(&refusal(status, text));
        let empty =
            "{\"errors\":[\"1 error occurred:\\n\\t* failed to decompress snapshot: EOF\\n\\n\"]}";
        assert!(answer(500, empty));
        assert!(!answer(403, r#"{"errors":["permission denied"]}"#));
        assert!(!answer(400, r#"{"errors":["raft storage is not in use"]}"#));
        assert!(!answer(503, r#"{"errors":["Vault is sealed"]}"#));
    }

    #[test]
    fn the_policy_names_the_path_of_the_restore() {
        assert_eq!(
            policy(true),
            r#"path "sys/storage/raft/snapshot-force" { capabilities = ["update"] }"#
        );
    }
}
