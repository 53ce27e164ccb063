//! From the schema of a Rust type to a structural schema, the form a CustomResourceDefinition
//! takes: no references, one type for each value, no null.
//!
//! `x-default` of a field becomes `default`; what serde falls back to when reading is no
//! default of the API and is left out. Types of Kubernetes lose their texts: they are those of
//! a pod, and would be nine tenths of the file. Pure; which kinds there are is `kinds`' to say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::Error;

/// Where a generator puts the schemas of the types it met.
const DEFINITIONS: &str = "$defs";

/// Names of schemas that `k8s-openapi` brings begin so.
const KUBERNETES: &str = "io.k8s.";

/// Fields of Kubernetes' types that its definitions demand of nobody, though `k8s-openapi` says
/// so: an absent one reads as empty.
const NOT_REQUIRED: [(&str, &str); 9] = [
    ("ConfigMapEnvSource", "name"),
    ("ConfigMapKeySelector", "name"),
    ("ConfigMapProjection", "name"),
    ("ConfigMapVolumeSource", "name"),
    ("LocalObjectReference", "name"),
    ("PersistentVolumeClaim", "metadata"),
    ("SecretEnvSource", "name"),
    ("SecretKeySelector", "name"),
    ("SecretProjection", "name"),
];

/// The structural schema of `T`.
///
/// # Errors
/// The schema of `T` is none a CustomResourceDefinition can hold.
pub(super) fn of<T: JsonSchema>() -> Result<JSONSchemaProps, Error> {
    let value = value_of::<T>();
    serde_json::from_value(value)
        .map_err(|source| Error::Schema { name: T::schema_name().into_owned(), source })
}

fn value_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    let mut root = settings.into_generator().into_root_schema_for::<T>().to_value();
    let definitions = match root.as_object_mut().and_then(|root| root.remove(DEFINITIONS)) {
        Some(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    };
    Definitions(definitions).structural(&root, Texts::Kept)
}

/// What becomes of descriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    Kept,
    Dropped,
}

/// The schemas references point to, by name.
struct Definitions(Map<String, Value>);

impl Definitions {
    fn structural(&self, schema: &Value, texts: Texts) -> Value {
        let Value::Object(written) = schema else {
            // `true`: anything may stand there.
            return json!({"x-kubernetes-preserve-unknown-fields": true});
        };
        // What is said beside a reference is about this one use, so it is laid over it.
        let mut result = match self.behind(written, texts) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        for (key, value) in written {
            match key.as_str() {
                "$ref" | "anyOf" | "default" | "title" => {}
                "description" if texts == Texts::Dropped => {}
                "description" => {
                    result.insert(key.clone(), one_line_a_paragraph(value));
                }
                "oneOf" => {
                    result.insert("type".to_owned(), json!("string"));
                    result.insert("enum".to_owned(), names(value));
                }
                "type" => {
                    result.insert(key.clone(), without_null(value));
                }
                "properties" => {
                    let properties = value.as_object().into_iter().flatten();
                    let properties: Map<String, Value> = properties
                        .map(|(name, schema)| (name.clone(), self.structural(schema, texts)))
                        .collect();
                    result.insert(key.clone(), Value::Object(properties));
                }
                "items" | "additionalProperties" => {
                    result.insert(key.clone(), self.structural(value, texts));
                }
                "x-default" => {
                    result.insert("default".to_owned(), value.clone());
                }
                _ => {
                    result.insert(key.clone(), value.clone());
                }
            }
        }
        Value::Object(result)
    }

    /// The schema a reference points to, itself or as the first of the alternatives of an
    /// `Option`.
    fn behind(&self, written: &Map<String, Value>, texts: Texts) -> Value {
        let alternatives = written.get("anyOf").and_then(Value::as_array);
        if let Some(first) = alternatives.and_then(|alternatives| alternatives.first()) {
            return self.structural(first, texts);
        }
        let name = written
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix("#/$defs/"));
        match name.and_then(|name| Some((name, self.0.get(name)?))) {
            Some((name, schema)) if name.starts_with(KUBERNETES) => {
                let mut schema = self.structural(schema, Texts::Dropped);
                relax(name, &mut schema);
                schema
            }
            Some((_, schema)) => self.structural(schema, texts),
            None => Value::Null,
        }
    }
}

/// A comment of the source ends its lines where the source is full; a page does not.
fn one_line_a_paragraph(text: &Value) -> Value {
    let paragraphs = text.as_str().unwrap_or_default().split("\n\n");
    let paragraphs: Vec<String> =
        paragraphs.map(|paragraph| paragraph.replace('\n', " ").trim().to_owned()).collect();
    Value::String(paragraphs.join("\n\n"))
}

/// Takes from `required` what the API server does not demand.
fn relax(name: &str, schema: &mut Value) {
    let name = name.rsplit('.').next().unwrap_or_default();
    let Some(fields) = schema.as_object_mut() else { return };
    let Some(Value::Array(required)) = fields.get_mut("required") else { return };
    required.retain(|field| {
        !NOT_REQUIRED.iter().any(|(kind, optional)| *kind == name && field == optional)
    });
    if required.is_empty() {
        fields.remove("required");
    }
}

/// The only type of a value that may also be null: the API server drops nulls by itself.
fn without_null(types: &Value) -> Value {
    match types.as_array() {
        Some(types) => types.iter().find(|name| **name != "null").cloned().unwrap_or_default(),
        None => types.clone(),
    }
}

/// The names of an enum, whose variants are alternatives: one each, or several without a text.
fn names(alternatives: &Value) -> Value {
    let mut names = Vec::new();
    for alternative in alternatives.as_array().into_iter().flatten() {
        names.extend(alternative.get("const").cloned());
        names
            .extend(alternative.get("enum").and_then(Value::as_array).cloned().unwrap_or_default());
    }
    Value::Array(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::LocalObjectReference;
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::app_binding::AppBindingSpec;
    use crate::backup_blueprint::BackupBlueprintSpec;
    use crate::backup_session::BackupSessionStatus;
    use crate::batch::{BackupBatchSpec, RestoreBatchSpec, RestoreBatchStatus};
    use crate::function::FunctionSpec;
    use crate::repository::RepositorySpec;
    use crate::task::TaskSpec;

    /// A sample.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Sample {
        /// How it ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(extend("x-default" = "Good"))]
        end: Option<End>,
        /// Serde's fallback is no default of the API.
        #[serde(default)]
        name: String,
        /// Numbers by
        /// name.
        #[serde(default)]
        numbers: BTreeMap<String, i64>,
        /// A Secret.
        #[serde(default)]
        secret: Option<LocalObjectReference>,
        /// How much.
        size: Quantity,
    }

    /// An end.
    #[derive(Serialize, Deserialize, JsonSchema)]
    enum End {
        /// As it should.
        Good,
        Bad,
    }

    #[test]
    fn a_type_becomes_a_structural_schema() {
        assert_eq!(
            value_of::<Sample>(),
            json!({
                "description": "A sample.",
                "type": "object",
                "required": ["size"],
                "properties": {
                    "end": {
                        "description": "How it ends.",
                        "type": "string",
                        "enum": ["Bad", "Good"],
                        "default": "Good",
                    },
                    "name": {
                        "description": "Serde's fallback is no default of the API.",
                        "type": "string",
                    },
                    "numbers": {
                        "description": "Numbers by name.",
                        "type": "object",
                        "additionalProperties": {"type": "integer", "format": "int64"},
                    },
                    "secret": {
                        "description": "A Secret.",
                        "type": "object",
                        "properties": {"name": {"type": "string"}},
                    },
                    "size": {"description": "How much.", "x-kubernetes-int-or-string": true},
                },
            })
        );
    }

    fn nothing_is_lost<T: JsonSchema>() {
        let written = serde_json::to_value(of::<T>().unwrap()).unwrap();
        assert_eq!(written, value_of::<T>(), "{}", T::schema_name());
    }

    #[test]
    fn a_definition_holds_everything_the_schemas_say() {
        nothing_is_lost::<AppBindingSpec>();
        nothing_is_lost::<BackupBatchSpec>();
        nothing_is_lost::<BackupBlueprintSpec>();
        nothing_is_lost::<BackupSessionStatus>();
        nothing_is_lost::<FunctionSpec>();
        nothing_is_lost::<RepositorySpec>();
        nothing_is_lost::<RestoreBatchSpec>();
        nothing_is_lost::<RestoreBatchStatus>();
        nothing_is_lost::<TaskSpec>();
    }
}
