//! Repositories in a folder over time: retention, pruning, damage.

use jiff::ToSpan;
use sealift_core::plan::Retention;
use sealift_repository::ErrorClass;

use crate::support::{Place, at, backup, noise, read};

#[test]
fn forget_then_prune_in_two_phases_leaves_a_whole_repository() {
    let place = Place::new();
    let repository = place.init();
    let mut ids = Vec::new();
    for nth in 0..3 {
        let time = format!("2026-11-{}T01:00:00Z", 18 + nth);
        let committed = backup(&repository, &time, &[("a", &noise(50 + nth, 2 << 20))]).unwrap();
        ids.push(committed.snapshot.id);
    }
    let now = at("2026-11-20T02:00:00Z");
    let keep = |dry_run| Retention { keep_last: 1, dry_run, ..Retention::default() };
    let report = repository.forget(&keep(true), now).unwrap();
    assert_eq!(report.removed, ids[..2]);
    assert_eq!(repository.snapshots().unwrap().len(), 3, "a dry run removes nothing");
    let report = repository.forget(&keep(false), now).unwrap();
    assert_eq!((report.kept, report.removed.len()), (1, 2));
    let before = repository.statistics().unwrap();
    assert_eq!(before.snapshots, 1);

    let dry = repository.prune(now, true).unwrap();
    let report = repository.prune(now, false).unwrap();
    assert_eq!(dry, report);
    assert!(report.packs_marked >= 2 && report.packs_removed == 0, "{report:?}");
    assert!(report.marked.bytes >= 4 << 20 && report.marked.blobs > 0, "{report:?}");
    assert!(report.used.bytes >= 2 << 20 && report.packs_used > 0, "{report:?}");
    assert!(repository.statistics().unwrap().pack_bytes >= before.pack_bytes, "only marked");
    // What is marked, the packs whose parts were copied among it, waits for its time.
    let waiting = report.packs_marked + report.packs_repacked;
    let report = repository.prune(now, false).unwrap();
    assert_eq!((report.packs_marked, report.packs_removed), (0, 0));
    assert_eq!(report.packs_waiting, waiting);
    assert!(repository.check(true).unwrap().ok());
    read(&repository, &ids[2], "a").unwrap();
}

#[test]
fn a_marked_pack_that_is_used_again_comes_back() {
    let place = Place::new();
    let repository = place.init();
    let bytes = noise(60, 2 << 20);
    backup(&repository, "2026-11-18T01:00:00Z", &[("a", &bytes)]).unwrap();
    backup(&repository, "2026-11-19T01:00:00Z", &[("b", b"b")]).unwrap();
    let now = at("2026-11-20T02:00:00Z");
    let retention = Retention { keep_last: 1, ..Retention::default() };
    repository.forget(&retention, now).unwrap();
    assert!(repository.prune(now, false).unwrap().packs_marked > 0);
    // The content of the marked pack is stored anew, never taken from it.
    let committed = backup(&repository, "2026-11-20T01:00:00Z", &[("a", &bytes)]).unwrap();
    assert!(committed.statistics.added_bytes >= 2 << 20);
    assert!(repository.check(true).unwrap().ok());
    repository.prune(now, false).unwrap();
    assert_eq!(read(&repository, &committed.snapshot.id, "a").unwrap(), bytes);
}

#[test]
fn nothing_is_pruned_while_a_snapshot_lies_in_the_future() {
    let place = Place::new();
    let repository = place.init();
    let now = at("2026-11-20T02:00:00Z");
    backup(&repository, "2026-11-20T01:00:00Z", &[("a", b"today")]).unwrap();
    let later = (now + 48.hours()).to_string();
    let future = backup(&repository, &later, &[("a", b"tomorrow")]).unwrap();
    let retention = Retention { keep_last: 1, ..Retention::default() };
    let report = repository.forget(&retention, now).unwrap();
    assert_eq!((report.kept, report.removed.len()), (2, 0));
    assert_eq!(report.in_future, std::slice::from_ref(&future.snapshot.id));
    let error = repository.prune(now, false).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid);
    assert!(error.to_string().contains(&future.snapshot.id), "{error}");
}

#[test]
fn a_missing_pack_is_a_finding_and_stops_resume() {
    let place = Place::new();
    let repository = place.init();
    backup(&repository, "2026-11-20T01:00:00Z", &[("a", &noise(70, 2 << 20))]).unwrap();
    let largest =
        place.files("data").into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    std::fs::remove_file(largest).unwrap();
    let report = repository.check(false).unwrap();
    assert!(!report.ok(), "{report:?}");
    let error = repository.resume().unwrap_err();
    assert_eq!(error.class(), ErrorClass::Data, "{error:?}");
    // A new snapshot with the same content would rest on the missing pack: it is not made.
    let error =
        backup(&repository, "2026-11-20T02:00:00Z", &[("a", &noise(70, 2 << 20))]).unwrap_err();
    assert!(error.to_string().contains("is not in the storage"), "{error}");
    assert_eq!(repository.snapshots().unwrap().len(), 1);
}

#[test]
fn a_damaged_older_snapshot_is_a_finding_and_does_not_stop_a_new_one() {
    let place = Place::new();
    let repository = place.init();
    backup(&repository, "2026-11-19T01:00:00Z", &[("a", b"a")]).unwrap();
    let older = place.files("snapshots").remove(0);
    std::fs::write(&older, noise(1, 300)).unwrap();
    let committed = backup(&repository, "2026-11-20T01:00:00Z", &[("a", b"a")]).unwrap();
    assert_eq!(committed.statistics.files_new, 1, "nothing to compare with");
    let report = repository.check(false).unwrap();
    assert!(!report.ok(), "{report:?}");
    // What cannot be read cannot be judged: nothing is forgotten or pruned.
    let retention = Retention { keep_last: 1, ..Retention::default() };
    let now = at("2026-11-20T02:00:00Z");
    repository.forget(&retention, now).unwrap_err();
    repository.prune(now, false).unwrap_err();
    assert_eq!(place.files("snapshots").len(), 2);
}
