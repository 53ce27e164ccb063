//! Every object the original's schemas accept, ours accept and keep whole.
//!
//! Both schemas are walked side by side: each place of theirs must be in ours, with a type, an
//! enum and required fields that are not narrower, and with the same default.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{originals, ours, schema_of};

/// Types and formats of ours that take everything of theirs.
fn type_takes(theirs: &Value, ours: &Value) -> bool {
    if ours["x-kubernetes-int-or-string"] == json!(true) {
        return theirs["x-kubernetes-int-or-string"] == json!(true)
            || theirs["type"] == "integer"
            || theirs["type"] == "string";
    }
    if theirs["x-kubernetes-int-or-string"] == json!(true) || theirs["type"] != ours["type"] {
        return ours["type"].is_null()
            && ours["x-kubernetes-preserve-unknown-fields"] == json!(true);
    }
    let wider = theirs["format"] == "int32" && ours["format"] == "int64";
    ours["format"].is_null() || ours["format"] == theirs["format"] || wider
}

fn texts(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

struct Comparison {
    findings: Vec<String>,
    /// Defaults of theirs that ours do not have.
    defaults: BTreeSet<String>,
}

impl Comparison {
    fn compare(&mut self, theirs: &Value, ours: &Value, path: &str) {
        if !type_takes(theirs, ours) {
            self.findings.push(format!(
                "{path}: type {}/{} instead of {}/{}",
                ours["type"], ours["format"], theirs["type"], theirs["format"]
            ));
        }
        if !ours["enum"].is_null()
            && (theirs["enum"].is_null()
                || !texts(&theirs["enum"]).is_subset(&texts(&ours["enum"])))
        {
            self.findings.push(format!("{path}: enum {} for {}", ours["enum"], theirs["enum"]));
        }
        for name in texts(&ours["required"]).difference(&texts(&theirs["required"])) {
            self.findings.push(format!("{path}: requires {name}"));
        }
        if !ours["default"].is_null() && ours["default"] != theirs["default"] {
            self.findings.push(format!("{path}: default {}", ours["default"]));
        }
        if ours["default"].is_null() && !theirs["default"].is_null() {
            let field = path.rsplit('.').next().unwrap_or_default();
            self.defaults.insert(format!("{field}: {}", theirs["default"]));
        }
        for key in ["x-kubernetes-embedded-resource", "x-kubernetes-preserve-unknown-fields"] {
            if theirs[key] == json!(true) && ours[key] != json!(true) {
                self.findings.push(format!("{path}: no {key}"));
            }
        }
        let keeps = ours["x-kubernetes-preserve-unknown-fields"] == json!(true);
        for (name, property) in theirs["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            match ours["properties"].get(name) {
                Some(ours) => self.compare(property, ours, &path),
                None if keeps => {}
                None => self.findings.push(format!("{path}: missing")),
            }
        }
        for key in ["items", "additionalProperties"] {
            if theirs[key].is_object() {
                match &ours[key] {
                    ours if ours.is_object() => {
                        self.compare(&theirs[key], ours, &format!("{path}[]"));
                    }
                    _ if keeps => {}
                    _ => self.findings.push(format!("{path}[]: missing")),
                }
            }
        }
    }
}

fn compare(theirs: &Value, ours: &Value) -> Comparison {
    let mut comparison = Comparison { findings: Vec::new(), defaults: BTreeSet::new() };
    comparison.compare(theirs, ours, "");
    comparison.findings.sort();
    comparison
}

#[test]
fn every_object_the_original_accepts_is_accepted() {
    let ours = ours();
    let mut findings = Vec::new();
    let mut defaults = BTreeSet::new();
    let mut places = 0;
    for (name, original) in originals() {
        places += count(&original["schema"]);
        let comparison = compare(&original["schema"], schema_of(&ours[&name]));
        findings.extend(comparison.findings.into_iter().map(|finding| format!("{name}{finding}")));
        defaults.extend(comparison.defaults);
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    // The whole of them; less would mean that a walk ended early.
    assert_eq!(places, 4961);
    // Those of Kubernetes' own types, which the API server sets again when a pod is made of them.
    assert_eq!(defaults.into_iter().collect::<Vec<_>>(), KUBERNETES_DEFAULTS,);
}

/// Defaults inside types of Kubernetes.
const KUBERNETES_DEFAULTS: [&str; 12] = [
    "fsType: \"ext4\"",
    "fsType: \"xfs\"",
    "iscsiInterface: \"default\"",
    "keyring: \"/etc/ceph/keyring\"",
    "name: \"\"",
    "optional: false",
    "pool: \"rbd\"",
    "protocol: \"TCP\"",
    "readOnly: false",
    "service: \"\"",
    "storageMode: \"ThinProvisioned\"",
    "user: \"admin\"",
];

fn count(schema: &Value) -> usize {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let items = ["items", "additionalProperties"].map(|key| &schema[key]);
    1 + properties.map(|(_, property)| count(property)).sum::<usize>()
        + items.into_iter().filter(|items| items.is_object()).map(count).sum::<usize>()
}

#[test]
fn a_narrower_schema_is_found() {
    let theirs = json!({"type": "object", "properties": {
        "phase": {"type": "string", "enum": ["A", "B"]},
        "count": {"type": "integer", "format": "int64"},
        "port": {"x-kubernetes-int-or-string": true},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "list": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
        "gone": {"type": "string"},
    }});
    assert!(compare(&theirs, &theirs).findings.is_empty());
    let ours = json!({"type": "object", "required": ["count"], "properties": {
        "phase": {"type": "string", "enum": ["A"], "default": "A"},
        "count": {"type": "integer", "format": "int32"},
        "port": {"type": "integer"},
        "free": {"type": "object"},
        "list": {"type": "array", "items": {"type": "object"}},
    }});
    assert_eq!(
        compare(&theirs, &ours).findings,
        [
            ".count: type \"integer\"/\"int32\" instead of \"integer\"/\"int64\"",
            ".free: no x-kubernetes-preserve-unknown-fields",
            ".gone: missing",
            ".list[].a: missing",
            ".phase: default \"A\"",
            ".phase: enum [\"A\"] for [\"A\",\"B\"]",
            ".port: type \"integer\"/null instead of null/null",
            ": requires count",
        ]
    );
}
