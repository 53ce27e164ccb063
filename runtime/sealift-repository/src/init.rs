//! Makes a repository, in an empty place only.
//!
//! Format v2; chunks as asked for; packs of 16 MiB that do not grow with the repository, so that
//! memory, which holds whole packs, stays flat.

use std::sync::Arc;

use bytesize::ByteSize;
use rustic_core::repofile::FileType;
use rustic_core::{
    ConfigOptions, Credentials, KeyOptions, ReadBackend, RepositoryBackends, RepositoryOptions,
    WriteBackend,
};

use crate::gate::Gate;
use crate::{Chunks, Error, Secrets};

const PACK_SIZE: u64 = 16 << 20;
const TREE_PACK_SIZE: u64 = 4 << 20;

/// Writes key and configuration of a new repository.
pub(crate) fn create(gate: &Arc<Gate>, secrets: &Secrets, chunks: Chunks) -> Result<(), Error> {
    let operation = "making the repository";
    if !gate.run(operation, || gate.list(FileType::Config))?.is_empty() {
        return Err(Error::Exists { location: gate.location() });
    }
    // A storage that could not show its config file must not get a second one: keys or data
    // without a config are a damaged repository, or a listing that hides things.
    gate.run(operation, || gate.create())?;
    for (kind, name) in [
        (FileType::Pack, "pack"),
        (FileType::Index, "index"),
        (FileType::Snapshot, "snapshot"),
        (FileType::Key, "key"),
    ] {
        let count = gate.run(operation, || gate.list(kind))?.len();
        if count > 0 {
            let remedy = if kind == FileType::Key {
                "; an interrupted init leaves a key: if there never was a repository, remove the folder keys"
            } else {
                "; its config may have been lost"
            };
            return Err(Error::Foreign {
                location: gate.location(),
                found: format!("{count} {name} files and no config{remedy}"),
            });
        }
    }
    gate.run(operation, || {
        rustic_core::Repository::new(
            &RepositoryOptions::default().no_cache(true),
            &RepositoryBackends::new(gate.clone(), None),
        )?
        .init(
            &Credentials::password(secrets.password.as_str()),
            &KeyOptions::default(),
            &config(chunks),
        )
    })?;
    Ok(())
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
