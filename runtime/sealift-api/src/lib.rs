//! The manifest types of the Stash API and their conversions into the domain.
//!
//! Field names and types are those of the original's CRDs, so that existing manifests mean the
//! same; what is ours is marked so. `documents` reads YAML into `objects`, `catalog` is what is
//! built in, `planner` makes a `sealift_core::plan::Plan` of them, `crd` is what an API server
//! is told about the kinds. Nothing here talks to a
//! cluster, reads a file or runs anything: text comes in, values go out.

pub mod app_binding;
pub mod backup_blueprint;
pub mod backup_configuration;
pub mod backup_session;
pub mod batch;
pub mod catalog;
pub mod condition;
pub mod crd;
pub mod documents;
pub mod finding;
pub mod function;
mod generation;
pub mod hook;
pub mod kind;
pub mod manifest;
pub mod object;
pub mod objects;
pub mod planner;
mod reading;
pub mod reference;
pub mod repository;
pub mod restore_session;
pub mod runtime_settings;
mod schema;
pub mod secret;
pub mod task;
mod typed;
pub mod vault_server_configuration;
pub mod volume_source;
pub mod yaml;
