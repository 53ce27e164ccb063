//! Removes data no snapshot uses, in two phases.
//!
//! A pack nobody uses is first only marked, in the index, and removed by a run at least 23 hours
//! later; if a snapshot uses it again by then, it comes back. So a backup that ran meanwhile, or a
//! list of snapshots that was cut short, loses nothing. Immediate deletion is not offered.

use std::collections::BTreeSet;

use jiff::{Span, Timestamp};
use rustic_core::repofile::FileType;
use rustic_core::{Id, PruneOptions, ReadBackend};

use crate::{Error, Repository};

/// rustic's own; a backup must end before (20 hours at most).
const KEEP_DELETE_HOURS: i64 = 23;

/// What prune did, or on a dry run would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Packs nobody uses, marked to be removed later.
    pub packs_marked: u64,
    /// Packs marked 23 hours ago or earlier, removed.
    pub packs_removed: u64,
    /// Packs marked earlier that are in use again.
    pub packs_recovered: u64,
    /// Packs whose used parts were copied into new ones.
    pub packs_repacked: u64,
    /// Bytes of all data nobody uses.
    pub bytes_unused: u64,
    /// Bytes of the packs removed.
    pub bytes_removed: u64,
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
        let report = PruneReport {
            packs_marked: plan.stats.packs.unused,
            packs_removed: plan.stats.packs_to_delete.remove,
            packs_recovered: plan.stats.packs_to_delete.recover,
            packs_repacked: plan.stats.packs.repack,
            bytes_unused: plan.stats.size_sum().unused + plan.stats.size_unref,
            bytes_removed: plan.stats.size_to_delete.remove,
        };
        if !dry_run {
            gate.run("pruning", || engine.prune(&options, plan))?;
        }
        Ok(report)
    }
}
