//! Which key of the snapshot is which key of the target. Pure.
//!
//! Names are the original's: `root-token` and `unseal-key-<number>`, with `<prefix>-` before
//! them. Prefixes differ when a snapshot goes into another Vault.

use std::collections::BTreeSet;

use sealift_function::{Error, Result};

const ROOT_TOKEN: &str = "root-token";
const UNSEAL_KEY: &str = "unseal-key-";

/// Prefix and kind of a key's name; none = not the name of a key.
pub(crate) fn split(name: &str) -> Option<(&str, &str)> {
    let at = if name.ends_with(ROOT_TOKEN) {
        name.len() - ROOT_TOKEN.len()
    } else {
        let at = name.rfind(UNSEAL_KEY)?;
        let number = name.get(at + UNSEAL_KEY.len()..)?;
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        at
    };
    let (prefix, kind) = name.split_at_checked(at)?;
    if prefix.is_empty() { Some(("", kind)) } else { Some((prefix.strip_suffix('-')?, kind)) }
}

/// Finds the target's name for every key of the snapshot.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The names the target should have.
    expected: Vec<String>,
    /// The prefix the user named; empty = the only one in the snapshot.
    wanted: String,
    /// The prefix that was found, while none is wanted.
    found: Option<String>,
    /// Prefixes that are not the wanted one.
    foreign: BTreeSet<String>,
    /// Names of the target that have their key.
    mapped: BTreeSet<String>,
}

impl Mapping {
    pub(crate) fn new(expected: Vec<String>, wanted: &str) -> Self {
        Self {
            expected,
            wanted: wanted.to_owned(),
            found: None,
            foreign: BTreeSet::new(),
            mapped: BTreeSet::new(),
        }
    }

    /// The target's name for this artifact; none = it is not a key of the wanted Vault.
    ///
    /// # Errors
    /// The snapshot has keys of several Vaults, or one the target has no place for.
    pub(crate) fn target_of(&mut self, artifact: &str) -> Result<Option<String>> {
        let Some((prefix, kind)) = split(artifact) else { return Ok(None) };
        if !self.wanted.is_empty() {
            if prefix != self.wanted {
                self.foreign.insert(prefix.to_owned());
                return Ok(None);
            }
        } else {
            let found = self.found.get_or_insert_with(|| prefix.to_owned());
            if found != prefix {
                return Err(Error::invalid_parameter(
                    "oldKeyPrefix",
                    format!(
                        "the snapshot has keys with the prefixes {found:?} and {prefix:?}; say \
                         which are those of the Vault that was backed up"
                    ),
                ));
            }
        }
        let target = self
            .expected
            .iter()
            .find(|name| split(name).is_some_and(|(_, own)| own == kind))
            .cloned()
            .ok_or_else(|| {
                Error::invalid_parameter(
                    "force",
                    format!(
                        "the snapshot has {kind}, the target has no place for it; set \
                         spec.parameters.unsealer.secretShares of the AppBinding to the number \
                         of shares of the Vault that was backed up"
                    ),
                )
            })?;
        self.mapped.insert(target.clone());
        Ok(Some(target))
    }

    /// Whether every name of the target has its key.
    ///
    /// # Errors
    /// Which have not, and what the snapshot has instead.
    pub(crate) fn check_complete(&self) -> Result<()> {
        let missing: Vec<&str> = self
            .expected
            .iter()
            .filter(|name| !self.mapped.contains(*name))
            .filter_map(|name| split(name).map(|(_, kind)| kind))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        if !self.foreign.is_empty() && self.mapped.is_empty() {
            let foreign: Vec<String> =
                self.foreign.iter().map(|prefix| format!("{prefix:?}")).collect();
            return Err(Error::invalid_parameter(
                "oldKeyPrefix",
                format!(
                    "the snapshot has no keys with the prefix {:?}, only with {}",
                    self.wanted,
                    foreign.join(" and ")
                ),
            ));
        }
        if self.mapped.is_empty() {
            return Err(Error::invalid_parameter(
                "unsealKeys",
                "the snapshot has no unseal keys, so a forced restore would leave a Vault nobody \
                 can unseal; set unsealKeys to omit if you have the keys from elsewhere",
            ));
        }
        Err(Error::invalid_parameter(
            "force",
            format!(
                "the snapshot lacks {}; set spec.parameters.unsealer.secretShares of the \
                 AppBinding to the number of shares of the Vault that was backed up, or choose \
                 another snapshot",
                missing.join(", ")
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn names(prefix: &str, shares: usize) -> Vec<String> {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}-") };
        std::iter::once(format!("{prefix}root-token"))
            .chain((0..shares).map(|share| format!("{prefix}unseal-key-{share}")))
            .collect()
    }

    fn map(snapshot: &[String], mapping: &mut Mapping) -> Result<Vec<Option<String>>> {
        snapshot.iter().map(|name| mapping.target_of(name)).collect()
    }

    #[test]
    fn a_key_s_name_is_a_prefix_and_a_kind() {
        assert_eq!(split("root-token"), Some(("", "root-token")));
        assert_eq!(split("k8s.a-b.vault-root-token"), Some(("k8s.a-b.vault", "root-token")));
        assert_eq!(split("v-unseal-key-12"), Some(("v", "unseal-key-12")));
        for other in ["backup.snap", "unseal-key-", "unseal-key-x", "xroot-token", "vunseal-key-1"]
        {
            assert_eq!(split(other), None, "{other}");
        }
    }

    #[test]
    fn keys_of_another_vault_get_the_target_s_names() {
        for wanted in ["old", ""] {
            let mut mapping = Mapping::new(names("new", 5), wanted);
            let mapped = map(&names("old", 5), &mut mapping).unwrap();
            let expected: Vec<Option<String>> = names("new", 5).into_iter().map(Some).collect();
            assert_eq!(mapped, expected);
            mapping.check_complete().unwrap();
        }
    }

    #[test]
    fn a_wrong_prefix_is_told_with_the_right_one() {
        let mut mapping = Mapping::new(names("new", 1), "wrong");
        assert_eq!(map(&names("old", 1), &mut mapping).unwrap(), [None, None]);
        assert_eq!(
            mapping.check_complete().unwrap_err().to_string(),
            "parameter /oldKeyPrefix: the snapshot has no keys with the prefix \"wrong\", only \
             with \"old\""
        );
    }

    #[test]
    fn two_vaults_in_one_snapshot_need_a_word() {
        let mut mapping = Mapping::new(names("new", 1), "");
        let both = [names("old", 1), names("older", 1)].concat();
        let error = map(&both, &mut mapping).unwrap_err();
        assert!(error.to_string().contains("prefixes \"old\" and \"older\""), "{error}");
    }

    #[test]
    fn other_share_counts_are_refused_both_ways() {
        let mut mapping = Mapping::new(names("v", 3), "");
        let error = map(&names("v", 5), &mut mapping).unwrap_err();
        assert!(error.to_string().contains("has unseal-key-3"), "{error}");
        let mut mapping = Mapping::new(names("v", 5), "");
        map(&names("v", 3), &mut mapping).unwrap();
        let error = mapping.check_complete().unwrap_err();
        assert!(error.to_string().contains("lacks unseal-key-3, unseal-key-4;"), "{error}");
    }

    #[test]
    fn a_snapshot_without_keys_is_refused() {
        let mut mapping = Mapping::new(names("v", 3), "");
        assert_eq!(mapping.target_of("notes.txt").unwrap(), None);
        let error = mapping.check_complete().unwrap_err();
        assert!(error.to_string().starts_with("parameter /unsealKeys: "), "{error}");
    }
}
