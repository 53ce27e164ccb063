//! The SDK for Sealift Functions written in Rust.
//!
//! A Function is a WebAssembly component of one of four kinds (see [`kinds`]). It gets
//! artifacts from the stage before and gives artifacts to the stage after; bytes it need not
//! look at are forwarded by the host without entering it. What it may do besides (HTTP to named
//! origins, the repository, the unseal keys) must be asked for in its descriptor and granted by
//! the user; a component only imports what its code calls.
//!
//! ```
//! use sealift_function::{Downstream, Header, Result, Source};
//! use std::io::Write;
//!
//! struct Hello;
//!
//! #[derive(Default, serde::Deserialize)]
//! #[serde(default)]
//! struct Parameters {
//!     greeting: Option<String>,
//! }
//!
//! impl Source for Hello {
//!     type Parameters = Parameters;
//!
//!     fn run(parameters: Parameters, mut downstream: Downstream) -> Result<()> {
//!         let text = parameters.greeting.unwrap_or_else(|| "hello".to_owned());
//!         let header = Header::new("hello.txt").with_size(text.len() as u64);
//!         let mut artifact = downstream.send(header)?;
//!         artifact.write_all(text.as_bytes())?;
//!         artifact.finish()?;
//!         Ok(())
//!     }
//! }
//!
//! sealift_function::export!(source, Hello);
//! # fn main() {}
//! ```

pub mod artifact;
#[doc(hidden)]
pub mod bindings;
pub mod error;
pub mod http;
pub mod keys;
pub mod kinds;
pub mod outcomes;
pub mod outgoing;
mod parameters;
pub mod progress;
pub mod repository;
pub mod session;
pub mod time;

pub use artifact::{Artifact, Body, Header, Upstream};
pub use error::{Context, Error, Result};
pub use kinds::{Observer, Sink, Source, Transform};
pub use outcomes::Outcome;
pub use outgoing::{Downstream, Outgoing};
pub use parameters::NoParameters;
