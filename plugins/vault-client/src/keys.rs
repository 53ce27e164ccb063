//! The names of the target's unseal keys, or what to do where there are none.

use sealift_function::{Context, Error, Result, keys};

/// The names of the target's unseal keys and of its root token.
///
/// # Errors
/// The target names no place for them; the place cannot be asked.
pub fn key_names() -> Result<Vec<String>> {
    judge(keys::names())
}

fn judge(names: Result<Vec<String>>) -> Result<Vec<String>> {
    match names {
        // The host says so of a target without a store.
        Err(Error::InvalidState(_)) => Err(no_store()),
        Ok(names) if names.is_empty() => Err(no_store()),
        other => other.context("unseal keys"),
    }
}

fn no_store() -> Error {
    Error::invalid_parameter(
        "unsealKeys",
        "the target names no place for its unseal keys; describe it in \
         spec.parameters.unsealer of the AppBinding, or set unsealKeys to omit",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_target_without_a_store_is_told_both_ways_out() {
        for names in [Ok(Vec::new()), Err(Error::InvalidState("no store".to_owned()))] {
            let error = judge(names).unwrap_err();
            assert_eq!(error, no_store());
        }
    }

    #[test]
    fn a_store_that_cannot_be_asked_keeps_its_reason() {
        let error = judge(Err(Error::Denied("no right to get Secret vault-keys".to_owned())));
        assert_eq!(
            error.unwrap_err(),
            Error::Denied("unseal keys: no right to get Secret vault-keys".to_owned())
        );
    }
}
