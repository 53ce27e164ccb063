//! What a Function may do: the permissions of `Function.spec.permissions`.
//!
//! A grant is one of two keys: the component asks in its descriptor, the grant allows, and
//! only what both name is linked. This module parses and compares grants; enforcing them is
//! `sealift-host`'s.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names on the network a Function can be granted.
pub const HTTP_NAMES: [&str; 2] = ["pushgateway", "target"];
/// Methods a Function can be granted.
pub const HTTP_METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
const KEYS: [&str; 3] = ["http", "repository", "unsealKeys"];
const HTTP_KEYS: [&str; 3] = ["methods", "name", "paths"];
const REPOSITORY_VALUES: [&str; 3] = ["read-all", "read-selected", "write"];
const UNSEAL_KEYS_VALUES: [&str; 3] = ["copy", "read", "write"];

/// Why `permissions` are refused. `field` is relative to `spec.permissions`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// A key or a value nobody knows.
    #[error("{found:?} is unknown; valid are {}", valid.join(", "))]
    Unknown {
        /// Where.
        field: String,
        /// What is written there, cut.
        found: String,
        /// What may be written there.
        valid: Vec<&'static str>,
    },
    /// Text, a list or an object was expected.
    #[error("expected {expected}")]
    Type {
        /// Where.
        field: String,
        /// What is expected there.
        expected: &'static str,
    },
    /// A path that could not be one.
    #[error("{path:?} is not a path: it begins with / and has a * only at its end")]
    Path {
        /// Where.
        field: String,
        /// The path, cut.
        path: String,
    },
}

impl GrantError {
    /// Where, relative to `spec.permissions`, such as `http[0].name`; empty = the whole.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Unknown { field, .. } | Self::Type { field, .. } | Self::Path { field, .. } => {
                field
            }
        }
    }
}

/// All permissions of one Function. The default grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Grants {
    /// Names on the network it may talk to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpGrant>,
    /// What it may do with the repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryGrant>,
    /// What it may do with the unseal keys and the root token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unseal_keys: Option<KeyGrant>,
}

impl Grants {
    /// Reads `spec.permissions`.
    ///
    /// # Errors
    /// Everything that is not known or not well-formed, at least one.
    pub fn parse(permissions: &Value) -> Result<Self, Vec<GrantError>> {
        let mut errors = Vec::new();
        let grants = Reader { errors: &mut errors }.grants(permissions);
        if errors.is_empty() { Ok(grants) } else { Err(errors) }
    }

    /// What both name: the component's requests and the permissions it was given.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut http: Vec<HttpGrant> = Vec::new();
        for ours in &self.http {
            for theirs in other.http.iter().filter(|theirs| theirs.name == ours.name) {
                let shared = ours.intersection(theirs);
                if !shared.methods.is_empty() && !shared.paths.is_empty() && !http.contains(&shared)
                {
                    http.push(shared);
                }
            }
        }
        Self {
            http,
            repository: match (self.repository, other.repository) {
                (Some(ours), Some(theirs)) => ours.intersection(theirs),
                _ => None,
            },
            unseal_keys: match (self.unseal_keys, other.unseal_keys) {
                (Some(ours), Some(theirs)) => ours.intersection(theirs),
                _ => None,
            },
        }
    }

    /// Whether any grant is for this name on the network.
    #[must_use]
    pub fn reaches(&self, name: &str) -> bool {
        self.http.iter().any(|grant| grant.name == name)
    }
}

/// One name on the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGrant {
    /// The name, such as `target` or `pushgateway`.
    pub name: String,
    /// Methods in upper case; empty = none.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Paths; a `*` at the end stands for anything. Empty = none.
    #[serde(default)]
    pub paths: Vec<String>,
}

impl HttpGrant {
    fn intersection(&self, other: &Self) -> Self {
        let methods = self.methods.iter().filter(|method| other.methods.contains(method));
        let mut paths: Vec<String> = Vec::new();
        for ours in &self.paths {
            for theirs in &other.paths {
                if let Some(path) = narrower(ours, theirs).filter(|path| !paths.contains(path)) {
                    paths.push(path);
                }
            }
        }
        Self { name: self.name.clone(), methods: methods.cloned().collect(), paths }
    }

    /// Whether a request with this method and path (without query) is covered.
    #[must_use]
    pub fn allows(&self, method: &str, path: &str) -> bool {
        self.methods.iter().any(|allowed| allowed == method)
            && self.paths.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => pattern == path,
            })
    }
}

/// The path pattern that covers exactly what both cover; none if they have nothing in common.
fn narrower(left: &str, right: &str) -> Option<String> {
    let covers = |wide: &str, narrow: &str| match wide.strip_suffix('*') {
        Some(prefix) => narrow.starts_with(prefix),
        None => wide == narrow,
    };
    if covers(left, right) {
        Some(right.to_owned())
    } else if covers(right, left) {
        Some(left.to_owned())
    } else {
        None
    }
}

/// What a Function may do with the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RepositoryGrant {
    /// Read the snapshot the plan selected.
    ReadSelected,
    /// List and read every snapshot.
    ReadAll,
    /// Write this session's snapshot.
    Write,
}

impl RepositoryGrant {
    fn intersection(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Write, Self::Write) => Some(Self::Write),
            (Self::Write, _) | (_, Self::Write) => None,
            (Self::ReadAll, Self::ReadAll) => Some(Self::ReadAll),
            // Who may read all may read the selected one.
            _ => Some(Self::ReadSelected),
        }
    }
}

/// What a Function may do with the unseal keys and the root token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyGrant {
    /// Hand them on without seeing them.
    Copy,
    /// See them.
    Read,
    /// Replace them.
    Write,
}

impl KeyGrant {
    fn intersection(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Write, Self::Write) => Some(Self::Write),
            (Self::Write, _) | (_, Self::Write) => None,
            (Self::Read, Self::Read) => Some(Self::Read),
            // Who may see them may hand them on.
            _ => Some(Self::Copy),
        }
    }
}

/// Reads JSON by hand, so that every message names the field and the valid values.
struct Reader<'a> {
    errors: &'a mut Vec<GrantError>,
}

impl Reader<'_> {
    fn grants(&mut self, value: &Value) -> Grants {
        let mut grants = Grants::default();
        let Some(fields) = value.as_object() else {
            self.type_error("", "an object");
            return grants;
        };
        for (key, value) in fields {
            match key.as_str() {
                "http" => grants.http = self.list(value, "http", Self::http),
                "repository" => {
                    grants.repository = self.choice(value, "repository", &REPOSITORY_VALUES);
                }
                "unsealKeys" => {
                    grants.unseal_keys = self.choice(value, "unsealKeys", &UNSEAL_KEYS_VALUES);
                }
                _ => self.unknown(key, key, &KEYS),
            }
        }
        grants
    }

    fn http(&mut self, value: &Value, field: &str) -> Option<HttpGrant> {
        let Some(fields) = value.as_object() else {
            self.type_error(field, "an object with name, methods and paths");
            return None;
        };
        for key in fields.keys().filter(|key| !HTTP_KEYS.contains(&key.as_str())) {
            self.unknown(&format!("{field}.{key}"), key, &HTTP_KEYS);
        }
        let name = format!("{field}.name");
        let name = self.known(fields.get("name").unwrap_or(&Value::Null), &name, &HTTP_NAMES)?;
        let empty = Value::Array(Vec::new());
        let methods = fields.get("methods").unwrap_or(&empty);
        let methods = self.list(methods, &format!("{field}.methods"), |reader, method, field| {
            reader.known(method, field, &HTTP_METHODS)
        });
        let paths = fields.get("paths").unwrap_or(&empty);
        let paths = self.list(paths, &format!("{field}.paths"), Self::path);
        Some(HttpGrant { name, methods, paths })
    }

    fn path(&mut self, value: &Value, field: &str) -> Option<String> {
        let Some(path) = value.as_str() else {
            self.type_error(field, "text");
            return None;
        };
        let body = path.strip_suffix('*').unwrap_or(path);
        if !path.starts_with('/') || body.contains(['*', '?', '#', '\\']) || path.contains("..") {
            self.errors.push(GrantError::Path {
                field: field.to_owned(),
                path: path.chars().take(60).collect(),
            });
            return None;
        }
        Some(path.to_owned())
    }

    fn list<T>(
        &mut self,
        value: &Value,
        field: &str,
        mut item: impl FnMut(&mut Self, &Value, &str) -> Option<T>,
    ) -> Vec<T> {
        let Some(items) = value.as_array() else {
            self.type_error(field, "a list");
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .filter_map(|(index, value)| item(self, value, &format!("{field}[{index}]")))
            .collect()
    }

    fn choice<T: serde::de::DeserializeOwned>(
        &mut self,
        value: &Value,
        field: &str,
        valid: &[&'static str],
    ) -> Option<T> {
        let known = self.known(value, field, valid)?;
        serde_json::from_value(Value::String(known)).ok()
    }

    fn known(&mut self, value: &Value, field: &str, valid: &[&'static str]) -> Option<String> {
        match value.as_str() {
            Some(text) if valid.contains(&text) => Some(text.to_owned()),
            Some(text) => {
                self.unknown(field, text, valid);
                None
            }
            None => {
                self.type_error(field, "text");
                None
            }
        }
    }

    fn unknown(&mut self, field: &str, found: &str, valid: &[&'static str]) {
        self.errors.push(GrantError::Unknown {
            field: field.to_owned(),
            found: found.chars().take(60).collect(),
            valid: valid.to_vec(),
        });
    }

    fn type_error(&mut self, field: &str, expected: &'static str) {
        self.errors.push(GrantError::Type { field: field.to_owned(), expected });
    }
}

#[cfg(test)]
mod tests;
