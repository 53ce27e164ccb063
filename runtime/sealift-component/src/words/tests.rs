#![allow(clippy::unwrap_used, reason = "tests")]
use serde_json::json;

use super::*;

#[test]
fn grants_are_told_in_the_order_of_the_manifest() {
    let all: Grants = serde_json::from_value(json!({
        "unsealKeys": "read",
        "repository": "write",
        "http": [
            {"name": "target", "methods": ["GET", "HEAD"], "paths": ["/v2/*"]},
            {"name": "pushgateway", "methods": ["POST"], "paths": ["/metrics/job/*", "/-/ready"]},
        ],
    }))
    .unwrap();
    assert_eq!(
        grants(&all),
        [
            "send GET, HEAD to target, paths /v2/*",
            "send POST to pushgateway, paths /metrics/job/*, /-/ready",
            "write this session's snapshot (repository: write)",
            "see the unseal keys and the root token (unsealKeys: read)",
        ]
    );
    assert_eq!(grants(&Grants::default()), [String::new(); 0]);
}

/// No two degrees of a grant are told alike, and each tells the value to write.
#[test]
fn every_degree_of_a_grant_has_words_of_its_own() {
    let mut told = Vec::new();
    for (key, values) in [
        ("repository", ["read-selected", "read-all", "write"]),
        ("unsealKeys", ["copy", "read", "write"]),
    ] {
        for value in values {
            let one: Grants = serde_json::from_value(json!({key: value})).unwrap();
            let phrase = grants(&one).concat();
            assert!(phrase.ends_with(&format!("({key}: {value})")), "{phrase}");
            told.push(phrase);
        }
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 6);
}

#[test]
fn imports_are_told_one_by_one_and_all_together() {
    let names = [
        "wasi:http/types@0.2.12",
        "wasi:io/streams@0.2.12",
        "sealift:function/errors@0.1.0",
        "sealift:function/downstream@0.1.0",
        "wasi:http/outgoing-handler@0.2.12",
        "wasi:cli/stderr@0.2.12",
    ]
    .map(str::to_owned);
    assert_eq!(
        imports(&names),
        "downstream, errors · wasi:http/outgoing-handler, types · base of WASI 0.2"
    );
    assert_eq!(imports(&[]), "nothing");
    assert_eq!(imports(&["env".to_owned()]), "env");
    for (name, words) in [
        ("wasi:http/types@0.2.12", "requests to names on the network (http)"),
        ("wasi:io/poll@0.2.0", "the base of WASI 0.2, without files, environment and sockets"),
        ("sealift:function/errors@0.1.0", "the errors of the contract"),
        ("sealift:function/upstream@0.1.0", "artifacts of the stage before it"),
        ("sealift:function/key-store@0.1.0", "the target's unseal keys (unsealKeys)"),
        (
            "wasi:keyvalue/store@0.2.0",
            "it imports wasi:keyvalue/store@0.2.0, which this host does not have",
        ),
    ] {
        assert_eq!(import(name), words);
    }
}

#[test]
fn a_parameter_tells_what_it_takes() {
    for (property, words) in [
        (json!({"type": "boolean", "default": false}), "true or false, default false"),
        (json!({"type": "integer", "minimum": 1, "maximum": 8, "default": 2}), "1…8, default 2"),
        (json!({"type": "integer", "minimum": 0}), "whole number, at least 0"),
        (json!({"type": "integer", "maximum": 9}), "whole number, at most 9"),
        (json!({"type": "integer"}), "whole number"),
        (json!({"type": "string", "default": ""}), "text, default empty"),
        (
            json!({"type": "string", "enum": ["include", "omit"], "default": "include"}),
            "include or omit, default include",
        ),
        (json!({"type": "array", "default": ["a", "b"]}), "list, default [\"a\",\"b\"]"),
        (json!({"type": "array", "default": []}), "list, default empty"),
        (json!({"type": "\u{1b}[2J"}), " [2J"),
        (json!({}), "anything"),
    ] {
        assert_eq!(parameter(&property), words, "{property}");
    }
    assert_eq!(argument("keyPrefix"), "--key-prefix");
}

#[test]
fn words_of_strangers_are_cut_and_freed_of_control_characters() {
    let asked: Grants = serde_json::from_value(json!({"http": [
        {"name": "target\u{1b}[2J\n", "methods": ["GET\u{202e}"], "paths": ["/".repeat(9000)]}
    ]}))
    .unwrap();
    let hidden = |character: char| character.is_control() || character == '\u{202e}';
    for phrase in [
        grants(&asked).concat(),
        imports(&["a\n:b/c\u{1b}@0.1.0".to_owned()]),
        argument("a\u{1b}b"),
        parameter(&json!({"type": "string", "default": "x\n".repeat(9000)})),
    ] {
        assert!(phrase.len() <= PHRASE && !phrase.chars().any(hidden), "{phrase:?}");
    }
}
