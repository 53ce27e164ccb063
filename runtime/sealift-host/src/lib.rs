//! Runs chains of Functions in wasmtime.
pub mod ports;
