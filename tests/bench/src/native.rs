//! Bare rustic_core: the yardstick of the chain, and what stores the forms of a Vault snapshot.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use bytesize::ByteSize;
use rustic_backend::BackendOptions;
use rustic_core::repofile::{Metadata, Node, NodeType, SnapshotFile, SnapshotSummary};
use rustic_core::{
    BackupOptions, ConfigOptions, Credentials, KeyOptions, OpenStatus, ParentOptions, ReadSource,
    ReadSourceEntry, Repository, RepositoryOptions, RusticResult,
};
use serde::{Deserialize, Serialize};

use crate::PASSWORD;

const FOLDER: &str = "/bench";
/// As large as the buffer `sealift-repository` reads with, so that neither has an advantage.
const READ_BUFFER: usize = 256 << 10;

/// What a backup with bare rustic_core stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stored {
    /// Bytes added to the repository, compressed and encrypted.
    pub(crate) uploaded_bytes: u64,
    /// New chunks.
    pub(crate) data_blobs: u64,
}

/// Stores the first `size` bytes of `file`.
pub(crate) fn backup(repository: &Path, file: &Path, size: u64) -> Result<Stored> {
    let reader = File::open(file).with_context(|| format!("failed to open {}", file.display()))?;
    let reader = BufReader::with_capacity(READ_BUFFER, reader.take(size));
    store(open(repository)?, reader, size)
}

/// Stores one stream as a snapshot.
pub(crate) fn store<R: Read + Send + 'static>(
    repository: Repository<OpenStatus>,
    reader: R,
    size: u64,
) -> Result<Stored> {
    let options = BackupOptions::default()
        .no_scan(true)
        // Otherwise a stream of equal size is taken for unchanged and not read.
        .parent_opts(ParentOptions::default().force(true));
    let snapshot = repository
        .to_indexed_ids()
        .and_then(|repository| {
            let source = OneFile::new(reader, size);
            repository.archive(&options, &source, SnapshotFile::default(), &[FOLDER.into()])
        })
        .context("rustic_core failed to store a stream")?;
    let SnapshotSummary { data_added_packed, data_blobs, total_bytes_processed, .. } =
        snapshot.summary.context("rustic_core gave no summary")?;
    // An error of the reader is only a warning for rustic_core.
    anyhow::ensure!(
        total_bytes_processed == size,
        "{total_bytes_processed} of {size} bytes were stored"
    );
    Ok(Stored { uploaded_bytes: data_added_packed, data_blobs })
}

/// Opens a repository in a folder.
pub(crate) fn open(folder: &Path) -> Result<Repository<OpenStatus>> {
    closed(folder)?
        .open(&Credentials::password(PASSWORD))
        .with_context(|| format!("rustic_core failed to open {}", folder.display()))
}

/// Makes a repository like Sealift's, but with chunks of this average size.
pub(crate) fn init(folder: &Path, chunk_average: u64) -> Result<Repository<OpenStatus>> {
    let config = ConfigOptions::default()
        .set_version(2)
        .set_datapack_size(ByteSize::mib(16))
        .set_datapack_growfactor(0)
        .set_treepack_size(ByteSize::mib(4))
        .set_treepack_growfactor(0)
        .set_chunk_size(ByteSize::b(chunk_average))
        .set_chunk_min_size(ByteSize::b(chunk_average / 2))
        .set_chunk_max_size(ByteSize::b(chunk_average * 8));
    closed(folder)?
        .init(&Credentials::password(PASSWORD), &KeyOptions::default(), &config)
        .with_context(|| format!("rustic_core failed to make a repository in {}", folder.display()))
}

fn closed(folder: &Path) -> Result<Repository<()>> {
    let backends = BackendOptions::default()
        .repository(folder.to_str().context("the path of a repository is not UTF-8")?)
        .to_backends()
        .context("rustic_core refused the folder")?;
    Repository::new(&RepositoryOptions::default().no_cache(true), &backends)
        .context("rustic_core refused the options")
}

/// A source of one file, handed out once.
struct OneFile<R>(Mutex<Vec<RusticResult<ReadSourceEntry<R>>>>);

impl<R> OneFile<R> {
    fn new(reader: R, size: u64) -> Self {
        let entry = |path: PathBuf, kind, metadata, open| {
            let node = Node::new_node(path.file_name().unwrap_or_default(), kind, metadata);
            Ok(ReadSourceEntry { path, node, open })
        };
        let metadata = Metadata { size, ..Metadata::default() };
        Self(Mutex::new(vec![
            entry(PathBuf::from(FOLDER), NodeType::Dir, Metadata::default(), None),
            entry(Path::new(FOLDER).join("data.bin"), NodeType::File, metadata, Some(reader)),
        ]))
    }
}

impl<R: Read + Send + 'static> ReadSource for OneFile<R> {
    type Open = R;
    type Iter = std::vec::IntoIter<RusticResult<ReadSourceEntry<R>>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Self::Iter {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter()
    }
}
