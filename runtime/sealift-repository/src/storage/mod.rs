//! Where a repository lies: a folder, a REST server, an S3 bucket.
//!
//! Each storage is rustic_core's `WriteBackend`. What they have in common here and not in
//! rustic's own: a list that could not be read to its end is an error, never a shorter list, and
//! a config file that could not be looked for is an error, never a missing one.

mod local;
mod rest;
mod s3;
mod window;

use std::sync::Arc;

use rustic_core::{ErrorKind, RusticError, WriteBackend};
use sealift_core::plan::Location;

use crate::{Error, Options, Secrets};

/// Connects to where the repository is, or is to be. Nothing is asked of it yet.
pub(crate) fn connect(
    location: &Location,
    secrets: &Secrets,
    options: &Options,
) -> Result<Arc<dyn WriteBackend>, Error> {
    Ok(match location {
        Location::Local { path } => Arc::new(local::Folder::new(path)?),
        Location::Rest { url } => {
            Arc::new(window::Window::new(rest::Server::new(url, secrets, options)?))
        }
        Location::S3 { .. } => {
            Arc::new(window::Window::new(s3::Bucket::new(location, secrets, options)?))
        }
    })
}

/// An object in a repository's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// From the top of the place, without a slash before it.
    pub(crate) name: String,
    /// Bytes.
    pub(crate) size: u64,
}

/// The place as a bucket; none = it is another kind of storage.
pub(crate) fn bucket(
    location: &Location,
    secrets: &Secrets,
    options: &Options,
) -> Result<Option<s3::Bucket>, Error> {
    match location {
        Location::S3 { .. } => s3::Bucket::new(location, secrets, options).map(Some),
        _ => Ok(None),
    }
}

/// Whether an object of this name, from the top of the place, can be a repository's.
pub(crate) fn is_ours(name: &str) -> bool {
    match name.split_once('/') {
        Some((folder, _)) => folder != "config" && OURS.contains(&folder),
        None => name == "config",
    }
}

/// Refuses a folder with a file `config` that is no repository: many programs have such a file.
pub(crate) fn refuse_stray_config(location: &Location) -> Result<(), Error> {
    match location {
        Location::Local { path } if local::is_stray_config(path) => Err(Error::Foreign {
            location: path.clone(),
            found: "a file config and no folder keys".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Refuses to make a repository where something else lies.
pub(crate) fn refuse_foreign(
    location: &Location,
    secrets: &Secrets,
    options: &Options,
) -> Result<(), Error> {
    let (place, mut foreign) = match location {
        Location::Local { path } => (path.clone(), local::foreign(path)?),
        Location::S3 { bucket, prefix, .. } => (
            format!("s3 bucket {bucket}, prefix {prefix:?}"),
            s3::Bucket::new(location, secrets, options)?.foreign(secrets)?,
        ),
        // The protocol shows nothing but a repository's own files.
        Location::Rest { .. } => return Ok(()),
    };
    foreign.sort();
    match foreign.first() {
        None => Ok(()),
        Some(first) => Err(Error::Foreign {
            location: place,
            found: format!("{} other files or folders, such as {first:?}", foreign.len()),
        }),
    }
}

/// What restic and rustic put into a repository, and what a file system does by itself.
const OURS: [&str; 7] = ["config", "data", "index", "keys", "locks", "snapshots", "lost+found"];

fn failed(detail: impl Into<String>) -> Box<RusticError> {
    RusticError::new(ErrorKind::Backend, detail.into())
}

/// The code of [`exists`], by which the gate knows it.
pub(crate) const EXISTS: &str = "sealift-exists";

/// A file was to be created and somebody else's is there; it was left as it is.
fn exists(detail: impl Into<String>) -> Box<RusticError> {
    failed(detail).attach_error_code(EXISTS)
}
