//! Snapshots as they lie in a repository, whoever wrote them.

use jiff::{Timestamp, Zoned};
use rustic_core::TreeId;
use rustic_core::repofile::{DeleteOption, SnapshotFile, SnapshotId};

use crate::{Error, Repository};

/// A snapshot, without its content.
#[derive(Debug, Clone)]
pub struct SnapshotInfo {
    /// Full identifier, 64 hexadecimal digits.
    pub id: String,
    /// When it was made, with the offset it was written with.
    pub time: Zoned,
    /// Whose data it holds.
    pub hostname: String,
    /// The folders it holds, absolute, sorted.
    pub paths: Vec<String>,
    /// Tags, sorted; those that begin with `sealift.` are ours.
    pub tags: Vec<String>,
    /// Label; restic has none.
    pub label: Option<String>,
    /// Description; restic has none.
    pub description: Option<String>,
    /// What its backup counted; old versions of restic wrote none.
    pub summary: Option<SnapshotSummary>,
    pub(crate) file_id: SnapshotId,
    pub(crate) tree: TreeId,
    pub(crate) hold: Hold,
}

/// What the backup of a snapshot counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotSummary {
    /// Files in it.
    pub files: u64,
    /// Bytes of its files.
    pub total_bytes: u64,
    /// Bytes that were new, before compression.
    pub added_bytes: u64,
}

/// Whether rustic was told to keep a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    No,
    Forever,
    Until(Timestamp),
}

impl From<SnapshotFile> for SnapshotInfo {
    fn from(file: SnapshotFile) -> Self {
        Self {
            id: file.id.to_hex().as_str().to_owned(),
            hold: match &file.delete {
                DeleteOption::NotSet => Hold::No,
                DeleteOption::Never => Hold::Forever,
                DeleteOption::After(time) => Hold::Until(time.timestamp()),
            },
            time: file.time,
            hostname: file.hostname,
            paths: file.paths.iter().cloned().collect(),
            tags: file.tags.iter().filter(|tag| !tag.is_empty()).cloned().collect(),
            label: (!file.label.is_empty()).then_some(file.label),
            description: file.description,
            summary: file.summary.map(|summary| SnapshotSummary {
                files: summary.total_files_processed,
                total_bytes: summary.total_bytes_processed,
                added_bytes: summary.data_added,
            }),
            file_id: file.id,
            tree: file.tree,
        }
    }
}

impl Repository {
    /// All snapshots, oldest first.
    ///
    /// # Errors
    /// One of them cannot be read, or the storage failed. A part of the list is never returned.
    pub fn snapshots(&self) -> Result<Vec<SnapshotInfo>, Error> {
        let gate = self.shut_gate();
        let engine = self.engine(&gate)?;
        let files = gate.run("reading the snapshots", || engine.get_all_snapshots())?;
        let mut snapshots: Vec<SnapshotInfo> = files.into_iter().map(SnapshotInfo::from).collect();
        snapshots.sort_by(|one, two| {
            one.time.timestamp().cmp(&two.time.timestamp()).then_with(|| one.id.cmp(&two.id))
        });
        Ok(snapshots)
    }
}
