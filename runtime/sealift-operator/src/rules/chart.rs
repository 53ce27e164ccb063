//! The chart's rules are the operator's: the same rules, and the code that needs them beside each.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::{OperatorRule, Scope, operator_rules};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/chart/sealift/rules"))
}

/// By scope; of those in watched namespaces, `rbac.execHooks` stands in `execHooks.yaml`.
fn file(rule: &OperatorRule) -> String {
    match (rule.scope, rule.value) {
        (Scope::Watched, None) => "watched.yaml".to_owned(),
        (Scope::Watched, Some(value)) => format!("{}.yaml", value.rsplit('.').next().unwrap()),
        (Scope::Cluster, _) => "cluster.yaml".to_owned(),
        (Scope::Own, _) => "own.yaml".to_owned(),
    }
}

fn text(rule: &OperatorRule) -> String {
    let quoted = |words: &Option<Vec<String>>| {
        let words: Vec<String> = words.iter().flatten().map(|word| format!("{word:?}")).collect();
        words.join(", ")
    };
    let plain = |words: &[String]| words.join(", ");
    format!(
        "# {}\n- apiGroups: [{}]\n  resources: [{}]\n  verbs: [{}]\n",
        rule.reason,
        quoted(&rule.rule.api_groups),
        plain(rule.rule.resources.as_deref().unwrap_or_default()),
        plain(&rule.rule.verbs),
    )
}

/// `SEALIFT_UPDATE=1` writes the files instead.
#[test]
fn the_chart_grants_what_the_code_needs_and_nothing_else() {
    let mut wanted: BTreeMap<String, String> = BTreeMap::new();
    for rule in operator_rules() {
        wanted.entry(file(&rule)).or_default().push_str(&text(&rule));
    }
    if std::env::var("SEALIFT_UPDATE").is_ok() {
        for (name, text) in &wanted {
            fs::write(folder().join(name), text).unwrap();
        }
    }
    let found: BTreeMap<String, String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    assert_eq!(found, wanted, "if the code is right, run with SEALIFT_UPDATE=1");
}

/// Each file is in the chart under the value that switches it, and the value is one of the chart's.
#[test]
fn each_switch_is_a_value_of_the_chart() {
    let role = fs::read_to_string(folder().join("../templates/cluster-role.yaml")).unwrap();
    let values: serde_json::Value =
        serde_saphyr::from_str(&fs::read_to_string(folder().join("../values.yaml")).unwrap())
            .unwrap();
    for rule in operator_rules() {
        let included = format!(".Files.Get \"rules/{}\"", file(&rule));
        let (before, _) = role.split_once(&included).unwrap_or_else(|| panic!("{included}"));
        let Some(value) = rule.value else { continue };
        assert!(
            before
                .trim_end()
                .trim_end_matches("{{")
                .trim_end()
                .ends_with(&format!("{{{{- if .Values.{value} }}}}")),
            "{value} does not switch {included}"
        );
        let pointer = format!("/{}", value.replace('.', "/"));
        assert!(values.pointer(&pointer).is_some_and(serde_json::Value::is_boolean), "{value}");
    }
}
