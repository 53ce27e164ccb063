//! Repositories in a folder: what is refused, what is found again, what is left.

use std::io::Read;

use sealift_core::fingerprint::Fingerprint;
use sealift_core::plan::{SnapshotIdentity, SnapshotSelection};
use sealift_repository::{EntryKind, Error, FileExpectation, Options, Repository, Secrets};

use crate::support::{
    FOLDER, PASSWORD, Place, at, backup, boxed, expects, identity, noise, read, small,
};

fn secrets() -> Secrets {
    Secrets::new(PASSWORD)
}

#[test]
fn what_was_stored_is_read_back_with_names_sizes_and_identity() {
    let place = Place::new();
    let repository = place.init();
    let snap = noise(1, 3 << 20);
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    draft.add_tag("gold").unwrap();
    draft.set_label("nightly").unwrap();
    // Large, small, large, nested and unsorted: three passes and a merge.
    let receipts = vec![
        draft.add("z-last.bin", Some(2 << 20), boxed(&noise(2, 2 << 20))).unwrap(),
        draft.add("k8s.demo.vault-root-token", Some(7), boxed(b"\"token\"")).unwrap(),
        draft.add("deep/er/empty", Some(0), boxed(b"")).unwrap(),
        draft.add("backup.snap", Some(3 << 20), boxed(&snap)).unwrap(),
        draft.add("deep/a", Some(1), boxed(b"a")).unwrap(),
        draft.add("unknown", None, boxed(b"of unknown size")).unwrap(),
    ];
    let committed = draft.commit(&expects(&receipts)).unwrap();
    assert_eq!(committed.statistics.files_total, 6);
    assert_eq!(committed.statistics.files_new, 6);
    assert_eq!(committed.statistics.total_bytes, (5 << 20) + 7 + 1 + 15);
    assert!(committed.statistics.uploaded_bytes > 5 << 20);

    let snapshot = &repository.snapshots().unwrap()[0];
    assert_eq!(snapshot.id, committed.snapshot.id);
    assert_eq!(snapshot.hostname, "host-0");
    assert_eq!(snapshot.paths, [FOLDER]);
    assert_eq!(snapshot.tags, ["gold", "sealift.target=AppBinding/demo/vault"]);
    assert_eq!(snapshot.label.as_deref(), Some("nightly"));
    assert_eq!(snapshot.description.as_deref(), Some("vault-snapshot sha256:1234"));
    assert_eq!(snapshot.time.timestamp(), at("2026-11-20T01:00:00Z"));
    assert_eq!(snapshot.summary.unwrap().files, 6);

    let reader = repository
        .reader(
            &snapshot.id[..8],
            &["/stash-tmp/stash-interim-volume/data".to_owned(), FOLDER.to_owned()],
        )
        .unwrap();
    let entries: Vec<(&str, EntryKind, u64)> = reader
        .entries()
        .iter()
        .map(|entry| (entry.path.as_str(), entry.kind, entry.size))
        .collect();
    assert_eq!(
        entries,
        [
            ("backup.snap", EntryKind::File, 3 << 20),
            ("deep", EntryKind::Dir, 0),
            ("deep/a", EntryKind::File, 1),
            ("deep/er", EntryKind::Dir, 0),
            ("deep/er/empty", EntryKind::File, 0),
            ("k8s.demo.vault-root-token", EntryKind::File, 7),
            ("unknown", EntryKind::File, 15),
            ("z-last.bin", EntryKind::File, 2 << 20),
        ]
    );
    assert_eq!(read(&repository, &snapshot.id, "backup.snap").unwrap(), snap);
    assert_eq!(read(&repository, &snapshot.id, "deep/er/empty").unwrap(), b"");
    assert!(repository.check(true).unwrap().ok());
}

#[test]
fn a_second_snapshot_of_little_changed_data_costs_little_and_says_what_changed() {
    let place = Place::new();
    let repository = place.init();
    let mut bytes = noise(3, 8 << 20);
    let before: &[(&str, &[u8])] = &[("backup.snap", &bytes), ("same", b"same"), ("gone", b"gone")];
    backup(&repository, "2026-11-20T01:00:00Z", before).unwrap();
    bytes[4 << 20] ^= 0xff;
    let after: &[(&str, &[u8])] = &[("backup.snap", &bytes), ("same", b"same"), ("new", b"new")];
    let committed = backup(&repository, "2026-11-20T02:00:00Z", after).unwrap();
    let statistics = committed.statistics;
    assert!(statistics.uploaded_bytes < 400_000, "{statistics:?}");
    assert_eq!(
        (statistics.files_new, statistics.files_modified, statistics.files_unmodified),
        (1, 1, 1)
    );
}

#[test]
fn what_the_producer_did_not_finish_is_not_committed() {
    let place = Place::new();
    let repository = place.init();
    let refused = |expected: &dyn Fn(FileExpectation) -> Vec<FileExpectation>| {
        let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
        let receipt = draft.add("a", Some(3), boxed(b"abc")).unwrap();
        let right = expects(&[receipt]).remove(0);
        draft.commit(&expected(right)).unwrap_err().to_string()
    };
    let text = refused(&|_| Vec::new());
    assert_eq!(
        text,
        "artifact a is not proven complete, no snapshot was made: it was stored, but no producer finished it"
    );
    let text = refused(&|right| vec![FileExpectation { size: 4, ..right }]);
    assert!(text.contains("its producer finished 4 bytes, 3 were stored"), "{text}");
    let other = Fingerprint::of(b"abd");
    let text = refused(&|right| vec![FileExpectation { fingerprint: other, ..right }]);
    assert!(text.contains("other bytes than its producer finished"), "{text}");
    let text =
        refused(&|right| vec![right.clone(), FileExpectation { path: "b".to_owned(), ..right }]);
    assert!(text.contains("artifact b") && text.contains("never stored"), "{text}");
    let text = refused(&|right| vec![right.clone(), right]);
    assert!(text.contains("expected twice"), "{text}");
    assert!(repository.snapshots().unwrap().is_empty());

    let draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let error = draft.commit(&[]).unwrap_err();
    assert!(error.to_string().contains("it holds no artifact"), "{error}");
    assert!(repository.snapshots().unwrap().is_empty());
}

#[test]
fn an_artifact_is_added_once_and_never_where_a_folder_is() {
    let place = Place::new();
    let repository = place.init();
    for (first, second, said) in [
        ("a", "a", "added before"),
        ("a", "a/b", "a is a file"),
        ("a/b", "a", "other artifacts lie below it"),
        ("a", "../b", "must not hold . or .."),
        ("a", "/b", "must be relative"),
    ] {
        let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
        draft.add(first, Some(1), boxed(b"x")).unwrap();
        let error = draft.add(second, Some(1), boxed(b"x")).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn an_artifact_of_unknown_size_needs_the_interim_volume_above_one_mebibyte() {
    let place = Place::new();
    place.init();
    let bytes = noise(4, (1 << 20) + 1);
    let repository = place.open();
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let error = draft.add("dump", None, boxed(&bytes)).unwrap_err();
    assert!(error.to_string().contains("interimVolumeTemplate"), "{error}");

    let interim = place.scratch().join("interim");
    std::fs::create_dir(&interim).unwrap();
    let options = Options { interim_dir: Some(interim.clone()), ..small() };
    let repository = Repository::open(&place.location(), &secrets(), options).unwrap();
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let receipt = draft.add("dump", None, boxed(&bytes)).unwrap();
    let committed = draft.commit(&expects(&[receipt])).unwrap();
    assert_eq!(read(&repository, &committed.snapshot.id, "dump").unwrap(), bytes);
    assert_eq!(std::fs::read_dir(&interim).unwrap().count(), 0, "nothing is left there");

    // More than the volume may hold is not kept.
    let limited = |limit| {
        let interim_dir = Some(interim.clone());
        let options = Options { interim_dir, interim_limit: Some(limit), ..small() };
        let repository = Repository::open(&place.location(), &secrets(), options).unwrap();
        let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
        draft.add("dump", None, boxed(&noise(5, 3 << 20))).map(|receipt| receipt.size)
    };
    assert_eq!(limited(3 << 20).unwrap(), 3 << 20);
    for limit in [(3 << 20) - 1, 2 << 20, 1 << 20, 1] {
        let error = limited(limit).unwrap_err();
        assert!(
            matches!(error, Error::InterimFull { limit: said, .. } if said == limit),
            "{error:?}"
        );
        assert!(error.to_string().contains("spec.resources.requests.storage"), "{error}");
    }

    // A broken-off one is not stored from there either.
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let reader = Box::new(crate::support::BreaksOff::after(bytes));
    let error = draft.add("dump", None, reader).unwrap_err();
    assert!(matches!(error, Error::Artifact { .. }), "{error:?}");
}

#[test]
fn many_small_artifacts_are_stored_though_they_exceed_what_memory_may_hold() {
    let place = Place::new();
    let repository = place.init();
    let artifacts: Vec<(String, Vec<u8>)> =
        (0..20).map(|nth| (format!("part-{nth:02}"), noise(100 + nth, 1 << 20))).collect();
    let borrowed: Vec<(&str, &[u8])> =
        artifacts.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let committed = backup(&repository, "2026-11-20T01:00:00Z", &borrowed).unwrap();
    assert_eq!(committed.statistics.files_total, 20);
    assert_eq!(read(&repository, &committed.snapshot.id, "part-19").unwrap(), artifacts[19].1);
    assert!(repository.check(true).unwrap().ok());
}

#[test]
fn files_are_compared_with_the_snapshot_of_the_same_target() {
    let place = Place::new();
    let repository = place.init();
    let (one, two) = (noise(60, 2 << 20), noise(61, 2 << 20));
    // Target, its file, and whether that is new, modified, unmodified. Two Vaults without an
    // alias have the same host and path; the original's snapshots are nobody's.
    let rows = [
        ("", &one, [1, 0, 0]),
        ("vault", &one, [0, 0, 1]),
        ("other", &two, [0, 1, 0]),
        ("vault", &one, [0, 0, 1]),
        ("other", &two, [0, 0, 1]),
        ("", &two, [0, 1, 0]),
    ];
    for (nth, (target, bytes, expected)) in rows.into_iter().enumerate() {
        let tag = (!target.is_empty()).then(|| format!("sealift.target=AppBinding/demo/{target}"));
        let identity = SnapshotIdentity { tags: tag.into_iter().collect(), ..identity() };
        let started = at(&format!("2026-11-20T0{nth}:00:00Z"));
        let mut draft = repository.draft(&identity, started).unwrap();
        let receipt = draft.add("a", Some(bytes.len() as u64), boxed(bytes)).unwrap();
        let counted = draft.commit(&expects(&[receipt])).unwrap().statistics;
        let found = [counted.files_new, counted.files_modified, counted.files_unmodified];
        assert_eq!(found, expected, "row {nth}");
    }
}

#[test]
fn latest_is_selected_and_a_reader_tells_what_it_cannot_find() {
    let place = Place::new();
    let repository = place.init();
    backup(&repository, "2026-11-19T01:00:00Z", &[("a", b"old")]).unwrap();
    let newest = backup(&repository, "2026-11-20T01:00:00Z", &[("a", b"new")]).unwrap();
    let selection = SnapshotSelection {
        snapshot: "latest".to_owned(),
        hostname: None,
        target_tag: "sealift.target=AppBinding/demo/vault".to_owned(),
        of_another: false,
        paths: vec![FOLDER.to_owned()],
    };
    assert_eq!(repository.select(&selection).unwrap().id, newest.snapshot.id);
    let error = repository.reader(&newest.snapshot.id, &["/other".to_owned()]).unwrap_err();
    assert!(
        error.to_string().contains("it has no folder /other; it holds /stash-interim-volume/data"),
        "{error}"
    );
    let reader = repository.reader(&newest.snapshot.id, &[FOLDER.to_owned()]).unwrap();
    assert!(reader.open("b").unwrap_err().to_string().contains("has no such file"));
    assert!(reader.open("../a").is_err());
    let mut text = String::new();
    reader.open("a").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "new");
}
