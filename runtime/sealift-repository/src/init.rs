//! Makes a repository, in an empty place only.
//!
//! Format v2; chunks as asked for; packs of 16 MiB that do not grow with the repository, so that
//! memory, which holds whole packs, stays flat. Of two that make the same repository at once one
//! wins, because a config file is created and never replaced; the other is told and takes its key
//! back.

use std::sync::Arc;

use bytesize::ByteSize;
use jiff::{SignedDuration, Timestamp};
use rustic_core::repofile::FileType;
use rustic_core::{
    ConfigOptions, Credentials, KeyOptions, ReadBackend, RepositoryBackends, RepositoryOptions,
    WriteBackend,
};
use serde::Deserialize;

use crate::gate::Gate;
use crate::{Chunks, Error, Options, Secrets, StorageError};

const PACK_SIZE: u64 = 16 << 20;
const TREE_PACK_SIZE: u64 = 4 << 20;

/// Writes key and configuration of a new repository.
pub(crate) fn create(gate: &Arc<Gate>, secrets: &Secrets, options: &Options) -> Result<(), Error> {
    let operation = "making the repository";
    if !gate.run(operation, || gate.list(FileType::Config))?.is_empty() {
        return Err(Error::Exists { location: gate.location() });
    }
    // A storage that could not show its config file must not get a second one: keys or data
    // without a config are a damaged repository, or a listing that hides things.
    gate.run(operation, || gate.create())?;
    for (kind, name) in
        [(FileType::Pack, "pack"), (FileType::Index, "index"), (FileType::Snapshot, "snapshot")]
    {
        let count = gate.run(operation, || gate.list(kind))?.len();
        if count > 0 {
            return Err(Error::Foreign {
                location: gate.location(),
                found: format!("{count} {name} files and no config; its config may have been lost"),
            });
        }
    }
    clear_keys(gate, options)?;
    let made = gate.run(operation, || {
        rustic_core::Repository::new(
            &RepositoryOptions::default().no_cache(true),
            &RepositoryBackends::new(gate.clone(), None),
        )?
        .init(
            &Credentials::password(secrets.password.as_str()),
            &KeyOptions::default().hostname(hostname()).with_created(true),
            &config(options.chunks),
        )
    });
    match made {
        Err(Error::Storage { source: StorageError::Exists { .. }, .. }) => {
            // Another session was faster; its config stands. Our key opens nothing, but whoever
            // has the same password could be given it before the right one.
            if let Some(id) = gate.key() {
                let removed = gate.run(operation, || gate.remove(FileType::Key, &id, false));
                if let Err(error) = removed {
                    tracing::warn!(
                        key = id.to_hex().as_str(),
                        error = %error.chain(),
                        "a key that opens nothing could not be removed; remove its file by hand"
                    );
                }
            }
            Err(Error::Exists { location: gate.location() })
        }
        made => made.map(drop),
    }
}

/// Removes the key that an init left which was broken off between key and config.
///
/// There is no config, no data, no index and no snapshot here: nothing was ever encrypted with
/// it. The danger is another session that is making the repository just now and would lose its
/// key. So the caller must hold the repository alone, which excludes sessions of this machine,
/// and a key of another machine must be old.
fn clear_keys(gate: &Arc<Gate>, options: &Options) -> Result<(), Error> {
    let operation = "making the repository";
    for id in gate.run(operation, || gate.list(FileType::Key))? {
        let bytes = gate.run(operation, || gate.read_full(FileType::Key, &id))?;
        let origin: KeyOrigin = serde_json::from_slice(&bytes).unwrap_or_default();
        if !(options.alone && origin.is_dead(&hostname(), Timestamp::now())) {
            return Err(Error::Foreign {
                location: gate.location(),
                found: "a key and no config; an interrupted init leaves a key: try again in an \
                        hour, or, if there never was a repository, remove the folder keys"
                    .to_owned(),
            });
        }
        gate.run(operation, || gate.remove(FileType::Key, &id, false))?;
        tracing::warn!(
            location = gate.location(),
            "removed the key of an init that was broken off"
        );
    }
    Ok(())
}

/// Who made a key and when; a key file shows it in the clear.
#[derive(Default, Deserialize)]
struct KeyOrigin {
    #[serde(default)]
    hostname: Option<String>,
    #[serde(default)]
    created: Option<Timestamp>,
}

impl KeyOrigin {
    /// Whether the init that made it cannot be running any more. An init takes seconds; an hour
    /// leaves room for clocks that disagree.
    fn is_dead(&self, here: &str, now: Timestamp) -> bool {
        let old = self
            .created
            .is_some_and(|created| now.duration_since(created) > SignedDuration::from_hours(1));
        old || self.hostname.as_deref() == Some(here)
    }
}

fn hostname() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

fn config(chunks: Chunks) -> ConfigOptions {
    let average = chunks.average();
    ConfigOptions::default()
        .set_version(2)
        .set_datapack_size(ByteSize::b(PACK_SIZE))
        .set_datapack_growfactor(0)
        .set_treepack_size(ByteSize::b(TREE_PACK_SIZE))
        .set_treepack_growfactor(0)
        .set_chunk_size(ByteSize::b(average))
        // The proportions of restic's own 512 KiB, 1 MiB, 8 MiB.
        .set_chunk_min_size(ByteSize::b(average / 2))
        .set_chunk_max_size(ByteSize::b(average * 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_of_this_machine_or_an_old_one_is_cleared_away() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24);
        let key = |hostname: Option<&str>, hours: Option<i64>| KeyOrigin {
            hostname: hostname.map(str::to_owned),
            created: hours.map(|hours| now - SignedDuration::from_hours(hours)),
        };
        assert!(key(Some("here"), Some(0)).is_dead("here", now));
        assert!(key(Some("there"), Some(2)).is_dead("here", now));
        assert!(!key(Some("there"), Some(0)).is_dead("here", now));
        assert!(!key(None, None).is_dead("here", now));
    }
}
