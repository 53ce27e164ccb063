//! How large a repository is.

use rustic_core::repofile::FileType;

use crate::{Error, Repository};

/// How large a repository is, as it lies in the storage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Snapshots.
    pub snapshots: u64,
    /// Bytes of all its files.
    pub stored_bytes: u64,
    /// Packs.
    pub packs: u64,
    /// Bytes of the packs, what restic calls raw data.
    pub pack_bytes: u64,
}

impl Repository {
    /// Counts the files of the repository; reads none.
    ///
    /// # Errors
    /// The storage failed.
    pub fn statistics(&self) -> Result<Statistics, Error> {
        let gate = self.shut_gate();
        let engine = self.engine(&gate)?;
        let infos = gate.run("counting the repository's files", || engine.infos_files())?;
        let mut statistics = Statistics::default();
        for info in infos.repo {
            statistics.stored_bytes += info.size;
            match info.tpe {
                FileType::Snapshot => statistics.snapshots = info.count,
                FileType::Pack => {
                    statistics.packs = info.count;
                    statistics.pack_bytes = info.size;
                }
                FileType::Config | FileType::Index | FileType::Key => {}
            }
        }
        Ok(statistics)
    }
}
