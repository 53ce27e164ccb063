//! Runs one plan.
//!
//! It connects the host's ports to the real repository, keys and network, runs the chain,
//! commits the snapshot, keeps the repository in order, runs the observers, and says what
//! happened. Objects come through one port with two adapters: files (`sealift run`) and the
//! API server (`sealift job`). It makes no plan and prints nothing.

pub mod cluster;
pub mod components;
pub mod credentials;
pub mod facts;
pub mod failure;
pub mod files;
pub mod hooks;
mod interim;
pub mod keys;
pub mod locks;
mod maintenance;
pub mod objects;
mod observers;
mod opening;
pub mod packed;
pub mod reader;
pub mod report;
pub mod secrets;
pub mod session;
pub mod slot;
pub mod status;
pub mod storage;
pub mod surroundings;
mod writer;

#[cfg(test)]
mod sample;

pub use sealift_core::causes::chain_of_causes;
