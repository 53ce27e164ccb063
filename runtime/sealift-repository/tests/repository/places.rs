//! Repositories in a folder: made, opened, or refused, and what is never touched.

use sealift_core::plan::Location;
use sealift_repository::{Error, ErrorClass, Options, Repository, Secrets};

use crate::support::{PASSWORD, Place, at, backup, identity, noise, small};

fn secrets() -> Secrets {
    Secrets::new(PASSWORD)
}

#[test]
fn open_tells_a_missing_repository_from_a_wrong_password() {
    let place = Place::new();
    let error = Repository::open(&place.location(), &secrets(), small()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::NoRepository, "{error:?}");
    let (_, created) = Repository::open_or_init(&place.location(), &secrets(), small()).unwrap();
    assert!(created);
    let (_, created) = Repository::open_or_init(&place.location(), &secrets(), small()).unwrap();
    assert!(!created);
    let wrong = Secrets::new("correct horse battery staple\n");
    let error = Repository::open(&place.location(), &wrong, small()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::WrongPassword);
    assert!(error.to_string().contains("ends with a blank or a line break"), "{error}");
    let error = Repository::open_or_init(&place.location(), &wrong, small()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::WrongPassword);
    std::fs::rename(place.path().join("keys"), place.path().join("keys-away")).unwrap();
    std::fs::create_dir(place.path().join("keys")).unwrap();
    let error = Repository::open(&place.location(), &secrets(), small()).unwrap_err();
    assert!(matches!(error, Error::NoKeys { .. }), "{error:?}");
    // Many programs have a file config.
    let other = Place::new();
    std::fs::create_dir(other.path()).unwrap();
    std::fs::write(other.path().join("config"), "colour = blue").unwrap();
    let error = Repository::open(&other.location(), &secrets(), small()).unwrap_err();
    assert!(matches!(error, Error::Foreign { .. }), "{error:?}");
}

/// Who holds the repository alone may clear away the key of an init that was broken off; a key
/// that data is encrypted with, or that another machine is just making, is none of those.
#[test]
fn a_key_without_a_config_is_cleared_away_only_where_it_opens_nothing() {
    let alone = || Options { alone: true, ..small() };
    let without_config = |place: &Place| {
        std::fs::remove_file(place.path().join("config")).unwrap();
        Repository::init(&place.location(), &secrets(), alone())
    };
    let data = Place::new();
    backup(&data.init(), "2026-11-20T01:00:00Z", &[("a", b"a")]).unwrap();
    let keys = data.files("keys");
    let error = without_config(&data).unwrap_err();
    assert!(
        matches!(&error, Error::Foreign { found, .. } if found.contains("files and no config"))
    );
    assert_eq!(data.files("keys"), keys);

    let elsewhere = Place::new();
    elsewhere.init();
    let key = elsewhere.files("keys").remove(0);
    let mut content: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&key).unwrap()).unwrap();
    content["hostname"] = "elsewhere".into();
    std::fs::write(&key, content.to_string()).unwrap();
    let error = without_config(&elsewhere).unwrap_err();
    assert!(
        matches!(&error, Error::Foreign { found, .. } if found.contains("a key and no config"))
    );
    assert_eq!(elsewhere.files("keys"), [key]);

    let broken_off = Place::new();
    broken_off.init();
    without_config(&broken_off).unwrap();
    assert_eq!(broken_off.files("keys").len(), 1);
}

#[test]
fn init_touches_nothing_that_is_there() {
    let place = Place::new();
    let init = || Repository::init(&place.location(), &secrets(), small());
    // Other files.
    std::fs::create_dir(place.path()).unwrap();
    std::fs::write(place.path().join("letters.txt"), "dear").unwrap();
    let error = init().unwrap_err();
    assert!(error.to_string().contains("letters.txt"), "{error}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    std::fs::remove_file(place.path().join("letters.txt")).unwrap();
    // A repository.
    init().unwrap();
    let config = std::fs::read(place.path().join("config")).unwrap();
    let error = init().unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error:?}");
    assert_eq!(std::fs::read(place.path().join("config")).unwrap(), config);
    // A repository that lost its config is not replaced.
    std::fs::remove_file(place.path().join("config")).unwrap();
    let error = init().unwrap_err();
    assert!(
        matches!(&error, Error::Foreign { found, .. } if found.contains("a key and no config")),
        "{error:?}"
    );
    assert_eq!(place.files("keys").len(), 1);
}

#[test]
fn chunks_and_packs_are_what_was_asked_for_and_an_existing_repository_keeps_its_own() {
    let place = Place::new();
    let repository = place.init();
    assert_eq!(repository.format().chunk_average, 16 << 10);
    assert_eq!((repository.format().version, repository.format().note), (2, None));
    backup(&repository, "2026-11-20T01:00:00Z", &[("a", &noise(5, 40 << 20))]).unwrap();
    let largest =
        place.files("data").iter().map(|path| path.metadata().unwrap().len()).max().unwrap();
    assert!((16 << 20..18 << 20).contains(&largest), "{largest}");

    let place = Place::new();
    Repository::init(&place.location(), &secrets(), Options::default()).unwrap();
    let format = place.open().format();
    assert_eq!(format.chunk_average, 1 << 20);
    assert!(format.note.unwrap().contains("up to 64 times"));
}

#[test]
fn no_secret_shows_in_debug_or_errors() {
    let place = Place::new();
    let repository = place.init();
    let draft = repository.draft(&identity(), at("2026-11-20T01:00:00Z")).unwrap();
    let shown = format!("{repository:?} {draft:?} {:?}", secrets());
    assert!(!shown.contains(PASSWORD), "{shown}");
    let relative = Location::Local { path: "backups".to_owned() };
    let error = Repository::open(&relative, &secrets(), small()).unwrap_err();
    assert!(error.to_string().contains("must be absolute"), "{error}");
}
