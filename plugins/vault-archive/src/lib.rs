//! Raft snapshots of Vault and OpenBao: verified while they stream, and wrapped so that they
//! deduplicate.
//!
//! A snapshot is a gzip file around a tar with `meta.json`, `state.bin`, `SHA256SUMS` and
//! `SHA256SUMS.sealed`, in that order. Everything in it can be checked in one pass, without keys
//! and without a disk, except the sealed sums, which only Vault can open. [`verify()`] does that;
//! [`Rewrap`] writes the same tar as an ordinary gzip file whose unchanged regions stay
//! byte-identical from one snapshot to the next.
//!
//! Pure: no network, no host, no clock. `vault-snapshot` uses it before a snapshot is stored,
//! `vault-restore` before Vault gets it back. Facts: hashicorp/raft-snapshot `archive.go`,
//! RFC 1951, RFC 1952, POSIX.1-2001 pax, and what Vault 1.21 serves.

mod error;
mod gzip;
mod members;
mod meta;
mod rewrap;
mod sums;
mod tee;
mod verify;

#[cfg(test)]
mod sample;

pub use error::{Error, Result};
pub use gzip::Trailer;
pub use meta::Meta;
pub use rewrap::{LazyRewrap, Rewrap, announced_size};
pub use tee::HoldBack;
pub use verify::{Summary, TarSink, verify};
