//! References: `registry/repository[:tag][@sha256:…]`, as people write where a component lies.
//!
//! A text without a registry is an error and never a guess: what runs in a cluster must not depend
//! on which registry a tool has for its own. Nothing is asked of any registry here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;

/// The longest text that is read.
const MOST_CHARACTERS: usize = 1024;
/// The longest repository, as registries have it.
const MOST_REPOSITORY: usize = 255;
/// The longest tag, of the distribution specification.
const MOST_TAG: usize = 128;

/// Where something lies: a registry, a repository in it, and maybe which version.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It begins with a repository.
    #[error(
        "{text:?} names no registry; write one in front, as in ghcr.io/{text} (docker.io is not assumed)"
    )]
    NoRegistry {
        /// The text.
        text: String,
    },
    /// The part before the first slash is no host with or without a port.
    #[error("{text:?} is no registry; it is a host in lower case, with or without a port")]
    Registry {
        /// That part.
        text: String,
    },
    /// The part between.
    #[error(
        "{text:?} is no repository; it has lower-case letters, digits, and `.`, `_`, `-` between them, in parts separated by `/`"
    )]
    Repository {
        /// That part.
        text: String,
    },
    /// The part after the colon.
    #[error("{text:?} is no tag; it has letters, digits, `_`, `.`, `-`, at most {MOST_TAG}")]
    Tag {
        /// That part.
        text: String,
    },
    /// The part after the `@`.
    #[error("the digest after `@` is not read")]
    Digest(#[source] crate::digest::DigestError),
    /// No reference is that long.
    #[error("the reference is longer than {MOST_CHARACTERS} characters")]
    TooLong,
}

impl Reference {
    /// The registry: a host, and a port if it is not the usual one.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag, which the registry's owner may move.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest, which nobody can change.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same place, with this digest and no tag.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { tag: None, digest: Some(digest), ..self.clone() }
    }

    /// The same repository, with this tag.
    ///
    /// # Errors
    /// It is no tag.
    pub fn tagged(&self, tag: &str) -> Result<Self, ReferenceError> {
        check_tag(tag)?;
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The repository in its registry, which rules of trust are about.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.chars().count() > MOST_CHARACTERS {
            return Err(ReferenceError::TooLong);
        }
        let Some((registry, rest)) = text.split_once('/').filter(|(first, _)| is_host(first))
        else {
            return Err(ReferenceError::NoRegistry { text: text.to_owned() });
        };
        check_registry(registry)?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(ReferenceError::Digest)?)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => {
                check_tag(tag)?;
                (repository, Some(tag.to_owned()))
            }
            None => (rest, None),
        };
        if !is_repository(repository) {
            return Err(ReferenceError::Repository { text: repository.to_owned() });
        }
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), tag, digest })
    }
}

/// Whether the part before the first slash names a host, and not the first part of a repository.
fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':', '['])
}

fn check_registry(text: &str) -> Result<(), ReferenceError> {
    let refusal = || ReferenceError::Registry { text: text.to_owned() };
    // What the parser of URLs makes of it must be what was written: no user, no path, no other host.
    let url = url::Url::parse(&format!("https://{text}/")).map_err(|_| refusal())?;
    let host = url.host_str().ok_or_else(refusal)?;
    let (written, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_is_one = port.is_none_or(|port| {
        port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port)
    });
    let plain = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    if plain && host == written && port_is_one { Ok(()) } else { Err(refusal()) }
}

fn is_repository(text: &str) -> bool {
    let is_part = |part: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        part.bytes().next().is_some_and(plain)
            && part.bytes().next_back().is_some_and(plain)
            && part.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'))
            // One dot, one or two underscores, any number of hyphens: the specification's words.
            && !part.contains("..")
            && !part.contains("___")
            && !["._", "_.", ".-", "-.", "_-", "-_"].iter().any(|pair| part.contains(pair))
    };
    text.len() <= MOST_REPOSITORY && text.split('/').all(is_part)
}

fn check_tag(text: &str) -> Result<(), ReferenceError> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let valid = text.len() <= MOST_TAG
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'));
    if valid { Ok(()) } else { Err(ReferenceError::Tag { text: text.to_owned() }) }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(formatter, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_back() {
        let digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        for text in [
            "ghcr.io/acme/export",
            "ghcr.io/acme/export:0.1.0",
            &format!("ghcr.io/acme/export@{digest}"),
            &format!("ghcr.io/acme/export:0.1.0@{digest}"),
            "localhost/export:1",
            "localhost:5000/export:1",
            "127.0.0.1:5000/a/b/c-d_e.f:V1.2_3-x",
            "[::1]:5000/export",
            "registry.local:65535/a__b/c---d",
        ] {
            assert_eq!(text.parse::<Reference>().expect(text).to_string(), *text);
        }
        let parsed: Reference = format!("ghcr.io/a/b:t@{digest}").parse().unwrap();
        assert_eq!((parsed.registry(), parsed.repository()), ("ghcr.io", "a/b"));
        assert_eq!(parsed.tag(), Some("t"));
        assert_eq!(parsed.digest().unwrap().to_string(), digest);
        assert_eq!(parsed.place(), "ghcr.io/a/b");
    }

    #[test]
    fn everything_else_is_refused_by_the_part_that_is_wrong() {
        use ReferenceError::{NoRegistry, Registry, Repository, Tag};
        let of = |text: &str| text.parse::<Reference>().unwrap_err();
        for text in ["", "export", "acme/export:1", "/a/b", "acme"] {
            assert!(matches!(of(text), NoRegistry { .. }), "{text}");
        }
        for text in [
            "ghcr.io:0/a",
            "ghcr.io:99999/a",
            "ghcr.io:/a",
            "ghcr.io:080/a",
            "GHCR.io/a",
            "user@ghcr.io/a",
            "ghcr.io\\evil/a",
            "ghcr.io?x.y/a",
            "ghcr.io#x/a",
            "0x7f.1/a",
            "gh%63r.io/a",
            "[::1/a",
            "münchen.de/a",
        ] {
            assert!(matches!(of(text), Registry { .. }), "{text}: {:?}", of(text));
        }
        for text in [
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a//b",
            "ghcr.io/a/../b",
            "ghcr.io/a/.",
            "ghcr.io/-a",
            "ghcr.io/a_",
            "ghcr.io/a..b",
            "ghcr.io/a?b",
            "ghcr.io/a b",
            &format!("ghcr.io/{}", "a".repeat(256)),
        ] {
            assert!(matches!(of(text), Repository { .. }), "{text}: {:?}", of(text));
        }
        for text in ["ghcr.io/a:", "ghcr.io/a:.x", "ghcr.io/a:x/y", "ghcr.io/a:b:c"] {
            assert!(matches!(of(text), Tag { .. }), "{text}: {:?}", of(text));
        }
        assert!(matches!(of("ghcr.io/a@sha512:00"), ReferenceError::Digest(_)));
        assert!(matches!(of(&"a".repeat(1025)), ReferenceError::TooLong));
    }
}
