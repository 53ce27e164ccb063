//! One `archive` call of rustic_core, and what must be true after it.
//!
//! rustic_core warns of a file it could not read and goes on. Here each file must have been read
//! to its end, and the engine's own counts must be those of what was handed over.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustic_core::repofile::{Metadata, Node, NodeType, SnapshotFile, SnapshotSummary};
use rustic_core::{BackupOptions, ParentOptions, ReadSource, ReadSourceEntry, RusticResult};

use crate::artifact::folders_above;
use crate::meter::{Meter, Outcome};
use crate::{Draft, Error, FileReceipt};

/// What the reader hands to the chunker at once.
const READ_BUFFER: usize = 256 << 10;

/// An artifact that is to be stored.
pub(crate) struct Incoming {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) reader: Box<dyn Read + Send>,
}

impl Draft {
    /// Stores these artifacts together; their tree joins those of the draft.
    pub(crate) fn archive(&mut self, batch: Vec<Incoming>) -> Result<(), Error> {
        let count = batch.len() as u64;
        let total: u64 = batch.iter().map(|incoming| incoming.size).sum();
        let first = batch.first().map(|incoming| incoming.path.clone()).unwrap_or_default();
        let mut entries = BTreeMap::new();
        let mut outcomes = Vec::new();
        for incoming in batch {
            let path = format!("{}/{}", self.identity.path, incoming.path);
            for folder in folders_above(&path) {
                entries
                    .entry(sort_key(folder))
                    .or_insert_with(|| Ok(self.entry(folder, NodeType::Dir, 0, None)));
            }
            let cancel = self.repository.options().cancel.clone();
            let (meter, outcome) =
                Meter::new(&incoming.path, Some(incoming.size), incoming.reader, cancel);
            outcomes.push((incoming.path, outcome));
            let entry = self.entry(&path, NodeType::File, incoming.size, Some(meter));
            entries.insert(sort_key(&path), Ok(entry));
        }
        let source = Source(Mutex::new(entries.into_values().collect()));
        let options = BackupOptions::default()
            .no_scan(true)
            .parent_opts(ParentOptions::default().force(true));
        let held = self.gate.held();
        let folder = [PathBuf::from(&self.identity.path)];
        let engine = &self.engine;
        let archived = self.gate.run("storing artifacts", || {
            engine.archive(&options, &source, SnapshotFile::default(), &folder)
        });
        let (receipts, archived) = proven(outcomes, archived)?;
        let summary = archived.summary.unwrap_or_default();
        if let Some(cause) = flaw(self.gate.held().saturating_sub(held), &summary, count, total) {
            return Err(Error::NotProven { artifact: first, cause });
        }
        self.stored.add(&summary);
        self.trees.push(archived.tree);
        self.ledger.extend(receipts.into_iter().map(|receipt| (receipt.path.clone(), receipt)));
        Ok(())
    }

    fn entry(
        &self,
        path: &str,
        kind: NodeType,
        size: u64,
        meter: Option<Meter>,
    ) -> ReadSourceEntry<BufReader<Meter>> {
        // restic's modes are Go's: the highest bit marks a folder.
        let mode = if kind == NodeType::Dir { 0o700 | 1 << 31 } else { 0o600 };
        let metadata = Metadata {
            mode: Some(mode),
            mtime: Some(self.started),
            atime: Some(self.started),
            ctime: Some(self.started),
            uid: Some(0),
            gid: Some(0),
            size,
            ..Metadata::default()
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        ReadSourceEntry {
            path: PathBuf::from(path),
            node: Node::new_node(name.as_ref(), kind, metadata),
            open: meter.map(|meter| BufReader::with_capacity(READ_BUFFER, meter)),
        }
    }
}

/// Every artifact was read to its end. An artifact's own error comes first: it is the cause, and
/// rustic_core only warns of it.
fn proven(
    outcomes: Vec<(String, Outcome)>,
    archived: Result<SnapshotFile, Error>,
) -> Result<(Vec<FileReceipt>, SnapshotFile), Error> {
    let mut receipts = Vec::new();
    for (path, outcome) in outcomes {
        match outcome.receipt(&path) {
            Ok(receipt) => receipts.push(receipt),
            Err(error @ Error::NotProven { .. }) => {
                // It may not have been read to its end because the storage failed.
                archived?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok((receipts, archived?))
}

/// What the engine's own counts say against an archive of this many files and bytes, which ends
/// with one snapshot file.
fn flaw(held: usize, summary: &SnapshotSummary, files: u64, bytes: u64) -> Option<String> {
    if held != 1 {
        return Some("the engine did not come to the end of its work".to_owned());
    }
    if summary.total_files_processed != files || summary.total_bytes_processed != bytes {
        return Some(format!(
            "{files} files of {bytes} bytes were handed over, the engine stored {} of {} bytes",
            summary.total_files_processed, summary.total_bytes_processed
        ));
    }
    (summary.files_unmodified > 0)
        .then(|| "the engine took a file for unchanged without reading it".to_owned())
}

/// Folders before what lies in them, names by their bytes: the order of restic's trees.
fn sort_key(path: &str) -> Vec<Vec<u8>> {
    path.split('/').map(|part| part.as_bytes().to_vec()).collect()
}

type SourceEntry = RusticResult<ReadSourceEntry<BufReader<Meter>>>;

/// The entries of one `archive` call, handed out once.
struct Source(Mutex<Vec<SourceEntry>>);

impl ReadSource for Source {
    type Open = BufReader<Meter>;
    type Iter = std::vec::IntoIter<SourceEntry>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Self::Iter {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_are_not_those_of_what_was_handed_over_are_told() {
        let counted = |held: usize, files: u64, bytes: u64, unmodified: u64| {
            let mut summary = SnapshotSummary::default();
            summary.total_files_processed = files;
            summary.total_bytes_processed = bytes;
            summary.files_unmodified = unmodified;
            flaw(held, &summary, 2, 10)
        };
        assert_eq!(counted(1, 2, 10, 0), None);
        for (held, files, bytes, unmodified, said) in [
            (0, 2, 10, 0, "did not come to the end"),
            (1, 1, 10, 0, "stored 1 of 10 bytes"),
            (1, 2, 9, 0, "stored 2 of 9 bytes"),
            (1, 2, 10, 1, "took a file for unchanged"),
        ] {
            let told = counted(held, files, bytes, unmodified).unwrap_or_default();
            assert!(told.contains(said), "{told}");
        }
    }

    #[test]
    fn what_the_engine_never_read_is_not_stored_whatever_it_says() {
        let unread = || {
            let (meter, outcome) =
                Meter::new("a", Some(3), Box::new(&b"abc"[..]), crate::CancelFlag::new());
            drop(meter);
            vec![("a".to_owned(), outcome)]
        };
        let error = proven(unread(), Ok(SnapshotFile::default())).err();
        assert!(matches!(error, Some(Error::NotProven { .. })), "{error:?}");
        // The engine's error, where there is one, is why it was not read.
        let lost = Error::Cancelled { operation: "storing artifacts" };
        let error = proven(unread(), Err(lost)).err();
        assert!(matches!(error, Some(Error::Cancelled { .. })), "{error:?}");
    }
}
