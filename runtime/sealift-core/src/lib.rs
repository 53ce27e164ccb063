//! The domain of Sealift, pure: no clock, no files, no network, no environment.
//!
//! `plan` is the centre: objects a user wrote go in on one side (`sealift-api` converts them),
//! a plan comes out, and everything else in the workspace executes it or talks about it.
//! The way there: `substitution` and `resolution` replace variables, `component` and
//! `parameters` say what a step runs and with what, `chain` puts steps in order, `grants` and
//! `limits` bound them. `address` and `pattern` are what rules of trust are made of.

pub mod address;
pub mod causes;
pub mod chain;
pub mod component;
pub mod duration;
mod expression;
pub mod fingerprint;
mod glob;
pub mod grants;
pub mod hook;
pub mod limits;
pub mod metrics;
pub mod names;
pub mod outcome;
pub mod parameters;
pub mod pattern;
pub mod pins;
pub mod plan;
pub mod resolution;
pub mod retention;
pub mod schedule;
pub mod schema;
pub mod session;
pub mod substitution;
pub mod template;
