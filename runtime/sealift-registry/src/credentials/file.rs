//! A file of Docker's form: which entry is for which registry, and what it says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::{CredentialError, Login};

/// The largest file: thousands of entries are smaller.
const MOST_BYTES: u64 = 1 << 20;

/// Written with and without padding, by different tools.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The keys of Docker's own registry, which is asked at another host than its references name.
const DOCKER_HUB: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default, deserialize_with = "secret")]
    auth: Option<Zeroizing<String>>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    password: Option<Zeroizing<String>>,
    #[serde(default, deserialize_with = "secret")]
    identitytoken: Option<Zeroizing<String>>,
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Zeroizing<String>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Zeroizing::new))
}

/// Reads a file; none if it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Config>, CredentialError> {
    let failed = |source| CredentialError::Read { path: path.to_path_buf(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    let refused = |why| CredentialError::Form { path: path.to_path_buf(), why };
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refused("it has more than 1 MiB"));
    }
    // The parser's own words may repeat what it read.
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        refused(match error.classify() {
            serde_json::error::Category::Data => "a field is of another type",
            _ => "it is no JSON",
        })
    })
}

impl Config {
    /// The helper that keeps the credentials of this registry.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        let own = self.cred_helpers.iter().find(|(key, _)| place(key).0 == registry);
        own.map(|(_, helper)| helper).or(self.creds_store.as_ref()).map(String::as_str)
    }

    /// The entry that says most about this repository.
    pub(super) fn login(
        &self,
        path: &Path,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Login>, CredentialError> {
        let best = self
            .auths
            .iter()
            .filter_map(|(key, entry)| {
                let (host, below) = place(key);
                (host == registry && is_below(repository, below)).then_some((below.len(), entry))
            })
            .max_by_key(|(length, _)| *length);
        let Some((_, entry)) = best else { return Ok(None) };
        entry.login().map_err(|why| CredentialError::Form { path: path.to_path_buf(), why })
    }
}

impl Entry {
    fn login(&self) -> Result<Option<Login>, &'static str> {
        let filled =
            |text: &Option<Zeroizing<String>>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = filled(&self.identitytoken) {
            return Ok(Some(Login::Identity(token)));
        }
        if let Some(auth) = filled(&self.auth) {
            let bytes = BASE64.decode(auth.trim()).map(Zeroizing::new);
            let bytes = bytes.map_err(|_| "an `auth` is no base64")?;
            let text = std::str::from_utf8(&bytes).map_err(|_| "an `auth` is no text")?;
            let (user, password) = text.split_once(':').ok_or("an `auth` has no colon in it")?;
            let password = Zeroizing::new(password.to_owned());
            return Ok(Some(Login::Basic { user: user.to_owned(), password }));
        }
        match (self.username.clone(), filled(&self.password)) {
            (Some(user), Some(password)) => Ok(Some(Login::Basic { user, password })),
            (None, None) => Ok(None),
            (Some(user), None) if user.is_empty() => Ok(None),
            _ => Err("an entry has one of `username` and `password` only"),
        }
    }
}

/// The registry and the repositories a key is for. Keys are hosts, URLs, or hosts with a path.
fn place(key: &str) -> (&str, &str) {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let path = path.trim_end_matches('/');
    let path = if path == "v1" || path == "v2" { "" } else { path };
    (if DOCKER_HUB.contains(&host) { "docker.io" } else { host }, path)
}

fn is_below(repository: &str, path: &str) -> bool {
    path.is_empty()
        || repository
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
