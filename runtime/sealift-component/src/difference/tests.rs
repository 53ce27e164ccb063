#![allow(clippy::unwrap_used, reason = "tests")]
use serde_json::json;

use super::*;

fn grants(permissions: Value) -> Grants {
    serde_json::from_value(permissions).unwrap()
}

fn http(entries: &[(&str, &[&str], &[&str])]) -> Grants {
    let http = entries
        .iter()
        .map(|(name, methods, paths)| HttpGrant {
            name: (*name).to_owned(),
            methods: methods.iter().map(|text| (*text).to_owned()).collect(),
            paths: paths.iter().map(|text| (*text).to_owned()).collect(),
        })
        .collect();
    Grants { http, ..Grants::default() }
}

/// What is asked, what was granted, what is beyond.
type Row = (Grants, Grants, Grants);

#[test]
fn beyond_is_exactly_what_no_grant_covers() {
    let rows: [Row; 9] = [
        (
            http(&[("target", &["GET", "POST"], &["/a", "/b"])]),
            http(&[("target", &["GET"], &["/*"])]),
            http(&[("target", &["POST"], &["/a", "/b"])]),
        ),
        (
            http(&[("target", &["GET"], &["/v2/*", "/v1/x"])]),
            http(&[("target", &["GET"], &["/v1/*"]), ("target", &["GET"], &["/v2/a*", "/v2/b*"])]),
            http(&[("target", &["GET"], &["/v2/*"])]),
        ),
        // Each path lacks another method.
        (
            http(&[("target", &["GET", "PUT"], &["/a", "/b", "/c"])]),
            http(&[("target", &["GET"], &["/a"]), ("target", &["PUT"], &["/b"])]),
            http(&[
                ("target", &["PUT"], &["/a"]),
                ("target", &["GET"], &["/b"]),
                ("target", &["GET", "PUT"], &["/c"]),
            ]),
        ),
        // Another name is another grant.
        (
            http(&[("target", &["GET"], &["/"])]),
            http(&[("pushgateway", &["GET"], &["/*"])]),
            http(&[("target", &["GET"], &["/"])]),
        ),
        // Several grants together.
        (
            http(&[("target", &["GET", "PUT"], &["/a"])]),
            http(&[("target", &["GET"], &["/a"]), ("target", &["PUT"], &["/*"])]),
            Grants::default(),
        ),
        (
            grants(json!({"repository": "read-all", "unsealKeys": "read"})),
            grants(json!({"repository": "read-selected", "unsealKeys": "copy"})),
            grants(json!({"repository": "read-all", "unsealKeys": "read"})),
        ),
        (
            grants(json!({"repository": "read-selected", "unsealKeys": "copy"})),
            grants(json!({"repository": "read-all", "unsealKeys": "read"})),
            Grants::default(),
        ),
        (
            grants(json!({"repository": "write", "unsealKeys": "copy"})),
            grants(json!({"repository": "read-all", "unsealKeys": "write"})),
            grants(json!({"repository": "write", "unsealKeys": "copy"})),
        ),
        (Grants::default(), grants(json!({"repository": "write"})), Grants::default()),
    ];
    for (asked, granted, wanted) in rows {
        assert_eq!(beyond(&asked, &granted), wanted, "{asked:?} beyond {granted:?}");
        assert_eq!(beyond(&asked, &asked), Grants::default());
        assert_eq!(beyond(&asked, &Grants::default()), asked);
    }
}

/// The law behind: what is not beyond is allowed. Every request is asked of the grants themselves.
#[test]
fn a_request_that_is_asked_for_and_not_beyond_is_granted() {
    let paths = ["/", "/a", "/a/b", "/a*", "/a/*", "/*", "/ab"];
    let methods = ["GET", "PUT"];
    let mut random = fastrand::Rng::with_seed(11);
    let some = |random: &mut fastrand::Rng, of: &[&str]| -> Vec<String> {
        of.iter().filter(|_| random.bool()).map(|text| (*text).to_owned()).collect()
    };
    let mut denied = 0;
    for _ in 0..2000 {
        let mut one = || {
            let http = (0..random.usize(1..3))
                .map(|_| HttpGrant {
                    name: "target".to_owned(),
                    methods: some(&mut random, &methods),
                    paths: some(&mut random, &paths),
                })
                .collect();
            Grants { http, ..Grants::default() }
        };
        let (asked, granted) = (one(), one());
        let more = beyond(&asked, &granted);
        let allows = |grants: &Grants, method: &str, path: &str| {
            grants.http.iter().any(|grant| grant.allows(method, path))
        };
        for method in methods {
            for path in ["/", "/a", "/ab", "/a/b", "/a/b/c", "/b"] {
                if allows(&asked, method, path) && !allows(&granted, method, path) {
                    denied += 1;
                    assert!(allows(&more, method, path), "{method} {path}: {asked:?} {granted:?}");
                }
            }
        }
    }
    assert!(denied > 1000, "the rows must show something: {denied}");
}

fn inspected(version: &str, imports: &[&str], descriptor: Value) -> Inspected {
    let mut whole = json!({"name": "x", "version": version, "kind": "source", "contract": "0.1.0"});
    whole.as_object_mut().unwrap().extend(descriptor.as_object().unwrap().clone());
    Inspected {
        kind: Kind::Source,
        contract: "0.1.0".to_owned(),
        export: "sealift:function/source@0.1.0".to_owned(),
        imports: imports.iter().map(|name| (*name).to_owned()).collect(),
        descriptor: serde_json::from_value(whole).unwrap(),
        size: 1,
        digest: "sha256:00".to_owned(),
    }
}

#[test]
fn the_same_component_has_no_difference() {
    let one = inspected("0.1.0", &["a:b/c@0.1.0"], json!({"requests": {"unsealKeys": "copy"}}));
    let same = difference(&one, &one.clone());
    let none = Difference {
        version: None,
        kind: None,
        contract: None,
        newly_requested: Grants::default(),
        no_longer: Grants::default(),
        imports_added: Vec::new(),
        imports_gone: Vec::new(),
        parameters: Vec::new(),
    };
    assert_eq!(same, none);
    assert!(same.asks_for_no_more());
}

#[test]
fn everything_that_changed_is_told() {
    let old = inspected(
        "0.1.0",
        &["wasi:io/streams@0.2.3", "sealift:function/key-store@0.1.0"],
        json!({
            "requests": {"unsealKeys": "copy", "repository": "read-all"},
            "parameters": {"properties": {
                "gone": {"type": "string"},
                "same": {"type": "boolean", "description": "old words"},
                "count": {"type": "integer", "default": 1},
            }},
        }),
    );
    let new = Inspected {
        kind: Kind::Transform,
        contract: "0.1.1".to_owned(),
        ..inspected(
            "0.2.0",
            &["wasi:io/streams@0.2.12", "wasi:http/types@0.2.12"],
            json!({
                "requests": {"unsealKeys": "read", "repository": "read-selected"},
                "parameters": {"required": ["count"], "properties": {
                    "dryRun": {"type": "boolean", "default": false},
                    "same": {"type": "boolean", "description": "new words"},
                    "count": {"type": "integer", "default": 2},
                }},
            }),
        )
    };
    let difference = difference(&old, &new);
    assert!(!difference.asks_for_no_more());
    assert_eq!(
        difference,
        Difference {
            version: Some(Change { from: "0.1.0".to_owned(), to: "0.2.0".to_owned() }),
            kind: Some(Change { from: Kind::Source, to: Kind::Transform }),
            contract: Some(Change { from: "0.1.0".to_owned(), to: "0.1.1".to_owned() }),
            newly_requested: grants(json!({"unsealKeys": "read"})),
            no_longer: grants(json!({"repository": "read-all"})),
            imports_added: vec!["wasi:http/types".to_owned()],
            imports_gone: vec!["sealift:function/key-store".to_owned()],
            parameters: vec![
                ParameterChange::Changed {
                    name: "count".to_owned(),
                    takes: Change {
                        from: "whole number, default 1".to_owned(),
                        to: "whole number, default 2, required".to_owned(),
                    },
                },
                ParameterChange::Added {
                    name: "dryRun".to_owned(),
                    takes: "true or false, default false".to_owned(),
                },
                ParameterChange::Gone { name: "gone".to_owned() },
            ],
        }
    );
}
