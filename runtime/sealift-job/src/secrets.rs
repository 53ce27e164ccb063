//! Secret data in memory, and the transforms an AppBinding asks for.
//!
//! Values are wiped when dropped and never shown. Reading Secrets is `objects`' work, using
//! them `credentials`', `keys`' and `storage`'s.

use std::collections::BTreeMap;
use std::fmt;

use zeroize::Zeroizing;

/// The data of one Secret, decoded from base64.
#[derive(Clone, Default)]
pub struct SecretData {
    values: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

/// Why a value of a Secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The key is not there.
    #[error("key {key:?} is missing")]
    MissingKey {
        /// The key.
        key: String,
    },
    /// The value is not UTF-8.
    #[error("the value of key {key:?} is not text")]
    NotText {
        /// The key.
        key: String,
    },
}

impl SecretData {
    /// Takes over decoded values.
    #[must_use]
    pub fn new(values: BTreeMap<String, Zeroizing<Vec<u8>>>) -> Self {
        Self { values }
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// Keys and values, in order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.values.iter().map(|(key, value)| (key.as_str(), value.as_slice()))
    }

    /// A value, if the key is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Zeroizing<Vec<u8>>> {
        self.values.get(key)
    }

    /// A value.
    ///
    /// # Errors
    /// The key is missing.
    pub fn require(&self, key: &str) -> Result<&Zeroizing<Vec<u8>>, SecretError> {
        self.get(key).ok_or_else(|| SecretError::MissingKey { key: key.to_owned() })
    }

    /// A value as text, if the key is there.
    ///
    /// # Errors
    /// The value is not UTF-8.
    pub fn text(&self, key: &str) -> Result<Option<Zeroizing<String>>, SecretError> {
        self.get(key)
            .map(|value| {
                String::from_utf8(value.to_vec())
                    .map(Zeroizing::new)
                    .map_err(|_| SecretError::NotText { key: key.to_owned() })
            })
            .transpose()
    }

    /// A value as text.
    ///
    /// # Errors
    /// The key is missing, or the value is not UTF-8.
    pub fn require_text(&self, key: &str) -> Result<Zeroizing<String>, SecretError> {
        self.text(key)?.ok_or_else(|| SecretError::MissingKey { key: key.to_owned() })
    }

    /// Sets a value.
    pub fn insert(&mut self, key: &str, value: Zeroizing<Vec<u8>>) {
        self.values.insert(key.to_owned(), value);
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        self.values.remove(key).is_some()
    }

    /// Renames a key.
    ///
    /// # Errors
    /// The old key is missing.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), SecretError> {
        let value = self
            .values
            .remove(from)
            .ok_or_else(|| SecretError::MissingKey { key: from.to_owned() })?;
        self.values.insert(to.to_owned(), value);
        Ok(())
    }

    /// Adds all values of another Secret; its keys win.
    pub fn extend(&mut self, other: Self) {
        self.values.extend(other.values);
    }
}

impl fmt::Debug for SecretData {
    /// Shows the keys only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn debug_shows_keys_but_no_values() {
        let mut data = SecretData::default();
        data.insert("token", Zeroizing::new(b"hvs.secret".to_vec()));
        assert_eq!(format!("{data:?}"), r#"{"token"}"#);
    }

    #[test]
    fn a_missing_key_and_a_binary_value_are_told_apart() {
        let mut data = SecretData::default();
        data.insert("binary", Zeroizing::new(vec![0xff, 0xfe]));
        assert_eq!(
            data.require_text("none").unwrap_err(),
            SecretError::MissingKey { key: "none".into() }
        );
        assert_eq!(
            data.require_text("binary").unwrap_err(),
            SecretError::NotText { key: "binary".into() }
        );
    }
}
