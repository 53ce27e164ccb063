//! What a component of a Function says of itself, read from its bytes and from nothing else.
//!
//! It compiles nothing and runs nothing, so whoever only has to look at a component (the
//! operator, a registry's client, the command line) needs no wasmtime. The way of a component
//! that comes from outside: [`bounds`] first, since a reader of WebAssembly can be harmed by what
//! it reads; then [`inspect()`], and [`access`] with what it was granted. `sealift-host` asks the
//! same questions again before it starts anything.
//!
//! Where to look: `contract` the versions, `descriptor` and `section` what its author wrote,
//! `outline` and `inspect` what its bytes show, `need` and `access` what it would be given,
//! `words` and `difference` how people are told, `strip` what is left out of it.

pub mod access;
pub mod binary;
pub mod bounds;
pub mod contract;
pub mod descriptor;
pub mod difference;
pub mod inspect;
pub mod need;
pub mod outline;
pub mod section;
pub mod strip;
pub mod text;
pub mod words;

pub use self::descriptor::Descriptor;
pub use self::inspect::{InspectError, Inspected, inspect};
