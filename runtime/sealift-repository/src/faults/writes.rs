//! Writes that fail, panic or are cancelled in the middle: no snapshot, and what arrived is used again.

use super::*;

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
