//! Removes data no snapshot uses, in two phases.
//!
//! A pack nobody uses is first only marked, in the index, and removed by a run at least 23 hours
//! later; if a snapshot uses it again by then, it comes back. So a backup that ran meanwhile, or a
//! list of snapshots that was cut short, loses nothing. Immediate deletion is not offered.

use std::collections::BTreeSet;

use jiff::{Span, Timestamp};
use rustic_core::repofile::FileType;
use rustic_core::{Id, PruneOptions, PruneStats, ReadBackend};

use crate::{Error, Repository};

/// Hours a pack stays after it was marked: rustic's own; a backup must end before (20 hours at most).
pub const KEEP_DELETE_HOURS: i64 = 23;

/// What prune found and did, or on a dry run would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Blobs that snapshots use.
    pub used: Amount,
    /// Blobs nobody uses, in packs marked earlier, too.
    pub unused: Amount,
    /// Packs that are used whole.
    pub packs_used: u64,
    /// Packs that are used in part.
    pub packs_partly_used: u64,
    /// Packs nobody uses, marked to be removed later.
    pub packs_marked: u64,
    /// What is in them.
    pub marked: Amount,
    /// Packs whose used parts are copied into new ones; they are marked, too. A run copies at most a
    /// tenth of the repository, and leaves up to 5 % of unused data where they are.
    pub packs_repacked: u64,
    /// What is in them.
    pub repacked: Amount,
    /// What of that is not copied, since nobody uses it.
    pub dropped: Amount,
    /// Packs no index names, as a backup that was broken off leaves them; marked to be removed later.
    pub packs_unindexed: u64,
    /// Bytes of these packs.
    pub bytes_unindexed: u64,
    /// Packs that wait, marked less than 23 hours ago.
    pub packs_waiting: u64,
    /// Bytes of these packs.
    pub bytes_waiting: u64,
    /// Packs marked earlier that are in use again.
    pub packs_recovered: u64,
    /// Packs marked 23 hours ago or earlier, removed.
    pub packs_removed: u64,
    /// Bytes of the packs removed.
    pub bytes_removed: u64,
}

/// How much of something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Blobs.
    pub blobs: u64,
    /// Their bytes, as they are stored.
    pub bytes: u64,
}

impl PruneReport {
    fn of(stats: &PruneStats) -> Self {
        let (blobs, bytes) = (stats.blobs_sum(), stats.size_sum());
        let packs = stats.packs;
        Self {
            used: Amount { blobs: blobs.used, bytes: bytes.used },
            unused: Amount { blobs: blobs.unused, bytes: bytes.unused },
            packs_used: packs.used,
            packs_partly_used: packs.partly_used,
            packs_marked: packs.unused,
            marked: Amount { blobs: blobs.remove, bytes: bytes.remove },
            packs_repacked: packs.repack,
            repacked: Amount { blobs: blobs.repack, bytes: bytes.repack },
            dropped: Amount { blobs: blobs.repackrm, bytes: bytes.repackrm },
            packs_unindexed: stats.packs_unref,
            bytes_unindexed: stats.size_unref,
            packs_waiting: stats.packs_to_delete.keep,
            bytes_waiting: stats.size_to_delete.keep,
            packs_recovered: stats.packs_to_delete.recover,
            packs_removed: stats.packs_to_delete.remove,
            bytes_removed: stats.size_to_delete.remove,
        }
    }
}

impl Repository {
    /// Removes data no snapshot uses. Hold the repository alone. `now` decides what lies in the
    /// future.
    ///
    /// # Errors
    /// A snapshot lies in the future (a clock is or was wrong, and forget may have judged by it),
    /// the list of snapshots is not stable, or the storage failed.
    pub fn prune(&self, now: Timestamp, dry_run: bool) -> Result<PruneReport, Error> {
        let snapshots = self.snapshots()?;
        let in_future: Vec<String> = snapshots
            .iter()
            .filter(|snapshot| snapshot.time.timestamp() > now)
            .map(|snapshot| format!("{} ({})", snapshot.id, snapshot.time.timestamp()))
            .collect();
        if !in_future.is_empty() {
            return Err(Error::Invalid {
                subject: "prune".to_owned(),
                reason: format!(
                    "snapshots lie in the future: {}; nothing was removed, set the clock right or remove them",
                    in_future.join(", ")
                ),
            });
        }
        let gate = self.shut_gate();
        let engine = self.engine(&gate)?;
        let listed: BTreeSet<Id> = gate
            .run("listing the snapshots", || gate.list(FileType::Snapshot))?
            .into_iter()
            .collect();
        let read: BTreeSet<Id> = snapshots.iter().map(|snapshot| *snapshot.file_id).collect();
        if listed != read {
            return Err(Error::Invalid {
                subject: "prune".to_owned(),
                reason: format!(
                    "two lists of the snapshots differ ({} and {}); nothing was removed, try again when nobody writes",
                    read.len(),
                    listed.len()
                ),
            });
        }
        let mut options = PruneOptions::default();
        options.instant_delete = false;
        options.keep_delete = Span::new().hours(KEEP_DELETE_HOURS);
        let plan = gate.run("planning what to prune", || engine.prune_plan(&options))?;
        let report = PruneReport::of(&plan.stats);
        if !dry_run {
            gate.run("pruning", || engine.prune(&options, plan))?;
        }
        Ok(report)
    }
}
