//! The names under which a Secret keeps what its keys held before.

use sha2::{Digest, Sha256};

/// The longest key of a Secret.
const MOST_CHARACTERS: usize = 253;

/// `<key>.replaced.<session>`; a name that would be too long ends with a hash instead of the
/// session.
pub(super) fn kept_name(key: &str, session: &str) -> String {
    let whole = format!("{key}.replaced.{session}");
    if whole.len() <= MOST_CHARACTERS {
        return whole;
    }
    let hash = hex::encode(Sha256::digest(&whole));
    let end = format!(".replaced.{}", hash.get(..16).unwrap_or(&hash));
    // Keys of a Secret are ASCII.
    let key = key.get(..MOST_CHARACTERS - end.len()).unwrap_or(key);
    format!("{key}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_name_is_a_key_a_secret_can_have() {
        assert_eq!(kept_name("root-token", "restore-1"), "root-token.replaced.restore-1");
        let one = kept_name("k", &"s".repeat(253));
        let other = kept_name("k", &format!("{}t", "s".repeat(252)));
        assert_ne!(one, other);
        assert!(one.len() <= MOST_CHARACTERS && one.starts_with("k.replaced."));
        assert!(kept_name(&"k".repeat(253), "s").len() <= MOST_CHARACTERS);
    }
}
