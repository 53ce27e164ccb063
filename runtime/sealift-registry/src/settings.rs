//! Settings: what is said about registries beside their names. Mirrors, certificates, plain HTTP.
//!
//! A registry that is not named here is asked by HTTPS, with the certificates this system trusts,
//! and never at an address of this machine; one at a loopback address is asked by plain HTTP, as
//! all tools do. Who may log in is `credentials`, whose components are believed is `policy`.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;

/// How long a registry may take for one answer that is small: a busy one answers in seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most it can be set to.
const MOST_PATIENCE: u64 = 3600;
/// The largest file.
const MOST_BYTES: usize = 1 << 20;

/// What is said about registries.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Those that differ from the usual.
    pub places: Vec<Place>,
    /// How long one answer may take; what is large gets more, by its size.
    pub patience: Duration,
}

/// One registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Place {
    /// As references have it: a host, and a port if it is not the usual one.
    pub host: String,
    /// Asked first, in this order, for everything that is read; the registry itself comes last.
    #[serde(default)]
    pub mirrors: Vec<Mirror>,
    /// Asked by plain HTTP. Digests and signatures hold, secrecy and freshness of tags do not.
    #[serde(default)]
    pub plain_http: bool,
    /// Certificates that are trusted for it besides the system's, as PEM.
    #[serde(default)]
    pub ca: Option<String>,
    /// Its name may lead to an address of this machine.
    #[serde(default)]
    pub loopback: bool,
}

/// A copy of a registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mirror {
    /// Its host, as in a reference.
    pub host: String,
    /// Put before the repository, as `ghcr` in `mirror.local/ghcr/acme/export`.
    #[serde(default)]
    pub prefix: String,
    /// Whether it may say where a tag points. Without it, it is asked for digests only.
    #[serde(default = "yes")]
    pub tags: bool,
}

fn yes() -> bool {
    true
}

/// Why settings are not read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file of that size holds something else.
    #[error("the settings of registries have more than {MOST_BYTES} bytes")]
    Large,
    /// No YAML, or a key that is unknown or of another type.
    #[error("the settings of registries are not read")]
    Form(#[source] Box<serde_saphyr::Error>),
    /// A name that no reference can have.
    #[error("registries: {host:?} is no registry")]
    Host {
        /// As written.
        host: String,
    },
    /// Two entries for one.
    #[error("registries: {host} is named twice")]
    Twice {
        /// Which one.
        host: String,
    },
    /// A prefix that no repository can begin with.
    #[error("registries: prefix {prefix:?} of mirror {host} is no repository")]
    Prefix {
        /// Of which mirror.
        host: String,
        /// As written.
        prefix: String,
    },
    /// Nobody waits that long, or not at all.
    #[error("patienceSeconds is {seconds}; it is 1 to {MOST_PATIENCE}")]
    Patience {
        /// As written.
        seconds: u64,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    #[serde(default)]
    registries: Vec<Place>,
    #[serde(default)]
    patience_seconds: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { places: Vec::new(), patience: PATIENCE }
    }
}

impl Settings {
    /// Reads the YAML of a settings file: `registries` with `host`, `mirrors`, `plainHttp`, `ca`
    /// and `loopback`, and `patienceSeconds`.
    ///
    /// # Errors
    /// The field that is wrong.
    pub fn read(yaml: &str) -> Result<Self, SettingsError> {
        if yaml.len() > MOST_BYTES {
            return Err(SettingsError::Large);
        }
        let file: File =
            serde_saphyr::from_str(yaml).map_err(|error| SettingsError::Form(Box::new(error)))?;
        let seconds = file.patience_seconds.unwrap_or(PATIENCE.as_secs());
        if seconds == 0 || seconds > MOST_PATIENCE {
            return Err(SettingsError::Patience { seconds });
        }
        let mut seen = BTreeSet::new();
        for place in &file.registries {
            check(place)?;
            if !seen.insert(&place.host) {
                return Err(SettingsError::Twice { host: place.host.clone() });
            }
        }
        Ok(Self { places: file.registries, patience: Duration::from_secs(seconds) })
    }

    /// What holds for this registry.
    #[must_use]
    pub fn place(&self, host: &str) -> Cow<'_, Place> {
        match self.places.iter().find(|place| place.host == host) {
            Some(place) => Cow::Borrowed(place),
            None => Cow::Owned(Place::usual(host)),
        }
    }
}

impl Place {
    /// What holds for a registry nothing is said about.
    #[must_use]
    pub fn usual(host: &str) -> Self {
        let loopback = is_loopback(host);
        Self {
            host: host.to_owned(),
            mirrors: Vec::new(),
            plain_http: loopback,
            ca: None,
            loopback,
        }
    }

    /// `https`, or `http` where that is set.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.plain_http { "http" } else { "https" }
    }
}

/// Whether a host, with or without a port, is written as this machine's own.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    };
    let number = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost"
        || number
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

fn check(place: &Place) -> Result<(), SettingsError> {
    let hosts = std::iter::once(&place.host).chain(place.mirrors.iter().map(|mirror| &mirror.host));
    for host in hosts {
        // A host is right when a reference can have it.
        if format!("{host}/x").parse::<crate::Reference>().is_err() {
            return Err(SettingsError::Host { host: host.clone() });
        }
    }
    for mirror in &place.mirrors {
        let whole = format!("{}/{}", mirror.host, mirror.prefix);
        let is_name = whole.parse::<crate::Reference>().is_ok_and(|read| {
            read.to_string() == whole && read.tag().is_none() && read.digest().is_none()
        });
        if !mirror.prefix.is_empty() && !is_name {
            return Err(SettingsError::Prefix {
                host: mirror.host.clone(),
                prefix: mirror.prefix.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_differs() {
        let settings = Settings::read(
            "patienceSeconds: 5\nregistries:\n- host: ghcr.io\n  mirrors:\n  - {host: \"mirror.local:5000\", prefix: ghcr}\n  - {host: other.local, tags: false}\n- {host: registry.local, plainHttp: true}\n",
        )
        .unwrap();
        assert_eq!(settings.patience, Duration::from_secs(5));
        let place = settings.place("ghcr.io");
        assert_eq!(place.scheme(), "https");
        let tags: Vec<bool> = place.mirrors.iter().map(|mirror| mirror.tags).collect();
        assert_eq!(tags, [true, false]);
        assert_eq!(settings.place("registry.local").scheme(), "http");
        assert!(!settings.place("registry.local").loopback);
        assert_eq!(*settings.place("quay.io"), Place::usual("quay.io"));
    }

    #[test]
    fn only_what_is_written_as_this_machine_is_taken_for_it() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9", "[::1]:5000"] {
            let place = Place::usual(host);
            assert!(place.loopback && place.plain_http, "{host}");
        }
        for host in ["ghcr.io", "localhost.evil.io", "127.0.0.1.nip.io:80", "10.0.0.1:5000"] {
            let place = Place::usual(host);
            assert!(!place.loopback && !place.plain_http, "{host}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (yaml, words) in [
            ("registries: [{host: ghcr.io, plainHTTP: true}]", "not read"),
            ("registry: []", "not read"),
            ("registries: [{host: acme}]", "\"acme\" is no registry"),
            ("registries: [{host: a.io}, {host: a.io}]", "a.io is named twice"),
            ("registries: [{host: a.io, mirrors: [{host: x}]}]", "\"x\" is no registry"),
            ("registries: [{host: a.io, mirrors: [{host: m.io, prefix: \"a:b\"}]}]", "\"a:b\""),
            ("patienceSeconds: 0", "1 to 3600"),
        ] {
            let error = Settings::read(yaml).unwrap_err().to_string();
            assert!(error.contains(words), "{yaml}: {error}");
        }
    }
}
