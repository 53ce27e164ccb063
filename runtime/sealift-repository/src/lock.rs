//! Exclusion on one machine.
//!
//! Shared by backups and restores, held alone by init, resume, forget and prune. It is the
//! kernel's lock on a file: gone when the process is, never stale, and never waited for. The lock
//! is that of the place, however it is written: spellings of a path or URL, the region, the scheme
//! and TLS settings make no difference. It knows nothing of other machines; in a cluster a Lease
//! does this.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sealift_core::plan::Location;
use sha2::{Digest, Sha256};
use url::Url;

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else holds it.
    #[error(
        "the repository is in use on this machine by {}; wait for it to end",
        if holders.is_empty() { "another process".to_owned() } else { holders.join(", ") }
    )]
    Held {
        /// Who, as they called themselves.
        holders: Vec<String>,
    },
    /// The lock file cannot be used.
    #[error("cannot use the lock file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
}

/// A lock that is held; released on drop.
#[derive(Debug)]
pub struct RepositoryLock {
    _lock: File,
    _note: File,
    note: PathBuf,
}

static NOTES: AtomicU64 = AtomicU64::new(0);

impl RepositoryLock {
    /// Shared with other backups and restores. `folder` is the user's own and is made if it is
    /// missing; `holder` is what others are told.
    ///
    /// # Errors
    /// Somebody holds the repository alone.
    pub fn shared(folder: &Path, location: &Location, holder: &str) -> Result<Self, LockError> {
        Self::take(folder, location, holder, File::try_lock_shared)
    }

    /// Alone.
    ///
    /// # Errors
    /// Anybody holds the repository.
    pub fn exclusive(folder: &Path, location: &Location, holder: &str) -> Result<Self, LockError> {
        Self::take(folder, location, holder, File::try_lock)
    }

    fn take(
        folder: &Path,
        location: &Location,
        holder: &str,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Self, LockError> {
        let key = key(location);
        let at = |path: &Path| {
            let path = path.to_owned();
            |source: io::Error| LockError::File { path, source }
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(at(folder))?;
        let path = folder.join(format!("{key}.lock"));
        let file = open(&path).map_err(at(&path))?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held { holders: holders(folder, &key) });
            }
            Err(TryLockError::Error(source)) => return Err(at(&path)(source)),
        }
        // Each holder's note is locked as long as it lives, so that one left by a process that
        // died can be told from one that counts.
        let nth = NOTES.fetch_add(1, Ordering::Relaxed);
        let note = folder.join(format!("{key}.{}-{nth}.holder", std::process::id()));
        let mut note_file = open(&note).map_err(at(&note))?;
        note_file.lock().map_err(at(&note))?;
        note_file
            .set_len(0)
            .and_then(|()| note_file.write_all(holder.as_bytes()))
            .map_err(at(&note))?;
        Ok(Self { _lock: file, _note: note_file, note })
    }
}

impl Drop for RepositoryLock {
    fn drop(&mut self) {
        // A note that stays is recognised as left behind: its lock is gone.
        let _ = std::fs::remove_file(&self.note);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

/// Who holds the repository now; notes of the dead are removed.
fn holders(folder: &Path, key: &str) -> Vec<String> {
    let prefix = format!("{key}.");
    let mut holders = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with(&prefix) || !name.ends_with(".holder") {
            continue;
        }
        let Ok(mut file) = open(&entry.path()) else { continue };
        match file.try_lock() {
            Ok(()) => {
                let _ = std::fs::remove_file(entry.path());
            }
            Err(_) => {
                let mut holder = String::new();
                if Read::by_ref(&mut file).take(256).read_to_string(&mut holder).is_ok()
                    && !holder.is_empty()
                {
                    holders.push(holder);
                }
            }
        }
    }
    holders.sort();
    holders
}

/// The same for every way to write the same place.
fn key(location: &Location) -> String {
    let text = match location {
        Location::Local { path } => format!("local:{}", canonical(Path::new(path)).display()),
        Location::Rest { url } => {
            format!("rest:{}", address(url.strip_prefix("rest:").unwrap_or(url)))
        }
        Location::S3 { endpoint, bucket, prefix, region: _, insecure_tls: _ } => {
            let endpoint = if endpoint.contains("://") {
                address(endpoint)
            } else {
                address(&format!("https://{endpoint}"))
            };
            format!("s3:{endpoint} {bucket} {}", prefix.trim_matches('/'))
        }
    };
    hex::encode(Sha256::digest(text)).chars().take(16).collect()
}

/// Host, port and path of a URL. What is no URL stays as it is: opening the repository will
/// refuse it.
fn address(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) => format!(
            "{}:{}/{}",
            url.host_str().unwrap_or_default(),
            url.port_or_known_default().unwrap_or_default(),
            url.path().trim_matches('/')
        ),
        Err(_) => text.to_owned(),
    }
}

/// The path without links and detours, also if its end is still to be made.
fn canonical(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    let Some((above, mut canonical)) = there else { return path };
    for part in path.strip_prefix(above).into_iter().flat_map(Path::components) {
        match part {
            Component::ParentDir => {
                canonical.pop();
            }
            Component::Normal(name) => canonical.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    canonical
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn place(path: &Path) -> Location {
        Location::Local { path: path.to_string_lossy().into_owned() }
    }

    #[test]
    fn backups_share_and_maintenance_is_told_who_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let location = place(folder.path());
        let one = RepositoryLock::shared(folder.path(), &location, "backup one").unwrap();
        let two = RepositoryLock::shared(folder.path(), &location, "backup two").unwrap();
        let error = RepositoryLock::exclusive(folder.path(), &location, "prune").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the repository is in use on this machine by backup one, backup two; wait for it to end"
        );
        drop((one, two));
        let alone = RepositoryLock::exclusive(folder.path(), &location, "prune").unwrap();
        let error = RepositoryLock::shared(folder.path(), &location, "backup").unwrap_err();
        assert!(error.to_string().contains("by prune;"));
        drop(alone);
        RepositoryLock::shared(folder.path(), &location, "backup").unwrap();
    }

    #[test]
    fn nobody_else_can_look_into_the_folder_or_take_a_lock() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let locks = folder.path().join("locks");
        let _held = RepositoryLock::shared(&locks, &place(folder.path()), "backup").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&locks), 0o700);
        for file in std::fs::read_dir(&locks).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
        }
    }

    #[test]
    fn the_same_folder_by_another_name_is_the_same_lock() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path().join("repository");
        std::fs::create_dir(&repository).unwrap();
        let detour = folder.path().join("repository/../repository");
        let locks = folder.path().join("locks");
        let _held = RepositoryLock::exclusive(&locks, &place(&repository), "one").unwrap();
        RepositoryLock::shared(&locks, &place(&detour), "two").unwrap_err();
        RepositoryLock::exclusive(&locks, &place(folder.path()), "three").unwrap();
    }

    #[test]
    fn a_folder_that_is_still_to_be_made_has_the_lock_it_will_have() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        let repository = folder.path().join("new/repository");
        let names = [
            repository.clone(),
            link.join("new/repository/"),
            link.join("new/other/../repository"),
        ];
        let before: Vec<String> = names.iter().map(|name| key(&place(name))).collect();
        std::fs::create_dir_all(&repository).unwrap();
        let after = key(&place(&repository));
        assert_eq!(before, [after.clone(), after.clone(), after]);
    }

    #[test]
    fn a_place_on_a_server_has_one_lock_however_it_is_written() {
        let s3 = |endpoint: &str, bucket: &str, prefix: &str, region: &str, insecure_tls| {
            key(&Location::S3 {
                endpoint: endpoint.to_owned(),
                bucket: bucket.to_owned(),
                prefix: prefix.to_owned(),
                region: region.to_owned(),
                insecure_tls,
            })
        };
        let one = s3("minio.demo", "backups", "team/vault", "", false);
        assert_eq!(one, s3("https://MINIO.demo:443/", "backups", "/team/vault/", "eu", true));
        for other in [
            s3("minio.demo:9000", "backups", "team/vault", "", false),
            s3("minio.demo", "backups2", "team/vault", "", false),
            s3("minio.demo", "backups", "team", "", false),
        ] {
            assert_ne!(one, other);
        }
        let rest = |url: &str| key(&Location::Rest { url: url.to_owned() });
        assert_eq!(rest("rest:https://Backup.demo:443/team/"), rest("https://backup.demo/team"));
        assert_ne!(rest("https://backup.demo/team"), rest("https://backup.demo/team2"));
    }

    #[test]
    fn a_note_of_a_process_that_died_names_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let location = place(folder.path());
        let key = key(&location);
        let left = folder.path().join(format!("{key}.1-1.holder"));
        std::fs::write(&left, "somebody dead").unwrap();
        let _held = RepositoryLock::exclusive(folder.path(), &location, "alive").unwrap();
        match RepositoryLock::shared(folder.path(), &location, "two").unwrap_err() {
            LockError::Held { holders } => assert_eq!(holders, ["alive"]),
            other => panic!("{other}"),
        }
        assert!(!left.try_exists().unwrap());
    }
}
