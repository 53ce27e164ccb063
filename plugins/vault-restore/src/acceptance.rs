//! How far the snapshot went into Vault, for the text of every error that comes later.
//!
//! Vault's acceptance is the point of no return: whatever ends the session then, be it a
//! cancellation, a person must learn that Vault may have other data and which unseal keys it
//! needs. Nothing is decided here.

use sealift_function::{Error, Result};

use crate::parameters::{Parameters, UnsealKeys};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Vault has no whole snapshot, or refused it.
    Nothing,
    /// Vault was given all of it and has not answered.
    Unknown,
    /// Vault answered that it takes it.
    Accepted,
}

/// Whether Vault has accepted the snapshot.
#[derive(Debug)]
pub(crate) struct Acceptance {
    reached: Reached,
    keys: &'static str,
}

impl Acceptance {
    /// Nothing was sent yet.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        let keys = match (parameters.force, parameters.unseal_keys) {
            (false, _) => "",
            (true, UnsealKeys::Include) => {
                "; the unseal keys that belong to it are only in the repository until a restore \
                 of it succeeds"
            }
            (true, UnsealKeys::Omit) => {
                "; the unseal keys that belong to it are those of the Vault that was backed up"
            }
        };
        Self { reached: Reached::Nothing, keys }
    }

    /// The keys of the snapshot are in their store, although nobody saw what became of Vault.
    pub(crate) fn keys_written(&mut self) {
        self.keys = "; the unseal keys that belong to it were written to their store, where the \
                     former ones are kept, too";
    }

    /// The end of the snapshot is about to be sent.
    pub(crate) fn sending_end(&mut self) {
        self.reached = Reached::Unknown;
    }

    /// Vault answered.
    pub(crate) fn answered(&mut self, success: bool) {
        self.reached = if success { Reached::Accepted } else { Reached::Nothing };
    }

    /// Adds to an error what became of Vault.
    pub(crate) fn explain<T>(&self, result: Result<T>) -> Result<T> {
        let what = match self.reached {
            Reached::Nothing => return result,
            Reached::Unknown => "Vault may have accepted the snapshot and replaced its data",
            Reached::Accepted => "Vault accepted the snapshot and may have replaced its data",
        };
        result.map_err(|error: Error| error.context(format!("{what}{}", self.keys)))
    }

    /// What must be said beside the error of [`explain`](Self::explain): a cancellation is told in
    /// the words of whoever cancelled.
    pub(crate) fn warning<'a, T>(&self, result: &'a Result<T>) -> Option<&'a str> {
        match result {
            Err(Error::Cancelled(text)) if self.reached != Reached::Nothing => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn explained(acceptance: &Acceptance) -> Error {
        acceptance.explain::<()>(Err(Error::Cancelled("cancelled".to_owned()))).unwrap_err()
    }

    fn with(force: bool, unseal_keys: UnsealKeys) -> Acceptance {
        Acceptance::new(&Parameters { force, unseal_keys, ..Parameters::default() })
    }

    #[test]
    fn a_cancellation_does_not_hide_that_vault_took_the_snapshot() {
        let mut acceptance = with(true, UnsealKeys::Include);
        let untouched = Error::Cancelled("cancelled".to_owned());
        assert_eq!(explained(&acceptance), untouched);
        acceptance.sending_end();
        let text = explained(&acceptance).to_string();
        assert!(text.starts_with("Vault may have accepted the snapshot"), "{text}");
        acceptance.answered(true);
        assert_eq!(
            explained(&acceptance),
            Error::Cancelled(
                "Vault accepted the snapshot and may have replaced its data; the unseal keys \
                 that belong to it are only in the repository until a restore of it succeeds: \
                 cancelled"
                    .to_owned()
            )
        );
        let cancelled: Result<()> = Err(explained(&acceptance));
        assert!(acceptance.warning(&cancelled).unwrap().starts_with("Vault accepted"));
        assert_eq!(acceptance.warning::<()>(&Err(Error::retryable("later"))), None);
        assert_eq!(acceptance.explain(Ok(7)), Ok(7));
        acceptance.answered(false);
        assert_eq!(explained(&acceptance), untouched);
        assert_eq!(acceptance.warning(&cancelled), None);
    }

    #[test]
    fn keys_are_spoken_of_only_where_they_change() {
        for (force, unseal_keys, end) in [
            (false, UnsealKeys::Include, "may have replaced its data: cancelled"),
            (true, UnsealKeys::Omit, "those of the Vault that was backed up: cancelled"),
        ] {
            let mut acceptance = with(force, unseal_keys);
            acceptance.answered(true);
            let text = explained(&acceptance).to_string();
            assert!(text.ends_with(end), "{text}");
        }
    }
}
