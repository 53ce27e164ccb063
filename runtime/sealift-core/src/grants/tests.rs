#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use serde_json::json;

use super::*;

fn grants(value: Value) -> Grants {
    Grants::parse(&value).unwrap()
}

fn first_error(value: Value) -> GrantError {
    Grants::parse(&value).unwrap_err().remove(0)
}

#[test]
fn permissions_of_the_catalogue_are_read() {
    let found = grants(json!({
        "http": [{"name": "target", "methods": ["GET"], "paths": ["/v1/sys/*"]}],
        "repository": "read-selected",
        "unsealKeys": "copy",
    }));
    assert_eq!(found.repository, Some(RepositoryGrant::ReadSelected));
    assert_eq!(found.unseal_keys, Some(KeyGrant::Copy));
    assert!(found.http[0].allows("GET", "/v1/sys/health"));
    assert!(!found.http[0].allows("POST", "/v1/sys/health"));
    assert!(!found.http[0].allows("GET", "/v1/secret"));
}

#[test]
fn unknown_keys_and_names_are_refused_with_the_valid_ones() {
    for (value, field, message) in [
        (
            json!({"htpp": []}),
            "htpp",
            "\"htpp\" is unknown; valid are http, repository, unsealKeys",
        ),
        (
            json!({"http": [{"name": "tarjet"}]}),
            "http[0].name",
            "\"tarjet\" is unknown; valid are pushgateway, target",
        ),
        (
            json!({"http": [{"name": "target", "method": []}]}),
            "http[0].method",
            "\"method\" is unknown; valid are methods, name, paths",
        ),
        (
            json!({"http": [{"name": "target", "methods": ["get"]}]}),
            "http[0].methods[0]",
            "\"get\" is unknown; valid are DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
        ),
        (
            json!({"repository": "read"}),
            "repository",
            "\"read\" is unknown; valid are read-all, read-selected, write",
        ),
        (
            json!({"unsealKeys": "all"}),
            "unsealKeys",
            "\"all\" is unknown; valid are copy, read, write",
        ),
    ] {
        let error = first_error(value);
        assert_eq!((error.field(), error.to_string().as_str()), (field, message));
    }
}

#[test]
fn malformed_permissions_are_refused() {
    for value in [
        json!([]),
        json!({"http": {}}),
        json!({"http": [1]}),
        json!({"http": [{}]}),
        json!({"http": [{"name": "target", "paths": ["v1"]}]}),
        json!({"http": [{"name": "target", "paths": ["/v1/*/x"]}]}),
        json!({"http": [{"name": "target", "paths": ["/v1/../x"]}]}),
        json!({"repository": true}),
    ] {
        assert!(Grants::parse(&value).is_err(), "{value}");
    }
}

#[test]
fn effective_is_only_what_both_name() {
    let asked = grants(json!({
        "http": [{"name": "target", "methods": ["GET", "POST"], "paths": ["/v1/sys/*", "/x"]}],
        "repository": "read-all",
        "unsealKeys": "read",
    }));
    let allowed = grants(json!({
        "http": [{"name": "target", "methods": ["GET"], "paths": ["/v1/sys/health", "/v1/*"]},
                 {"name": "pushgateway", "methods": ["POST"], "paths": ["/*"]}],
        "repository": "read-selected",
        "unsealKeys": "copy",
    }));
    let expected = grants(json!({
        "http": [{"name": "target", "methods": ["GET"], "paths": ["/v1/sys/health", "/v1/sys/*"]}],
        "repository": "read-selected",
        "unsealKeys": "copy",
    }));
    assert_eq!(asked.intersection(&allowed), expected);
    assert_eq!(allowed.intersection(&asked), expected);
    assert_eq!(asked.intersection(&Grants::default()), Grants::default());
}

#[test]
fn writing_is_not_reading() {
    for (left, right) in [("write", "read-all"), ("read-selected", "write")] {
        let (left, right) =
            (grants(json!({"repository": left})), grants(json!({"repository": right})));
        assert_eq!(left.intersection(&right).repository, None);
    }
    let (write, copy) =
        (grants(json!({"unsealKeys": "write"})), grants(json!({"unsealKeys": "copy"})));
    assert_eq!(write.intersection(&copy).unseal_keys, None);
    assert_eq!(write.intersection(&write), write);
}

#[test]
fn a_request_is_allowed_by_its_method_and_its_whole_path() {
    let granted = grants(json!({
        "http": [{"name": "target", "methods": ["GET"], "paths": ["/a", "/b/*"]}],
    }));
    for (method, path, allowed) in [
        ("GET", "/a", true),
        ("GET", "/b/", true),
        ("GET", "/b/c", true),
        ("POST", "/a", false),
        ("GET", "/ab", false),
        ("GET", "/a/b", false),
        ("GET", "/b", false),
        ("GET", "/", false),
    ] {
        assert_eq!(granted.http[0].allows(method, path), allowed, "{method} {path}");
    }
}
