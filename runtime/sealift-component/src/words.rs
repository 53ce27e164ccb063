//! What a component asks for, imports and takes, in plain words for the person who allows it.
//!
//! Each phrase says what the Function may then do; the lines of YAML are `access`'s. All of it
//! comes from strangers, so it is cleaned here and can be printed as it is.

use sealift_core::grants::{Grants, KeyGrant, RepositoryGrant};
use sealift_core::names::kebab_case;
use serde_json::Value;

use crate::contract::PACKAGE;
use crate::need::{Interface, Need, need};
use crate::text;

/// Bytes of one phrase.
const PHRASE: usize = 1024;

/// What grants allow, one phrase each, such as `send GET, HEAD to target, paths /v2/*`. Empty =
/// nothing.
#[must_use]
pub fn grants(grants: &Grants) -> Vec<String> {
    let mut phrases: Vec<String> = grants
        .http
        .iter()
        .map(|grant| {
            let methods = grant.methods.join(", ");
            let phrase =
                format!("send {methods} to {}, paths {}", grant.name, grant.paths.join(", "));
            text::clean(&phrase, PHRASE)
        })
        .collect();
    phrases.extend(grants.repository.map(|grant| repository(grant).to_owned()));
    phrases.extend(grants.unseal_keys.map(|grant| keys(grant).to_owned()));
    phrases
}

fn repository(grant: RepositoryGrant) -> &'static str {
    match grant {
        RepositoryGrant::ReadSelected => {
            "read the snapshot that is restored (repository: read-selected)"
        }
        RepositoryGrant::ReadAll => "list and read every snapshot (repository: read-all)",
        RepositoryGrant::Write => "write this session's snapshot (repository: write)",
    }
}

fn keys(grant: KeyGrant) -> &'static str {
    match grant {
        KeyGrant::Copy => {
            "hand on the unseal keys and the root token without seeing them (unsealKeys: copy)"
        }
        KeyGrant::Read => "see the unseal keys and the root token (unsealKeys: read)",
        KeyGrant::Write => "replace the unseal keys and the root token (unsealKeys: write)",
    }
}

/// What an import is for, such as `requests to names on the network`.
#[must_use]
pub fn import(name: &str) -> String {
    let known = match need(name) {
        Err(unknown) => return unknown.to_string(),
        Ok(Need::Nothing) if name.starts_with("wasi:") => {
            "the base of WASI 0.2, without files, environment and sockets"
        }
        Ok(Need::Nothing) => "the errors of the contract",
        Ok(Need::Ours(interface) | Need::Kinds(_, interface)) => ours(interface),
        Ok(Need::Http) => "requests to names on the network (http)",
        Ok(Need::RepositoryWriter) => "writing the session's snapshot (repository: write)",
        Ok(Need::RepositoryReader) => "reading snapshots (repository: read-selected or read-all)",
        Ok(Need::Keys) => "the target's unseal keys (unsealKeys)",
    };
    known.to_owned()
}

fn ours(interface: Interface) -> &'static str {
    match interface {
        Interface::Artifacts => "artifacts and their bytes",
        Interface::Parameters => "its own parameters",
        Interface::Progress => "logs, figures, and whether to stop",
        Interface::Session => "facts of the session",
        Interface::WasiStreams => "bytes as streams of WASI",
        Interface::Upstream => "artifacts of the stage before it",
        Interface::Downstream => "artifacts for the stage behind it",
        Interface::Outcomes => "how the session ended",
    }
}

/// All imports in a short list: names of the contract, then other packages with their
/// interfaces, then the base of WASI in one word.
#[must_use]
pub fn imports(names: &[String]) -> String {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut base = false;
    for name in names {
        let path = name.split('@').next().unwrap_or(name);
        let (package, interface) = path.split_once('/').unwrap_or(("", path));
        if package.starts_with("wasi:") && need(name) == Ok(Need::Nothing) {
            base = true;
            continue;
        }
        match groups.iter_mut().find(|(known, _)| *known == package) {
            Some((_, interfaces)) => interfaces.push(interface),
            None => groups.push((package, vec![interface])),
        }
    }
    groups.sort_by_key(|(package, _)| *package != PACKAGE);
    let mut parts: Vec<String> = groups
        .into_iter()
        .map(|(package, mut interfaces)| {
            interfaces.sort_unstable();
            interfaces.dedup();
            let interfaces = interfaces.join(", ");
            match package {
                "" | PACKAGE => interfaces,
                _ => format!("{package}/{interfaces}"),
            }
        })
        .collect();
    if base {
        parts.push("base of WASI 0.2".to_owned());
    }
    match parts.is_empty() {
        true => "nothing".to_owned(),
        false => text::clean(&parts.join(" · "), PHRASE),
    }
}

/// The argument that sets a parameter, such as `--key-prefix`.
#[must_use]
pub fn argument(name: &str) -> String {
    text::clean(&format!("--{}", kebab_case(name)), PHRASE)
}

/// What a parameter takes, by its JSON Schema, such as `1…8, default 2`.
#[must_use]
pub fn parameter(property: &Value) -> String {
    let number = |key: &str| property.get(key).and_then(Value::as_i64);
    let choices = property.get("enum").and_then(Value::as_array).filter(|all| !all.is_empty());
    let values = match property.get("type").and_then(Value::as_str) {
        _ if choices.is_some() => {
            choices.into_iter().flatten().map(value).collect::<Vec<_>>().join(" or ")
        }
        Some("boolean") => "true or false".to_owned(),
        Some("integer") => match (number("minimum"), number("maximum")) {
            (Some(least), Some(most)) => format!("{least}…{most}"),
            (Some(least), None) => format!("whole number, at least {least}"),
            (None, Some(most)) => format!("whole number, at most {most}"),
            (None, None) => "whole number".to_owned(),
        },
        Some("array") => "list".to_owned(),
        Some("string") => "text".to_owned(),
        Some(other) => other.to_owned(),
        None => "anything".to_owned(),
    };
    let phrase = match property.get("default").filter(|default| !default.is_null()) {
        Some(default) => format!("{values}, default {}", value(default)),
        None => values,
    };
    text::clean(&phrase, PHRASE)
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "empty".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
