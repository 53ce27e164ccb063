//! What others do to a storage while a session works on it: packs that are cut short, a snapshot
//! file that reads as another, a second init at the same time.

use std::path::PathBuf;

use rustic_core::repofile::FileType;

use super::*;

/// Cuts the largest pack to its first mebibyte, in the real folder; says its name.
fn cut_a_pack(bench: &Bench) -> String {
    let mut packs: Vec<(u64, PathBuf)> = Vec::new();
    for folder in std::fs::read_dir(bench._folder.path().join("r/data")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let file = file.unwrap();
            packs.push((file.metadata().unwrap().len(), file.path()));
        }
    }
    let (size, path) = packs.into_iter().max().unwrap();
    assert!(size > 8 << 20, "{size}");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(1 << 20).unwrap();
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_pack_that_was_cut_short_before_the_commit_stops_it() {
    let bench = bench();
    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    let receipt = draft.add("backup.snap", Some(BIG as u64), boxed(&noise(40, BIG))).unwrap();
    let pack = cut_a_pack(&bench);
    let error = draft.commit(&expects(&[receipt])).unwrap_err();
    assert!(matches!(&error, Error::NotProven { artifact, .. } if artifact == "backup.snap"));
    assert!(error.to_string().contains(&pack), "{error}");
    assert_eq!(bench.faulty.written(FileType::Snapshot), 0);
    assert!(bench.repository.snapshots().unwrap().is_empty());
}

#[test]
fn a_pack_of_another_size_than_the_index_says_is_told_never_dropped() {
    let bench = bench();
    backup(&bench.repository, 41).unwrap();
    let pack = cut_a_pack(&bench);
    // A draft that died, so that there is something to repair.
    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    bench.faulty.set(Some(Fault::Write(FileType::Index, 0)));
    draft.add("backup.snap", Some(BIG as u64), boxed(&noise(42, BIG))).unwrap_err();
    bench.faulty.set(None);
    let error = bench.repository.resume().unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains(&pack), "{error}");
    assert_eq!(bench.faulty.written(FileType::Index), 0);
}

#[test]
fn a_snapshot_file_that_reads_as_another_is_told_as_uncertain_because_it_exists() {
    let bench = bench();
    backup(&bench.repository, 43).unwrap();
    bench.faulty.set(Some(Fault::Other));
    let mut draft = bench.repository.draft(&identity(), now()).unwrap();
    draft.set_label("second").unwrap();
    let receipt = draft.add("small", Some(5), boxed(b"bytes")).unwrap();
    let error = draft.commit(&expects(&[receipt])).unwrap_err();
    assert!(matches!(error, Error::Uncertain { .. }), "{error:?}");
    assert!(error.chain().contains("the snapshot file exists"), "{}", error.chain());
    bench.faulty.set(None);
    assert_eq!(bench.repository.snapshots().unwrap().len(), 2);
}

#[test]
fn of_two_inits_at_once_one_wins_and_the_other_takes_its_key_back() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Local { path: folder.path().join("r").to_str().unwrap().to_owned() };
    let secrets = Secrets::new(PASSWORD);
    let inner = storage::connect(&location, &secrets, &Options::default()).unwrap();
    let faulty = Faulty::new(inner.clone());
    // The first makes the repository between the second's last look and its key.
    let first = Arc::new(Mutex::new(None));
    let made = first.clone();
    *faulty.before_key.lock().unwrap() = Some(Box::new(move || {
        let repository =
            Repository::init_on(inner, Secrets::new(PASSWORD), Options::default()).unwrap();
        *made.lock().unwrap() = Some(repository.id());
    }));
    let error =
        Repository::init_on(faulty.clone(), secrets.clone(), Options::default()).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error:?}");
    assert_eq!(faulty.list(FileType::Key).unwrap().len(), 1);
    let opened = Repository::open(&location, &secrets, Options::default()).unwrap();
    assert_eq!(first.lock().unwrap().as_deref(), Some(opened.id().as_str()));
}
