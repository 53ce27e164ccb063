//! Reads the files of a snapshot, whoever wrote it.
//!
//! rustic_core checks the seal of what it reads, not that it is the blob that was asked for; here
//! every blob's SHA-256 is compared with its name before a byte of it is handed out. An error is
//! never an end.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use rustic_core::repofile::{BlobType, NodeType};
use rustic_core::{BlobId, DataId, IndexedFullStatus};
use sha2::{Digest, Sha256};

use crate::gate::Gate;
use crate::proof::walk;
use crate::{Error, Repository, SnapshotInfo};

/// A snapshot being read; clones share everything.
#[derive(Clone)]
pub struct SnapshotReader(Arc<Inner>);

struct Inner {
    gate: Arc<Gate>,
    engine: rustic_core::Repository<IndexedFullStatus>,
    snapshot: SnapshotInfo,
    entries: Vec<SnapshotEntry>,
    contents: BTreeMap<String, Vec<DataId>>,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// Anything else, which cannot be read.
    Other,
}

/// A file or folder of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Path below the folder the reader was opened for.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes; 0 for what is no file.
    pub size: u64,
}

impl Repository {
    /// Opens a snapshot. `folders` are looked for in this order, and the first one that it has is
    /// what the paths of its entries are relative to; none given = the root.
    ///
    /// # Errors
    /// There is no such snapshot, it has none of the folders, or it cannot be read.
    pub fn reader(&self, id: &str, folders: &[String]) -> Result<SnapshotReader, Error> {
        let snapshot = self.by_id(id)?;
        let gate = self.shut_gate();
        let engine = self.engine(&gate)?;
        let engine = gate.run("reading the index", || engine.to_indexed())?;
        let found =
            gate.run("reading the snapshot's folders", || walk(&engine, snapshot.tree, |_, _| {}))?;
        let root = if folders.is_empty() {
            String::new()
        } else {
            let has = |folder: &&String| {
                found.iter().any(|entry| entry.path == **folder && entry.node.is_dir())
            };
            folders.iter().find(has).cloned().ok_or_else(|| Error::Invalid {
                subject: format!("snapshot {}", snapshot.id),
                reason: format!(
                    "it has no folder {}; it holds {}",
                    folders.join(" or "),
                    snapshot.paths.join(", ")
                ),
            })?
        };
        let mut entries = Vec::new();
        let mut contents = BTreeMap::new();
        for entry in found {
            let Some(path) = entry.path.strip_prefix(&root).and_then(|path| path.strip_prefix('/'))
            else {
                continue;
            };
            let blobs = entry.node.content.unwrap_or_default();
            let kind = match entry.node.node_type {
                NodeType::File => EntryKind::File,
                NodeType::Dir => EntryKind::Dir,
                _ => EntryKind::Other,
            };
            // What the blobs hold is the size: a node written from a stream may say 0. Blobs that
            // are in no index are told when the file is opened.
            let stored: Option<u64> = blobs
                .iter()
                .map(|blob| engine.get_index_entry(blob).ok().map(|at| u64::from(at.data_length())))
                .sum();
            let size =
                if kind == EntryKind::File { stored.unwrap_or(entry.node.meta.size) } else { 0 };
            if kind == EntryKind::File {
                contents.insert(path.to_owned(), blobs);
            }
            entries.push(SnapshotEntry { path: path.to_owned(), kind, size });
        }
        entries.sort_by(|one, two| one.path.cmp(&two.path));
        Ok(SnapshotReader(Arc::new(Inner { gate, engine, snapshot, entries, contents })))
    }
}

impl SnapshotReader {
    /// The snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &SnapshotInfo {
        &self.0.snapshot
    }

    /// All files and folders, sorted by path.
    #[must_use]
    pub fn entries(&self) -> &[SnapshotEntry] {
        &self.0.entries
    }

    /// Opens a file.
    ///
    /// # Errors
    /// There is no such file, or a part of it is in no index.
    pub fn open(&self, path: &str) -> Result<FileReader, Error> {
        let blobs = self.0.contents.get(path).ok_or_else(|| Error::Invalid {
            subject: format!("file {path:?}"),
            reason: format!("snapshot {} has no such file", self.0.snapshot.id),
        })?;
        let mut size = 0;
        for blob in blobs {
            let entry = self.0.engine.get_index_entry(blob).map_err(|_| Error::Damaged {
                what: format!(
                    "blob {} of file {path} is in no index; run check, then repair",
                    blob.to_hex().as_str()
                ),
            })?;
            size += u64::from(entry.data_length());
        }
        Ok(FileReader {
            snapshot: self.clone(),
            path: path.to_owned(),
            size,
            next: 0,
            current: Bytes::new(),
            failed: None,
        })
    }
}

impl std::fmt::Debug for SnapshotReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotReader")
            .field("snapshot", &self.0.snapshot.id)
            .finish_non_exhaustive()
    }
}

/// A file being read, in order. Its errors hold an [`Error`].
pub struct FileReader {
    snapshot: SnapshotReader,
    path: String,
    size: u64,
    next: usize,
    current: Bytes,
    failed: Option<Error>,
}

impl FileReader {
    /// Bytes of the file.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    fn fetch(&self, blob: &DataId) -> Result<Bytes, Error> {
        let inner = &self.snapshot.0;
        let bytes = inner.gate.run("reading a file", || {
            inner.engine.get_blob_cached(&BlobId::from(*blob), BlobType::Data)
        })?;
        let digest = hex::encode(Sha256::digest(&bytes));
        if digest != blob.to_hex().as_str() {
            return Err(Error::Damaged {
                what: format!(
                    "blob {} of file {} holds other bytes, with SHA-256 {digest}",
                    blob.to_hex().as_str(),
                    self.path
                ),
            });
        }
        Ok(bytes)
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = &self.failed {
            return Err(io::Error::other(error.clone()));
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.current.is_empty() {
            let blobs = self.snapshot.0.contents.get(&self.path);
            let Some(blob) = blobs.and_then(|blobs| blobs.get(self.next)).copied() else {
                return Ok(0);
            };
            match self.fetch(&blob) {
                Ok(bytes) => self.current = bytes,
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(io::Error::other(error));
                }
            }
            self.next += 1;
        }
        let count = buffer.len().min(self.current.len());
        let taken = self.current.split_to(count);
        if let Some(room) = buffer.get_mut(..count) {
            room.copy_from_slice(&taken);
        }
        Ok(count)
    }
}

impl std::fmt::Debug for FileReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReader").field("path", &self.path).finish_non_exhaustive()
    }
}
