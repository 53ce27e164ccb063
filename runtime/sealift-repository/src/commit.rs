//! The commit gate: the one place where a snapshot comes into being.
//!
//! What the producers finished is compared with what was read, the stored tree is read back and
//! compared with what was read, and only then one snapshot file is written, listed and read
//! again. Anything that does not agree is an error that names artifact and cause, and nothing
//! appears.

use std::collections::{BTreeMap, HashMap};

use jiff::Zoned;
use jiff::tz::TimeZone;
use rustic_core::repofile::{FileType, SnapshotFile, SnapshotId, SnapshotSummary};
use rustic_core::{Id, ReadBackend, TreeId};
use sealift_core::plan::SnapshotIdentity;

use crate::draft::Draft;
use crate::proof::{self, Contents};
use crate::select::TARGET_TAG;
use crate::{Error, FileExpectation, SnapshotInfo};

/// A snapshot that exists.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The snapshot as it was read back.
    pub snapshot: SnapshotInfo,
    /// What it holds and what it cost.
    pub statistics: CommitStatistics,
}

/// What a snapshot holds and what it cost. Files are compared with the newest snapshot of the same
/// target, host and path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommitStatistics {
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Bytes that were stored for it, compressed.
    pub uploaded_bytes: u64,
    /// The same before compression.
    pub added_bytes: u64,
    /// Files.
    pub files_total: u64,
    /// Files the snapshot before did not have.
    pub files_new: u64,
    /// Files with other content.
    pub files_modified: u64,
    /// Files with the same content.
    pub files_unmodified: u64,
}

impl Draft {
    /// Lets the snapshot appear, if and only if exactly the expected files were read and stored.
    ///
    /// # Errors
    /// Something does not agree, or the storage failed. There is no snapshot then, but for
    /// [`Error::Uncertain`], which says so.
    pub fn commit(mut self, expected: &[FileExpectation]) -> Result<Committed, Error> {
        self.alive()?;
        self.flush()?;
        self.compare(expected)?;
        let tree = self.merge()?;
        let Draft {
            repository, gate, engine, identity, started, label, tags, ledger, stored, ..
        } = self;

        // The index as it lies in the storage now, not as it was remembered.
        let engine = gate.run("reading the index back", || engine.drop_index().to_indexed())?;
        let packs: HashMap<Id, u32> = gate
            .run("listing the packs", || gate.list_with_size(FileType::Pack))?
            .into_iter()
            .collect();
        let contents = proof::prove(&engine, tree, &identity.path, &ledger, &packs, |work| {
            gate.run("reading the tree back", work)
        })?;

        let parent = previous(&repository.snapshots(), &identity);
        let mut statistics = CommitStatistics {
            total_bytes: ledger.values().map(|receipt| receipt.size).sum(),
            uploaded_bytes: stored.added_packed,
            added_bytes: stored.added,
            files_total: ledger.len() as u64,
            ..CommitStatistics::default()
        };
        let before = parent.as_ref().and_then(|(_, tree)| {
            // Only for statistics: a damaged older snapshot must not stop a new one.
            gate.run("reading the snapshot before", || proof::walk(&engine, *tree, |_, _| {}))
                .inspect_err(|error| {
                    tracing::warn!(error = %error.chain(), "the snapshot before cannot be read");
                })
                .ok()
        });
        let before: Contents = before
            .unwrap_or_default()
            .into_iter()
            .map(|found| (found.path, found.node.content.unwrap_or_default()))
            .collect();
        for (path, blobs) in &contents {
            match before.get(path) {
                None => statistics.files_new += 1,
                Some(old) if old == blobs => statistics.files_unmodified += 1,
                Some(_) => statistics.files_modified += 1,
            }
        }

        let mut snapshot = SnapshotFile {
            time: started.to_zoned(TimeZone::UTC),
            program_version: format!("sealift {}", env!("CARGO_PKG_VERSION")),
            tree,
            label: label.unwrap_or_default(),
            hostname: identity.hostname,
            parent: parent.map(|(id, _)| id),
            description: (!identity.description.is_empty()).then_some(identity.description),
            ..SnapshotFile::default()
        };
        snapshot.paths.add(identity.path);
        for tag in identity.tags.into_iter().chain(tags) {
            snapshot.tags.add(tag);
        }
        let mut summary = SnapshotSummary::default();
        summary.files_new = statistics.files_new;
        summary.files_changed = statistics.files_modified;
        summary.files_unmodified = statistics.files_unmodified;
        summary.total_files_processed = statistics.files_total;
        summary.total_bytes_processed = statistics.total_bytes;
        summary.data_added = stored.added;
        summary.data_added_packed = stored.added_packed;
        summary.data_blobs = stored.data_blobs;
        summary.tree_blobs = stored.tree_blobs;
        summary.backup_start = snapshot.time.clone();
        summary.backup_end = Zoned::now().with_time_zone(TimeZone::UTC);
        snapshot.summary = Some(summary);

        gate.release_one();
        let written =
            gate.run("writing the snapshot", || engine.save_snapshots(vec![snapshot.clone()]));
        let Some(id) = gate.sent() else {
            written?;
            return Err(Error::SnapshotNotProven {
                cause: "the engine wrote no snapshot file".to_owned(),
            });
        };
        // A write that failed may have arrived all the same; what counts is what is there now.
        // Cancelling is too late from here on.
        let name = id.to_hex().as_str().to_owned();
        let uncertain = |source| Error::Uncertain { id: name.clone(), source: Box::new(source) };
        let gate = repository.settling_gate();
        let listed = gate.run("listing the snapshots", || gate.list(FileType::Snapshot));
        let there = match (&listed, &written) {
            (Ok(list), _) => list.contains(&id),
            (Err(_), Err(first)) => return Err(uncertain(first.clone())),
            (Err(error), Ok(())) => return Err(uncertain(error.clone())),
        };
        if !there {
            written?;
            return Err(uncertain(Error::Damaged {
                what: "its file was written and is not in the list".to_owned(),
            }));
        }
        let id = SnapshotId::from(id);
        let engine = repository.engine(&gate).map_err(uncertain)?;
        let mut stored_file = gate
            .run("reading the snapshot back", || engine.get_file::<SnapshotFile>(&id))
            .map_err(uncertain)?;
        if !same(&stored_file, &snapshot) {
            // Not "nothing was made": the file is there and restores will see it.
            return Err(uncertain(Error::Damaged {
                what: "the snapshot file exists, does not read as it was written and could not be \
                       proven; run check"
                    .to_owned(),
            }));
        }
        stored_file.id = id;
        Ok(Committed { snapshot: SnapshotInfo::from(stored_file), statistics })
    }

    fn compare(&self, expected: &[FileExpectation]) -> Result<(), Error> {
        let refuse = |artifact: &str, cause: &str| {
            Err(Error::NotProven { artifact: artifact.to_owned(), cause: cause.to_owned() })
        };
        let mut names = BTreeMap::new();
        for expectation in expected {
            if names.insert(expectation.path.as_str(), expectation).is_some() {
                return refuse(&expectation.path, "it is expected twice");
            }
            match self.ledger.get(&expectation.path) {
                None => {
                    return refuse(
                        &expectation.path,
                        "its producer finished it, but it was never stored",
                    );
                }
                Some(receipt) => expectation.agrees(receipt)?,
            }
        }
        if let Some(extra) = self.ledger.keys().find(|path| !names.contains_key(path.as_str())) {
            return refuse(extra, "it was stored, but no producer finished it");
        }
        Ok(())
    }

    /// One sorted tree of all that was archived.
    fn merge(&mut self) -> Result<TreeId, Error> {
        match self.trees.as_slice() {
            [] => Err(Error::SnapshotNotProven { cause: "it holds no artifact".to_owned() }),
            [tree] => Ok(*tree),
            trees => {
                let gate = self.gate.clone();
                let engine = self.repository.engine(&gate)?;
                let engine = gate.run("reading the index", || engine.to_indexed_ids())?;
                let mut summary = SnapshotSummary::default();
                let tree = gate.run("merging the trees", || {
                    // Folders are equal but for what lies in them, files never meet: any order will do.
                    engine.merge_trees(trees, &|one, two| one.name.cmp(&two.name), &mut summary)
                })?;
                self.stored.add(&summary);
                Ok(tree)
            }
        }
    }
}

/// The newest snapshot of this host and path, if the list could be read: of this target, by its
/// tag, else one that is nobody's. Two Vaults without an alias have the same host and path.
fn previous(
    snapshots: &Result<Vec<SnapshotInfo>, Error>,
    identity: &SnapshotIdentity,
) -> Option<(SnapshotId, TreeId)> {
    let snapshots = snapshots
        .as_ref()
        .inspect_err(|error| {
            tracing::warn!(error = %error.chain(), "older snapshots cannot be read");
        })
        .ok()?;
    let target = |tags: &[String]| tags.iter().find(|tag| tag.starts_with(TARGET_TAG)).cloned();
    let wanted = target(&identity.tags);
    let newest = |of: Option<String>| {
        snapshots.iter().rfind(|snapshot| {
            snapshot.hostname == identity.hostname
                && snapshot.paths == [identity.path.as_str()]
                && target(&snapshot.tags) == of
        })
    };
    newest(wanted).or_else(|| newest(None)).map(|snapshot| (snapshot.file_id, snapshot.tree))
}

fn same(one: &SnapshotFile, two: &SnapshotFile) -> bool {
    one.tree == two.tree
        && one.hostname == two.hostname
        && one.paths == two.paths
        && one.tags == two.tags
        && one.label == two.label
        && one.description == two.description
        && one.time.timestamp() == two.time.timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_a_restore_goes_by_has_to_read_as_it_was_written() {
        let changes: [fn(&mut SnapshotFile); 7] = [
            |file| file.tree = Id::new([1; 32]).into(),
            |file| file.hostname.push('x'),
            |file| file.paths.add("/other".to_owned()),
            |file| file.tags.add("other".to_owned()),
            |file| file.label.push('x'),
            |file| file.description = Some("other".to_owned()),
            |file| file.time = file.time.saturating_add(jiff::SignedDuration::from_secs(1)),
        ];
        let written = SnapshotFile::default();
        assert!(same(&written, &written.clone()));
        for (nth, change) in changes.into_iter().enumerate() {
            let mut read = written.clone();
            change(&mut read);
            assert!(!same(&read, &written), "change {nth}");
        }
    }
}
