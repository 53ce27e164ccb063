//! The source of a Vault backup: a Raft snapshot, and the target's unseal keys and root token.
//!
//! *Flow*: wait until Vault is unsealed and has a leader → stream the snapshot,
//! verifying it to its last byte and re-wrapping it so that it deduplicates → artifact
//! `backup.snap` → one artifact per key, which the host moves by itself.
//! *Guarantee*: `backup.snap` is finished only when the snapshot is complete and every checksum
//! agrees. The token and the keys never enter this component.

mod keys;
mod parameters;
mod snapshot;

use std::time::Duration;

use sealift_function::{Downstream, Result, Source, export, progress};

pub use parameters::{Parameters, UnsealKeys};

/// Takes a backup of a Vault.
#[derive(Debug)]
pub struct VaultSnapshot;

impl Source for VaultSnapshot {
    type Parameters = Parameters;

    fn run(parameters: Parameters, mut downstream: Downstream) -> Result<()> {
        // Asked first: a target without keys fails before anything is done.
        let keys = match parameters.unseal_keys {
            UnsealKeys::Include => vault_client::key_names()?,
            UnsealKeys::Omit => Vec::new(),
        };
        progress::phase("waiting for Vault");
        let limit = Duration::from_secs(parameters.wait_timeout);
        let health = vault_client::wait_until_ready(limit)?;
        progress::phase("taking the snapshot");
        snapshot::send(&mut downstream, health.version.as_deref())?;
        if !keys.is_empty() {
            progress::phase("copying the unseal keys");
            keys::send(&mut downstream, &keys)?;
        }
        Ok(())
    }
}

export!(source, VaultSnapshot);
