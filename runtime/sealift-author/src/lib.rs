//! What the author of a Function needs on a machine of their own: a project to start from, and
//! the component that is built from it.
//!
//! *Flow*: [`new`] writes a project in one of six [`Language`]s → the author changes it →
//! [`build()`] writes the contract and its bindings into it, calls the language's own toolchain,
//! makes a component of what comes out, strips it, embeds the descriptor and compares what it
//! imports with what the descriptor asks for.
//!
//! A project is `descriptor.json`, which becomes part of the component, and `sealift.toml`, which
//! says the language. What a Function may import follows from the descriptor ([`contract::world`]):
//! Python and JavaScript import the whole world, Go and C cannot leave it, since their module is
//! made a component for exactly that world. Bindings of these two are made at every build, in this
//! process, and cover the whole contract. [`build()`] installs nothing: it says what is missing.
//! Packages of npm and pip are found in the project, above it, or in `SEALIFT_TOOLS`.
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
