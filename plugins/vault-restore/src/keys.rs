//! The keys of the snapshot on their way into the target's store, by handle.

use sealift_function::{Body, Context, Result, keys, progress, session};

use crate::applied::Applied;
use crate::names::Mapping;
use crate::parameters::Parameters;

/// Takes every artifact that is not the snapshot.
pub(crate) struct Keys {
    /// None = no keys are written.
    mapping: Option<Mapping>,
    names: Vec<String>,
    forced: bool,
}

impl Keys {
    /// Asks for the target's names, so that a target without a store fails at once.
    pub(crate) fn new(parameters: &Parameters) -> Result<Self> {
        let names = if parameters.writes_keys() { vault_client::key_names()? } else { Vec::new() };
        let mapping = parameters
            .writes_keys()
            .then(|| Mapping::new(names.clone(), &parameters.old_key_prefix));
        Ok(Self { mapping, names, forced: parameters.force })
    }

    /// Puts a key aside; the right to write it is checked here. Anything else is thrown away.
    pub(crate) fn take(&mut self, name: &str, body: Body) -> Result<()> {
        let target = match &mut self.mapping {
            Some(mapping) => mapping.target_of(name)?,
            None => None,
        };
        match target {
            Some(target) => keys::put(&target, body),
            None => {
                if crate::names::split(name).is_none() {
                    progress::warn(&format!("{name} is not part of a Vault and was left out"));
                }
                body.discard().map(|_| ())
            }
        }
    }

    /// Called before Vault is changed.
    pub(crate) fn check_complete(&self) -> Result<()> {
        self.mapping.as_ref().map_or(Ok(()), Mapping::check_complete)
    }

    /// Writes the keys, now that Vault has the snapshot they belong to.
    pub(crate) fn commit(self, applied: Applied) -> Result<()> {
        if self.mapping.is_some() {
            progress::phase("writing the unseal keys");
            keys::commit().context(
                "Vault has the snapshot now, but the unseal keys that belong to it could not be \
                 written to their store; take them from the repository's snapshot",
            )?;
        }
        if applied == Applied::Sealed {
            progress::warn(&sealed(&self.names, session::fact("keys.threshold").as_deref()));
        } else if self.forced && self.mapping.is_none() {
            progress::warn("no unseal keys were written, as unsealKeys says");
        }
        Ok(())
    }
}

/// What a person must do when Vault waits for the keys of the snapshot.
fn sealed(names: &[String], threshold: Option<&str>) -> String {
    let shares: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !name.ends_with("root-token")).collect();
    let which = match (shares.is_empty(), threshold) {
        (true, _) => "the unseal keys of the Vault that was backed up".to_owned(),
        (false, Some(threshold)) => format!(
            "{threshold} of the keys {}, which are now in the store the AppBinding names",
            shares.join(", ")
        ),
        (false, None) => {
            format!(
                "the keys {}, which are now in the store the AppBinding names",
                shares.join(", ")
            )
        }
    };
    format!(
        "Vault has the snapshot and is sealed, as every node of it, because the snapshot has \
         other unseal keys: unseal it with {which}. If it refuses them, restart its pods first: \
         until then it expects as many keys as before. The token in the backup token Secret \
         belonged to the former data: issue a new one"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_unseal_are_named() {
        let names = ["v-root-token", "v-unseal-key-0", "v-unseal-key-1"].map(str::to_owned);
        let text = sealed(&names, Some("2"));
        assert!(
            text.contains("with 2 of the keys v-unseal-key-0, v-unseal-key-1, which"),
            "{text}"
        );
        assert!(sealed(&[], None).contains("keys of the Vault that was backed up"));
    }
}
