//! Loading compiled code: the one place where bytes are trusted to be machine code.
//!
//! The digest is checked first. That proves that the bytes are the ones somebody vouched for,
//! not that they are harmless: the caller must have the digest from where the binary, or a
//! compile Job of its own, put it.

use sealift_component::inspect::digest;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::inspect::LoadError;

/// A component from its compiled form, which must have this digest (`sha256:<hex>`).
pub(crate) fn deserialize(
    engine: &Engine,
    name: &str,
    compiled: &[u8],
    expected: &str,
) -> Result<Component, LoadError> {
    let found = digest(compiled);
    if found != expected {
        return Err(LoadError::Digest {
            name: name.to_owned(),
            found,
            expected: expected.to_owned(),
        });
    }
    #[expect(
        unsafe_code,
        reason = "wasmtime cannot verify machine code; the digest above is what the trusted side wrote"
    )]
    // SAFETY: the bytes are exactly those whose digest the trusted side recorded when it
    // compiled them; wasmtime itself refuses those of another version or configuration.
    let component = unsafe { Component::deserialize(engine, compiled) };
    component.map_err(|source| LoadError::Deserialize { name: name.to_owned(), source })
}
