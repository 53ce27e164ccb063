//! restic is the referee: what Sealift writes it accepts, what it writes Sealift reads.

use std::process::Command;

use sealift_core::plan::Retention;
use sealift_repository::{FileExpectation, Repository, Secrets};

use crate::servers::{binary, restic, restic_ok};
use crate::support::{
    FOLDER, PASSWORD, Place, at, backup, boxed, expects, identity, noise, read, small,
};

fn path(place: &Place) -> String {
    place.path().to_str().unwrap().to_owned()
}

#[test]
fn restic_accepts_and_restores_what_sealift_wrote() {
    let place = Place::new();
    let repository = place.init();
    let (snap, second) = (noise(1, 20 << 20), noise(2, 2 << 20));
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    draft.add_tag("gold").unwrap();
    // In an order that needs the trees to be merged and sorted.
    let receipts = vec![
        draft.add("other.bin", Some(second.len() as u64), boxed(&second)).unwrap(),
        draft.add("backup.snap", Some(snap.len() as u64), boxed(&snap)).unwrap(),
        draft.add("demo.vault-root-token", Some(7), boxed(b"\"token\"")).unwrap(),
        draft.add("deep/empty", Some(0), boxed(b"")).unwrap(),
    ];
    let committed = draft.commit(&expects(&receipts)).unwrap();
    let repo = path(&place);

    assert!(restic_ok(&repo, &["check", "--read-data"], &[]).contains("no errors were found"));
    let target = place.scratch().join("restored");
    restic_ok(
        &repo,
        &[
            "restore",
            "latest",
            "--host",
            "host-0",
            "--path",
            FOLDER,
            "--tag",
            "gold",
            "--verify",
            "--target",
            target.to_str().unwrap(),
        ],
        &[],
    );
    let restored = |name: &str| std::fs::read(target.join(&FOLDER[1..]).join(name)).unwrap();
    assert_eq!(restored("backup.snap"), snap);
    assert_eq!(restored("other.bin"), second);
    assert_eq!(restored("demo.vault-root-token"), b"\"token\"");
    assert_eq!(restored("deep/empty"), b"");
    let file = std::fs::metadata(target.join(&FOLDER[1..]).join("backup.snap")).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let dumped =
        restic(&repo, &["dump", &committed.snapshot.id, &format!("{FOLDER}/backup.snap")], &[]);
    assert_eq!(dumped.stdout, snap);
    let listed: serde_json::Value =
        serde_json::from_slice(&restic(&repo, &["snapshots", "--json"], &[]).stdout).unwrap();
    assert_eq!(listed[0]["id"], committed.snapshot.id);
    assert_eq!(listed[0]["hostname"], "host-0");
    assert_eq!(listed[0]["summary"]["total_bytes_processed"], (22 << 20) + 7);
}

#[test]
fn both_write_one_repository_in_turn_and_prune_it() {
    for version in ["1", "2"] {
        let place = Place::new();
        let repo = path(&place);
        restic_ok(&repo, &["init", "--repository-version", version], &[]);
        let data = place.scratch().join("data");
        std::fs::create_dir(&data).unwrap();
        let bytes = noise(3, 3 << 20);
        std::fs::write(data.join("backup.snap"), &bytes).unwrap();
        // As the original does, from another host so that retention sees two groups.
        restic_ok(&repo, &["backup", "--host", "host-1", data.to_str().unwrap()], &[]);

        let repository =
            Repository::open(&place.location(), &Secrets::new(PASSWORD), small()).unwrap();
        assert_eq!(repository.format().version.to_string(), version);
        let note = repository.format().note.unwrap();
        assert!(note.contains("chunks of 1024 KiB"), "1 MiB chunks cost, and it says so: {note}");
        assert_eq!(note.contains("format version 1"), version == "1", "{note}");
        let theirs = repository.snapshots().unwrap().remove(0);
        let reader = repository.reader(&theirs.id, &[data.to_str().unwrap().to_owned()]).unwrap();
        let mut read_back = Vec::new();
        std::io::copy(&mut reader.open("backup.snap").unwrap(), &mut read_back).unwrap();
        assert_eq!(read_back, bytes);

        // What restic stored is not stored again.
        let ours = backup(&repository, "2026-11-20T01:00:00Z", &[("backup.snap", &bytes)]).unwrap();
        assert!(ours.statistics.added_bytes < 10_000, "{:?}", ours.statistics);
        let newest =
            backup(&repository, "2026-11-20T02:00:00Z", &[("backup.snap", &noise(4, 2 << 20))])
                .unwrap();
        assert!(restic_ok(&repo, &["check", "--read-data"], &[]).contains("no errors"));

        // In this machine's future, so that restic's own snapshot does not lie there.
        let now = at("2099-01-01T00:00:00Z");
        let retention = Retention { keep_last: 1, ..Retention::default() };
        let report = repository.forget(&retention, now).unwrap();
        assert_eq!(report.removed, [ours.snapshot.id]);
        repository.prune(now, false).unwrap();
        assert!(repository.check(true).unwrap().ok());
        assert!(restic_ok(&repo, &["check", "--read-data"], &[]).contains("no errors"));
        read(&repository, &newest.snapshot.id, "backup.snap").unwrap();
        assert_eq!(repository.snapshots().unwrap().len(), 2);
    }
}

#[test]
fn after_a_draft_that_was_given_up_restic_finds_no_error() {
    let place = Place::new();
    let repository = place.init();
    backup(&repository, "2026-11-20T01:00:00Z", &[("a", b"a")]).unwrap();
    let bytes = noise(5, 20 << 20);
    let mut draft = repository.draft(&identity(), at("2026-11-20T02:00:00Z")).unwrap();
    let reader = Box::new(crate::support::BreaksOff::after(bytes.clone()));
    draft.add("backup.snap", Some(30 << 20), reader).unwrap_err();
    drop(draft);
    let repo = path(&place);
    assert!(restic_ok(&repo, &["check", "--read-data"], &[]).contains("no errors"));
    assert_eq!(repository.snapshots().unwrap().len(), 1);
    // What was sent before it broke off is not sent again.
    repository.resume().unwrap();
    let committed =
        backup(&repository, "2026-11-20T03:00:00Z", &[("backup.snap", &bytes)]).unwrap();
    assert!(committed.statistics.added_bytes < 1 << 20, "{:?}", committed.statistics);
    assert!(restic_ok(&repo, &["check", "--read-data"], &[]).contains("no errors"));
}

#[test]
fn a_node_of_size_zero_is_what_restic_restores_wrongly_and_sealift_never_writes() {
    // X4, seen from the other side: the size in the tree is exact for every way in.
    let place = Place::new();
    let interim = place.scratch().join("interim");
    std::fs::create_dir(&interim).unwrap();
    place.init();
    let options = sealift_repository::Options { interim_dir: Some(interim), ..small() };
    let repository = Repository::open(&place.location(), &Secrets::new(PASSWORD), options).unwrap();
    let large = noise(6, 2 << 20);
    let mut draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let receipts = [
        draft.add("small-unknown", None, boxed(b"abc")).unwrap(),
        draft.add("large-unknown", None, boxed(&large)).unwrap(),
        draft.add("large-known", Some(2 << 20), boxed(&large)).unwrap(),
    ];
    let expected: Vec<FileExpectation> = expects(&receipts);
    let committed = draft.commit(&expected).unwrap();
    let listed = Command::new(binary("restic"))
        .args(["--no-cache", "-r", &path(&place), "ls", "--json", &committed.snapshot.id])
        .env("RESTIC_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    let sizes: Vec<(String, u64)> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|node| node["type"] == "file")
        .map(|node| (node["name"].as_str().unwrap().to_owned(), node["size"].as_u64().unwrap_or(0)))
        .collect();
    assert_eq!(
        sizes,
        [
            ("large-known".to_owned(), 2 << 20),
            ("large-unknown".to_owned(), 2 << 20),
            ("small-unknown".to_owned(), 3),
        ]
    );
}
