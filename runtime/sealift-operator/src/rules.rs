//! Rights: of a Job, derived from its plan, and of the operator itself. Pure values; every rule
//! names the code that needs it, and nothing else is granted.

use k8s_openapi::api::rbac::v1::PolicyRule;
use sealift_core::hook::HookAction;
use sealift_core::plan::{Direction, Plan, SecretRef, SecretTransform, StagePlan};
use sealift_kube::lease;

mod operator;

pub use operator::{OperatorRule, Scope, operator_rules};

const STASH: &str = "stash.appscode.com";
const CATALOG: &str = "appcatalog.appscode.com";

/// A rule for these objects only.
pub(crate) fn named(group: &str, resource: &str, verbs: &[&str], names: &[&str]) -> PolicyRule {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.sort();
    names.dedup();
    PolicyRule { resource_names: Some(names), ..any(group, resource, verbs) }
}

/// A rule for all objects of a resource.
pub(crate) fn any(group: &str, resource: &str, verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(vec![resource.to_owned()]),
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        ..PolicyRule::default()
    }
}

/// What the Job of a plan may do in its own namespace.
#[must_use]
pub fn rules(plan: &Plan) -> Vec<PolicyRule> {
    let namespace = &plan.session.namespace;
    let here = |of: &str| of == namespace;
    let session = sessions(plan);
    let name = plan.session.name.as_str();
    let mut rules = vec![
        // sealift-job writes its result; the final phase is the operator's.
        named(STASH, session, &["get"], &[name]),
        named(STASH, &format!("{session}/status"), &["update"], &[name]),
        // Its Events are about the session; an Event has no name before it is made.
        any("", "events", &["create"]),
    ];
    if here(&plan.target.reference.namespace) {
        // Its pins are compared, and `addKey` transforms carry their values there.
        rules.push(named(CATALOG, "appbindings", &["get"], &[&plan.target.reference.name]));
    }
    rules.extend(secret_rules(plan, namespace));
    if here(&plan.repository.reference.namespace) {
        rules.extend(of_repository(plan));
    }
    rules.extend(hook_rules(plan, namespace));
    rules
}

/// What the Job that repeats a push may do. The invoker's Role is of its newest session, and this
/// one may be older.
#[must_use]
pub fn push_rules(plan: &Plan) -> Vec<PolicyRule> {
    let resource = sessions(plan);
    let name = plan.session.name.as_str();
    let mut rules = vec![
        // sealift-job reads how the session ended, and says that its metrics are pushed.
        named(STASH, resource, &["get"], &[name]),
        named(STASH, &format!("{resource}/status"), &["update"], &[name]),
    ];
    let repository = &plan.repository.reference;
    if repository.namespace == plan.session.namespace {
        // Where the Job left no record, the figures stand in the Repository's status.
        rules.push(named(STASH, "repositories", &["get"], &[&repository.name]));
    }
    rules
}

fn sessions(plan: &Plan) -> &'static str {
    match plan.direction {
        Direction::Backup(_) => "backupsessions",
        Direction::Restore(_) => "restoresessions",
    }
}

/// What the Job of a plan may do in the namespace of its Repository, if that is another one.
#[must_use]
pub fn repository_rules(plan: &Plan) -> Vec<PolicyRule> {
    // Nothing else of that namespace, though the target may lie there, too.
    let mut rules = vec![named("", "secrets", &["get"], &[&plan.repository.secret.name])];
    rules.extend(of_repository(plan));
    rules
}

/// What the Job of a plan needs in the namespace of its target, if that is another one. It is
/// never granted: the user's own ServiceAccount has to have it.
#[must_use]
pub fn target_rules(plan: &Plan) -> Vec<PolicyRule> {
    let target = &plan.target.reference;
    let mut rules = vec![named(CATALOG, "appbindings", &["get"], &[&target.name])];
    rules.extend(secret_rules(plan, &target.namespace));
    rules.extend(hook_rules(plan, &target.namespace));
    rules
}

fn of_repository(plan: &Plan) -> Vec<PolicyRule> {
    let repository = &plan.repository.reference;
    let name = repository.name.as_str();
    // Its pins are compared.
    let mut rules = vec![named(STASH, "repositories", &["get"], &[name])];
    if matches!(plan.direction, Direction::Backup(_)) {
        // Size, integrity and counts after a backup.
        rules.push(named(STASH, "repositories/status", &["update"], &[name]));
    }
    let pin = plan.pins.objects.iter().find(|pin| pin.object == *repository);
    if let Some(pin) = pin {
        // sealift-kube's lease: the operator makes it, the Job enters and leaves it.
        let lease = lease::name(&pin.uid);
        rules.push(named("coordination.k8s.io", "leases", &["get", "update"], &[&lease]));
    }
    rules
}

/// The Secrets a plan names, one rule for all that are read, one for the one that is written.
fn secret_rules(plan: &Plan, namespace: &str) -> Vec<PolicyRule> {
    let of_namespace = |secret: &&SecretRef| secret.namespace == namespace;
    let read: Vec<&str> =
        secrets(plan).into_iter().filter(of_namespace).map(|secret| secret.name.as_str()).collect();
    let mut rules = Vec::new();
    if !read.is_empty() {
        // Storage, token and what its transforms add, unseal keys: read live, never from the plan.
        rules.push(named("", "secrets", &["get"], &read));
    }
    let written = plan.keys.as_ref().map(|keys| &keys.secret).filter(of_namespace);
    if let Some(secret) = written.filter(|_| brings_keys_back(plan)) {
        // A forced restore brings the keys of the snapshot back.
        rules.push(named("", "secrets", &["patch"], &[&secret.name]));
    }
    rules
}

/// Whether a plan writes the unseal keys of a snapshot: a restore by a Function that may touch
/// them, and that was not told to leave them alone.
fn brings_keys_back(plan: &Plan) -> bool {
    let may = |stage: &StagePlan| {
        let force = stage.parameters.get("force").map(String::as_str);
        stage.grants.unseal_keys.is_some() && force.is_none_or(|force| force == "true")
    };
    matches!(plan.direction, Direction::Restore(_)) && plan.stages.iter().any(may)
}

/// Every Secret a plan names.
#[must_use]
pub fn secrets(plan: &Plan) -> Vec<&SecretRef> {
    let mut secrets = vec![&plan.repository.secret];
    for credential in plan.origins.iter().filter_map(|origin| origin.credential.as_ref()) {
        secrets.push(&credential.secret);
        for transform in &credential.transforms {
            match transform {
                SecretTransform::AddKeysFrom { secret } => secrets.push(secret),
                SecretTransform::RenameKey { .. }
                | SecretTransform::AddKey { .. }
                | SecretTransform::RemoveKey { .. } => {}
            }
        }
    }
    // A restore that leaves the keys alone does not look at them.
    if matches!(plan.direction, Direction::Backup(_)) || brings_keys_back(plan) {
        secrets.extend(plan.keys.as_ref().map(|keys| &keys.secret));
    }
    secrets.sort();
    secrets.dedup();
    secrets
}

fn hook_rules(plan: &Plan, here: &str) -> Vec<PolicyRule> {
    let services: Vec<&str> = plan
        .hooks
        .actions()
        .filter_map(|action| match action {
            HookAction::Exec { namespace, service, .. } if namespace == here => {
                Some(service.as_str())
            }
            HookAction::Exec { .. }
            | HookAction::HttpGet { .. }
            | HookAction::HttpPost { .. }
            | HookAction::TcpSocket { .. } => None,
        })
        .collect();
    if services.is_empty() {
        return Vec::new();
    }
    vec![
        // The pod of an exec hook is one behind the target's Service.
        named("", "endpoints", &["get"], &services),
        // Which pod that is shows when the hook runs: pods cannot be named here.
        any("", "pods", &["get"]),
        any("", "pods/exec", &["create", "get"]),
    ]
}

#[cfg(test)]
mod chart;
