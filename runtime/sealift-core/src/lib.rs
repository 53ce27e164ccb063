//! The domain of Sealift, pure: no clock, no files, no network, no environment.
//!
//! `plan` is the centre: objects a user wrote go in on one side (`sealift-api` converts them),
//! a plan comes out, and everything else in the workspace executes it or talks about it.
//! The way there: `substitution` and `resolution` replace variables, `component` and
//! `parameters` say what a step runs and with what, `chain` puts steps in order, `grants` and
//! `limits` bound them.

pub mod causes;
pub mod chain;
pub mod component;
pub mod duration;
mod expression;
mod glob;
pub mod fingerprint;
pub mod grants;
pub mod limits;
pub mod metrics;
pub mod names;
pub mod parameters;
pub mod plan;
pub mod resolution;
pub mod pins;
pub mod retention;
pub mod schedule;
pub mod schema;
pub mod session;
pub mod substitution;
