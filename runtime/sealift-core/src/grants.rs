//! What a Function may do: the permissions of `Function.spec.permissions`.
//!
//! A grant is one of two keys: the component asks in its descriptor, the grant allows, and
//! only what both name is linked. This module parses and compares grants; enforcing them is
//! `sealift-host`'s.

use serde::{Deserialize, Serialize};

/// All permissions of one Function. The default grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Grants {
    /// Names on the network it may talk to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// What it may do with the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryGrant>,
    /// What it may do with the unseal keys and the root token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseal_keys: Option<KeyGrant>,
}

/// One name on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGrant {
    /// The name, such as `target` or `pushgateway`.
    pub name: String,
    /// Methods in upper case; empty = none.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Paths; a `*` at the end stands for anything. Empty = none.
    #[serde(default)]
    pub paths: Vec<String>,
}

impl HttpGrant {
    /// Whether a request with this method and path (without query) is covered.
    #[must_use]
    pub fn allows(&self, method: &str, path: &str) -> bool {
        self.methods.iter().any(|allowed| allowed == method)
            && self.paths.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => pattern == path,
            })
    }
}

/// What a Function may do with the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepositoryGrant {
    /// Read the snapshot the plan selected.
    ReadSelected,
    /// List and read every snapshot.
    ReadAll,
    /// Write this session's snapshot.
    Write,
}

/// What a Function may do with the unseal keys and the root token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyGrant {
    /// Hand them on without seeing them.
    Copy,
    /// See them.
    Read,
    /// Replace them.
    Write,
}
