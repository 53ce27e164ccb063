//! Lists that leave something out or fail, and answers that are not what was asked for.

use super::*;

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
