//! Which snapshot: the identity a backup gives, the selection a restore makes.

use sealift_core::names::{self, INTERIM_PATH, INTERIM_VOLUME_PATH};
use sealift_core::plan::{SnapshotIdentity, SnapshotSelection, StagePlan};
use serde::Serialize;

use super::invoker::Invoker;
use super::problem::{Problems, Reason};
use super::stages::Stages;
use super::target::Found;
use crate::restore_session::Rule;

pub(super) fn identity(
    invoker: &Invoker<'_>,
    target: &Found<'_>,
    stages: &Stages,
) -> SnapshotIdentity {
    let path = if invoker.interim_volume.is_some() { INTERIM_VOLUME_PATH } else { INTERIM_PATH };
    SnapshotIdentity {
        hostname: invoker.hostname().to_owned(),
        path: path.to_owned(),
        tags: vec![target_tag(target), names::session_tag(&invoker.session.name)],
        description: description(stages),
    }
}

fn target_tag(target: &Found<'_>) -> String {
    let object = &target.reference;
    names::target_tag(&object.kind, &object.namespace, &object.name)
}

/// One stage in a snapshot's description.
#[derive(Serialize)]
struct StageText<'a> {
    function: &'a str,
    component: &'a str,
    digest: &'a str,
    parameters: &'a std::collections::BTreeMap<String, String>,
}

/// JSON, so that a tool can read it back. Parameters hold no secrets: a schema may not mark one.
fn description(stages: &Stages) -> String {
    let texts: Vec<StageText<'_>> = stages
        .stages
        .iter()
        .map(|stage| StageText {
            function: &stage.function,
            component: &stage.component.reference,
            digest: &stage.component.digest,
            parameters: &stage.parameters,
        })
        .collect();
    serde_json::to_string(&texts).unwrap_or_default()
}

/// The rule for a host: the one that names it, else the one for all.
pub(super) fn rule_for<'a>(hostname: &str, rules: &'a [Rule]) -> Option<&'a Rule> {
    rules
        .iter()
        .find(|rule| rule.target_hosts.iter().any(|host| host == hostname))
        .or_else(|| rules.iter().find(|rule| rule.target_hosts.is_empty()))
}

/// None only after a problem was added.
pub(super) fn selection(
    invoker: &Invoker<'_>,
    target: &Found<'_>,
    stages: &Stages,
    problems: &mut Problems,
) -> Option<SnapshotSelection> {
    let before = problems.len();
    check_rules(invoker, problems);
    let rule = rule_for(invoker.hostname(), invoker.rules);
    if rule.is_none() && !invoker.rules.is_empty() {
        problems.add(
            Reason::Invalid,
            &invoker.reference,
            invoker.rules_field,
            format!("no rule is for host {}", invoker.hostname()),
            "add a rule without targetHosts, or name the host in one",
        );
    }
    if problems.len() > before {
        return None;
    }
    let snapshot = rule.and_then(|rule| rule.snapshots.first()).map_or("latest", String::as_str);
    let source = rule.and_then(|rule| rule.source_host.as_deref()).filter(|host| !host.is_empty());
    let paths = match rule.map(|rule| rule.paths.as_slice()) {
        Some(paths) if !paths.is_empty() => paths.to_vec(),
        _ => vec![INTERIM_PATH.to_owned(), INTERIM_VOLUME_PATH.to_owned()],
    };
    Some(SnapshotSelection {
        snapshot: snapshot.to_owned(),
        hostname: source.or(invoker.alias).map(str::to_owned),
        target_tag: target_tag(target),
        of_another: stages.stages.iter().any(is_forced),
        paths,
    })
}

/// Who says that the keys are to be replaced says that the snapshot is of another Vault.
fn is_forced(stage: &StagePlan) -> bool {
    stage.parameters.get("force").is_some_and(|force| force == "true")
}

fn check_rules(invoker: &Invoker<'_>, problems: &mut Problems) {
    let mut wrong = |index: usize, field: &str, message: String, help: &str| {
        problems.add(
            Reason::Invalid,
            &invoker.reference,
            format!("{}[{index}]{field}", invoker.rules_field),
            message,
            help,
        );
    };
    for (index, rule) in invoker.rules.iter().enumerate() {
        let earlier = invoker.rules.iter().take(index);
        if rule.target_hosts.is_empty() {
            if earlier.clone().any(|other| other.target_hosts.is_empty()) {
                let message = "a second rule has no targetHosts".to_owned();
                wrong(index, ".targetHosts", message, "only one rule can be for all other hosts");
            }
        } else if let Some(host) = rule
            .target_hosts
            .iter()
            .find(|host| earlier.clone().any(|other| other.target_hosts.contains(host)))
        {
            let message = format!("host {host} is in an earlier rule, too");
            wrong(index, ".targetHosts", message, "name a host in one rule only");
        }
        if !rule.snapshots.is_empty() && !rule.paths.is_empty() {
            let message = "snapshots and paths exclude each other".to_owned();
            wrong(index, "", message, "leave one of them out");
        }
        if rule.snapshots.len() > 1 {
            let message = format!("{} snapshots are named", rule.snapshots.len());
            wrong(index, ".snapshots", message, "an application is restored from one snapshot");
        }
        for snapshot in &rule.snapshots {
            if snapshot != "latest" && !is_snapshot_id(snapshot) {
                let cut: String = snapshot.chars().take(70).collect();
                let message = format!("{cut:?} is neither latest nor the id of a snapshot");
                wrong(index, ".snapshots", message, "give at least 4 hex digits of the id");
            }
        }
        for (position, path) in rule.paths.iter().enumerate() {
            if !path.starts_with('/') || path.split('/').any(|part| part == "..") {
                let message = format!("{path:?} is not an absolute path");
                wrong(
                    index,
                    &format!(".paths[{position}]"),
                    message,
                    "give the folder in the snapshot",
                );
            }
        }
        if !rule.include.is_empty() || !rule.exclude.is_empty() {
            let message = "include and exclude have no meaning for an AppBinding".to_owned();
            wrong(index, "", message, "leave them out");
        }
    }
}

/// A restic id, or enough of its beginning to be looked for.
fn is_snapshot_id(text: &str) -> bool {
    (4..=64).contains(&text.len())
        && text.chars().all(|digit| digit.is_ascii_digit() || ('a'..='f').contains(&digit))
}
