//! Repositories from the outside: on bare rustic_core, with restic as referee, on real servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod hazards;
mod local;
mod places;
mod referee;
mod remote;
mod servers;
mod support;
mod upkeep;
mod wiping;
