//! What was pulled, kept on this machine for its user, and what was compiled of it.
//!
//! A component is named by its digest and hashed again at every read. Of a compiled form nobody
//! can tell by looking that it came from its component, so the folder itself is the guard: it must
//! be ours and closed to others, or nothing in it is used. What is not as it should be is as if it
//! were not there, and the caller makes it again. In a cluster nothing of this is used.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::digest::Digest;
use crate::pull::Pulled;
use crate::reference::Reference;
use crate::wire::limits;

/// The largest compiled form: a few times its component.
const MOST_FORM: u64 = 512 << 20;
/// The largest note beside a file.
const MOST_NOTE: u64 = 256 << 10;

/// The folder.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
}

/// Why the folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made, read or written.
    #[error("failed to use {} as a cache", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others could have put something there.
    #[error("{} is not used as a cache: {why}", path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
}

/// What is kept of a pull: for a reference and a policy, what it led to.
#[derive(Serialize, Deserialize)]
struct Record {
    reference: String,
    policy: Digest,
    pulled: Pulled,
}

/// What is kept of a compiled form beside its bytes.
#[derive(Serialize, Deserialize)]
struct FormNote {
    digest: Digest,
    size: u64,
}

impl Cache {
    /// Opens the folder, and makes it if it is missing.
    ///
    /// # Errors
    /// It is not ours alone.
    pub fn open(root: &Path) -> Result<Self, CacheError> {
        let cache = Self { root: root.to_path_buf() };
        if let Some(parent) = root.parent() {
            fs::create_dir_all(parent).map_err(|source| cache.io(source))?;
        }
        cache.folder(root)?;
        for name in ["components", "forms", "pulls"] {
            cache.folder(&root.join(name))?;
        }
        Ok(cache)
    }

    /// Makes a folder closed to others, or checks one that is there.
    fn folder(&self, path: &Path) -> Result<(), CacheError> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(self.io(source)),
        }
        let refused = |why| CacheError::Open { path: path.to_path_buf(), why };
        let found = fs::symlink_metadata(path).map_err(|source| self.io(source))?;
        if !found.is_dir() {
            return Err(refused("it is no folder"));
        }
        if found.mode() & 0o077 != 0 {
            return Err(refused("others may enter it; its mode must be 0700"));
        }
        // Whoever makes a file owns it, which tells who we are.
        let probe = NamedTempFile::new_in(path).map_err(|source| self.io(source))?;
        let owner = probe.as_file().metadata().map_err(|source| self.io(source))?.uid();
        if owner != found.uid() {
            return Err(refused("it belongs to another user"));
        }
        Ok(())
    }

    /// The bytes of a component, if they are there and right.
    #[must_use]
    pub fn component(&self, digest: &Digest) -> Option<Vec<u8>> {
        let bytes = read(&self.component_path(digest), limits::LAYER)?;
        (Digest::of(&bytes) == *digest).then_some(bytes)
    }

    /// Keeps a component.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_component(&self, bytes: &[u8]) -> Result<Digest, CacheError> {
        let digest = Digest::of(bytes);
        self.write(&self.component_path(&digest), bytes)?;
        Ok(digest)
    }

    /// The compiled form of a component for an engine, if it is there and as it was written.
    /// `engine` is a hash of ours, in letters and digits.
    #[must_use]
    pub fn form(&self, component: &Digest, engine: &str) -> Option<Vec<u8>> {
        let path = self.form_path(component, engine)?;
        let note = read(&path.with_extension("json"), MOST_NOTE)?;
        let note: FormNote = serde_json::from_slice(&note).ok()?;
        let bytes = read(&path, note.size.min(MOST_FORM))?;
        (Digest::of(&bytes) == note.digest).then_some(bytes)
    }

    /// Keeps a compiled form.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_form(
        &self,
        component: &Digest,
        engine: &str,
        bytes: &[u8],
    ) -> Result<(), CacheError> {
        let Some(path) = self.form_path(component, engine) else { return Ok(()) };
        let note = FormNote { digest: Digest::of(bytes), size: bytes.len() as u64 };
        self.write(&path, bytes)?;
        self.write_note(&path.with_extension("json"), &note)
    }

    /// What a reference led to when it was pulled last under this policy. For a tag that is what
    /// it was then.
    #[must_use]
    pub fn pulled(&self, reference: &Reference, policy: &Digest) -> Option<Pulled> {
        let text = read(&self.record_path(reference, policy), MOST_NOTE)?;
        let record: Record = serde_json::from_slice(&text).ok()?;
        let same = record.reference == reference.to_string() && record.policy == *policy;
        same.then_some(record.pulled)
    }

    /// Keeps what a reference led to.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn put_pulled(
        &self,
        reference: &Reference,
        policy: &Digest,
        pulled: &Pulled,
    ) -> Result<(), CacheError> {
        let record =
            Record { reference: reference.to_string(), policy: *policy, pulled: pulled.clone() };
        self.write_note(&self.record_path(reference, policy), &record)
    }

    fn component_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("components").join(format!("{}.wasm", digest.hex()))
    }

    fn form_path(&self, component: &Digest, engine: &str) -> Option<PathBuf> {
        let plain = !engine.is_empty()
            && engine.len() <= 128
            && engine.bytes().all(|byte| byte.is_ascii_alphanumeric());
        plain.then(|| self.root.join("forms").join(format!("{}-{engine}.cwasm", component.hex())))
    }

    fn record_path(&self, reference: &Reference, policy: &Digest) -> PathBuf {
        let name = Digest::of(format!("{reference}\n{policy}").as_bytes()).hex();
        self.root.join("pulls").join(format!("{name}.json"))
    }

    fn write_note<T: Serialize>(&self, path: &Path, note: &T) -> Result<(), CacheError> {
        let text = serde_json::to_vec(note).map_err(|error| self.io(error.into()))?;
        self.write(path, &text)
    }

    /// Writes a file beside its place and moves it there whole.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
        let folder = path.parent().unwrap_or(&self.root);
        let mut file = NamedTempFile::new_in(folder).map_err(|source| self.io(source))?;
        file.write_all(bytes).map_err(|source| self.io(source))?;
        file.persist(path).map(drop).map_err(|error| self.io(error.error))
    }

    fn io(&self, source: io::Error) -> CacheError {
        CacheError::Io { path: self.root.clone(), source }
    }
}

/// A plain file of at most so many bytes. Anything else is as if it were not there.
fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(most + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= most).then_some(bytes)
}

#[cfg(test)]
mod tests;
