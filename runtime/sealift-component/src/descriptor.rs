//! The descriptor of a component: who it is, what it takes, what it asks for.
//!
//! It stands in a custom section (`section`) of the finished component, the same for every
//! language, so that nothing has to run to read it. It only asks: what a Function may really do
//! is its requests and the grants of `Function.spec.permissions` together.

use sealift_core::grants::{GrantError, Grants};
use sealift_core::plan::Kind;
use sealift_core::schema::{Schema, SchemaError};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::inspect::InspectError;
use crate::{contract, section, text};

/// Most characters of a name: it is a part of names of stages and of objects in a cluster.
const NAME_CHARACTERS: usize = 64;
/// Most characters of a summary: it is one line of a list.
const SUMMARY_CHARACTERS: usize = 200;

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Name, kebab-case.
    pub name: String,
    /// Version of the component.
    pub version: String,
    /// One sentence.
    #[serde(default)]
    pub summary: String,
    /// What it is; must agree with what it exports.
    pub kind: Kind,
    /// Version of the contract it was built against.
    pub contract: String,
    /// JSON Schema object of its parameters.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
    /// The grants it asks for, in the form of `Function.spec.permissions`.
    #[serde(default)]
    pub requests: Grants,
    /// Whether it sends artifacts of more than 1 MiB whose size it does not know beforehand. A
    /// backup with such a component before its sink is refused without `interimVolumeTemplate`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_size: bool,
}

fn no_parameters() -> Value {
    serde_json::json!({"type": "object", "properties": {}})
}

/// What is wrong with a descriptor that can be read; its author has to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorProblem {
    /// No name for a Function.
    #[error(
        "name: {found:?} is no name; it has 1 to {NAME_CHARACTERS} of a-z, 0-9 and single dashes, and begins with a letter"
    )]
    Name {
        /// The name, cut.
        found: String,
    },
    /// No version.
    #[error("version: {found:?} is no version; write one such as 0.1.0")]
    Version {
        /// The version, cut.
        found: String,
    },
    /// Not one short line.
    #[error("summary: it is one line of at most {SUMMARY_CHARACTERS} characters")]
    Summary,
    /// Another contract.
    #[error("contract: {found:?} is not served; this Sealift serves {}", contract::CURRENT)]
    Contract {
        /// The version, cut.
        found: String,
    },
    /// Parameters nobody could set.
    #[error("parameters: {0}")]
    Parameters(SchemaError),
    /// Requests nobody could grant.
    #[error("{place}: {0}", place = place(.0))]
    Requests(GrantError),
}

fn place(error: &GrantError) -> String {
    match error.field() {
        "" => "requests".to_owned(),
        field => format!("requests.{field}"),
    }
}

impl Descriptor {
    /// The component with this descriptor at its end. The component must not have one yet.
    ///
    /// # Errors
    /// The descriptor cannot be written as JSON.
    pub fn append_to(&self, component: &[u8]) -> Result<Vec<u8>, serde_json::Error> {
        Ok(section::append(component, &serde_json::to_vec(self)?))
    }

    /// Refuses it for a component of another kind.
    ///
    /// # Errors
    /// The kinds differ.
    pub fn check_kind(&self, exported: Kind) -> Result<(), InspectError> {
        if self.kind == exported {
            return Ok(());
        }
        Err(InspectError::KindMismatch { said: self.kind.as_str(), exported: exported.as_str() })
    }

    /// Everything its author should mend before the component is published. Whoever only runs
    /// it does not ask: what counts there is refused where it is used.
    #[must_use]
    pub fn problems(&self) -> Vec<DescriptorProblem> {
        let cut = |text: &str| text::clean(text, NAME_CHARACTERS);
        let mut problems = Vec::new();
        if !is_name(&self.name) {
            problems.push(DescriptorProblem::Name { found: cut(&self.name) });
        }
        if semver::Version::parse(&self.version).is_err() {
            problems.push(DescriptorProblem::Version { found: cut(&self.version) });
        }
        let is_long = self.summary.chars().count() > SUMMARY_CHARACTERS;
        if is_long || text::clean(&self.summary, usize::MAX) != self.summary {
            problems.push(DescriptorProblem::Summary);
        }
        if !contract::is_served(&self.contract) {
            problems.push(DescriptorProblem::Contract { found: cut(&self.contract) });
        }
        problems.extend(Schema::parse(&self.parameters).err().map(DescriptorProblem::Parameters));
        // Read again as the permissions of a Function are: what nobody can grant, nobody should ask for.
        if let Ok(requests) = serde_json::to_value(&self.requests)
            && let Err(errors) = Grants::parse(&requests)
        {
            problems.extend(errors.into_iter().map(DescriptorProblem::Requests));
        }
        problems
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_CHARACTERS
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.split('-').all(|word| {
            let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            !word.is_empty() && word.bytes().all(known)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "name": "export-registry", "version": "0.1.0", "summary": "Stores images.",
            "kind": "source", "contract": "0.1.0",
            "parameters": {"type": "object", "properties": {"depth": {"type": "integer"}}},
            "requests": {"http": [{"name": "target", "methods": ["GET"], "paths": ["/v2/*"]}]},
        })
    }

    fn told(field: &str, value: Value) -> Vec<String> {
        let mut descriptor = good();
        descriptor.as_object_mut().unwrap().insert(field.to_owned(), value);
        let descriptor: Descriptor = serde_json::from_value(descriptor).unwrap();
        descriptor.problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_descriptor_has_no_problems() {
        for (field, value) in [
            ("name", json!("a")),
            ("name", json!("vault-1-x")),
            ("version", json!("1.0.0-rc.1+build")),
            ("contract", json!("0.1.9")),
            ("summary", json!("ä".repeat(200))),
            ("requests", json!({})),
            ("unknownSize", json!(true)),
        ] {
            assert_eq!(told(field, value.clone()), [String::new(); 0], "{field}: {value}");
        }
    }

    #[test]
    fn every_problem_names_its_field() {
        for (field, value, words) in [
            ("name", json!(""), "name: \"\" is no name"),
            ("name", json!("Export"), "name: \"Export\" is no name"),
            ("name", json!("a--b"), "name: \"a--b\" is no name"),
            ("name", json!("1a"), "name: \"1a\" is no name"),
            ("name", json!("a".repeat(65)), "is no name"),
            ("name", json!("a\u{1b}[2J"), "name: \"a [2J\" is no name"),
            ("version", json!("1.0"), "version: \"1.0\" is no version"),
            ("summary", json!("a".repeat(201)), "summary: it is one line"),
            ("summary", json!("two\nlines"), "summary: it is one line"),
            ("contract", json!("0.2.0"), "contract: \"0.2.0\" is not served"),
            ("parameters", json!([]), "parameters: the schema is not an object"),
            (
                "parameters",
                json!({"properties": {"token": {"type": "string", "writeOnly": true}}}),
                "parameters: parameter token is marked as secret",
            ),
            (
                "requests",
                json!({"http": [{"name": "everything", "methods": ["GET"], "paths": ["/*"]}]}),
                "requests.http[0].name: \"everything\" is unknown",
            ),
            (
                "requests",
                json!({"http": [{"name": "target", "methods": ["get"], "paths": ["/*"]}]}),
                "requests.http[0].methods[0]: \"get\" is unknown",
            ),
            (
                "requests",
                json!({"http": [{"name": "target", "methods": ["GET"], "paths": ["v2"]}]}),
                "requests.http[0].paths[0]: \"v2\" is not a path",
            ),
        ] {
            let told = told(field, value);
            let [problem] = told.as_slice() else { unreachable!("{field}: {told:?}") };
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut descriptor: Descriptor = serde_json::from_value(good()).unwrap();
        descriptor.name = "X".to_owned();
        descriptor.version = "one".to_owned();
        descriptor.contract = "9".to_owned();
        assert_eq!(descriptor.problems().len(), 3);
    }

    #[test]
    fn the_built_in_functions_have_no_problems() {
        for json in [
            include_str!("../../../plugins/pushgateway-push/descriptor.json"),
            include_str!("../../../plugins/restic-download/descriptor.json"),
            include_str!("../../../plugins/restic-upload/descriptor.json"),
            include_str!("../../../plugins/vault-restore/descriptor.json"),
            include_str!("../../../plugins/vault-snapshot/descriptor.json"),
        ] {
            let descriptor: Descriptor = serde_json::from_str(json).unwrap();
            assert_eq!(descriptor.problems(), [], "{}", descriptor.name);
        }
    }
}
