//! Storage that fails where a test says: the commit gate against what a real server cannot show.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod foreign;
mod gates;
mod proofs;

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

/// A write fails; then the same backup runs again. `stored` is what the first left of use.
fn a_failed_write(fault: Fault, stored: u64) {
    let bench = bench();
    bench.faulty.set(Some(fault));
    let error = backup(&bench.repository, 10).unwrap_err();
    assert!(bench.faulty.hits.load(Ordering::SeqCst), "{fault:?} was never met");
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    assert!(error.chain().contains("the disk is full"), "{}", error.chain());
    bench.faulty.set(None);
    assert!(bench.repository.snapshots().unwrap().is_empty(), "it left a snapshot");

    bench.repository.resume().unwrap();
    let committed = backup(&bench.repository, 10).unwrap();
    let again = committed.statistics.added_bytes;
    // The tree that names all chunks comes on top of the data.
    assert!(again <= BIG as u64 + (256 << 10) - stored, "{again} bytes were sent again");
    assert!(bench.repository.check(false).unwrap().ok());
}

// A backup of this size writes packs of 16, 16 and 2 MiB of data and one of trees.

#[test]
fn the_first_pack_that_cannot_be_written_leaves_no_snapshot() {
    a_failed_write(Fault::Write(FileType::Pack, 0), 0);
}

#[test]
fn a_middle_pack_that_cannot_be_written_leaves_no_snapshot_and_the_first_is_used_again() {
    a_failed_write(Fault::Write(FileType::Pack, 1), 15 << 20);
}

#[test]
fn the_last_pack_that_cannot_be_written_leaves_no_snapshot_and_the_others_are_used_again() {
    a_failed_write(Fault::Write(FileType::Pack, 3), 33 << 20);
}

#[test]
fn an_index_that_cannot_be_written_leaves_no_snapshot_and_all_packs_are_used_again() {
    a_failed_write(Fault::Write(FileType::Index, 0), 33 << 20);
}

#[test]
fn a_snapshot_file_that_cannot_be_written_is_no_snapshot_and_all_data_is_used_again() {
    a_failed_write(Fault::Write(FileType::Snapshot, 0), 33 << 20);
}

#[test]
fn a_backup_of_this_size_writes_four_packs() {
    let bench = bench();
    backup(&bench.repository, 1).unwrap();
    assert_eq!(bench.faulty.written(FileType::Pack), 4);
}

#[test]
fn a_snapshot_file_that_arrived_though_its_write_failed_is_the_snapshot() {
    let bench = bench();
    bench.faulty.set(Some(Fault::WriteLate(FileType::Snapshot, 0)));
    let committed = backup(&bench.repository, 3).unwrap();
    assert!(bench.faulty.hits.load(Ordering::SeqCst));
    bench.faulty.set(None);
    let listed = bench.repository.snapshots().unwrap();
    assert_eq!(listed.iter().map(|one| &one.id).collect::<Vec<_>>(), [&committed.snapshot.id]);
}

#[test]
fn a_snapshot_nobody_can_list_afterwards_is_told_as_uncertain() {
    let bench = bench();
    // Only the list after the write is cut off: before it the repository has no snapshots anyway.
    bench.faulty.set(Some(Fault::Hide(FileType::Snapshot, 1)));
    let error = backup(&bench.repository, 4).unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }), "{error:?}");
    let bench = self::bench();
    bench.faulty.set(Some(Fault::List(FileType::Snapshot)));
    let error = backup(&bench.repository, 4).unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }), "{error:?}");
    assert!(error.chain().contains("the disk is full"), "{}", error.chain());
}

#[test]
fn cancelling_while_the_snapshot_file_is_written_does_not_unmake_it() {
    let bench = bench();
    *bench.faulty.cancel_at.lock().unwrap() = Some((FileType::Snapshot, bench.cancel.clone()));
    let committed = backup(&bench.repository, 4).unwrap();
    assert!(bench.cancel.is_cancelled());
    let again =
        Repository::open_on(bench.faulty.clone(), Secrets::new(PASSWORD), Options::default())
            .unwrap();
    assert_eq!(again.snapshots().unwrap()[0].id, committed.snapshot.id);
}

#[test]
fn a_pack_that_vanished_before_the_commit_stops_it() {
    let bench = bench();
    bench.faulty.set(Some(Fault::Hide(FileType::Pack, 1)));
    let error = backup(&bench.repository, 5).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data, "{error:?}");
    assert!(error.to_string().contains("is not in the storage"), "{error}");
    bench.faulty.set(None);
    assert!(bench.repository.snapshots().unwrap().is_empty());
}

#[test]
fn an_index_that_vanished_before_the_commit_stops_it() {
    let bench = bench();
    bench.faulty.set(Some(Fault::Hide(FileType::Index, 1)));
    let error = backup(&bench.repository, 6).unwrap_err();
    bench.faulty.set(None);
    assert!(bench.repository.snapshots().unwrap().is_empty(), "{error}");
}

#[test]
fn a_panicking_worker_is_an_error_of_this_session_only() {
    let bench = bench();
    bench.faulty.set(Some(Fault::Panic(FileType::Index)));
    let error = backup(&bench.repository, 7).unwrap_err();
    assert!(
        matches!(&error, Error::Panicked { detail, .. } if detail == "a worker fell over"),
        "{error:?}"
    );
    bench.faulty.set(None);
    assert!(bench.repository.snapshots().unwrap().is_empty());
    bench.repository.resume().unwrap();
    backup(&bench.repository, 7).unwrap();
}

#[test]
fn cancelling_in_the_middle_ends_the_backup_and_leaves_no_snapshot() {
    let bench = bench();
    *bench.faulty.cancel_at.lock().unwrap() = Some((FileType::Pack, bench.cancel.clone()));
    let error = backup(&bench.repository, 8).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Cancelled, "{error:?}");
    assert!(bench.faulty.written(FileType::Pack) <= 2, "it went on writing");
    // The flag stays set: this repository does nothing any more.
    let error = bench.repository.snapshots().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Cancelled, "{error:?}");
    let location = bench.faulty.clone();
    let again = Repository::open_on(location, Secrets::new(PASSWORD), Options::default()).unwrap();
    assert!(again.snapshots().unwrap().is_empty());
}

#[test]
fn prune_and_forget_refuse_when_the_snapshots_cannot_be_listed() {
    let bench = bench();
    backup(&bench.repository, 9).unwrap();
    bench.faulty.set(Some(Fault::List(FileType::Snapshot)));
    let error = bench.repository.prune(now(), false).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    let retention = Retention { keep_last: 1, ..Retention::default() };
    let error = bench.repository.forget(&retention, now()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    bench.faulty.set(None);
    assert!(bench.repository.check(true).unwrap().ok());
}

#[test]
fn a_list_that_hides_a_snapshot_loses_nothing_because_prune_only_marks() {
    let bench = bench();
    backup(&bench.repository, 20).unwrap();
    backup(&bench.repository, 21).unwrap();
    bench.faulty.set(Some(Fault::Hide(FileType::Snapshot, 1)));
    let report = bench.repository.prune(now(), false).unwrap();
    assert!(report.packs_marked > 0, "{report:?}");
    assert_eq!(report.packs_removed, 0);
    bench.faulty.set(None);
    // The next prune sees both snapshots and takes the packs back.
    let report = bench.repository.prune(now(), false).unwrap();
    assert!(report.packs_recovered > 0, "{report:?}");
    assert!(bench.repository.check(true).unwrap().ok());
}

#[test]
fn a_pack_the_index_knows_and_the_storage_does_not_is_told_never_dropped() {
    let bench = bench();
    backup(&bench.repository, 22).unwrap();
    bench.faulty.set(Some(Fault::Hide(FileType::Pack, 1)));
    let error = bench.repository.resume().unwrap_err();
    assert!(error.to_string().contains("not in the storage"), "{error}");
    assert_eq!(bench.faulty.written(FileType::Index), 0);
    bench.faulty.set(None);
    assert_eq!(bench.repository.resume().unwrap(), crate::Resumed::default());
}

#[test]
fn a_sealed_blob_that_is_not_the_one_asked_for_is_never_handed_out() {
    let bench = bench();
    let (one, two) = (noise(30, 1000), noise(31, 1000));
    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    let receipts = [
        draft.add("one", Some(1000), boxed(&one)).unwrap(),
        draft.add("two", Some(1000), boxed(&two)).unwrap(),
    ];
    let id = draft.commit(&expects(&receipts)).unwrap().snapshot.id;
    let folder = ["/stash-interim-volume/data".to_owned()];
    let read = |path: &str| {
        let reader = bench.repository.reader(&id, &folder).unwrap();
        let mut bytes = Vec::new();
        reader.open(path).unwrap().read_to_end(&mut bytes).map(|_| bytes)
    };
    assert_eq!((read("one").unwrap(), read("two").unwrap()), (one.clone(), two.clone()));
    bench.faulty.set(Some(Fault::Swap));

    // rustic_core sees a good seal and the right length, and hands out the other file.
    let gate = bench.repository.shut_gate();
    let engine = bench.repository.engine(&gate).unwrap().to_indexed().unwrap();
    let tree = bench.repository.snapshots().unwrap()[0].tree;
    let mut dumped = Vec::new();
    for name in ["one", "two"] {
        let path = format!("{}/{name}", folder[0]);
        let node = engine.node_from_path(tree, std::path::Path::new(&path)).unwrap();
        let mut bytes = Vec::new();
        engine.dump(&node, &mut bytes).unwrap();
        dumped.push(bytes);
    }
    assert_eq!(dumped[0], dumped[1], "bare rustic_core");

    let errors = ["one", "two"].map(|path| read(path).map_err(|error| error.to_string()));
    assert_eq!(errors.iter().filter(|outcome| outcome.is_err()).count(), 1, "{errors:?}");
    let text = errors.into_iter().find_map(Result::err).unwrap();
    assert!(text.contains("holds other bytes"), "{text}");
}
