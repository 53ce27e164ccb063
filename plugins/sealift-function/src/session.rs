//! What is known of the session: names of the objects, identity of the target, directions.
//!
//! The keys stand in `wit/README.md`, each with when it is present.

use crate::bindings::sealift::function::session as raw;

/// One fact.
#[must_use]
pub fn fact(name: &str) -> Option<String> {
    raw::fact(name)
}

/// All facts.
#[must_use]
pub fn facts() -> Vec<(String, String)> {
    raw::facts()
}

/// Whether the session is being cancelled. Long waits should ask and give up.
#[must_use]
pub fn cancelled() -> bool {
    raw::cancelled()
}
