//! What the artifacts of `registry-export` are. It asks nobody.

use std::collections::BTreeMap;

use sealift_function::{Error, Result};
use serde::Deserialize;

/// The form this Function can read.
const FORM: &str = "registry-export/v1";

/// `registry.json`: what is whose.
#[derive(Debug, Deserialize)]
pub(crate) struct Index {
    form: String,
    /// Repositories of the registry.
    pub(crate) repositories: Vec<Repository>,
}

/// One repository.
#[derive(Debug, Deserialize)]
pub(crate) struct Repository {
    /// Its name.
    pub(crate) name: String,
    /// Tags, and the digest of what each names.
    pub(crate) tags: BTreeMap<String, String>,
    /// Digests of manifests, and their media types.
    pub(crate) manifests: BTreeMap<String, String>,
    /// Digests of blobs.
    pub(crate) blobs: Vec<String>,
}

impl Index {
    /// Reads it, and refuses what could not be put back.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let index: Self = serde_json::from_slice(bytes)
            .map_err(|error| damaged(&format!("is not well-formed: {error}")))?;
        if index.form != FORM {
            return Err(damaged(&format!("has the form {:?}, and {FORM} is known", index.form)));
        }
        for repository in &index.repositories {
            check_repository(&repository.name)?;
            let digests = repository.blobs.iter().chain(repository.manifests.keys());
            for digest in digests.chain(repository.tags.values()) {
                hex_of(digest).ok_or_else(|| damaged(&format!("names the digest {digest:?}")))?;
            }
            for tag in repository.tags.keys() {
                if !is_word(tag) {
                    return Err(damaged(&format!("names the tag {tag:?}")));
                }
            }
        }
        Ok(index)
    }
}

impl Repository {
    /// The media type of one of its manifests.
    pub(crate) fn media_type(&self, digest: &str) -> Result<&str> {
        self.manifests
            .get(digest)
            .map(String::as_str)
            .ok_or_else(|| damaged(&format!("has no media type for {digest}")))
    }
}

/// What an artifact is, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// `registry.json`.
    Index,
    /// `blobs/<repository>/<hex>`.
    Blob {
        /// Where it was found.
        repository: String,
        /// Its digest.
        digest: String,
    },
    /// `manifests/<repository>/<hex>`.
    Manifest {
        /// Its digest.
        digest: String,
    },
    /// Another Function's, such as a list of what was stored.
    Other,
}

impl Item {
    /// Reads a name.
    pub(crate) fn of(name: &str) -> Result<Self> {
        if name == "registry.json" {
            return Ok(Self::Index);
        }
        if !name.starts_with("blobs/") && !name.starts_with("manifests/") {
            return Ok(Self::Other);
        }
        let foreign =
            || Error::ExternalFailed(format!("{name} is nothing that registry-export stores"));
        let (kind, rest) = name.split_once('/').ok_or_else(foreign)?;
        let (repository, hex) = rest.rsplit_once('/').ok_or_else(foreign)?;
        check_repository(repository)?;
        let digest = format!("sha256:{hex}");
        hex_of(&digest).ok_or_else(foreign)?;
        match kind {
            "blobs" => Ok(Self::Blob { repository: repository.to_owned(), digest }),
            "manifests" => Ok(Self::Manifest { digest }),
            _ => Err(foreign()),
        }
    }
}

/// Digests of the manifests that a manifest names.
pub(crate) fn children(manifest: &[u8]) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Named {
        digest: String,
    }
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(default)]
        manifests: Vec<Named>,
        subject: Option<Named>,
    }
    let manifest: Manifest = serde_json::from_slice(manifest)
        .map_err(|error| Error::DataLossRisk(format!("the manifest is no JSON: {error}")))?;
    Ok(manifest.subject.into_iter().chain(manifest.manifests).map(|named| named.digest).collect())
}

/// Names of repositories become part of paths.
fn check_repository(name: &str) -> Result<()> {
    if !name.is_empty() && name.split('/').all(is_word) {
        return Ok(());
    }
    Err(damaged(&format!("names the repository {name:?}")))
}

/// A word of names and tags: nothing in it means anything in a path.
fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn hex_of(digest: &str) -> Option<&str> {
    digest.strip_prefix("sha256:").filter(|hex| {
        hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

fn damaged(what: &str) -> Error {
    Error::DataLossRisk(format!("registry.json {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn artifacts_are_known_by_their_names() {
        let hex = "a".repeat(64);
        assert_eq!(Item::of("registry.json").unwrap(), Item::Index);
        assert_eq!(
            Item::of(&format!("blobs/team/app/{hex}")).unwrap(),
            Item::Blob { repository: "team/app".to_owned(), digest: format!("sha256:{hex}") }
        );
        assert_eq!(
            Item::of(&format!("manifests/app/{hex}")).unwrap(),
            Item::Manifest { digest: format!("sha256:{hex}") }
        );
        assert_eq!(Item::of("inventory.json").unwrap(), Item::Other);
        for wrong in ["blobs/app/xyz", "manifests/0", "blobs/../app/0", "blobs//0"] {
            let wrong = wrong.replace("/0", &format!("/{hex}"));
            assert!(Item::of(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_that_could_not_be_put_back_is_refused() {
        let good = r#"{"form": "registry-export/v1", "repositories": [{"name": "a/b",
            "tags": {"v1": "D"}, "manifests": {"D": "t"}, "blobs": ["D"]}]}"#
            .replace('D', &format!("sha256:{}", "0".repeat(64)));
        assert_eq!(Index::parse(good.as_bytes()).unwrap().repositories.len(), 1);
        for (from, to) in [
            ("export/v1", "export/v2"),
            ("\"a/b\"", "\"a/../b\""),
            ("\"v1\"", "\"v1?x\""),
            ("sha256:0", "sha512:0"),
            ("{", "["),
        ] {
            assert!(Index::parse(good.replace(from, to).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn a_manifest_comes_after_what_it_names() {
        let index =
            br#"{"manifests": [{"digest": "a"}, {"digest": "b"}], "subject": {"digest": "s"}}"#;
        assert_eq!(children(index).unwrap(), ["s", "a", "b"]);
        assert!(children(br#"{"config": {}}"#).unwrap().is_empty());
        assert!(children(b"no").is_err());
    }
}
