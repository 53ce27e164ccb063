//! What the author of a Function needs on a machine of their own: a project to start from, and
//! the component that is built from it.
//!
//! *Flow*: [`new`] writes a project in one of six [`Language`]s → the author changes it →
//! [`build()`] writes the contract and its bindings into it, calls the language's own toolchain,
//! makes a component of what comes out, strips it, embeds the descriptor and compares what it
//! imports with what the descriptor asks for.
//!
//! It does not run a Function (`sealift-host` does), downloads nothing, and knows no registry.

pub mod build;
pub mod contract;
pub mod language;
pub mod machine;
pub mod new;
pub mod project;

pub use build::{BuildError, Built, build};
pub use language::Language;
pub use machine::{Machine, Missing};
pub use new::{New, NewError, new};
pub use project::{Project, ProjectError};
