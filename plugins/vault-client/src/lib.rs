//! What `vault-snapshot` and `vault-restore` ask of a Vault: is it ready, who leads, why does it
//! refuse, and which unseal keys belong to it.
//!
//! All requests go to the origin `target`; address, certificate and token are the host's.
//! Judging an answer is pure and tested natively; asking is a few lines around it. It does not
//! look into snapshots: that is `vault-archive`.

mod health;
mod keys;
mod leader;
mod refusal;
mod wait;

pub use health::{Condition, Health, health, health_within};
pub use keys::key_names;
pub use leader::{Leader, leader, leader_within};
pub use refusal::{Refusal, refusal};
pub use wait::{Patience, wait_until_ready};

/// The origin the plan binds to the target.
const TARGET: &str = "http://target";

/// Most bytes of an answer that is not a snapshot.
const SMALL_ANSWER: usize = 64 * 1024;

/// The URL of a path of Vault's API.
#[must_use]
pub fn url(path: &str) -> String {
    format!("{TARGET}{path}")
}
