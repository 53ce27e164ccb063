#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
use std::error::Error as _;

use serde_json::json;

use super::*;
use crate::component::ALIASES;

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "keyPrefix": {"type": "string", "default": ""},
            "waitTimeout": {"type": "integer", "default": 300, "minimum": 0, "maximum": 3600},
            "force": {"type": "boolean", "default": false},
            "unsealKeys": {"type": "string", "enum": ["include", "omit"], "default": "include"},
            "labels": {"type": "array", "items": {"type": "string"}},
        },
    })
}

fn read(args: &[&str]) -> Result<BTreeMap<String, String>, Vec<String>> {
    let args: Vec<String> = args.iter().map(|&text| text.to_owned()).collect();
    from_arguments(&args, &schema(), None, &Variables::new())
        .map(|found| found.values)
        .map_err(|errors| errors.iter().map(text_of).collect())
}

fn text_of(error: &ParameterError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[test]
fn arguments_become_parameters_and_defaults_are_filled_in() {
    let found = read(&["--key-prefix=k8s.demo", "--wait-timeout", "10", "--force"]).unwrap();
    let expected = [
        ("force", "true"),
        ("keyPrefix", "k8s.demo"),
        ("unsealKeys", "include"),
        ("waitTimeout", "10"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn an_empty_number_or_switch_means_that_nobody_set_it() {
    let found = read(&["--wait-timeout=", "--force=", "--key-prefix="]).unwrap();
    assert_eq!(
        (&*found["waitTimeout"], &*found["force"], &*found["keyPrefix"]),
        ("300", "false", "")
    );
}

#[test]
fn a_list_may_be_given_in_pieces_and_nothing_else_twice() {
    assert_eq!(read(&["--labels=a=1", "--labels=b=2,c=3"]).unwrap()["labels"], "a=1,b=2,c=3");
    assert_eq!(
        read(&["--force", "--force=false"]).unwrap_err(),
        ["parameter force is given twice"]
    );
}

#[test]
fn every_wrong_argument_is_reported() {
    let valid = "valid are --force, --key-prefix, --labels, --unseal-keys, --wait-timeout";
    for (args, messages) in [
        (
            vec!["--keyprefix=x", "--oops=1"],
            vec![
                format!("unknown parameter --keyprefix; {valid}"),
                format!("unknown parameter --oops; {valid}"),
            ],
        ),
        // A name is written in one way only.
        (vec!["--keyPrefix=x"], vec![format!("unknown parameter --keyPrefix; {valid}")]),
        (
            vec!["backup"],
            vec!["argument 0 (\"backup\") is not of the form --name=value".to_owned()],
        ),
        (vec!["--"], vec!["argument 0 (\"--\") is not of the form --name=value".to_owned()]),
        (vec!["--key-prefix"], vec!["parameter keyPrefix has no value".to_owned()]),
        (
            vec!["--wait-timeout=5m"],
            vec!["parameter waitTimeout is wrong: \"5m\" is not a whole number".to_owned()],
        ),
        (
            vec!["--wait-timeout=-1"],
            vec!["parameter waitTimeout is wrong: -1 is less than 0".to_owned()],
        ),
        (
            vec!["--wait-timeout=4000"],
            vec!["parameter waitTimeout is wrong: 4000 is more than 3600".to_owned()],
        ),
        (
            vec!["--force=yes"],
            vec!["parameter force is wrong: \"yes\" is neither true nor false".to_owned()],
        ),
        (
            vec!["--unseal-keys=no"],
            vec!["parameter unsealKeys is wrong: \"no\" is not one of include, omit".to_owned()],
        ),
        (
            vec!["--key-prefix=a\u{1b}[31m"],
            vec!["parameter keyPrefix is wrong: it holds a control character".to_owned()],
        ),
    ] {
        assert_eq!(read(&args).unwrap_err(), messages, "{args:?}");
    }
}

#[test]
fn a_component_without_parameters_says_so() {
    let args = ["--x=1".to_owned()];
    let errors = from_arguments(&args, &json!({}), None, &Variables::new()).unwrap_err();
    assert_eq!(errors[0].to_string(), "unknown parameter --x; it has no parameters");
}

#[test]
fn a_required_parameter_must_be_given() {
    let schema = json!({"properties": {"url": {"type": "string"}}, "required": ["url"]});
    let errors = from_arguments(&[], &schema, None, &Variables::new()).unwrap_err();
    assert_eq!(errors, [ParameterError::Required("url".into())]);
}

#[test]
fn a_schema_that_asks_for_a_secret_is_refused() {
    for property in [
        json!({"type": "string", "format": "password"}),
        json!({"type": "string", "writeOnly": true}),
    ] {
        let schema = json!({"properties": {"token": property}});
        let errors = from_arguments(&[], &schema, None, &Variables::new()).unwrap_err();
        assert!(text_of(&errors[0]).contains("is marked as secret"), "{errors:?}");
    }
}

#[test]
fn a_wrong_schema_is_refused() {
    for schema in [
        json!([]),
        json!({"properties": []}),
        json!({"properties": {"x": {"type": "object"}}}),
        json!({"properties": {"x": {}}}),
        json!({"properties": {"x": {"type": "integer", "default": "1"}}}),
        json!({"properties": {"x": {"type": "integer", "default": 1, "maximum": 0}}}),
    ] {
        let errors = from_arguments(&[], &schema, None, &Variables::new()).unwrap_err();
        assert!(matches!(errors[0], ParameterError::Schema(_)), "{schema}");
    }
}

/// The arguments of the guide's Function, as they are after substitution.
fn guide_arguments() -> Vec<String> {
    [
        "restore-vault",
        "--provider=gcs",
        "--bucket=b",
        "--endpoint=",
        "--region=",
        "--path=p",
        "--storage-secret-name=s",
        "--storage-secret-namespace=n",
        "--scratch-dir=/tmp",
        "--insecure-tls=false",
        "--enable-cache=true",
        "--max-connections=0",
        "--wait-timeout=300",
        "--hostname=",
        "--source-hostname=",
        "--interim-data-dir=/i",
        "--namespace=demo",
        "--appbinding=vault",
        "--appbinding-namespace=demo",
        "--snapshot=latest",
        "--vault-args=-x",
        "--output-dir=/o",
        "--license-apiservice=",
        "--force=true",
        "--key-prefix=k",
        "--old-key-prefix=",
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn flags_of_the_original_are_known_and_one_without_effect_is_named() {
    let schema = json!({"properties": {
        "keyPrefix": {"type": "string", "default": ""},
        "oldKeyPrefix": {"type": "string", "default": ""},
        "waitTimeout": {"type": "integer", "default": 300},
        "force": {"type": "boolean", "default": false},
    }});
    let legacy = Some(&ALIASES[1].flags);
    let found = from_arguments(&guide_arguments(), &schema, legacy, &Variables::new()).unwrap();
    assert_eq!(found.without_effect, ["--vault-args"]);
    assert_eq!((&*found.values["force"], &*found.values["keyPrefix"]), ("true", "k"));
    let mut unknown = guide_arguments();
    unknown.push("--retention-keep-last=1".to_owned());
    assert!(from_arguments(&unknown, &schema, legacy, &Variables::new()).is_err());
}

#[test]
fn what_the_original_did_not_have_is_taken_from_the_params() {
    let schema = json!({"properties": {
        "keyPrefix": {"type": "string", "default": ""},
        "unsealKeys": {"type": "string", "default": "include"},
    }});
    let args = ["backup-vault", "--key-prefix=of-the-args"].map(str::to_owned);
    let params = Variables::from([
        ("unsealKeys".into(), "omit".into()),
        ("keyPrefix".into(), "of-the-params".into()),
        ("unused".into(), "x".into()),
    ]);
    let found = from_arguments(&args, &schema, Some(&ALIASES[0].flags), &params).unwrap();
    assert_eq!(
        (&*found.values["unsealKeys"], &*found.values["keyPrefix"]),
        ("omit", "of-the-args")
    );
    let without = from_arguments(&args[1..], &schema, None, &params).unwrap();
    assert_eq!(without.values["unsealKeys"], "include");
}

#[test]
fn defaults_and_choices_of_every_type_are_understood() {
    let schema = json!({"properties": {
        "level": {"type": "integer", "enum": [1, 2], "default": 2},
        "plain": {"type": "array", "default": ["a", "b"]},
        "commas": {"type": "array", "default": ["a,b", "c"]},
    }});
    let read = |args: &[&str]| {
        let args: Vec<String> = args.iter().map(|&text| text.to_owned()).collect();
        from_arguments(&args, &schema, None, &Variables::new())
    };
    let found = read(&[]).unwrap().values;
    let found = |name: &str| found[name].as_str();
    assert_eq!((found("level"), found("plain")), ("2", "a,b"));
    assert_eq!(found("commas"), "[\"a,b\",\"c\"]");
    assert_eq!(
        text_of(&read(&["--level=3"]).unwrap_err()[0]),
        "parameter level is wrong: \"3\" is not one of 1, 2"
    );
}
