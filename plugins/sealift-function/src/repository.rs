//! The repository: write this session's snapshot, read the one the plan selected.
//!
//! Writing needs grant `repository: write`, reading `read-selected`, and finding other
//! snapshots `read-all`. Where the repository lies and what its password is, a Function never
//! learns.

use std::fmt;
use std::io;

use crate::artifact::Body;
use crate::bindings::sealift::function::{
    repository_reader as reader, repository_writer as writer,
};
use crate::error::{Error, Result};

/// How many entries one call asks for.
const PAGE: u32 = 256;

/// Begins this session's snapshot; at most once in a session.
///
/// # Errors
/// The grant is missing, or it was begun before.
pub fn begin() -> Result<NewSnapshot> {
    Ok(NewSnapshot { raw: writer::begin()? })
}

/// The snapshot being written. Without [`stage`](Self::stage) it is thrown away.
pub struct NewSnapshot {
    raw: writer::Snapshot,
}

impl NewSnapshot {
    /// Adds a tag. Those that begin with `sealift.` are the host's own.
    ///
    /// # Errors
    /// The tag is not allowed.
    pub fn add_tag(&mut self, tag: &str) -> Result<()> {
        Ok(self.raw.add_tag(tag)?)
    }

    /// Sets the label.
    ///
    /// # Errors
    /// The label is not allowed.
    pub fn set_label(&mut self, label: &str) -> Result<()> {
        Ok(self.raw.set_label(label)?)
    }

    /// Begins a file at a relative path. `size` is exact; without it the host needs an interim
    /// volume.
    ///
    /// # Errors
    /// The path is not allowed, a file is open, or there is no interim volume.
    pub fn create(&mut self, path: &str, size: Option<u64>) -> Result<NewFile> {
        Ok(NewFile { raw: self.raw.create(path, size)? })
    }

    /// Hands everything to the commit gate: the snapshot appears only if the whole chain
    /// succeeds.
    ///
    /// # Errors
    /// A file is open, or the repository failed.
    pub fn stage(self) -> Result<()> {
        Ok(self.raw.stage()?)
    }
}

impl fmt::Debug for NewSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSnapshot").finish_non_exhaustive()
    }
}

/// A file being written. Without [`finish`](Self::finish) the snapshot is thrown away.
pub struct NewFile {
    raw: writer::File,
}

impl NewFile {
    /// The host moves all of `body` into the file and returns how many bytes that were.
    ///
    /// # Errors
    /// The body broke off, or the repository failed.
    pub fn forward(&mut self, body: Body) -> Result<u64> {
        Ok(body.hand_over(|body| self.raw.forward(body))?)
    }

    /// Ends the file and returns its size.
    ///
    /// # Errors
    /// The size is not the declared one, or the repository failed.
    pub fn finish(self) -> Result<u64> {
        Ok(self.raw.finish()?)
    }
}

impl io::Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.raw.write(bytes).map_err(Error::from)?;
        Ok(bytes.len())
    }

    /// Does nothing: written bytes are on their way.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for NewFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewFile").finish_non_exhaustive()
    }
}

/// The snapshot the plan selected.
///
/// # Errors
/// The grant is missing, or the repository failed.
pub fn selected() -> Result<Snapshot> {
    Ok(Snapshot { raw: reader::selected()? })
}

/// Any snapshot, by its full identifier. Needs grant `read-all`.
///
/// # Errors
/// The grant is missing, there is no such snapshot, or the repository failed.
pub fn open(id: &str) -> Result<Snapshot> {
    Ok(Snapshot { raw: reader::open(id)? })
}

/// Identifiers of the snapshots that carry all of these attributes. Needs grant `read-all`.
///
/// # Errors
/// The grant is missing, or the repository failed.
pub fn list(filter: &[(String, String)]) -> Result<Vec<String>> {
    pages(|after| Ok(reader::list(filter, after, PAGE)?), String::as_str)
}

/// What an entry of a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A file with bytes.
    File,
    /// A folder.
    Folder,
    /// Anything else, in the host's words.
    Other(String),
}

/// A file or folder of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path relative to the plan's folder.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes.
    pub size: u64,
}

/// A snapshot being read.
pub struct Snapshot {
    raw: reader::Snapshot,
}

impl Snapshot {
    /// Its full identifier.
    #[must_use]
    pub fn id(&self) -> String {
        self.raw.id()
    }

    /// Hostname, time, tags and what else is known of it.
    #[must_use]
    pub fn attributes(&self) -> Vec<(String, String)> {
        self.raw.attributes()
    }

    /// All entries whose path begins with `prefix`, in order.
    ///
    /// # Errors
    /// The repository failed.
    pub fn entries(&self, prefix: &str) -> Result<Vec<Entry>> {
        let raw = pages(
            |after| Ok(self.raw.entries(prefix, after, PAGE)?),
            |entry: &reader::Entry| entry.path.as_str(),
        )?;
        Ok(raw
            .into_iter()
            .map(|entry| Entry {
                path: entry.path,
                kind: match entry.kind.as_str() {
                    "file" => EntryKind::File,
                    "dir" => EntryKind::Folder,
                    _ => EntryKind::Other(entry.kind),
                },
                size: entry.size,
            })
            .collect())
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// There is no such file, or the repository failed.
    pub fn open(&self, path: &str) -> Result<Body> {
        Ok(Body::from_raw(self.raw.open(path)?))
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

/// Asks for page after page until one is not full.
fn pages<T>(
    mut ask: impl FnMut(Option<&str>) -> Result<Vec<T>>,
    key: impl Fn(&T) -> &str,
) -> Result<Vec<T>> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let page = ask(all.last().map(&key))?;
        let full = u32::try_from(page.len()).is_ok_and(|entries| entries >= PAGE);
        all.extend(page);
        if !full {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn pages_are_asked_for_until_one_is_not_full() {
        let all: Vec<String> = (0..600).map(|number| format!("{number:04}")).collect();
        let mut calls = 0;
        let read = pages(
            |after| {
                calls += 1;
                Ok(all
                    .iter()
                    .filter(|name| after.is_none_or(|after| name.as_str() > after))
                    .take(PAGE as usize)
                    .cloned()
                    .collect())
            },
            String::as_str,
        )
        .unwrap();
        assert_eq!((read, calls), (all, 3));
    }
}
