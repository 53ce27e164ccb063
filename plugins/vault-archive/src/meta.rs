//! `meta.json`: what the snapshot says of itself.

use serde::Deserialize;

use crate::error::{Error, Result};

/// Where in Vault's log the snapshot was taken. Unknown fields are left to Vault.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Meta {
    /// Version of the snapshot's format; 1 today.
    pub version: u64,
    /// Index of the last log entry in it.
    pub index: u64,
    /// Term of that entry.
    pub term: u64,
    /// Bytes of `state.bin`; 0 = not stated.
    #[serde(default)]
    pub size: u64,
}

impl Meta {
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).map_err(Error::Meta)
    }
}
