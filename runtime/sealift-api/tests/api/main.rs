//! What `sealift-api` promises: manifests are read, plans are made, mistakes are named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod bad_documents;
mod bad_input;
mod catalog;
mod crds;
mod fixture;
mod hooks;
mod interim;
mod manifests;
mod pins;
mod plans;
mod rules;
mod schemas;
mod secrets;
mod usage_policy;
