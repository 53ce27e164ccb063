//! Schemas of fields whose Rust type does not say enough, in the words of Kubernetes.
//!
//! `crd` turns them into the schemas of the CustomResourceDefinitions; the derive attributes of
//! the manifest types name them. What is written here is what the API server checks; what it
//! cannot check is the planner's.

use schemars::{Schema, SchemaGenerator, json_schema};
use sealift_core::grants::{HTTP_METHODS, HTTP_NAMES};

/// `status.observedGeneration`: a number, or the text old releases of the original left behind.
pub(crate) fn generation(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"x-kubernetes-int-or-string": true})
}

/// Bytes in base64.
pub(crate) fn bytes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "byte"})
}

/// A whole object of any kind: the API server asks for its `apiVersion` and `kind`.
pub(crate) fn embedded_resource(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-embedded-resource": true,
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// `permissions` of a Function. Unknown keys are kept, so that the planner can refuse them with
/// a list of the valid ones: a key that was dropped in silence would be a permission nobody
/// knows is missing.
pub(crate) fn permissions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "http": {
                "description": "Names on the network it may talk to; none = none.",
                "type": "array",
                "items": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": true,
                    "required": ["name"],
                    "properties": {
                        "name": {
                            "description": "The name; the plan binds it to an address.",
                            "type": "string",
                            "enum": HTTP_NAMES,
                        },
                        "methods": {
                            "description": "Methods of its requests.",
                            "type": "array",
                            "items": {"type": "string", "enum": HTTP_METHODS},
                        },
                        "paths": {
                            "description": "Paths of its requests; a * at the end stands for any rest.",
                            "type": "array",
                            "items": {"type": "string"},
                        },
                    },
                },
            },
            "repository": {
                "description": "What it may do with the repository.",
                "type": "string",
                "enum": ["read-all", "read-selected", "write"],
            },
            "unsealKeys": {
                "description": "What it may do with the unseal keys and the root token.",
                "type": "string",
                "enum": ["copy", "read", "write"],
            },
        },
    })
}

/// `limits` of a Function; unknown keys are kept for the same reason.
pub(crate) fn limits(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
        "properties": {
            "cpuSeconds": {
                "description": "Seconds of CPU, counted only while it runs itself; default 600.",
                "type": "integer",
                "format": "int64",
            },
            "memory": {
                "description": "Memory, from 64Ki to 4Gi; default 128Mi.",
                "x-kubernetes-int-or-string": true,
            },
            "wallTime": {
                "description": "Time from start to end, such as 2h; at most and by default 20h.",
                "type": "string",
            },
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use sealift_core::grants::{GrantError, Grants};
    use serde_json::{Value, json};

    use super::*;

    /// What the planner says is valid in a field.
    fn valid(permissions: &Value) -> Vec<String> {
        match Grants::parse(permissions).unwrap_err().swap_remove(0) {
            GrantError::Unknown { valid, .. } => valid.into_iter().map(str::to_owned).collect(),
            other => vec![other.to_string()],
        }
    }

    #[test]
    fn the_schema_and_the_planner_name_the_same_permissions() {
        let schema = permissions(&mut SchemaGenerator::default()).to_value();
        let properties = &schema["properties"];
        let keys: Vec<&String> = properties.as_object().unwrap().keys().collect();
        assert_eq!(json!(keys), json!(valid(&json!({"bogus": 1}))));
        let http = &properties["http"]["items"]["properties"];
        let cases = [
            (&properties["repository"], json!({"repository": "bogus"})),
            (&properties["unsealKeys"], json!({"unsealKeys": "bogus"})),
            (&http["name"], json!({"http": [{"name": "bogus"}]})),
            (
                &http["methods"]["items"],
                json!({"http": [{"name": "target", "methods": ["bogus"]}]}),
            ),
        ];
        for (schema, wrong) in cases {
            assert_eq!(schema["enum"], json!(valid(&wrong)), "{wrong}");
        }
    }
}
