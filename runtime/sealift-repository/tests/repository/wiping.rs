//! A repository and everything below its prefix goes, and nothing beside it, on a real S3 server.

use std::path::{Path, PathBuf};

use sealift_core::plan::Location;
use sealift_repository::{Error, ErrorClass, Options, Repository, Secrets, wipe};
use zeroize::Zeroizing;

use crate::remote::{s3_location, s3_secrets, s3_server};
use crate::servers::Server;
use crate::support::{backup, noise, small};

struct Bucket {
    folder: tempfile::TempDir,
    server: Server,
}

impl Bucket {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = s3_server(folder.path(), &[]);
        Self { folder, server }
    }

    fn location(&self, prefix: &str) -> Location {
        s3_location(format!("http://127.0.0.1:{}", self.server.port), prefix, false)
    }

    /// A repository with a snapshot.
    fn fill(&self, prefix: &str) {
        let repository = Repository::init(&self.location(prefix), &s3_secrets(), small()).unwrap();
        backup(&repository, "2026-11-20T01:00:00Z", &[("a", &noise(1, 1 << 20))]).unwrap();
    }

    fn put(&self, name: &str) {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "of somebody").unwrap();
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root/backups")
    }

    /// All files of the bucket, with their bytes.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![self.root()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => open.push(path),
                    false => found.push((self.name(&path), std::fs::read(&path).unwrap())),
                }
            }
        }
        found.sort();
        found
    }

    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.root()).unwrap().to_string_lossy().into_owned()
    }
}

#[test]
fn everything_below_the_prefix_goes_and_nothing_beside_it_however_the_prefix_is_written() {
    let bucket = Bucket::start();
    bucket.fill("demo-vault-2");
    bucket.put("demo-vault.txt");
    let beside = bucket.files();
    for prefix in ["demo-vault", "/demo-vault", "demo-vault/", "/deep/demo-vault/"] {
        bucket.fill(prefix);
        bucket.put(&format!("{}/locks/{}", prefix.trim_matches('/'), "ab".repeat(32)));
        bucket.put(&format!("{}/notes/of a person.txt", prefix.trim_matches('/')));
        let before = bucket.files();
        let wiped = wipe(&bucket.location(prefix), &s3_secrets(), &Options::default()).unwrap();
        assert_eq!(wiped.objects, (before.len() - beside.len()) as u64, "{prefix}");
        assert!(wiped.bytes > 1 << 20, "{prefix}: {wiped:?}");
        assert_eq!(bucket.files(), beside, "{prefix}");
        // What is gone may be removed again.
        let again = wipe(&bucket.location(prefix), &s3_secrets(), &Options::default()).unwrap();
        assert_eq!(again.objects, 0);
    }
}

/// Nothing is removed, and the reason is told.
fn refused(bucket: &Bucket, prefix: &str, secrets: &Secrets) -> Error {
    let before = bucket.files();
    let error = wipe(&bucket.location(prefix), secrets, &Options::default()).unwrap_err();
    assert_eq!(bucket.files(), before, "{error}");
    error
}

#[test]
fn a_place_that_is_not_known_to_be_the_repositorys_is_left_alone() {
    let bucket = Bucket::start();
    bucket.put("letters/to-somebody");
    let error = refused(&bucket, "letters", &s3_secrets());
    assert!(error.to_string().contains("there is no repository"), "{error}");

    bucket.fill("theirs");
    let ours = Secrets { password: Zeroizing::new("another".to_owned()), ..s3_secrets() };
    let error = refused(&bucket, "theirs", &ours);
    assert_eq!(error.class(), ErrorClass::WrongPassword, "{error}");

    bucket.fill("theirs/below");
    let error = refused(&bucket, "theirs", &s3_secrets());
    assert!(error.to_string().contains("\"below\""), "{error}");
}

#[test]
fn a_whole_bucket_goes_only_if_nothing_else_is_in_it() {
    let bucket = Bucket::start();
    bucket.fill("");
    bucket.put("letters/to-somebody");
    let error = refused(&bucket, "", &s3_secrets());
    assert!(error.to_string().contains("no prefix"), "{error}");
    std::fs::remove_dir_all(bucket.root().join("letters")).unwrap();
    wipe(&bucket.location("/"), &s3_secrets(), &Options::default()).unwrap();
    assert_eq!(bucket.files(), []);
}

#[test]
fn a_removal_that_broke_off_is_ended_by_the_next_one() {
    let bucket = Bucket::start();
    bucket.fill("demo-vault");
    // As far as the first had come: `config` is gone, its key is not.
    std::fs::remove_file(bucket.root().join("demo-vault/config")).unwrap();
    std::fs::remove_dir_all(bucket.root().join("demo-vault/data")).unwrap();
    wipe(&bucket.location("demo-vault"), &s3_secrets(), &Options::default()).unwrap();
    assert_eq!(bucket.files(), []);
}

#[test]
fn a_cancelled_removal_says_so_and_other_storages_are_refused() {
    let bucket = Bucket::start();
    bucket.fill("demo-vault");
    let options = Options::default();
    options.cancel.cancel();
    let error = wipe(&bucket.location("demo-vault"), &s3_secrets(), &options).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Cancelled, "{error}");
    let rest = Location::Rest { url: "http://127.0.0.1:1/".to_owned() };
    let error = wipe(&rest, &s3_secrets(), &Options::default()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Invalid, "{error}");
}
