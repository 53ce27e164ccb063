//! How rustic_core loses data, each shown on bare rustic_core, and that Sealift does not.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustic_backend::{LocalBackend, RestBackend};
use rustic_core::repofile::{FileType, Metadata, Node, NodeType, SnapshotFile};
use rustic_core::{
    BackupOptions, CheckOptions, Credentials, OpenStatus, PathList, PruneOptions, ReadBackend,
    ReadSource, ReadSourceEntry, RepositoryBackends, RepositoryOptions, RusticResult,
};
use sealift_repository::{Error, ErrorClass};

use crate::support::{
    BreaksOff, FOLDER, PASSWORD, Place, at, backup, boxed, expects, identity, noise, read,
};

/// rustic_core as it comes, on the same folder.
fn bare(place: &Place) -> rustic_core::Repository<OpenStatus> {
    let files = LocalBackend::new(place.path().to_str().unwrap(), std::iter::empty()).unwrap();
    rustic_core::Repository::new(
        &RepositoryOptions::default().no_cache(true),
        &RepositoryBackends::new(Arc::new(files), None),
    )
    .unwrap()
    .open(&Credentials::password(PASSWORD))
    .unwrap()
}

type Reader = Box<dyn Read + Send>;

/// One file from a reader, its node as it is given.
struct One {
    node: Node,
    reader: std::sync::Mutex<Option<Reader>>,
}

impl ReadSource for One {
    type Open = Reader;
    type Iter = std::iter::Once<RusticResult<ReadSourceEntry<Reader>>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Self::Iter {
        std::iter::once(Ok(ReadSourceEntry {
            path: PathBuf::from("/data/backup.snap"),
            node: self.node.clone(),
            open: self.reader.lock().unwrap().take(),
        }))
    }
}

fn one(size: u64, reader: Reader) -> One {
    let metadata =
        Metadata { size, mtime: Some(at("2026-11-20T01:00:00Z")), ..Metadata::default() };
    One {
        node: Node::new_node("backup.snap".as_ref(), NodeType::File, metadata),
        reader: std::sync::Mutex::new(Some(reader)),
    }
}

fn bare_archive(
    place: &Place,
    options: &BackupOptions,
    source: &One,
) -> RusticResult<SnapshotFile> {
    let snapshot = SnapshotFile { hostname: "host-0".to_owned(), ..SnapshotFile::default() };
    bare(place).to_indexed_ids()?.archive(options, source, snapshot, &[PathBuf::from("/data")])
}

fn bare_content(place: &Place, snapshot: &SnapshotFile) -> Vec<u8> {
    let repository = bare(place).to_indexed().unwrap();
    let node = repository.node_from_path(snapshot.tree, Path::new("/data/backup.snap")).unwrap();
    let mut bytes = Vec::new();
    repository.dump(&node, &mut bytes).unwrap();
    bytes
}

const SIZE: usize = 4 << 20;

#[test]
fn x12_a_stream_of_equal_size_and_time_is_not_taken_for_the_old_one() {
    let (first, second) = (vec![b'A'; 1000], vec![b'B'; 1000]);

    let place = Place::new();
    place.init();
    let options = BackupOptions::default();
    let source = |bytes: &[u8]| one(1000, boxed(bytes));
    bare_archive(&place, &options, &source(&first)).unwrap();
    let stored = bare_archive(&place, &options, &source(&second)).unwrap();
    assert_eq!(bare_content(&place, &stored), first, "bare rustic_core stores the old content");

    let place = Place::new();
    let repository = place.init();
    for bytes in [&first, &second] {
        // The same time, so that nothing but the bytes differs.
        let committed =
            backup(&repository, "2026-11-20T01:00:00Z", &[("backup.snap", bytes)]).unwrap();
        assert_eq!(&read(&repository, &committed.snapshot.id, "backup.snap").unwrap(), bytes);
    }
}

#[test]
fn x1_a_reader_that_breaks_off_is_an_error_and_no_snapshot() {
    let half = || Box::new(BreaksOff::after(noise(1, SIZE / 2)));

    let place = Place::new();
    place.init();
    let stored =
        bare_archive(&place, &BackupOptions::default(), &one(SIZE as u64, half())).unwrap();
    assert_eq!(stored.summary.unwrap().total_files_processed, 0);
    assert_eq!(bare(&place).get_all_snapshots().unwrap().len(), 1, "bare rustic_core says yes");

    let place = Place::new();
    let repository = place.init();
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let keys = draft.add("root-token", Some(3), boxed(b"\"t\"")).unwrap();
    let error = draft.add("backup.snap", Some(SIZE as u64), half()).unwrap_err();
    assert_eq!(
        error.chain(),
        format!(
            "artifact backup.snap broke off after {} bytes: connection reset by peer",
            SIZE / 2
        )
    );
    // Leaving the broken one out does not help: the draft is given up.
    let error = draft.commit(&expects(&[keys])).unwrap_err();
    assert!(matches!(error, Error::GivenUp { .. }), "{error:?}");
    assert!(repository.snapshots().unwrap().is_empty());
}

#[test]
fn x1_a_small_artifact_that_breaks_off_is_an_error_too() {
    let place = Place::new();
    let repository = place.init();
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let reader = Box::new(BreaksOff::after(b"\"to".to_vec()));
    let error = draft.add("root-token", Some(7), reader).unwrap_err();
    assert!(matches!(error, Error::Artifact { read: 3, .. }), "{error:?}");
    drop(draft);
    assert!(repository.snapshots().unwrap().is_empty());
}

#[test]
fn x3_a_producer_that_fails_after_its_last_byte_leaves_no_snapshot() {
    let place = Place::new();
    place.init();
    let mut options = BackupOptions::default().stdin_filename("backup.snap");
    options.stdin_command = Some("sh -c 'printf 12345; exit 1'".parse().unwrap());
    let failed = bare(&place).to_indexed_ids().unwrap().backup(
        &options,
        &PathList::from_string("-").unwrap(),
        SnapshotFile::default(),
    );
    assert!(failed.is_err());
    assert_eq!(bare(&place).get_all_snapshots().unwrap().len(), 1, "its snapshot stays");

    let place = Place::new();
    let repository = place.init();
    for size in [5, SIZE] {
        let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
        let reader = Box::new(BreaksOff::after(noise(3, size)));
        draft.add("backup.snap", Some(size as u64), reader).unwrap_err();
        drop(draft);
        assert!(repository.snapshots().unwrap().is_empty());
    }
}

#[test]
fn x4_the_stored_size_is_the_size_of_the_content() {
    let place = Place::new();
    place.init();
    let source = one(0, boxed(&noise(4, 5000)));
    let stored = bare_archive(&place, &BackupOptions::default(), &source).unwrap();
    let node = bare(&place)
        .to_indexed()
        .unwrap()
        .node_from_path(stored.tree, Path::new("/data/backup.snap"))
        .unwrap();
    assert_eq!(node.meta.size, 0, "bare rustic_core stores what it was told");
    // What others stored that way is read with its true size.
    let reader = place.open().reader(&stored.id.to_hex(), &["/data".to_owned()]).unwrap();
    assert_eq!(reader.entries()[0].size, 5000);

    let place = Place::new();
    let repository = place.init();
    for (announced, given) in [(5000, 4999), (5000, 5001), (SIZE, SIZE - 1), (SIZE, SIZE + 1)] {
        let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
        let error =
            draft.add("backup.snap", Some(announced as u64), boxed(&noise(5, given))).unwrap_err();
        assert!(matches!(error, Error::NotProven { .. }), "{announced} {given}: {error:?}");
    }
    assert!(repository.snapshots().unwrap().is_empty());
}

#[test]
fn x5_a_list_that_cannot_be_read_is_an_error_not_a_short_list() {
    let place = Place::new();
    let repository = place.init();
    backup(&repository, "2026-11-20T01:00:00Z", &[("a", &noise(6, 10_000))]).unwrap();
    // As when a volume goes away under a running process.
    std::fs::rename(place.path().join("snapshots"), place.path().join("gone")).unwrap();

    let files = LocalBackend::new(place.path().to_str().unwrap(), std::iter::empty()).unwrap();
    assert!(files.list(FileType::Snapshot).unwrap().is_empty(), "bare: no snapshots, no error");
    let mut options = PruneOptions::default();
    options.instant_delete = true;
    let plan = bare(&place).prune_plan(&options).unwrap();
    assert!(plan.stats.packs.unused > 0, "and prune would remove all data");

    let now = at("2026-11-20T02:00:00Z");
    for error in [
        repository.snapshots().map(drop).unwrap_err(),
        repository.prune(now, false).map(drop).unwrap_err(),
        repository.check(false).map(drop).unwrap_err(),
        repository.statistics().map(drop).unwrap_err(),
    ] {
        assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    }
    std::fs::rename(place.path().join("gone"), place.path().join("snapshots")).unwrap();
    assert!(repository.check(true).unwrap().ok());
}

/// A server that answers every request with 503.
fn unavailable() -> String {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(
                b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
    });
    format!("http://{address}/")
}

#[test]
fn a_server_that_is_down_does_not_look_like_one_without_a_repository() {
    let url = unavailable();
    let server = RestBackend::new(&url, [("retry".to_owned(), "off".to_owned())]).unwrap();
    assert!(server.list(FileType::Config).unwrap().is_empty(), "bare: no repository; init follows");

    let location = sealift_core::plan::Location::Rest { url };
    let error = sealift_repository::Repository::open(
        &location,
        &sealift_repository::Secrets::new(PASSWORD),
        // Only so that it is not asked again for half a minute.
        sealift_repository::Options {
            request_timeout: std::time::Duration::from_secs(2),
            ..sealift_repository::Options::default()
        },
    )
    .unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    assert!(error.chain().contains("503"), "{}", error.chain());
}

/// A repository as a backup leaves it that is killed before its index is written.
fn killed(place: &Place, bytes: &[u8]) {
    let repository = place.open();
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    draft.add("backup.snap", Some(bytes.len() as u64), boxed(bytes)).unwrap();
    drop(draft);
    for index in place.files("index") {
        std::fs::remove_file(index).unwrap();
    }
    assert!(!place.files("data").is_empty());
}

#[test]
fn x7_x8_x9_what_a_killed_backup_sent_is_used_again_and_indexed() {
    let bytes = noise(7, SIZE);
    let forced = || {
        let mut options = BackupOptions::default();
        options.parent_opts.force = true;
        options
    };
    let source = || one(SIZE as u64, boxed(&bytes));

    // X7: without repair everything is sent again.
    let place = Place::new();
    place.init();
    killed(&place, &bytes);
    let stored = bare_archive(&place, &forced(), &source()).unwrap();
    assert!(stored.summary.unwrap().data_added_files >= SIZE as u64);

    // X8: with the checked index nothing is sent, and the snapshot's blobs are in no index.
    let place = Place::new();
    place.init();
    killed(&place, &bytes);
    bare(&place)
        .to_indexed_ids_checked()
        .unwrap()
        .archive(&forced(), &source(), SnapshotFile::default(), &[PathBuf::from("/data")])
        .unwrap();
    let results = bare(&place).check(CheckOptions::default()).unwrap();
    assert!(results.is_ok().is_err(), "bare: a snapshot that cannot be restored");

    // X9: the index is repaired first.
    let place = Place::new();
    let repository = place.init();
    killed(&place, &bytes);
    let resumed = repository.resume().unwrap();
    assert!(resumed.repaired && resumed.bytes >= SIZE as u64, "{resumed:?}");
    let committed =
        backup(&repository, "2026-11-20T02:00:00Z", &[("backup.snap", &bytes)]).unwrap();
    assert!(committed.statistics.added_bytes < 60_000, "{:?}", committed.statistics);
    assert!(repository.check(true).unwrap().ok());
    assert_eq!(read(&repository, &committed.snapshot.id, "backup.snap").unwrap(), bytes);
    assert_eq!(repository.resume().unwrap(), sealift_repository::Resumed::default());
}

#[test]
fn x10_a_flipped_bit_is_found_and_never_handed_out() {
    let place = Place::new();
    let repository = place.init();
    let bytes = noise(8, SIZE);
    let committed =
        backup(&repository, "2026-11-20T01:00:00Z", &[("backup.snap", &bytes)]).unwrap();
    let largest =
        place.files("data").into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut pack = std::fs::read(&largest).unwrap();
    let middle = pack.len() / 2;
    pack[middle] ^= 1;
    std::fs::write(&largest, pack).unwrap();

    assert!(repository.check(false).unwrap().ok(), "the structure is whole");
    let report = repository.check(true).unwrap();
    assert!(!report.ok());
    assert!(report.findings.iter().all(|finding| !finding.text.contains('\n')));
    let reader = repository.reader(&committed.snapshot.id, &[FOLDER.to_owned()]).unwrap();
    let mut file = reader.open("backup.snap").unwrap();
    let mut got = Vec::new();
    file.read_to_end(&mut got).unwrap_err();
    assert_eq!(got, bytes[..got.len()], "what came before the damage is right");
    assert!(got.len() < bytes.len());
    // An error is never followed by an end.
    file.read(&mut [0; 10]).unwrap_err();
}

#[test]
fn x2_rustic_cores_own_snapshot_never_reaches_the_storage() {
    let place = Place::new();
    let repository = place.init();
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    draft.add("backup.snap", Some(SIZE as u64), boxed(&noise(9, SIZE))).unwrap();
    // rustic_core has finished an archive call and saved its snapshot, as it thinks.
    assert!(place.files("snapshots").is_empty());
    drop(draft);
    assert!(place.files("snapshots").is_empty());
}

#[test]
fn artifacts_that_come_one_after_the_other_do_not_wait_for_each_other() {
    /// The second artifact's bytes come only when the first was taken.
    struct After(std::sync::mpsc::Receiver<Vec<u8>>, Cursor<Vec<u8>>);
    impl Read for After {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if let Ok(bytes) = self.0.try_recv() {
                self.1 = Cursor::new(bytes);
            }
            self.1.read(buffer)
        }
    }
    let place = Place::new();
    let repository = place.init();
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let bytes = noise(10, SIZE);
    let one = draft.add("one", Some(SIZE as u64), boxed(&bytes)).unwrap();
    sender.send(bytes).unwrap();
    let reader = Box::new(After(receiver, Cursor::default()));
    let two = draft.add("two", Some(SIZE as u64), reader).unwrap();
    assert_eq!(one.fingerprint, two.fingerprint);
    draft.commit(&expects(&[one, two])).unwrap();
}
