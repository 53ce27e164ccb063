//! A repository in a folder.
//!
//! rustic_backend writes and reads the files; listing is our own. Its lists leave out what could
//! not be read, and a list that is too short makes prune remove data that is in use. After a
//! write the folder is flushed too, so that the name is as durable as the bytes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustic_backend::LocalBackend;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

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
        let failed = |path: &Path, error: io::Error| {
            RusticError::new(ErrorKind::Backend, format!("{}: {error}", path.display()))
        };
        for entry in fs::read_dir(folder).map_err(|error| failed(folder, error))? {
            let entry = entry.map_err(|error| failed(folder, error))?;
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| failed(&path, error))?;
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
                Err(error) => return Err(failed(&path, error)),
            };
            let size = u32::try_from(size).map_err(|_| {
                RusticError::new(
                    ErrorKind::Backend,
                    format!("{}: {size} bytes are more than a repository's file can have", path.display()),
                )
            })?;
            found.push((id, size));
        }
        Ok(())
    }
}

/// What restic and rustic put into a repository's folder, and what a file system does.
const OURS: [&str; 7] = ["config", "data", "index", "keys", "locks", "snapshots", "lost+found"];

/// Refuses a folder that holds anything but a repository's.
pub(super) fn refuse_foreign(path: &str) -> Result<(), Error> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Error::File {
                operation: format!("looking into the repository folder {path}"),
                source: std::sync::Arc::new(error),
            });
        }
    };
    let mut foreign = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::File {
            operation: format!("looking into the repository folder {path}"),
            source: std::sync::Arc::new(error),
        })?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !OURS.contains(&name.as_str()) {
            foreign.push(name);
        }
    }
    foreign.sort();
    match foreign.first() {
        None => Ok(()),
        Some(first) => Err(Error::Foreign {
            location: path.to_owned(),
            found: format!("{} other files or folders, such as {first:?}", foreign.len()),
        }),
    }
}

impl ReadBackend for Folder {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list_with_size(&self, tpe: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let failed = |path: &Path, error: io::Error| {
            RusticError::new(ErrorKind::Backend, format!("{}: {error}", path.display()))
        };
        if tpe == FileType::Config {
            let path = self.root.join("config");
            return match fs::metadata(&path) {
                Ok(metadata) => Ok(vec![(Id::default(), u32::try_from(metadata.len()).unwrap_or(u32::MAX))]),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(error) => Err(failed(&path, error)),
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
        self.files.write_bytes(tpe, id, cacheable, content)?;
        let path = self.file(tpe, id);
        let folder = path.parent().unwrap_or(&self.root);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| {
            RusticError::new(ErrorKind::Backend, format!("{}: {error}", folder.display()))
        })
    }

    fn remove(&self, tpe: FileType, id: &Id, cacheable: bool) -> RusticResult<()> {
        self.files.remove(tpe, id, cacheable)
    }
}
