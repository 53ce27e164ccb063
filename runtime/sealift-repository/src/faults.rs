//! Storage that fails where a test says: the commit gate against what a real server cannot show.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod answers;
mod foreign;
mod gates;
mod proofs;
mod writes;

use std::io::{Cursor, Read};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::Timestamp;
use rustic_core::repofile::FileType;
use rustic_core::{BytesList, ErrorKind, Id, ReadBackend, RusticError, RusticResult, WriteBackend};
use sealift_core::plan::{Location, Retention, SnapshotIdentity};

use crate::{
    CancelFlag, Chunks, Draft, Error, ErrorClass, FileExpectation, FileReceipt, Options,
    Repository, Secrets, storage,
};

const PASSWORD: &str = "correct horse battery staple";

/// Which call fails, and how.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The nth write of this type fails; nothing is stored.
    Write(FileType, usize),
    /// The nth write of this type is stored, and yet fails.
    WriteLate(FileType, usize),
    /// A list leaves out this many, and says nothing.
    Hide(FileType, usize),
    /// The second list of this type leaves out one, and says nothing.
    HideLater(FileType),
    /// A list fails.
    List(FileType),
    /// A write panics.
    Panic(FileType),
    /// The first blob of a data pack is answered with the second, which is as long.
    Swap,
    /// A snapshot file is answered with another one, if there is one.
    Other,
    /// A part of a file is answered with the whole file.
    Whole,
    /// A removal removes nothing, and says nothing.
    Keep,
    /// A removal removes all files of the type.
    Empty,
    /// A write of this type fails, and every list of it from then on.
    Gone(FileType),
}

/// A storage with a fault that can be switched on.
struct Faulty {
    inner: Arc<dyn WriteBackend>,
    fault: Mutex<Option<Fault>>,
    writes: Mutex<Vec<FileType>>,
    matching: AtomicUsize,
    /// Set by the first write of this type, if asked for.
    cancel_at: Mutex<Option<(FileType, CancelFlag)>>,
    hits: AtomicBool,
    /// Done once, before a key file is written.
    before_key: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Faulty {
    fn new(inner: Arc<dyn WriteBackend>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fault: Mutex::new(None),
            writes: Mutex::new(Vec::new()),
            matching: AtomicUsize::new(0),
            cancel_at: Mutex::new(None),
            hits: AtomicBool::new(false),
            before_key: Mutex::new(None),
        })
    }

    fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
        self.matching.store(0, Ordering::SeqCst);
        self.writes.lock().unwrap().clear();
        self.hits.store(false, Ordering::SeqCst);
    }

    fn written(&self, tpe: FileType) -> usize {
        self.writes.lock().unwrap().iter().filter(|one| **one == tpe).count()
    }
}

fn broken() -> Box<RusticError> {
    RusticError::new(ErrorKind::Backend, "the disk is full")
}

impl ReadBackend for Faulty {
    fn location(&self) -> String {
        self.inner.location()
    }
    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let mut list = self.inner.list_with_size(tpe)?;
        list.sort();
        match *self.fault.lock().unwrap() {
            Some(Fault::Hide(hidden, count)) if hidden == tpe => {
                list.truncate(list.len().saturating_sub(count));
            }
            Some(Fault::HideLater(hidden)) if hidden == tpe => {
                list.truncate(list.len() - self.matching.fetch_add(1, Ordering::SeqCst).min(1));
            }
            Some(Fault::List(failing)) if failing == tpe => return Err(broken()),
            Some(Fault::Gone(gone)) if gone == tpe && self.hits.load(Ordering::SeqCst) => {
                return Err(broken());
            }
            _ => {}
        }
        Ok(list)
    }
    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        let mut id = *id;
        if tpe == FileType::Snapshot && matches!(*self.fault.lock().unwrap(), Some(Fault::Other)) {
            let list = self.inner.list(tpe)?;
            id = list.into_iter().find(|other| *other != id).unwrap_or(id);
        }
        self.inner.read_full(tpe, &id)
    }
    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        if matches!(*self.fault.lock().unwrap(), Some(Fault::Whole)) {
            return self.inner.read_full(tpe, id);
        }
        let swapped = matches!(*self.fault.lock().unwrap(), Some(Fault::Swap));
        let offset = if swapped && !cacheable && offset == 0 { length } else { offset };
        self.inner.read_partial(tpe, id, cacheable, offset, length)
    }
    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.inner.warmup_path(tpe, id)
    }
}

impl WriteBackend for Faulty {
    fn create(&self) -> RusticResult<()> {
        self.inner.create()
    }
    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        if let Some((at, flag)) = &*self.cancel_at.lock().unwrap()
            && tpe == *at
        {
            flag.cancel();
        }
        let before = self.before_key.lock().unwrap().take_if(|_| tpe == FileType::Key);
        before.into_iter().for_each(|work| work());
        let fault = *self.fault.lock().unwrap();
        match fault {
            Some(Fault::Write(failing, nth) | Fault::WriteLate(failing, nth))
                if failing == tpe && self.matching.fetch_add(1, Ordering::SeqCst) == nth =>
            {
                self.hits.store(true, Ordering::SeqCst);
                if let Some(Fault::WriteLate(..)) = fault {
                    self.inner.write_bytes(tpe, id, cacheable, content)?;
                }
                return Err(broken());
            }
            Some(Fault::Gone(gone)) if gone == tpe => {
                self.hits.store(true, Ordering::SeqCst);
                return Err(broken());
            }
            Some(Fault::Panic(failing)) if failing == tpe => {
                self.hits.store(true, Ordering::SeqCst);
                panic!("a worker fell over");
            }
            _ => {}
        }
        self.writes.lock().unwrap().push(tpe);
        self.inner.write_bytes(tpe, id, cacheable, content)
    }
    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        match *self.fault.lock().unwrap() {
            Some(Fault::Keep) => return Ok(()),
            Some(Fault::Empty) => {
                let others = self.inner.list(tpe)?.into_iter().filter(|other| other != id);
                for other in others {
                    self.inner.remove(tpe, &other, cacheable)?;
                }
            }
            _ => {}
        }
        self.inner.remove(tpe, id, cacheable)
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    faulty: Arc<Faulty>,
    repository: Repository,
    cancel: CancelFlag,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Local { path: folder.path().join("r").to_str().unwrap().to_owned() };
    let secrets = Secrets::new(PASSWORD);
    let cancel = CancelFlag::new();
    let options = Options { chunks: Chunks::Small, cancel: cancel.clone(), ..Options::default() };
    let inner = storage::connect(&location, &secrets, &options).unwrap();
    let faulty = Faulty::new(inner);
    let repository = Repository::init_on(faulty.clone(), secrets, options).unwrap();
    faulty.set(None);
    Bench { _folder: folder, faulty, repository, cancel }
}

fn identity() -> SnapshotIdentity {
    SnapshotIdentity {
        hostname: "host-0".to_owned(),
        path: "/stash-interim-volume/data".to_owned(),
        tags: vec!["sealift.target=AppBinding/demo/vault".to_owned()],
        description: String::new(),
    }
}

fn now() -> Timestamp {
    "2026-11-20T01:00:00Z".parse().unwrap()
}

/// Bytes that neither compress nor repeat; the same for the same seed.
fn noise(seed: u64, size: usize) -> Vec<u8> {
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

fn boxed(bytes: &[u8]) -> Box<dyn Read + Send> {
    Box::new(Cursor::new(bytes.to_vec()))
}

fn expects(receipts: &[FileReceipt]) -> Vec<FileExpectation> {
    receipts
        .iter()
        .map(|receipt| FileExpectation {
            path: receipt.path.clone(),
            size: receipt.size,
            fingerprint: receipt.fingerprint,
        })
        .collect()
}

const BIG: usize = 34 << 20;

/// One large artifact of three packs, one small one.
fn backup(repository: &Repository, seed: u64) -> Result<crate::Committed, Error> {
    let mut draft: Draft = repository.draft(&identity(), now())?;
    let bytes = noise(seed, BIG);
    let receipts = vec![
        draft.add("keys/root-token", Some(7), boxed(b"\"token\""))?,
        draft.add("backup.snap", Some(BIG as u64), boxed(&bytes))?,
    ];
    draft.commit(&expects(&receipts))
}
