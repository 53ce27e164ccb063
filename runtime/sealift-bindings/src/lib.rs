//! Generated host bindings of the Function contract (`wit/`), one module per version.
//!
//! This crate is the output of `wasmtime::component::bindgen!` and the one type it cannot do
//! without: [`v0_1_0::Failure`]. It implements nothing and decides nothing; `sealift-host`, the
//! only user, implements the traits. It is a crate of its own because generated code is slow to
//! compile and changes only with the contract.

pub mod v0_1_0;
