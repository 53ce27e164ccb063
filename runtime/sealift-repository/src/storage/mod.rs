//! Where a repository lies: a folder, a REST server, an S3 bucket.
//!
//! Each storage is rustic_core's `WriteBackend`. What they have in common here and not in
//! rustic's own: a list that could not be read to its end is an error, never a shorter list.

mod local;

use std::sync::Arc;

use rustic_core::WriteBackend;
use sealift_core::plan::Location;

use crate::{Error, Options, Secrets};

/// Connects to where the repository is, or is to be.
pub(crate) fn connect(
    location: &Location,
    secrets: &Secrets,
    options: &Options,
) -> Result<Arc<dyn WriteBackend>, Error> {
    match location {
        Location::Local { path } => Ok(Arc::new(local::Folder::new(path)?)),
        _ => Err(Error::Invalid { subject: "x".into(), reason: format!("{secrets:?}{options:?}") }),
    }
}

/// Refuses to make a repository where something else lies.
pub(crate) fn refuse_foreign(location: &Location) -> Result<(), Error> {
    match location {
        Location::Local { path } => local::refuse_foreign(path),
        Location::S3 { .. } | Location::Rest { .. } => Ok(()),
    }
}
