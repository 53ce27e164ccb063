//! The operator: the Stash API, served.
//!
//! `run` connects the rest: `watching` fills the stores of `cluster` and turns changes into keys,
//! `engine` works the keys off, `controller` says how, one folder a kind. What is made is `build`'s
//! (pure), who may do what `rules`' (pure), how a Job died `ending`'s (pure). The operator holds
//! cluster-wide rights, so it never runs a Function and never reads what is in a Secret.

pub mod admission;
pub mod applied;
pub mod build;
pub mod cluster;
pub mod condition;
pub mod controller;
pub mod ending;
pub mod engine;
pub mod error;
pub mod expectation;
pub mod given_up;
pub mod labels;
mod leftovers;
mod line;
pub mod metrics;
pub mod names;
pub mod options;
pub mod planning;
pub mod relations;
pub mod rules;
mod run;
pub mod secret_check;
mod server;
pub mod stage;
pub mod taken;
mod takeover;
pub mod time;
mod watching;

pub use options::Options;
pub use run::{RunError, run};
