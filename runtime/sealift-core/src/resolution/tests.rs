#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]
use std::collections::BTreeMap;

use serde_json::json;

use super::*;

const CASES: &str = include_str!("../../../../tests/data/cases/task-resolution.json");

fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn task_of(task: &Value) -> TaskText {
    let steps = task["spec"]["steps"].as_array().unwrap().iter();
    TaskText {
        name: "t".to_owned(),
        steps: steps
            .map(|step| StepText {
                function: text_of(&step["name"]),
                params: step["params"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|param| (text_of(&param["name"]), text_of(&param["value"])))
                    .collect(),
            })
            .collect(),
        volumes: task["spec"]["volumes"].clone(),
    }
}

fn resolve_case(case: &Value) -> Result<ResolvedTask, Vec<ResolutionError>> {
    let functions: BTreeMap<String, Value> = case["functions"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, function)| (name.clone(), function["spec"].clone()))
        .collect();
    let inputs: Variables = serde_json::from_value(case["inputs"].clone()).unwrap();
    resolve(&task_of(&case["task"]), |name| functions.get(name), &inputs)
}

/// In the words of the oracle: whose text it was, and the cause.
fn words(error: &ResolutionError) -> String {
    match error {
        ResolutionError::Field { object: TextObject::Task(_), source, .. } => {
            format!("task: {source}")
        }
        ResolutionError::Field { object: TextObject::Function(name), source, .. } => {
            format!("function {name}: {source}")
        }
        ResolutionError::UnknownFunction { function, .. } => format!("no Function {function}"),
        other => other.to_string(),
    }
}

/// The recording names containers `<function>-<position>` before a pod turns dots to dashes.
fn containers(task: &ResolvedTask) -> Value {
    task.steps
        .iter()
        .enumerate()
        .map(|(position, step)| {
            assert_eq!(step.container, format!("{}-{position}", step.function.replace('.', "-")));
            let mut container = json!({
                "args": step.args,
                "container": format!("{}-{position}", step.function),
                "image": step.image,
            });
            for field in ["command", "runtimeSettings"] {
                if let Some(value) = step.spec.get(field) {
                    container[field] = value.clone();
                }
            }
            container
        })
        .collect()
}

#[test]
fn every_recorded_case_gives_what_it_should() {
    let cases: Vec<Value> = serde_json::from_str(CASES).unwrap();
    for case in &cases {
        let id = &case["id"];
        let expected = &case["expected"];
        match resolve_case(case) {
            Ok(task) => {
                assert_eq!(containers(&task), expected["containers"], "{id}: {}", case["why"]);
                assert_eq!(task.volumes, expected["volumes"], "{id}");
            }
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(words).collect();
                assert_eq!(json!(errors), json!([expected["error"]]), "{id}: {}", case["why"]);
            }
        }
    }
    assert_eq!(cases.len(), 21);
}

#[test]
fn a_value_never_reaches_a_neighbouring_field() {
    let spec = json!({"image": "good:1", "args": ["--x=${x}", "--y"]});
    let inputs = Variables::from([("x".into(), "\"],\"image\":\"evil:1\",\"args\":[\"".into())]);
    let step = resolve_step("f", 0, &spec, Variables::new(), &inputs).unwrap();
    assert_eq!(step.image, "good:1");
    assert_eq!(step.args, ["--x=\"],\"image\":\"evil:1\",\"args\":[\"", "--y"]);
}

#[test]
fn every_missing_variable_is_reported_with_its_field() {
    let spec = json!({"image": "${i}", "args": ["a", "${b}"], "runtimeSettings": {"env": [{"value": "${c}"}]}});
    let errors = resolve_step("f", 0, &spec, Variables::new(), &Variables::new()).unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "Function f: spec.image cannot be resolved",
            "Function f: spec.args[1] cannot be resolved",
            "Function f: spec.runtimeSettings.env[0].value cannot be resolved",
        ]
    );
}

#[test]
fn an_argument_that_is_no_text_is_refused() {
    let spec = json!({"image": "i", "args": ["a", 1]});
    let errors = resolve_step("f", 0, &spec, Variables::new(), &Variables::new()).unwrap_err();
    assert_eq!(errors[0].to_string(), "Function f: spec.args[1] is not text");
}

#[test]
fn a_deeply_nested_object_is_refused_and_not_followed() {
    let mut value = json!("x");
    for _ in 0..100 {
        value = json!([value]);
    }
    let spec = json!({"image": "i", "ports": value});
    let errors = resolve_step("f", 0, &spec, Variables::new(), &Variables::new()).unwrap_err();
    assert!(matches!(errors[0], ResolutionError::Depth { .. }));
}

#[test]
fn an_addon_image_of_the_user_counts_nowhere() {
    let spec = json!({"image": "${ADDON_IMAGE:=good:1}", "args": ["--x=${ADDON_IMAGE}"]});
    let given = Variables::from([("ADDON_IMAGE".into(), "evil:1".into())]);
    let step = resolve_step("f", 0, &spec, given.clone(), &given).unwrap();
    assert_eq!((step.image.as_str(), step.args[0].as_str()), ("good:1", "--x=good:1"));
}
