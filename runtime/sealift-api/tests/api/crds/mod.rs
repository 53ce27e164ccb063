//! The CustomResourceDefinitions: what the original says of its kinds, ours say too.

mod strict;
mod structure;
mod superset;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sealift_api::crd;
use serde_json::{Value, json};

use crate::fixture::data;

/// Ours, by name.
pub(crate) fn ours() -> &'static BTreeMap<String, Value> {
    static OURS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
        let definitions = crd::all().unwrap().into_iter();
        let named = definitions.map(|definition| {
            let name = definition.metadata.name.clone().unwrap();
            (name, serde_json::to_value(definition).unwrap())
        });
        named.collect()
    });
    &OURS
}

/// The schema of the one version a definition has.
pub(crate) fn schema_of(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// The original's, by name.
pub(crate) fn originals() -> BTreeMap<String, Value> {
    std::fs::read_dir(data().join("crds"))
        .unwrap()
        .map(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            let original: Value = serde_json::from_slice(&bytes).unwrap();
            let name = format!(
                "{}.{}",
                original["names"]["plural"].as_str().unwrap(),
                original["group"].as_str().unwrap()
            );
            (name, original)
        })
        .collect()
}

#[test]
fn names_columns_and_scopes_are_those_of_the_original() {
    let originals = originals();
    assert_eq!(originals.len(), 10);
    let ours = ours();
    assert_eq!(ours.keys().collect::<Vec<_>>(), originals.keys().collect::<Vec<_>>());
    for (name, original) in &originals {
        let definition = &ours[name];
        let spec = &definition["spec"];
        assert_eq!(definition["metadata"]["labels"], original["labels"], "{name}");
        assert_eq!(spec["group"], original["group"], "{name}");
        assert_eq!(spec["scope"], original["scope"], "{name}");
        assert_eq!(spec["names"], original["names"], "{name}");
        let versions = spec["versions"].as_array().unwrap();
        assert_eq!(versions.len(), 1, "{name}");
        let version = &versions[0];
        assert_eq!(version["name"], original["version"], "{name}");
        assert_eq!((&version["served"], &version["storage"]), (&json!(true), &json!(true)));
        assert_eq!(version["additionalPrinterColumns"], original["columns"], "{name}");
        // The status of a Function is ours.
        let status = match name.as_str() {
            "functions.stash.appscode.com" => &json!({}),
            _ => &original["subresources"]["status"],
        };
        assert_eq!(&version["subresources"]["status"], status, "{name}");
    }
}

#[test]
fn nine_kinds_carry_the_label_of_stash() {
    let labelled = ours()
        .values()
        .filter(|definition| definition["metadata"]["labels"]["app.kubernetes.io/name"] == "stash")
        .count();
    assert_eq!(labelled, 9);
}

#[test]
fn the_api_server_refuses_what_the_webhooks_of_the_original_refused() {
    let mut rules = Vec::new();
    for (name, definition) in ours() {
        collect_rules(schema_of(definition), name, &mut rules);
    }
    insta::assert_snapshot!(rules.join("\n"));
}

fn collect_rules(schema: &Value, path: &str, found: &mut Vec<String>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let text = |key: &str| rule[key].as_str().unwrap_or_default();
        found.push(format!(
            "{path}: {}\n  at {}: {}",
            text("rule"),
            text("fieldPath"),
            text("message")
        ));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect_rules(property, &format!("{path}.{name}"), found);
    }
    for key in ["items", "additionalProperties"] {
        if schema[key].is_object() {
            collect_rules(&schema[key], &format!("{path}[]"), found);
        }
    }
}
