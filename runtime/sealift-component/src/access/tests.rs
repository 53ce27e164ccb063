#![allow(clippy::unwrap_used, reason = "tests")]
use serde_json::{Value, json};

use super::*;

fn descriptor(kind: Kind, requests: Value) -> Descriptor {
    serde_json::from_value(json!({
        "name": "x", "version": "1.0.0", "kind": kind, "contract": "0.1.0", "requests": requests,
    }))
    .unwrap()
}

fn grants(permissions: Value) -> Grants {
    serde_json::from_value(permissions).unwrap()
}

fn told(kind: Kind, import: &str, asked: Value, granted: Value) -> Vec<String> {
    match check(&descriptor(kind, asked), &[import.to_owned()], &grants(granted)) {
        Ok(()) => Vec::new(),
        Err(refused) => refused.refusals.iter().map(ToString::to_string).collect(),
    }
}

const HTTP: &str = "wasi:http/outgoing-handler@0.2.12";
const WRITER: &str = "sealift:function/repository-writer@0.1.0";
const READER: &str = "sealift:function/repository-reader@0.1.0";
const KEYS: &str = "sealift:function/key-store@0.1.0";

fn http(methods: &[&str], paths: &[&str]) -> Value {
    json!({"http": [{"name": "target", "methods": methods, "paths": paths}]})
}

#[test]
fn both_keys_open() {
    for (import, asked, granted) in [
        (HTTP, http(&["GET"], &["/v2/*"]), http(&["GET", "PUT"], &["/*"])),
        (WRITER, json!({"repository": "write"}), json!({"repository": "write"})),
        (READER, json!({"repository": "read-selected"}), json!({"repository": "read-all"})),
        (READER, json!({"repository": "read-all"}), json!({"repository": "read-selected"})),
        (KEYS, json!({"unsealKeys": "copy"}), json!({"unsealKeys": "read"})),
        ("wasi:io/streams@0.2.12", json!({}), json!({})),
        ("sealift:function/errors@0.1.0", json!({}), json!({})),
    ] {
        assert_eq!(told(Kind::Sink, import, asked, granted), [String::new(); 0], "{import}");
    }
}

#[test]
fn one_key_alone_opens_nothing_and_the_line_that_is_missing_is_told() {
    let everything = json!({
        "http": [{"name": "target", "methods": ["GET"], "paths": ["/*"]}],
        "repository": "write",
        "unsealKeys": "read",
    });
    for (import, asked, granted, words) in [
        (
            HTTP,
            http(&["GET", "HEAD"], &["/v2/*", "/a\"b"]),
            json!({}),
            r#"it imports wasi:http/outgoing-handler and was not granted it; add `http: [{name: target, methods: [GET, HEAD], paths: ["/v2/*", "/a\"b"]}]` to spec.permissions of the Function"#,
        ),
        (
            HTTP,
            json!({}),
            everything.clone(),
            r#"it imports wasi:http/outgoing-handler and does not ask for it; add `http: [{name: target, methods: [GET], paths: ["/…"]}]` to the requests of its descriptor and to spec.permissions of the Function"#,
        ),
        // Both name the network, and have no request in common.
        (HTTP, http(&["PUT"], &["/a"]), http(&["GET"], &["/*"]), "was not granted it"),
        (HTTP, http(&["GET"], &["/a"]), http(&["GET"], &["/b"]), "was not granted it"),
        (WRITER, json!({"repository": "write"}), json!({}), "add `repository: write` to spec"),
        (WRITER, json!({"repository": "write"}), json!({"repository": "read-all"}), "granted it"),
        (WRITER, json!({}), everything.clone(), "does not ask for it; add `repository: write`"),
        (READER, json!({"repository": "read-all"}), json!({}), "add `repository: read-all`"),
        (READER, json!({"repository": "read-selected"}), everything.clone(), "read-selected`"),
        (READER, json!({"repository": "write"}), everything.clone(), "does not ask for it"),
        (KEYS, json!({"unsealKeys": "write"}), everything.clone(), "add `unsealKeys: write`"),
        (KEYS, json!({"unsealKeys": "read"}), json!({}), "add `unsealKeys: read`"),
        (KEYS, json!({}), everything, "does not ask for it; add `unsealKeys: copy`"),
    ] {
        let told = told(Kind::Sink, import, asked, granted);
        let [refusal] = told.as_slice() else { unreachable!("{import}: {told:?}") };
        assert!(refusal.contains(words), "{refusal}");
    }
}

#[test]
fn what_is_for_other_kinds_and_what_nobody_has_starts_nothing() {
    for (kind, import, words) in [
        (
            Kind::Source,
            "sealift:function/upstream@0.1.0",
            "a source cannot import sealift:function/upstream@0.1.0; it is for: transform, sink",
        ),
        (Kind::Sink, "sealift:function/downstream@0.1.0", "it is for: source, transform"),
        (Kind::Sink, "sealift:function/outcomes@0.1.0", "it is for: observer"),
        (Kind::Sink, "wasi:keyvalue/store@0.2.0", "which this host does not have"),
    ] {
        let told = told(kind, import, json!({}), json!({}));
        assert!(told.concat().contains(words), "{told:?}");
    }
    for (kind, import) in [
        (Kind::Transform, "sealift:function/upstream@0.1.0"),
        (Kind::Transform, "sealift:function/downstream@0.1.0"),
        (Kind::Observer, "sealift:function/outcomes@0.1.0"),
    ] {
        assert_eq!(told(kind, import, json!({}), json!({})), [String::new(); 0], "{import}");
    }
}

#[test]
fn everything_is_told_at_once_and_nothing_twice() {
    let mut descriptor = descriptor(Kind::Sink, json!({"repository": "write"}));
    descriptor.name = "bad\u{1b}[31m name".to_owned();
    let imports = [HTTP, "wasi:http/types@0.2.12", WRITER, WRITER, "env"].map(str::to_owned);
    let refused = check(&descriptor, &imports, &Grants::default()).unwrap_err();
    assert_eq!(refused.refusals.len(), 3, "{refused}");
    let text = refused.to_string();
    assert!(text.starts_with("component bad [31m name cannot be started: it imports"), "{text}");
}

#[test]
fn what_a_descriptor_asks_for_drives_no_terminal() {
    let asked = json!({"http": [
        {"name": "target\n\u{1b}[2J", "methods": ["GET\r"], "paths": ["/\n\u{202e}"]}
    ]});
    let told = told(Kind::Sink, HTTP, asked, json!({})).concat();
    let hidden = |character: char| character.is_control() || character == '\u{202e}';
    assert!(told.contains("name: target") && !told.chars().any(hidden), "{told:?}");
}
