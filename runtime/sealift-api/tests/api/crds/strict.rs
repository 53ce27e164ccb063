//! Every manifest of the guides passes our schemas as strictly as an API server checks them:
//! types, enums and required fields, and no field that would be dropped.
//!
//! Structural schemas are a small part of JSON Schema with meanings of their own (embedded
//! objects, integers or text, pruning), so the walk is written here.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{ours, schema_of};
use crate::fixture::data;

/// Everything a strict API server would say about `value`.
fn check(schema: &Value, value: &Value, path: &str, findings: &mut Vec<String>) {
    if schema["x-kubernetes-int-or-string"] == json!(true) {
        if !(value.is_i64() || value.is_string()) {
            findings.push(format!("{path}: neither integer nor text"));
        }
        return;
    }
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        _ => true,
    };
    if !fits {
        findings.push(format!("{path}: not of type {}", schema["type"]));
        return;
    }
    if schema["enum"].as_array().is_some_and(|names| !names.contains(value)) {
        findings.push(format!("{path}: {value} is none of {}", schema["enum"]));
    }
    if schema["format"] == "date-time"
        && value.as_str().unwrap().parse::<jiff::Timestamp>().is_err()
    {
        findings.push(format!("{path}: {value} is no time"));
    }
    if schema["x-kubernetes-embedded-resource"] == json!(true) {
        for name in ["apiVersion", "kind"] {
            if !value[name].is_string() {
                findings.push(format!("{path}: an object without {name}"));
            }
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        // A field with a default is set before it is asked for.
        let default = &schema["properties"][name]["default"];
        if value.get(name).is_none() && default.is_null() {
            findings.push(format!("{path}: {name} is missing"));
        }
    }
    let keeps = schema["x-kubernetes-preserve-unknown-fields"] == json!(true);
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match schema["properties"].get(name) {
            // The API server drops a null that has no meaning.
            Some(_) if value.is_null() => {}
            Some(schema) => check(schema, value, &path, findings),
            None if schema["additionalProperties"].is_object() => {
                check(&schema["additionalProperties"], value, &path, findings);
            }
            None if keeps => {}
            None => findings.push(format!("{path}: unknown")),
        }
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], value, &format!("{path}[{index}]"), findings);
    }
}

/// What is wrong with a whole object; `None` if it is of a kind of somebody else.
fn object(value: &Value) -> Option<Vec<String>> {
    let definition = ours().values().find(|definition| {
        let spec = &definition["spec"];
        let version = spec["versions"][0]["name"].as_str().unwrap();
        value["kind"] == spec["names"]["kind"]
            && value["apiVersion"]
                == json!(format!("{}/{version}", spec["group"].as_str().unwrap()))
    })?;
    let mut value = value.clone();
    // The API server checks it by itself.
    value.as_object_mut().unwrap().remove("metadata");
    let mut findings = Vec::new();
    check(schema_of(definition), &value, "", &mut findings);
    findings.sort();
    Some(findings)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_manifest_of_the_guides_passes_strictly() {
    let root = data().join("manifests");
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    let mut findings = Vec::new();
    for path in paths.iter().filter(|path| !path.to_string_lossy().contains("-fragment")) {
        let name = path.strip_prefix(&root).unwrap().display();
        for document in documents(path) {
            if let Some(found) = object(&document) {
                *kinds.entry(document["kind"].as_str().unwrap().to_owned()).or_default() += 1;
                findings.extend(found.iter().map(|finding| format!("{name}: {finding}")));
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    insta::assert_snapshot!(
        kinds.iter().map(|(kind, count)| format!("{kind}: {count}")).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn the_built_in_catalogue_passes_strictly() {
    let folder = data().join("../../deploy/catalog");
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let objects: Vec<Value> = paths.iter().flat_map(|path| documents(path)).collect();
    assert!(objects.len() >= 6, "{}", objects.len());
    for value in objects {
        assert_eq!(object(&value), Some(Vec::new()), "{}", value["metadata"]["name"]);
    }
}

#[test]
fn what_stash_left_behind_passes() {
    let value = json!({
        "apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
        "metadata": {"name": "old", "finalizers": ["stash"]},
        "spec": {"backend": {"gcs": {"bucket": "b", "maxConnections": 4}}, "wipeOut": false},
        "status": {
            "observedGeneration": "2$5124095577148911",
            "firstBackupTime": "2019-08-01T10:00:00Z",
            "integrity": true,
        },
    });
    assert_eq!(object(&value), Some(Vec::new()));
    let read: sealift_api::repository::Repository = serde_json::from_value(value).unwrap();
    assert_eq!(read.status.unwrap().observed_generation, Some(2));
}

#[test]
fn mistakes_are_found() {
    let value = json!({
        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
        "metadata": {"name": "wrong"},
        "spec": {
            "shedule": "* * * * *",
            "driver": "Rustic",
            "paused": "no",
            "retentionPolicy": {"name": "keep"},
            "runtimeSettings": {"container": {"env": [{"value": "v"}], "resources": {"limits": {"cpu": 0.5}}}},
            "target": {"volumeMounts": [{"name": "a", "mountPath": "/a", "mode": 1}]},
        },
        "status": {"conditions": [{"type": "A", "status": "True", "lastTransitionTime": "now"}]},
    });
    assert_eq!(
        object(&value).unwrap(),
        [
            ".spec.driver: \"Rustic\" is none of [\"Restic\",\"VolumeSnapshotter\"]",
            ".spec.paused: not of type \"boolean\"",
            ".spec.retentionPolicy: prune is missing",
            ".spec.runtimeSettings.container.env[0]: name is missing",
            ".spec.runtimeSettings.container.resources.limits.cpu: neither integer nor text",
            ".spec.shedule: unknown",
            ".spec.target.volumeMounts[0].mode: unknown",
            ".status.conditions[0].lastTransitionTime: \"now\" is no time",
        ]
    );
    let value = json!({
        "apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding",
        "spec": {"clientConfig": {"service": {"name": "vault", "port": "8200"}}, "parameters": {"x": 1}},
    });
    assert_eq!(
        object(&value).unwrap(),
        [
            ".spec.clientConfig.service.port: not of type \"integer\"",
            ".spec.clientConfig.service: scheme is missing",
            ".spec.parameters: an object without apiVersion",
            ".spec.parameters: an object without kind",
        ]
    );
}
