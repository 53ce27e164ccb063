//! Parameters; the descriptor says the same in JSON Schema.

use serde::Deserialize;

/// Parameters of `vault-snapshot`. `keyPrefix` is the plan's: it makes the names of the keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Parameters {
    /// Seconds to wait until Vault is ready.
    pub wait_timeout: u64,
    /// Whether the unseal keys and the root token are stored beside the snapshot.
    pub unseal_keys: UnsealKeys,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { wait_timeout: 300, unseal_keys: UnsealKeys::default() }
    }
}

/// Whether keys are part of the backup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnsealKeys {
    /// They are: a lost cluster can be rebuilt from the backup and the repository's password.
    #[default]
    Include,
    /// They are not: whoever restores needs them from elsewhere.
    Omit,
}
