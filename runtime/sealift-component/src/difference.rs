//! What changes between two versions of a component, for the person who would allow it.
//!
//! The heart is [`beyond`]: what is asked for and not covered by what was allowed. Where it cannot
//! tell (a pattern that several others together would cover), it counts as more.

use std::collections::{BTreeMap, BTreeSet};

use sealift_core::grants::{Grants, HttpGrant};
use sealift_core::plan::Kind;
use serde_json::Value;

use crate::inspect::Inspected;
use crate::words;

/// What the newer of two components has and the older had not, and the other way round.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Old and new version of the component.
    pub version: Option<Change<String>>,
    /// Old and new kind; such a component cannot take the other's place in a chain.
    pub kind: Option<Change<Kind>>,
    /// Old and new version of the contract.
    pub contract: Option<Change<String>>,
    /// What it asks for and did not.
    pub newly_requested: Grants,
    /// What it asked for and does not.
    pub no_longer: Grants,
    /// What it imports and did not, without versions.
    pub imports_added: Vec<String>,
    /// What it imported and does not, without versions.
    pub imports_gone: Vec<String>,
    /// Parameters that came, went or take something else.
    pub parameters: Vec<ParameterChange>,
}

/// One thing, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// In the older one.
    pub from: T,
    /// In the newer one.
    pub to: T,
}

impl<T: PartialEq> Change<T> {
    fn of(from: T, to: T) -> Option<Self> {
        (from != to).then_some(Self { from, to })
    }
}

/// One parameter, by name, with what it takes in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterChange {
    /// It came.
    Added {
        /// Its name in the descriptor.
        name: String,
        /// What it takes.
        takes: String,
    },
    /// It went: an argument that sets it is refused from now on.
    Gone {
        /// Its name in the descriptor.
        name: String,
    },
    /// It takes something else, or has another default.
    Changed {
        /// Its name in the descriptor.
        name: String,
        /// What it took and takes.
        takes: Change<String>,
    },
}

impl Difference {
    /// Whether the newer one can do with what the older one was allowed.
    #[must_use]
    pub fn asks_for_no_more(&self) -> bool {
        self.newly_requested == Grants::default()
    }
}

/// What changes from `old` to `new`.
#[must_use]
pub fn difference(old: &Inspected, new: &Inspected) -> Difference {
    let (before, after) = (&old.descriptor, &new.descriptor);
    let (had, has) = (interfaces(&old.imports), interfaces(&new.imports));
    Difference {
        version: Change::of(before.version.clone(), after.version.clone()),
        kind: Change::of(old.kind, new.kind),
        contract: Change::of(old.contract.clone(), new.contract.clone()),
        newly_requested: beyond(&after.requests, &before.requests),
        no_longer: beyond(&before.requests, &after.requests),
        imports_added: has.difference(&had).map(|name| (*name).to_owned()).collect(),
        imports_gone: had.difference(&has).map(|name| (*name).to_owned()).collect(),
        parameters: parameters(&before.parameters, &after.parameters),
    }
}

/// What of `asked` no grant of `granted` covers. Empty = everything is covered.
#[must_use]
pub fn beyond(asked: &Grants, granted: &Grants) -> Grants {
    let both = asked.intersection(granted);
    Grants {
        http: asked.http.iter().flat_map(|grant| uncovered(grant, &granted.http)).collect(),
        repository: asked.repository.filter(|_| both.repository != asked.repository),
        unseal_keys: asked.unseal_keys.filter(|_| both.unseal_keys != asked.unseal_keys),
    }
}

/// The pairs of method and path that nobody of `granted` covers; paths with the same methods
/// stay together.
fn uncovered(asked: &HttpGrant, granted: &[HttpGrant]) -> Vec<HttpGrant> {
    let mut left: Vec<HttpGrant> = Vec::new();
    for path in &asked.paths {
        let is_open = |method: &&String| {
            !granted.iter().any(|grant| {
                grant.name == asked.name
                    && grant.methods.contains(method)
                    && grant.paths.iter().any(|pattern| covers(pattern, path))
            })
        };
        let methods: Vec<String> = asked.methods.iter().filter(is_open).cloned().collect();
        if methods.is_empty() {
            continue;
        }
        match left.iter_mut().find(|grant| grant.methods == methods) {
            Some(grant) => grant.paths.push(path.clone()),
            None => left.push(HttpGrant {
                name: asked.name.clone(),
                methods,
                paths: vec![path.clone()],
            }),
        }
    }
    left
}

/// Whether everything that `narrow` stands for is in `wide`.
fn covers(wide: &str, narrow: &str) -> bool {
    match wide.strip_suffix('*') {
        Some(prefix) => narrow.starts_with(prefix),
        None => wide == narrow,
    }
}

fn interfaces(imports: &[String]) -> BTreeSet<&str> {
    imports.iter().map(|import| import.split('@').next().unwrap_or(import)).collect()
}

fn parameters(old: &Value, new: &Value) -> Vec<ParameterChange> {
    let (old, new) = (takes(old), takes(new));
    let names: BTreeSet<&&str> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let (from, to) = (old.get(name), new.get(name));
            let name = (*name).to_owned();
            match (from, to) {
                (None, Some(takes)) => Some(ParameterChange::Added { name, takes: takes.clone() }),
                (Some(_), None) => Some(ParameterChange::Gone { name }),
                (Some(from), Some(to)) => Change::of(from.clone(), to.clone())
                    .map(|takes| ParameterChange::Changed { name, takes }),
                (None, None) => None,
            }
        })
        .collect()
}

/// Every parameter of a schema and what it takes, in words.
fn takes(schema: &Value) -> BTreeMap<&str, String> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            let must = if required.contains(&name.as_str()) { ", required" } else { "" };
            (name.as_str(), format!("{}{must}", words::parameter(property)))
        })
        .collect()
}

#[cfg(test)]
mod tests;
