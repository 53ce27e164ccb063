//! Unseal keys and root token of the target, by handle.
//!
//! Needs grant `unsealKeys`: `copy` lets a value be forwarded into an artifact or a file,
//! `read` lets it be read, `write` lets new values be put. A value is a JSON string, as the
//! original stores it.

use crate::artifact::Body;
use crate::bindings::sealift::function::key_store as raw;
use crate::error::Result;

/// The names the target should have, in order, whether present or not.
///
/// # Errors
/// The grant is missing, or the target names no place for its keys.
pub fn names() -> Result<Vec<String>> {
    Ok(raw::names()?)
}

/// One value. Forward it; reading it needs grant `read`.
///
/// # Errors
/// The grant or the value is missing, or the place cannot be reached.
pub fn open(name: &str) -> Result<Body> {
    Ok(Body::from_raw(raw::open(name)?))
}

/// Remembers a new value. The right to write it is checked now; nothing is written before
/// [`commit`].
///
/// # Errors
/// The grant or the right is missing, or the value is not a JSON string.
pub fn put(name: &str, value: Body) -> Result<()> {
    Ok(value.hand_over(|value| raw::put(name, value))?)
}

/// Writes what was put, all or nothing. The host keeps the replaced values.
///
/// # Errors
/// The place refused or failed.
pub fn commit() -> Result<()> {
    Ok(raw::commit()?)
}
