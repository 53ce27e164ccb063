//! `Secret` (core/v1), as far as a machine without a cluster needs it: names and values.
//!
//! Values are wiped when dropped and never shown: not by `Debug`, not in errors. There is no
//! `Serialize`, so no plan, status or log can repeat one.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use zeroize::Zeroizing;

/// A Secret.
#[derive(Clone, PartialEq)]
pub struct Secret {
    /// `metadata`; an annotation of kubectl may repeat the values, so it is not shown either.
    pub metadata: ObjectMeta,
    data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

impl Secret {
    /// `metadata.name`; empty if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// `metadata.namespace`; empty if it has none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// A value.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&Zeroizing<Vec<u8>>> {
        self.data.get(key)
    }

    /// All keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.data.keys().map(String::as_str)
    }

    /// All keys and values, for a port to the outside.
    pub fn values(&self) -> impl Iterator<Item = (&str, &Zeroizing<Vec<u8>>)> {
        self.data.iter().map(|(key, value)| (key.as_str(), value))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("namespace", &self.namespace())
            .field("name", &self.name())
            .field("keys", &self.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The fields as they are written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    #[serde(default)]
    metadata: ObjectMeta,
    #[serde(default, rename = "type")]
    _type: Option<String>,
    #[serde(default, rename = "immutable")]
    _immutable: Option<bool>,
    #[serde(default)]
    data: Option<BTreeMap<String, Option<ByteString>>>,
    #[serde(default)]
    string_data: Option<BTreeMap<String, Option<String>>>,
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        let encoded = text.data.into_iter().flatten();
        let plain = text.string_data.into_iter().flatten();
        let encoded = encoded.map(|(key, value)| (key, value.map(|value| value.0)));
        let plain = plain.map(|(key, value)| (key, value.map(String::into_bytes)));
        // `stringData` stands last: it wins, as in the API server.
        let data = encoded
            .chain(plain)
            .map(|(key, value)| (key, Zeroizing::new(value.unwrap_or_default())))
            .collect();
        Ok(Self { metadata: text.metadata, data })
    }
}
