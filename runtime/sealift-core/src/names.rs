//! Names: which ones are valid, and the ones derived from others.
//!
//! Pure text; whether an object of that name exists is not decided here.

/// The folder all artifacts of a session lie in, when the original dumped into its emptyDir.
pub const INTERIM_PATH: &str = "/stash-tmp/stash-interim-volume/data";
/// The same with an `interimVolumeTemplate`.
pub const INTERIM_VOLUME_PATH: &str = "/stash-interim-volume/data";
/// The hostname of a target without alias.
pub const DEFAULT_HOSTNAME: &str = "host-0";

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is there.
    #[error("the name is empty")]
    Empty,
    /// Too many characters.
    #[error("{name:?} is longer than {limit} characters")]
    Long {
        /// The name, cut.
        name: String,
        /// How many are allowed.
        limit: usize,
    },
    /// A character that names do not have.
    #[error(
        "{0:?} is not a valid name: lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
    )]
    Characters(String),
}

/// The name of an object: a DNS subdomain of at most 253 characters.
///
/// # Errors
/// The rule it breaks.
pub fn check_object_name(name: &str) -> Result<(), NameError> {
    check(name, 253, |character| character == '.')
}

/// The name of a namespace: a DNS label of at most 63 characters.
///
/// # Errors
/// The rule it breaks.
pub fn check_namespace(name: &str) -> Result<(), NameError> {
    check(name, 63, |_| false)
}

fn check(name: &str, limit: usize, also: fn(char) -> bool) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.chars().count() > limit {
        return Err(NameError::Long { name: name.chars().take(32).collect(), limit });
    }
    let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let valid = name.split(also).all(|label| {
        label.starts_with(plain)
            && label.ends_with(plain)
            && label.chars().all(|character| plain(character) || character == '-')
    });
    match valid {
        true => Ok(()),
        false => Err(NameError::Characters(name.to_owned())),
    }
}

/// `<Function name, dots to dashes>-<position>`, as the original names a step's container.
#[must_use]
pub fn stage_name(function: &str, position: usize) -> String {
    format!("{}-{position}", function.replace('.', "-"))
}

/// `keyPrefix` of `--key-prefix`.
#[must_use]
pub fn camel_case(kebab: &str) -> String {
    let mut name = String::with_capacity(kebab.len());
    let mut raise = false;
    for character in kebab.chars() {
        match character {
            '-' => raise = !name.is_empty(),
            _ if raise => {
                name.push(character.to_ascii_uppercase());
                raise = false;
            }
            _ => name.push(character),
        }
    }
    name
}

/// `key-prefix` of `keyPrefix`: how a parameter is written as an argument.
#[must_use]
pub fn kebab_case(camel: &str) -> String {
    let mut name = String::with_capacity(camel.len() + 4);
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

/// The tag by which a target's snapshots are found: `sealift.target=<kind>/<namespace>/<name>`.
#[must_use]
pub fn target_tag(kind: &str, namespace: &str, name: &str) -> String {
    format!("sealift.target={kind}/{namespace}/{name}")
}

/// The tag of one session: `sealift.session=<name>`.
#[must_use]
pub fn session_tag(name: &str) -> String {
    format!("sealift.session={name}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn object_names_are_dns_subdomains() {
        for good in ["a", "vault-backup-1.10.3", "0a", "a.b-c.d"] {
            assert_eq!(check_object_name(good), Ok(()), "{good}");
        }
        for bad in ["", "A", "-a", "a-", "a..b", ".a", "a_b", "a/b", "../x", "ä", "a\n"] {
            assert!(check_object_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(check_object_name(""), Err(NameError::Empty));
        assert!(check_object_name(&"a".repeat(253)).is_ok());
        assert!(check_object_name(&"a".repeat(254)).is_err());
    }

    #[test]
    fn a_namespace_has_no_dots() {
        assert_eq!(check_namespace("demo-1"), Ok(()));
        assert!(check_namespace("de.mo").is_err());
        assert!(check_namespace(&"a".repeat(64)).is_err());
    }

    #[test]
    fn arguments_and_parameters_name_each_other() {
        for (kebab, camel) in [("key-prefix", "keyPrefix"), ("force", "force"), ("a-b-c", "aBC")] {
            assert_eq!(camel_case(kebab), camel);
            assert_eq!(kebab_case(camel), kebab);
        }
    }

    #[test]
    fn a_stage_is_named_like_the_container_of_the_original() {
        assert_eq!(stage_name("vault-backup-1.10.3", 0), "vault-backup-1-10-3-0");
    }
}
