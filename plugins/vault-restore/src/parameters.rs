//! Parameters; the descriptor says the same in JSON Schema.

use std::time::Duration;

use serde::Deserialize;

/// Parameters of `vault-restore`. `keyPrefix` is the plan's: it makes the names of the keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Parameters {
    /// Seconds to wait until Vault is ready, and again until it has applied the snapshot.
    pub wait_timeout: u64,
    /// Restore a snapshot of a Vault with other unseal keys, and replace the keys.
    pub force: bool,
    /// What the names of the keys in the snapshot begin with; empty = found out.
    pub old_key_prefix: String,
    /// With `force`: whether the keys of the snapshot go into their store.
    pub unseal_keys: UnsealKeys,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            wait_timeout: 300,
            force: false,
            old_key_prefix: String::new(),
            unseal_keys: UnsealKeys::default(),
        }
    }
}

impl Parameters {
    /// Whether keys will be written.
    pub(crate) fn writes_keys(&self) -> bool {
        self.force && self.unseal_keys == UnsealKeys::Include
    }

    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.wait_timeout)
    }
}

/// Whether a forced restore writes keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnsealKeys {
    /// It does, and fails before Vault is changed if the snapshot lacks one.
    #[default]
    Include,
    /// It does not: whoever restores has the keys from elsewhere.
    Omit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_by_a_forced_restore_that_includes_them_and_by_no_other() {
        for (force, unseal_keys, writes) in [
            (true, UnsealKeys::Include, true),
            (true, UnsealKeys::Omit, false),
            (false, UnsealKeys::Include, false),
            (false, UnsealKeys::Omit, false),
        ] {
            let parameters = Parameters { force, unseal_keys, ..Parameters::default() };
            assert_eq!(parameters.writes_keys(), writes, "{parameters:?}");
        }
    }
}
