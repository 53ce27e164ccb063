//! The domain of Sealift, pure: no clock, no files, no network, no environment.
//!
//! `plan` is the centre: objects a user wrote go in on one side (`sealift-api` converts them),
//! a plan comes out, and everything else in the workspace executes it or talks about it.

pub mod grants;
pub mod limits;
pub mod plan;
