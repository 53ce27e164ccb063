//! The keys of the snapshot on their way into the target's store, by handle.

use sealift_function::{Body, Context, Error, Result, keys, progress, session};

use crate::acceptance::Acceptance;
use crate::applied::{Applied, Unknown};
use crate::look::Unsealer;
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

    /// Writes the keys, now that Vault has, or may have, the snapshot they belong to, and says what
    /// is left to do.
    pub(crate) fn commit(self, applied: Applied, unsealer: &Unsealer) -> Result<()> {
        if self.mapping.is_some() {
            progress::phase("writing the unseal keys");
            keys::commit().context("the unseal keys could not be written to their store")?;
        }
        if applied != Applied::Running {
            let threshold = session::fact("keys.threshold");
            progress::warn(&sealed(applied, &self.names, threshold.as_deref()));
            return Ok(());
        }
        if self.forced && self.mapping.is_none() {
            progress::warn("no unseal keys were written, as unsealKeys says");
        }
        if let (true, Unsealer::Service(service)) = (self.forced, unsealer) {
            progress::warn(&unsealed_by(service, &self.names));
        }
        Ok(())
    }

    /// Vault fell silent with an accepted snapshot: it needs the keys of the snapshot if it
    /// applied it, and whoever must unseal it finds both in the store. Returns what to say.
    pub(crate) fn commit_after(self, unknown: Unknown, acceptance: &mut Acceptance) -> Error {
        let Unknown { error, silent } = unknown;
        if self.mapping.is_none() || !silent {
            return error;
        }
        match keys::commit() {
            Ok(()) => {
                acceptance.keys_written();
                error
            }
            Err(why) => error.context(format!("the unseal keys could not be written ({why})")),
        }
    }
}

/// What a person must do with a sealed Vault, or with one that can no longer be seen.
///
/// Both keys are named: whether the snapshot was applied cannot be seen before Vault is unsealed.
/// The nodes are restarted because Vault (1.21.1) tells its standbys of the new data by an entry
/// of the log, and one whose copy of the data was read after that entry never sees it (measured,
/// where nodes do not vote yet and the leader waits for none): it stays unsealed with the former
/// keys and certificates, a stranger to the others.
fn sealed(applied: Applied, names: &[String], threshold: Option<&str>) -> String {
    let seen = match applied {
        Applied::Gone => {
            "Nobody listens at Vault's address any more, as where a Service leads to the active \
             node and all nodes are sealed"
        }
        Applied::Sealed | Applied::Running => "Vault is sealed",
    };
    let (which, former) = match shares(names) {
        None => ("the unseal keys of the Vault that was backed up".to_owned(), "in its store"),
        Some(shares) => {
            let count = threshold.map(|threshold| format!("{threshold} of ")).unwrap_or_default();
            (
                format!(
                    "{count}the keys {shares} of the snapshot, which were written to their store"
                ),
                "in the Secret they were in, or beside it as .replaced",
            )
        }
    };
    format!(
        "{seen}, as it is after a snapshot with other unseal keys, but also after it failed to \
         apply one; its log says which. If it applied the snapshot, first restart every node \
         (delete the pods, keep their volumes), an unsealed one, too: it may have missed the end \
         of the restore and serves nobody until then. Then unseal every node with {which}, and \
         issue a new token for backups: the one in the backup token Secret is void. The Vault \
         that was backed up must not be reachable from here while you do: nodes that find it \
         leave their cluster for good. If it failed, unseal it with the former keys, which are \
         kept {former}, and restore again"
    )
}

/// What a person must do with a Vault that a service unseals, and that serves the snapshot's data.
///
/// Where the keyring is another one, Vault (1.21.1) opens it by its seal, and seals itself if the
/// service cannot: so it has. Whether it is another one cannot be seen; what was restored may as
/// well be an older state of the same Vault.
fn unsealed_by(service: &str, names: &[String]) -> String {
    let keys = shares(names)
        .map(|shares| format!(". The keys {shares} are recovery keys, and unseal nothing"))
        .unwrap_or_default();
    format!(
        "Vault serves the data of the snapshot; {service} unseals it. If that data is another \
         Vault's: keep that one out of reach of this one, whose nodes leave their cluster for good \
         where they find it; restart every node (delete the pods, keep their volumes), since a \
         standby may have missed the end of the restore and serves nobody until then; issue a new \
         token for backups, since the one in the backup token Secret is void; and keep its key at \
         {service} for as long as this data is in use, since no node starts without it{keys}"
    )
}

/// The first and the last of the unseal keys; events end after 1024 bytes.
fn shares(names: &[String]) -> Option<String> {
    let mut shares = names.iter().filter(|name| !name.ends_with("root-token"));
    let first = shares.next()?;
    let last = shares.next_back().map(|last| format!(" to {last}")).unwrap_or_default();
    Some(format!("{first}{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_that_unseal_are_named() {
        let names = ["v-root-token", "v-unseal-key-0", "v-unseal-key-1"].map(str::to_owned);
        let text = sealed(Applied::Sealed, &names, Some("2"));
        assert!(
            text.contains("with 2 of the keys v-unseal-key-0 to v-unseal-key-1 of the snapshot"),
            "{text}"
        );
        assert!(sealed(Applied::Gone, &[], None).starts_with("Nobody listens at Vault's address"));
        assert!(
            sealed(Applied::Sealed, &[], None).contains("keys of the Vault that was backed up")
        );
    }

    #[test]
    fn what_to_do_fits_into_an_event_with_the_names_of_kubevault() {
        let prefix = "k8s.kubevault.com.a-namespace-of-more-letters.vault";
        let mut names = vec![format!("{prefix}-root-token")];
        names.extend((0..5).map(|share| format!("{prefix}-unseal-key-{share}")));
        for text in [sealed(Applied::Gone, &names, Some("3")), unsealed_by("azurekeyvault", &names)]
        {
            // In front of it stands the stage.
            assert!(text.len() + "vault-restore-1-10-3-1: ".len() <= 1024, "{}", text.len());
        }
    }

    #[test]
    fn who_has_a_vault_unsealed_by_a_service_is_told_what_is_left_to_do() {
        let names = ["v-root-token", "v-unseal-key-0", "v-unseal-key-1"].map(str::to_owned);
        let text = unsealed_by("awskms", &names);
        for words in [
            "Vault serves the data of the snapshot; awskms unseals it.",
            "out of reach of this one",
            "restart every node",
            "issue a new token for backups",
            "keep its key at awskms",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let keys =
            ". The keys v-unseal-key-0 to v-unseal-key-1 are recovery keys, and unseal nothing";
        assert!(text.ends_with(keys), "{text}");
        assert!(!unsealed_by("transit", &[]).contains("recovery keys"), "no keys were written");
        for words in ["sealed, as it is", "Then unseal every node"] {
            assert!(!text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn a_sealed_vault_is_not_said_to_have_the_snapshot() {
        let names = ["v-root-token", "v-unseal-key-0"].map(str::to_owned);
        let both = [Applied::Sealed, Applied::Gone];
        for text in both.map(|applied| sealed(applied, &names, Some("1"))) {
            assert!(text.contains("but also after it failed to apply one"), "{text}");
            assert!(text.contains("with the former keys, which are kept in"), "{text}");
        }
    }
}
