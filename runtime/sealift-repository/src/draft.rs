//! A snapshot being written: takes artifacts one after the other and stores their bytes.
//!
//! Nothing appears until `commit`. rustic_core wants to know the next entry of a source before it
//! hands out the current one, so artifacts that arrive as streams cannot share one `archive`
//! call: each large artifact gets its own. Small ones (up to 1 MiB) are kept in memory, 16 MiB at
//! most, and stored together with the next large one or at the commit. Never with a parent:
//! rustic_core would take a file of equal size and time for unchanged and not read it at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read, Seek, Write};
use std::sync::Arc;

use jiff::Timestamp;
use rustic_core::repofile::SnapshotSummary;
use rustic_core::{IndexedIdsStatus, TreeId};
use sealift_core::plan::SnapshotIdentity;

use crate::archive::Incoming;
use crate::artifact::{check_path, folders_above};
use crate::gate::Gate;
use crate::meter::Meter;
use crate::{Error, FileReceipt, Repository};

/// Up to this size an artifact is kept in memory until it is stored with others.
const SMALL: u64 = 1 << 20;
/// All small artifacts together.
const SMALL_TOTAL: u64 = 16 << 20;

/// A snapshot being written. Dropped without [`Draft::commit`], nothing of it appears; the data
/// that was stored is used again by the next backup once the index was repaired
/// ([`Repository::resume`]), or removed by prune.
pub struct Draft {
    pub(crate) repository: Repository,
    pub(crate) gate: Arc<Gate>,
    pub(crate) engine: rustic_core::Repository<IndexedIdsStatus>,
    pub(crate) identity: SnapshotIdentity,
    pub(crate) started: Timestamp,
    pub(crate) label: Option<String>,
    pub(crate) tags: Vec<String>,
    /// Of what was archived, by path.
    pub(crate) ledger: BTreeMap<String, FileReceipt>,
    /// The root tree of each `archive` call.
    pub(crate) trees: Vec<TreeId>,
    pub(crate) stored: Stored,
    pending: Vec<(FileReceipt, Vec<u8>)>,
    names: BTreeSet<String>,
    folders: BTreeSet<String>,
    given_up: Option<String>,
}

/// What the `archive` calls added to the repository.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stored {
    pub(crate) added: u64,
    pub(crate) added_packed: u64,
    pub(crate) data_blobs: u64,
    pub(crate) tree_blobs: u64,
}

impl Stored {
    pub(crate) fn add(&mut self, summary: &SnapshotSummary) {
        self.added += summary.data_added;
        self.added_packed += summary.data_added_packed;
        self.data_blobs += summary.data_blobs;
        self.tree_blobs += summary.tree_blobs;
    }
}

impl Repository {
    /// Begins a snapshot; `started` becomes its time and that of its files.
    ///
    /// # Errors
    /// The identity cannot be stored, or the index cannot be read.
    pub fn draft(&self, identity: &SnapshotIdentity, started: Timestamp) -> Result<Draft, Error> {
        let below_root = identity.path.strip_prefix('/').ok_or_else(|| Error::Invalid {
            subject: format!("snapshot path {:?}", identity.path),
            reason: "it must be absolute".to_owned(),
        })?;
        check_path(below_root)?;
        if identity.hostname.is_empty() {
            return Err(Error::Invalid {
                subject: "snapshot hostname".to_owned(),
                reason: "it must not be empty".to_owned(),
            });
        }
        let gate = self.holding_gate();
        let engine = self.engine(&gate)?;
        // Never the variant that looks for packs by itself: it leaves blobs in no index.
        let engine = gate.run("reading the index", || engine.to_indexed_ids())?;
        Ok(Draft {
            repository: self.clone(),
            gate,
            engine,
            identity: identity.clone(),
            started,
            label: None,
            tags: Vec::new(),
            ledger: BTreeMap::new(),
            trees: Vec::new(),
            stored: Stored::default(),
            pending: Vec::new(),
            names: BTreeSet::new(),
            folders: BTreeSet::new(),
            given_up: None,
        })
    }
}

impl Draft {
    /// Adds a tag of a Function's choice.
    ///
    /// # Errors
    /// It is empty, holds a comma (restic separates by it) or begins with `sealift.`, which is ours.
    pub fn add_tag(&mut self, tag: &str) -> Result<(), Error> {
        let reason = if tag.is_empty() || tag.len() > 255 {
            "it must have 1 to 255 bytes"
        } else if tag.contains(',') || tag.chars().any(char::is_control) {
            "it must hold neither a comma nor control characters"
        } else if tag.starts_with("sealift.") {
            "tags that begin with sealift. are Sealift's own"
        } else {
            self.tags.push(tag.to_owned());
            return Ok(());
        };
        Err(Error::Invalid { subject: format!("tag {tag:?}"), reason: reason.to_owned() })
    }

    /// Sets the label.
    ///
    /// # Errors
    /// It is longer than 255 bytes or holds control characters.
    pub fn set_label(&mut self, label: &str) -> Result<(), Error> {
        if label.len() > 255 || label.chars().any(char::is_control) {
            return Err(Error::Invalid {
                subject: format!("label {label:?}"),
                reason: "it must have at most 255 bytes and no control characters".to_owned(),
            });
        }
        self.label = (!label.is_empty()).then(|| label.to_owned());
        Ok(())
    }

    /// Stores one file at this relative path; returns when `reader` ended and its bytes were
    /// taken. `size` is exact; without it the artifact is first kept whole: in memory up to
    /// 1 MiB, above that in the interim folder. An error of the reader is never an end.
    ///
    /// # Errors
    /// Any; the draft is then given up and cannot be committed.
    pub fn add(
        &mut self,
        path: &str,
        size: Option<u64>,
        reader: Box<dyn Read + Send>,
    ) -> Result<FileReceipt, Error> {
        self.alive()?;
        let outcome = self.take(path, size, reader);
        if let Err(error) = &outcome {
            self.given_up = Some(error.chain());
        }
        outcome
    }

    /// Refuses to go on after an error.
    pub(crate) fn alive(&self) -> Result<(), Error> {
        match &self.given_up {
            Some(cause) => Err(Error::GivenUp { cause: cause.clone() }),
            None => Ok(()),
        }
    }

    fn take(
        &mut self,
        path: &str,
        size: Option<u64>,
        reader: Box<dyn Read + Send>,
    ) -> Result<FileReceipt, Error> {
        self.claim(path)?;
        let cancel = self.repository.options().cancel.clone();
        match size {
            Some(size) if size > SMALL => {
                let mut batch = self.take_pending();
                batch.push(Incoming { path: path.to_owned(), size, reader });
                self.archive(batch)?;
                self.stored(path)
            }
            _ => {
                let (mut meter, outcome) = Meter::new(path, size, reader, cancel);
                let mut bytes = Vec::new();
                let read = (&mut meter).take(SMALL + 1).read_to_end(&mut bytes);
                if read.is_ok() && bytes.len() as u64 > SMALL {
                    return self.take_unknown(path, bytes, meter, &outcome);
                }
                // The receipt says why, if reading failed.
                let receipt = outcome.receipt(path)?;
                let waiting: u64 = self.pending.iter().map(|(receipt, _)| receipt.size).sum();
                if waiting + receipt.size > SMALL_TOTAL {
                    let batch = self.take_pending();
                    self.archive(batch)?;
                }
                self.pending.push((receipt.clone(), bytes));
                Ok(receipt)
            }
        }
    }

    fn take_unknown(
        &mut self,
        path: &str,
        beginning: Vec<u8>,
        mut rest: Meter,
        outcome: &crate::meter::Outcome,
    ) -> Result<FileReceipt, Error> {
        let Some(folder) = self.repository.options().interim_dir.clone() else {
            return Err(Error::UnknownSize { artifact: path.to_owned() });
        };
        let file_error = |source: std::io::Error| Error::File {
            operation: format!("keeping artifact {path} in the interim volume"),
            source: Arc::new(source),
        };
        // Without a name from the start: it is gone when the process is.
        let mut file = tempfile::tempfile_in(&folder).map_err(file_error)?;
        let limit = self.repository.options().interim_limit.unwrap_or(u64::MAX);
        let begun = beginning.len() as u64;
        // One byte more than there is room for shows that the artifact is too large.
        let room = limit.saturating_sub(begun).saturating_add(1);
        let copied = file
            .write_all(&beginning)
            .and_then(|()| std::io::copy(&mut (&mut rest).take(room), &mut file));
        drop(beginning);
        if copied.as_ref().is_ok_and(|more| begun.saturating_add(*more) > limit) {
            return Err(Error::InterimFull { artifact: path.to_owned(), limit });
        }
        let copied = copied.and_then(|_| file.rewind());
        // The reader's own error first: it is the cause if there is one.
        let before = match (outcome.receipt(path), copied) {
            (Ok(receipt), Ok(())) => receipt,
            (Err(Error::NotProven { .. }) | Ok(_), Err(error)) => return Err(file_error(error)),
            (Err(error), _) => return Err(error),
        };
        let mut batch = self.take_pending();
        batch.push(Incoming { path: path.to_owned(), size: before.size, reader: Box::new(file) });
        self.archive(batch)?;
        // What was read there; the commit compares it with what the producer finished.
        self.stored(path)
    }

    fn stored(&self, path: &str) -> Result<FileReceipt, Error> {
        self.ledger.get(path).cloned().ok_or_else(|| Error::NotProven {
            artifact: path.to_owned(),
            cause: "it is missing in the ledger".to_owned(),
        })
    }

    /// Each path once, and never a file where a folder is.
    fn claim(&mut self, path: &str) -> Result<(), Error> {
        check_path(path)?;
        let clash = folders_above(path).find(|folder| self.names.contains(*folder));
        let reason = if self.names.contains(path) {
            "it was added before".to_owned()
        } else if self.folders.contains(path) {
            "other artifacts lie below it".to_owned()
        } else if let Some(folder) = clash {
            format!("{folder} is a file")
        } else {
            self.folders.extend(folders_above(path).map(str::to_owned));
            self.names.insert(path.to_owned());
            return Ok(());
        };
        Err(Error::Invalid { subject: format!("artifact {path:?}"), reason })
    }

    fn take_pending(&mut self) -> Vec<Incoming> {
        std::mem::take(&mut self.pending)
            .into_iter()
            .map(|(receipt, bytes)| Incoming {
                path: receipt.path,
                size: receipt.size,
                reader: Box::new(Cursor::new(bytes)),
            })
            .collect()
    }

    /// Stores what is still in memory.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let batch = self.take_pending();
        if batch.is_empty() {
            return Ok(());
        }
        self.archive(batch)
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft")
            .field("repository", &self.repository)
            .field("artifacts", &self.names)
            .finish_non_exhaustive()
    }
}
