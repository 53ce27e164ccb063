//! What the operator makes of the guide's manifests: whole objects, compared with what is
//! committed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod builds;
mod fixture;
mod rights;
mod triggers;
mod wipes;
