//! The host with real components: whole chains with ports in memory and servers on loopback.
//!
//! The guests in `tests/guests` are built by the first test that needs one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::type_complexity,
    reason = "tests"
)]

mod chains;
mod compiled;
mod contract;
mod grants;
mod guests;
mod judgement;
mod keys;
mod kills;
mod leader;
mod limits;
mod network;
mod observers;
mod plugins;
mod ports;
mod repository;
mod restores;
mod server;
mod snapshots;
