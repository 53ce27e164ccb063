//! What a Job may do: derived from its plan, and nothing else.

use k8s_openapi::api::rbac::v1::PolicyRule;
use sealift_core::hook::HookAction;
use sealift_operator::rules::{operator_rules, rules, target_rules};

use crate::fixture::{backup, restore};

fn shown(rules: &[PolicyRule]) -> String {
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default().join(",");
    let lines: Vec<String> = rules
        .iter()
        .map(|rule| {
            let names = match &rule.resource_names {
                Some(names) => names.join(","),
                None => "*".to_owned(),
            };
            format!(
                "{} {}/{} {names}",
                rule.verbs.join(","),
                list(&rule.api_groups),
                list(&rule.resources)
            )
        })
        .collect();
    lines.join("\n")
}

#[test]
fn a_backup_reads_its_secrets_and_writes_its_status() {
    insta::assert_snapshot!(shown(&rules(&backup().plan())), @r"
    get stash.appscode.com/backupsessions demo-backup-1700000000
    update stash.appscode.com/backupsessions/status demo-backup-1700000000
    create /events *
    get appcatalog.appscode.com/appbindings vault
    get /secrets gcs-secret,vault-backup-token,vault-keys
    get stash.appscode.com/repositories gcp-demo-repo
    update stash.appscode.com/repositories/status gcp-demo-repo
    get,update coordination.k8s.io/leases sealift-repository-uid
    ");
}

#[test]
fn only_a_restore_that_brings_keys_back_may_change_their_secret() {
    assert!(!shown(&rules(&restore().plan())).contains("patch"));
    let rules_field = "  rules:";
    let force = "  task: {params: [{name: force, value: \"true\"}]}\n  rules:";
    insta::assert_snapshot!(shown(&rules(&restore().edit("invoker", rules_field, force).plan())), @r"
    get stash.appscode.com/restoresessions vault-restore-session
    update stash.appscode.com/restoresessions/status vault-restore-session
    create /events *
    get appcatalog.appscode.com/appbindings vault
    get /secrets gcs-secret,vault-backup-token,vault-keys
    patch /secrets vault-keys
    get stash.appscode.com/repositories gcp-demo-repo
    get,update coordination.k8s.io/leases sealift-repository-uid
    ");
}

#[test]
fn an_exec_hook_needs_the_pods_behind_the_service() {
    let hook = "  hooks: {preBackup: {exec: {command: [\"true\"]}}}\n  schedule:";
    let text = shown(&rules(&backup().edit("invoker", "  schedule:", hook).plan()));
    assert!(text.ends_with("get /endpoints vault\nget /pods *\ncreate,get /pods/exec *"), "{text}");
}

#[test]
fn a_target_elsewhere_is_named_and_nothing_is_granted() {
    let text = shown(&target_rules(&backup().plan()));
    insta::assert_snapshot!(text, @r"
    get appcatalog.appscode.com/appbindings vault
    get /secrets gcs-secret,vault-backup-token,vault-keys
    ");
}

#[test]
fn a_job_gets_no_right_for_what_lies_in_another_namespace() {
    let hook = "  hooks: {preBackup: {exec: {command: [\"true\"]}}}\n  schedule:";
    let mut plan = backup().edit("invoker", "  schedule:", hook).plan();
    plan.target.reference.namespace = "elsewhere".to_owned();
    for credential in plan.origins.iter_mut().filter_map(|origin| origin.credential.as_mut()) {
        credential.secret.namespace = "elsewhere".to_owned();
    }
    if let Some(keys) = plan.keys.as_mut() {
        keys.secret.namespace = "elsewhere".to_owned();
    }
    let Some(HookAction::Exec { namespace, .. }) = plan.hooks.before.as_mut() else {
        panic!("the plan has no hook");
    };
    *namespace = "elsewhere".to_owned();
    insta::assert_snapshot!(shown(&rules(&plan)), @r"
    get stash.appscode.com/backupsessions demo-backup-1700000000
    update stash.appscode.com/backupsessions/status demo-backup-1700000000
    create /events *
    get /secrets gcs-secret
    get stash.appscode.com/repositories gcp-demo-repo
    update stash.appscode.com/repositories/status gcp-demo-repo
    get,update coordination.k8s.io/leases sealift-repository-uid
    ");
}

#[test]
fn the_operator_holds_what_it_grants_and_no_right_over_rights() {
    let held = operator_rules();
    let holds = |group: &str, resource: &str, verb: &str| {
        held.iter().map(|held| &held.rule).any(|rule| {
            let has = |list: &Option<Vec<String>>, word: &str| {
                list.iter().flatten().any(|found| found == word)
            };
            has(&rule.api_groups, group)
                && has(&rule.resources, resource)
                && rule.verbs.iter().any(|found| found == verb)
        })
    };
    let hook = "  hooks: {preBackup: {exec: {command: [\"true\"]}}}\n  schedule:";
    let force = "  task: {params: [{name: force, value: \"true\"}]}\n  rules:";
    let plans = [
        backup().edit("invoker", "  schedule:", hook).plan(),
        restore().edit("invoker", "  rules:", force).plan(),
    ];
    let mut granted: Vec<PolicyRule> = plans.iter().flat_map(rules).collect();
    granted.extend(sealift_operator::build::cron_job::trigger_rules("demo-backup"));
    for rule in &granted {
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for verb in &rule.verbs {
                    assert!(holds(group, resource, verb), "{verb} {group}/{resource}");
                }
            }
        }
    }
    for rule in &held {
        assert!(!rule.reason.is_empty());
        for verb in &rule.rule.verbs {
            assert!(!["*", "escalate", "bind", "impersonate"].contains(&verb.as_str()), "{rule:?}");
        }
        let secrets = rule.rule.resources.iter().flatten().any(|name| name == "secrets");
        let lists = rule.rule.verbs.iter().any(|verb| verb == "list" || verb == "watch");
        assert!(!(secrets && lists), "Secrets are never listed");
    }
}
