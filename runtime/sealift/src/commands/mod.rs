//! The commands: one file each, `run` in each.

pub(crate) mod catalog;
pub(crate) mod check;
pub(crate) mod forget;
pub(crate) mod function;
pub(crate) mod job;
pub(crate) mod operator;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod run;
pub(crate) mod snapshots;
pub(crate) mod trigger;
pub(crate) mod validate;
pub(crate) mod wipe;
