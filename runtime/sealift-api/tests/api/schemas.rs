//! Our types have every field of the original's CRDs, with its type.
//!
//! From each CRD's schema one object with every field set is made, and read: a field that our
//! types do not have would be reported as unknown, one of another type as an error.

use sealift_api::backup_blueprint::BackupBlueprint;
use sealift_api::batch::{BackupBatch, RestoreBatch};
use sealift_api::objects::{Objects, SourceFile};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::fixture::{chain, data};

fn sample(schema: &Value, depth: usize) -> Value {
    if depth > 40 {
        return Value::Null;
    }
    if let Some(value) = schema["enum"].as_array().and_then(|values| values.first()) {
        return value.clone();
    }
    if schema["x-kubernetes-int-or-string"] == json!(true) {
        return json!("1");
    }
    match schema["type"].as_str() {
        Some("object") => {
            let mut fields = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                // An embedded claim has fixed ones; everywhere else any text will do.
                let value = match name.as_str() {
                    "apiVersion" => json!("v1"),
                    "kind" => json!("PersistentVolumeClaim"),
                    _ => sample(property, depth + 1),
                };
                fields.insert(name.clone(), value);
            }
            if schema["additionalProperties"].is_object() {
                fields.insert("key".into(), sample(&schema["additionalProperties"], depth + 1));
            }
            Value::Object(fields)
        }
        Some("array") => json!([sample(&schema["items"], depth + 1)]),
        Some("integer") => json!(1),
        Some("number") => json!(1.5),
        Some("boolean") => json!(true),
        _ => match schema["format"].as_str() {
            Some("date-time") => json!("2026-01-02T03:04:05Z"),
            Some("byte") => json!("YQ=="),
            _ => json!("text"),
        },
    }
}

/// Fields that `T` does not have; the object must be a `T` otherwise.
fn unknown<T: DeserializeOwned>(object: Value) -> Vec<String> {
    let mut unknown = Vec::new();
    let read: Result<T, _> = serde_ignored::deserialize(object, |path| {
        unknown.push(path.to_string());
    });
    if let Err(error) = read {
        panic!("{error}");
    }
    unknown
}

#[test]
fn every_field_of_the_crds_is_known() {
    let mut kinds = 0;
    for entry in std::fs::read_dir(data().join("crds")).unwrap() {
        let crd: Value =
            serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        let kind = crd["kind"].as_str().unwrap();
        let mut object = sample(&crd["schema"], 0);
        let (group, version) = (crd["group"].as_str().unwrap(), crd["version"].as_str().unwrap());
        object["apiVersion"] = json!(format!("{group}/{version}"));
        object["kind"] = json!(kind);
        object["metadata"] = json!({"name": "sample"});
        let unknown = match kind {
            "BackupBatch" => unknown::<BackupBatch>(object),
            "BackupBlueprint" => unknown::<BackupBlueprint>(object),
            "RestoreBatch" => unknown::<RestoreBatch>(object),
            _ => {
                let text = object.to_string();
                let (objects, warnings) =
                    Objects::read([SourceFile { name: kind, text: &text }], "default")
                        .unwrap_or_else(|errors| panic!("{}", chain(&errors[0])));
                assert_eq!(objects.iter().count(), 1, "{kind}");
                warnings.iter().map(ToString::to_string).collect()
            }
        };
        assert!(unknown.is_empty(), "{kind}: {}", unknown.join("\n"));
        kinds += 1;
    }
    assert_eq!(kinds, 10);
}
