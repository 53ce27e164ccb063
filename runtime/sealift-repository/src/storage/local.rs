//! A repository in a folder.
//!
//! rustic_backend writes and reads the files; listing is our own. Its lists leave out what could
//! not be read, and a list that is too short makes prune remove data that is in use. After a
//! write the folder is flushed too, so that the name is as durable as the bytes. The config file is
//! created and never replaced: with another one all data of a repository would be lost.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustic_backend::LocalBackend;
use rustic_core::{BytesList, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use super::{OURS, exists, failed};
use crate::Error;

/// A repository in a folder.
pub(super) struct Folder {
    root: PathBuf,
    files: LocalBackend,
}

impl Folder {
    /// At this absolute path, which need not exist.
    pub(super) fn new(path: &str) -> Result<Self, Error> {
        let invalid = |reason: String| Error::Invalid {
            subject: format!("repository folder {path:?}"),
            reason,
        };
        let root = PathBuf::from(path);
        if !root.is_absolute() {
            return Err(invalid("its path must be absolute".to_owned()));
        }
        let files = LocalBackend::new(path, std::iter::empty())
            .map_err(|error| invalid(crate::error::one_line(&error)))?;
        Ok(Self { root, files })
    }

    fn file(&self, tpe: FileType, id: &Id) -> PathBuf {
        let hex = id.to_hex();
        match tpe {
            FileType::Config => self.root.join("config"),
            FileType::Pack => {
                let folder: String = hex.chars().take(2).collect();
                self.root.join("data").join(folder).join(hex.as_str())
            }
            _ => self.root.join(tpe.dirname()).join(hex.as_str()),
        }
    }

    fn list_into(&self, folder: &Path, depth: u8, found: &mut Vec<(Id, u32)>) -> RusticResult<()> {
        for entry in fs::read_dir(folder).map_err(|error| at(folder, &error))? {
            let entry = entry.map_err(|error| at(folder, &error))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| at(&path, &error))?;
            if kind.is_dir() && depth > 0 {
                self.list_into(&path, depth - 1, found)?;
                continue;
            }
            // Temporary files of writers, and what else is no file of the repository.
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<Id>().ok())
            else {
                continue;
            };
            let size = match fs::metadata(&path) {
                Ok(metadata) => metadata.len(),
                // Removed since the folder was read, by a restic that is pruning.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(at(&path, &error)),
            };
            let size = u32::try_from(size).map_err(|_| {
                failed(format!(
                    "{}: {size} bytes are more than a repository's file can have",
                    path.display()
                ))
            })?;
            found.push((id, size));
        }
        Ok(())
    }
}

/// Puts the file there whole or not at all, and never in place of another.
fn create_new(path: &Path, content: &BytesList) -> RusticResult<()> {
    let root = path.parent().unwrap_or(path);
    let write = || {
        // In a folder of the repository, where a file that is left behind disturbs no list and
        // no other init; the umask narrows the mode, as for all other files.
        let mut file = tempfile::Builder::new()
            .prefix(".config-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(root.join("keys"))?;
        for bytes in content.slice() {
            file.write_all(bytes)?;
        }
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)
    };
    match write() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(exists(format!("{} is there already", path.display())))
        }
        Err(error) => Err(at(path, &error)),
    }
}

fn at(path: &Path, error: &io::Error) -> Box<RusticError> {
    failed(format!("{}: {error}", path.display()))
}

/// Whether the folder has a file `config` but none of a repository's folders.
pub(super) fn is_stray_config(path: &str) -> bool {
    let root = Path::new(path);
    root.join("config").is_file()
        && ["keys", "data", "index", "snapshots"].iter().all(|name| !root.join(name).is_dir())
}

/// What lies in the folder and is no repository's.
pub(super) fn foreign(path: &str) -> Result<Vec<String>, Error> {
    let failed = |source: io::Error| Error::File {
        operation: format!("looking into the repository folder {path}"),
        source: Arc::new(source),
    };
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut foreign = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !OURS.contains(&name.as_str()) {
            foreign.push(name);
        }
    }
    Ok(foreign)
}

impl ReadBackend for Folder {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        if tpe == FileType::Config {
            let path = self.root.join("config");
            return match fs::metadata(&path) {
                Ok(metadata) => {
                    Ok(vec![(Id::default(), u32::try_from(metadata.len()).unwrap_or(u32::MAX))])
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(at(&path, &error)),
            };
        }
        // A folder that is missing is an error too: a volume that went away looks like that.
        let mut found = Vec::new();
        let depth = u8::from(tpe == FileType::Pack);
        self.list_into(&self.root.join(tpe.dirname()), depth, &mut found)?;
        Ok(found)
    }

    fn read_full(&self, tpe: FileType, id: &Id) -> RusticResult<Bytes> {
        self.files.read_full(tpe, id)
    }

    fn read_partial(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        self.files.read_partial(tpe, id, cacheable, offset, length)
    }

    fn warmup_path(&self, tpe: FileType, id: &Id) -> String {
        self.file(tpe, id).display().to_string()
    }
}

impl WriteBackend for Folder {
    fn create(&self) -> RusticResult<()> {
        self.files.create()
    }

    fn write_bytes(
        &self,
        tpe: FileType,
        id: &Id,
        cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        let path = self.file(tpe, id);
        if tpe == FileType::Config {
            create_new(&path, &content)?;
        } else {
            self.files.write_bytes(tpe, id, cacheable, content)?;
        }
        let folder = path.parent().unwrap_or(&self.root);
        // The name too survives a loss of power, or is told not to. No test can show it: what a
        // file system forgets without this shows itself only when the machine loses power.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| at(folder, &error))
    }

    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.files.remove(tpe, id, cacheable)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_config_that_is_there_is_never_replaced() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_str().unwrap()).unwrap();
        folder.create().unwrap();
        let id = Id::default();
        let write = |text: &str| {
            folder.write_bytes(FileType::Config, &id, false, text.as_bytes().to_vec().into())
        };
        write("the first").unwrap();
        assert!(write("the second").unwrap_err().is_code(super::super::EXISTS));
        assert_eq!(folder.read_full(FileType::Config, &id).unwrap(), "the first");
        // Nothing is left beside it.
        assert_eq!(fs::read_dir(place.path().join("keys")).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_is_named_from_the_root() {
        let error = Folder::new("some/folder").err().unwrap();
        assert!(error.to_string().contains("must be absolute"), "{error}");
    }

    /// A link to itself can be listed and not be looked at, whoever asks.
    #[test]
    fn what_cannot_be_looked_at_is_an_error_and_never_left_out() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_str().unwrap()).unwrap();
        folder.create().unwrap();
        assert!(folder.list_with_size(FileType::Config).unwrap().is_empty());
        let circle = |name: &str| {
            let path = place.path().join(name);
            std::os::unix::fs::symlink(&path, &path).unwrap();
        };
        circle("config");
        assert!(folder.list_with_size(FileType::Config).is_err());
        circle(&format!("snapshots/{}", "0".repeat(64)));
        assert!(folder.list_with_size(FileType::Snapshot).is_err());
    }
}
