//! Manifests: the JSON that names the parts of an artifact. Types, and the kinds there are.
//!
//! What is read here comes from outside and had its digest checked before. What a manifest means
//! is decided by `artifact` and `signature`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A manifest of the image specification, which artifacts use too.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A list of manifests.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Docker's manifest.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Docker's list of manifests.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A config that says nothing, `{}`.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// What a request for a manifest accepts: what is refused later by its name is asked for too.
pub const ACCEPTED: [&str; 4] = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/// Bytes elsewhere: what they are, their digest, how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What they are.
    pub media_type: String,
    /// Their digest.
    pub digest: Digest,
    /// Their number.
    pub size: u64,
    /// What kind of artifact a manifest is. Some registries write the config's type here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Words about it, which prove nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// Of these bytes.
    #[must_use]
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: None,
        }
    }
}

/// A manifest, in the order in which ours is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// What it is; missing in old ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, where the config does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers.
    pub layers: Vec<Descriptor>,
    /// What it is about, for a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Words about it, which prove nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What a text that should be a manifest says it is. All forms there are can be read as this.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outline {
    /// What it says it is.
    #[serde(default)]
    pub media_type: Option<String>,
    /// Present in a list of manifests.
    #[serde(default)]
    pub manifests: Option<serde::de::IgnoredAny>,
    /// Present in Docker's first form.
    #[serde(default, rename = "fsLayers")]
    pub layers_of_old: Option<serde::de::IgnoredAny>,
    /// Its config.
    #[serde(default)]
    pub config: Option<ConfigOutline>,
}

/// What the config of a manifest says it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigOutline {
    /// What it says it is.
    #[serde(default)]
    pub media_type: Option<String>,
}

/// A text of a registry for our own messages: one line, printable, at most so many characters.
#[must_use]
pub(crate) fn quoted(text: &str, most: usize) -> String {
    let mut line: String = text.chars().take(most).flat_map(char::escape_debug).collect();
    if text.chars().count() > most {
        line.push('…');
    }
    line
}
