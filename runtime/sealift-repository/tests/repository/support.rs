//! What the tests share: a repository in a folder, artifacts, restic's own view.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sealift_core::plan::{Location, SnapshotIdentity};
use sealift_repository::{
    Chunks, Committed, Error, FileExpectation, FileReceipt, Options, Repository, Secrets,
};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const FOLDER: &str = "/stash-interim-volume/data";

/// A folder for one repository, and what is in it.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    pub(crate) fn scratch(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn location(&self) -> Location {
        Location::Local { path: self.path().to_str().unwrap().to_owned() }
    }

    pub(crate) fn init(&self) -> Repository {
        Repository::init(&self.location(), &Secrets::new(PASSWORD), small()).unwrap()
    }

    pub(crate) fn open(&self) -> Repository {
        Repository::open(&self.location(), &Secrets::new(PASSWORD), small()).unwrap()
    }

    /// All files below a folder of the repository.
    pub(crate) fn files(&self, below: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.path().join(below)];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { open.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }
}

pub(crate) fn small() -> Options {
    Options { chunks: Chunks::Small, ..Options::default() }
}

pub(crate) fn identity() -> SnapshotIdentity {
    SnapshotIdentity {
        hostname: "host-0".to_owned(),
        path: FOLDER.to_owned(),
        tags: vec!["sealift.target=AppBinding/demo/vault".to_owned()],
        description: "vault-snapshot sha256:1234".to_owned(),
    }
}

pub(crate) fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// Bytes that neither compress nor repeat; the same for the same seed.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

pub(crate) fn boxed(bytes: &[u8]) -> Box<dyn Read + Send> {
    Box::new(Cursor::new(bytes.to_vec()))
}

/// Gives these bytes and then an error instead of an end.
pub(crate) struct BreaksOff(Cursor<Vec<u8>>);

impl BreaksOff {
    pub(crate) fn after(bytes: Vec<u8>) -> Self {
        Self(Cursor::new(bytes))
    }
}

impl Read for BreaksOff {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::other("connection reset by peer")),
            count => Ok(count),
        }
    }
}

pub(crate) fn expects(receipts: &[FileReceipt]) -> Vec<FileExpectation> {
    receipts
        .iter()
        .map(|receipt| FileExpectation {
            path: receipt.path.clone(),
            size: receipt.size,
            fingerprint: receipt.fingerprint,
        })
        .collect()
}

/// Stores these artifacts, in this order, as one snapshot.
pub(crate) fn backup(
    repository: &Repository,
    time: &str,
    artifacts: &[(&str, &[u8])],
) -> Result<Committed, Error> {
    let mut draft = repository.draft(&identity(), at(time))?;
    let mut receipts = Vec::new();
    for (path, bytes) in artifacts {
        receipts.push(draft.add(path, Some(bytes.len() as u64), boxed(bytes))?);
    }
    draft.commit(&expects(&receipts))
}

/// The bytes of one file of a snapshot.
pub(crate) fn read(repository: &Repository, id: &str, path: &str) -> Result<Vec<u8>, String> {
    let reader = repository.reader(id, &[FOLDER.to_owned()]).map_err(|error| error.chain())?;
    let mut file = reader.open(path).map_err(|error| error.chain())?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    assert_eq!(bytes.len() as u64, file.size());
    Ok(bytes)
}
