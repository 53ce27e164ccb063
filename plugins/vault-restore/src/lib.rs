//! The sink of a Vault restore: gives a Raft snapshot back, and with `force` the unseal keys.
//!
//! *Flow*: keys (they come first) are put aside, which checks names and the right to write →
//! wait until Vault is ready → ask whether it would take a snapshot → stream `backup.snap`,
//! verifying it; on a defect Vault never gets its end → wait until Vault has really applied it →
//! write the keys.
//! *Guarantees*: everything that can be checked is checked before Vault is changed; a damaged
//! snapshot changes nothing; success means that Vault was seen to pause and then with the
//! restored data, or, with `force`, that it is sealed; an error after Vault accepted the
//! snapshot says so.
//! *Caveat*: with `force` the keys in their store are replaced once Vault is sealed, or silent
//! after it accepted the snapshot; the host keeps the former ones, and they may still be the right
//! ones: a Vault that failed to apply a snapshot is sealed too.

mod acceptance;
mod applied;
mod keys;
mod look;
mod names;
mod parameters;
mod preflight;
mod submit;

use sealift_function::{Artifact, Error, Header, Result, Sink, Upstream, export, progress};

use acceptance::Acceptance;
use applied::{Applied, Unknown, Watch};
use keys::Keys;
use look::Unsealer;
pub use parameters::{Parameters, UnsealKeys};

/// Name of the snapshot among the artifacts, as the original has it.
const SNAPSHOT: &str = "backup.snap";

/// Restores a Vault.
#[derive(Debug)]
pub struct VaultRestore;

impl Sink for VaultRestore {
    type Parameters = Parameters;

    fn run(parameters: Parameters, upstream: Upstream) -> Result<()> {
        let mut acceptance = Acceptance::new(&parameters);
        let result = run(&parameters, upstream, &mut acceptance);
        let result = acceptance.explain(result);
        if let Some(text) = acceptance.warning(&result) {
            progress::warn(text);
        }
        result
    }
}

fn run(parameters: &Parameters, upstream: Upstream, acceptance: &mut Acceptance) -> Result<()> {
    let mut keys = Keys::new(parameters)?;
    let mut restored = None;
    for artifact in upstream {
        let Artifact { header, body } = artifact?;
        if header.name == SNAPSHOT && restored.is_none() {
            keys.check_complete()?;
            match restore(parameters, &header, body, acceptance)? {
                (unsealer, Ok(applied)) => restored = Some((applied, unsealer)),
                (_, Err(unknown)) => return Err(keys.commit_after(unknown, acceptance)),
            }
        } else if restored.is_some() && parameters.writes_keys() {
            return Err(Error::InvalidState(format!(
                "{} came after {SNAPSHOT}; keys must come before it, so that they are checked \
                 before Vault is changed",
                header.name
            )));
        } else {
            keys.take(&header.name, body)?;
        }
    }
    let (applied, unsealer) = restored.ok_or_else(|| {
        Error::DataLossRisk(format!(
            "there is no {SNAPSHOT} in this snapshot, so nothing was restored"
        ))
    })?;
    keys.commit(applied, &unsealer)
}

fn restore(
    parameters: &Parameters,
    header: &Header,
    body: sealift_function::Body,
    acceptance: &mut Acceptance,
) -> Result<(Unsealer, Result<Applied, Unknown>)> {
    let limit = parameters.patience();
    progress::phase("waiting for Vault");
    vault_client::wait_until_ready(limit)?;
    preflight::check(parameters.force)?;
    let before = vault_client::leader()?.committed_index;
    let unsealer = look::unsealer();
    progress::phase("restoring the snapshot");
    if let Some(size) = header.size {
        progress::total(size);
    }
    let index = submit::send(parameters.force, header.size, body, acceptance)?;
    progress::phase("Vault accepted the snapshot; waiting until it has applied it");
    let watch = Watch::new(before, index, parameters.force);
    let applied = watch.unsealed_by_hand(unsealer == Unsealer::Keys).wait(limit);
    Ok((unsealer, applied))
}

export!(sink, VaultRestore);
