//! What an API server demands of every definition, and what `kubectl apply` does.

use serde_json::{Value, json};

use super::{ours, schema_of};

/// Keys a schema of ours may have; any other would narrow what is accepted, or not be structural.
const KEYS: [&str; 13] = [
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "properties",
    "required",
    "type",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
];

/// Formats the API server knows and uses here.
const FORMATS: [&str; 4] = ["byte", "date-time", "int32", "int64"];

fn walk(schema: &Value, path: &str, findings: &mut Vec<String>) {
    let Some(fields) = schema.as_object() else {
        findings.push(format!("{path}: not an object"));
        return;
    };
    for key in fields.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        findings.push(format!("{path}: {key}"));
    }
    let kind = schema["type"].as_str();
    let free = ["x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"]
        .iter()
        .any(|key| schema[*key] == json!(true));
    match kind {
        Some("object") => {
            if schema["properties"].is_object() && schema["additionalProperties"].is_object() {
                findings.push(format!("{path}: properties exclude additionalProperties"));
            }
        }
        Some("array") if !schema["items"].is_object() => {
            findings.push(format!("{path}: an array without items"));
        }
        Some("array" | "boolean" | "integer" | "number" | "string") => {}
        Some(other) => findings.push(format!("{path}: type {other}")),
        None if free => {}
        None => findings.push(format!("{path}: no type")),
    }
    if let Some(format) = schema["format"].as_str().filter(|format| !FORMATS.contains(format)) {
        findings.push(format!("{path}: format {format}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if schema["properties"][name.as_str().unwrap()].is_null() {
            findings.push(format!("{path}: {name} is required and not there"));
        }
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), findings);
    }
    for key in ["items", "additionalProperties"] {
        if !schema[key].is_null() {
            walk(&schema[key], &format!("{path}[]"), findings);
        }
    }
}

#[test]
fn every_schema_is_structural() {
    let mut findings = Vec::new();
    for (name, definition) in ours() {
        let schema = schema_of(definition);
        assert_eq!(schema["type"], "object", "{name}");
        walk(schema, name, &mut findings);
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn what_is_not_structural_is_found() {
    let mut findings = Vec::new();
    let schema = json!({"type": "object", "required": ["b"], "properties": {
        "a": {"$ref": "#/x"},
        "c": {"type": "array"},
        "d": {"type": "integer", "format": "uint8", "minimum": 0},
    }});
    walk(&schema, "", &mut findings);
    findings.sort();
    assert_eq!(
        findings,
        [
            ".a: $ref",
            ".a: no type",
            ".c: an array without items",
            ".d: format uint8",
            ".d: minimum",
            ": \"b\" is required and not there",
        ]
    );
}

#[test]
fn a_definition_fits_into_the_annotation_of_kubectl_apply() {
    for (name, definition) in ours() {
        // An object's annotations hold 256 KiB, and kubectl puts the whole object into one.
        let bytes = definition.to_string().len();
        assert!(bytes < 200 << 10, "{name}: {bytes} bytes");
    }
}

#[test]
fn fields_of_ours_are_described() {
    let mut silent = Vec::new();
    for (name, definition) in ours() {
        let schema = schema_of(definition);
        for part in ["spec", "status"] {
            for (field, property) in schema["properties"][part]["properties"]
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(_, property)| property["description"].is_null())
            {
                silent.push(format!("{name}: {part}.{field}: {property}"));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}
