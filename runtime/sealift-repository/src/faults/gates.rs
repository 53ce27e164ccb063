//! What a gate, a draft and a reader refuse by themselves, whatever rustic_core and the storage do.

use super::*;
use crate::StorageError;
use crate::gate::Gate;

/// A snapshot of one pack of data: less than that of the faults, and enough to be read.
fn two_mebibytes(bench: &Bench, seed: u64) -> Result<crate::Committed, Error> {
    let mut draft = bench.repository.draft(&identity(), now())?;
    let bytes = noise(seed, 2 << 20);
    let receipt = draft.add("backup.snap", Some(bytes.len() as u64), boxed(&bytes))?;
    draft.commit(&expects(&[receipt]))
}

fn write(gate: &Gate, digit: &str) -> RusticResult<()> {
    let id: Id = digit.repeat(64).parse().unwrap();
    gate.write_bytes(FileType::Snapshot, &id, false, b"{}".to_vec().into())
}

#[test]
fn a_gate_lets_one_snapshot_file_through_and_only_when_it_was_released() {
    let bench = bench();
    let outside =
        |gate: &Gate| matches!(gate.take_failure(), Some(StorageError::SnapshotOutsideCommit));
    let shut = bench.repository.shut_gate();
    write(&shut, "1").unwrap_err();
    assert!(outside(&shut));
    let gate = bench.repository.holding_gate();
    write(&gate, "2").unwrap();
    assert_eq!(gate.held(), 1);
    assert_eq!(bench.faulty.written(FileType::Snapshot), 0);
    gate.release_one();
    write(&gate, "3").unwrap();
    write(&gate, "4").unwrap_err();
    assert!(outside(&gate));
    assert_eq!(gate.sent(), Some("3".repeat(64).parse().unwrap()));
    assert_eq!(bench.faulty.written(FileType::Snapshot), 1);
}

#[test]
fn what_was_cancelled_before_it_was_sent_was_never_sent() {
    let bench = bench();
    let gate = bench.repository.holding_gate();
    gate.release_one();
    bench.cancel.cancel();
    write(&gate, "5").unwrap_err();
    assert_eq!(gate.sent(), None);
    assert_eq!(bench.faulty.written(FileType::Snapshot), 0);
}

#[test]
fn an_answer_of_another_length_than_asked_for_is_an_error() {
    let bench = bench();
    two_mebibytes(&bench, 60).unwrap();
    let pack = bench.faulty.list(FileType::Pack).unwrap()[0];
    let gate = bench.repository.shut_gate();
    gate.read_partial(FileType::Pack, &pack, false, 0, 100).unwrap();
    bench.faulty.set(Some(Fault::Whole));
    gate.read_partial(FileType::Pack, &pack, false, 0, 100).unwrap_err();
    let failure = gate.take_failure().unwrap().to_string();
    assert!(failure.contains("asked for 100 bytes"), "{failure}");
}

#[test]
fn a_draft_refuses_an_identity_restic_could_not_hold() {
    let bench = bench();
    let draft = |hostname: &str, path: &str| {
        let identity =
            SnapshotIdentity { hostname: hostname.to_owned(), path: path.to_owned(), ..identity() };
        bench.repository.draft(&identity, now())
    };
    draft("host-0", "/data").unwrap();
    for (hostname, path, said) in [
        ("", "/data", "hostname"),
        ("host-0", "data", "must be absolute"),
        ("host-0", "/a/../b", "must not hold . or .."),
        ("host-0", "/", "1 to 4096"),
    ] {
        let error = draft(hostname, path).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Invalid, "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_draft_refuses_tags_labels_and_names_restic_could_not_hold() {
    let bench = bench();
    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    let long = "x".repeat(256);
    for tag in ["", &long, "a,b", "a\nb", "sealift.target=AppBinding/demo/other"] {
        let error = draft.add_tag(tag).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Invalid, "{tag:?}: {error:?}");
    }
    draft.add_tag(&"x".repeat(255)).unwrap();
    for label in [long.as_str(), "a\nb"] {
        draft.set_label(label).unwrap_err();
    }
    draft.set_label("nightly").unwrap();
    let error = draft.add("../outside", Some(1), boxed(b"x")).unwrap_err();
    assert!(error.to_string().contains("must not hold . or .."), "{error}");
    // It was given up, and says so whatever is asked of it now.
    let error = draft.add("inside", Some(1), boxed(b"x")).unwrap_err();
    assert!(matches!(error, Error::GivenUp { .. }), "{error:?}");
}

#[test]
fn a_draft_that_was_given_up_is_not_committed_with_what_it_had_before() {
    let bench = bench();
    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    let receipt = draft.add("small", Some(5), boxed(b"bytes")).unwrap();
    draft.add("torn", Some(9), boxed(b"half")).unwrap_err();
    // Even if everybody agrees on what is left of it.
    let error = draft.commit(&expects(&[receipt])).unwrap_err();
    assert!(matches!(error, Error::GivenUp { .. }), "{error:?}");
    assert!(bench.repository.snapshots().unwrap().is_empty());
}

#[test]
fn a_check_that_was_cancelled_or_saw_less_than_all_is_no_verdict() {
    let bench = bench();
    two_mebibytes(&bench, 61).unwrap();
    for kind in [FileType::Index, FileType::Pack, FileType::Snapshot] {
        bench.faulty.set(Some(Fault::List(kind)));
        let error = bench.repository.check(false).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Storage, "{kind:?}: {error:?}");
    }
    bench.faulty.set(None);
    bench.cancel.cancel();
    let error = bench.repository.check(false).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Cancelled, "{error:?}");
}

#[test]
fn a_file_that_could_not_be_read_once_is_not_read_on() {
    let bench = bench();
    let committed = two_mebibytes(&bench, 62).unwrap();
    let folder = [identity().path];
    let reader = bench.repository.reader(&committed.snapshot.id, &folder).unwrap();
    let mut file = reader.open("backup.snap").unwrap();
    bench.faulty.set(Some(Fault::Whole));
    file.read(&mut [0; 10]).unwrap_err();
    bench.faulty.set(None);
    file.read(&mut [0; 10]).unwrap_err();
}

#[test]
fn a_forget_that_removed_too_little_or_too_much_is_told() {
    let retention = Retention { keep_last: 1, ..Retention::default() };
    for (fault, said) in [
        (Fault::Keep, "1 removed snapshots are still listed"),
        (Fault::Empty, "1 kept ones are not"),
    ] {
        let bench = bench();
        for nth in 0..2 {
            let time = now() + jiff::SignedDuration::from_hours(nth);
            let mut draft = bench.repository.draft(&identity(), time).unwrap();
            let receipt = draft.add("small", Some(5), boxed(b"bytes")).unwrap();
            draft.commit(&expects(&[receipt])).unwrap();
        }
        bench.faulty.set(Some(fault));
        let later = now() + jiff::SignedDuration::from_hours(2);
        let error = bench.repository.forget(&retention, later).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn a_storage_that_went_away_with_the_snapshot_file_leaves_it_uncertain() {
    let bench = bench();
    bench.faulty.set(Some(Fault::Gone(FileType::Snapshot)));
    let error = two_mebibytes(&bench, 63).unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }), "{error:?}");
}

#[test]
fn no_error_of_a_library_repeats_the_password() {
    let bench = bench();
    let gate = bench.repository.shut_gate();
    let said = || RusticError::new(ErrorKind::Backend, format!("denied: {PASSWORD}"));
    let error = gate.run::<()>("trying", || Err(said())).unwrap_err();
    assert!(error.chain().contains("denied: [redacted]"), "{}", error.chain());
    assert!(!format!("{error:?}").contains(PASSWORD));
}

#[test]
fn what_a_backup_left_that_died_is_not_taken_for_stored_without_a_repair() {
    let bench = bench();
    bench.faulty.set(Some(Fault::Write(FileType::Index, 0)));
    two_mebibytes(&bench, 64).unwrap_err();
    bench.faulty.set(None);
    // The packs are there and in no index: they are sent again, never referred to.
    let committed = two_mebibytes(&bench, 64).unwrap();
    assert!(committed.statistics.added_bytes >= 2 << 20);
    assert!(bench.repository.check(false).unwrap().ok());
}

#[test]
fn small_artifacts_do_not_pile_up_in_memory() {
    let bench = bench();
    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    for nth in 0..17 {
        let bytes = vec![nth; 1 << 20];
        draft.add(&nth.to_string(), Some(1 << 20), boxed(&bytes)).unwrap();
    }
    assert_eq!(draft.ledger.len(), 16, "the first sixteen are stored");
}

#[test]
fn prune_refuses_when_two_lists_of_the_snapshots_differ() {
    let bench = bench();
    two_mebibytes(&bench, 65).unwrap();
    bench.faulty.set(Some(Fault::HideLater(FileType::Snapshot)));
    let error = bench.repository.prune(now(), false).unwrap_err();
    assert!(error.to_string().contains("two lists of the snapshots differ (1 and 0)"), "{error}");
    bench.faulty.set(None);
    assert!(bench.repository.check(true).unwrap().ok());
}

#[test]
fn snapshots_are_listed_oldest_first() {
    let bench = bench();
    let times: Vec<Timestamp> =
        (0..5).map(|nth| now() - jiff::SignedDuration::from_hours(nth)).collect();
    for time in &times {
        let mut draft = bench.repository.draft(&identity(), *time).unwrap();
        let receipt = draft.add("small", Some(5), boxed(b"bytes")).unwrap();
        draft.commit(&expects(&[receipt])).unwrap();
    }
    let listed = bench.repository.snapshots().unwrap();
    let listed: Vec<Timestamp> = listed.iter().map(|one| one.time.timestamp()).collect();
    assert!(listed.iter().eq(times.iter().rev()), "{listed:?}");
}
