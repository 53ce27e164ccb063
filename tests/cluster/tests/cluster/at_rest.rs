//! Many BackupConfigurations that nobody changes: they are looked at, and nothing is written.
//!
//! What is asked of the API server is read in its own log, and that nothing was written also in
//! the versions of the objects. When all have been looked at, the operator's metrics say.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_cluster::operator::Operator;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::conditions;
use crate::operators::instead_of_the_one;
use crate::scene::Scene;
use crate::world::{OPERATOR, World, text, trial_alone};

/// More than are reconciled at once, so that most wait for their turn.
const MANY: usize = 50;
/// All that the operator makes for a BackupConfiguration, or writes to.
const KINDS: [Resource; 6] = [
    Resource::BACKUP_CONFIGURATION,
    Resource::REPOSITORY,
    Resource::CRON_JOB,
    Resource::SERVICE_ACCOUNT,
    Resource::ROLE,
    Resource::ROLE_BINDING,
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(world, "B16: of many that are looked at again, none is written", |world| {
            instead_of_the_one(world, looked_at_again)
        }),
        trial_alone(
            world,
            "B16: a start with everything in place writes nothing but what was changed meanwhile",
            |world| instead_of_the_one(world, started_again),
        ),
    ]
}

fn name(index: usize) -> String {
    format!("backup-{index:02}")
}

fn trigger(index: usize) -> String {
    format!("stash-trigger-{}", name(index))
}

/// A namespace with many of them, all Ready, and an operator that looks at nothing else.
fn ready<'a>(world: &'a World, number: &str) -> Result<(Scene<'a>, Operator)> {
    let scene = Scene::without_operator(world, number)?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    let mut items = Vec::new();
    for index in 0..MANY {
        let (mut repository, mut backup) = (scene.repository()?, scene.backup()?);
        repository["metadata"]["name"] = json!(name(index));
        repository["spec"]["backend"]["s3"]["prefix"] = json!(name(index));
        backup["metadata"]["name"] = json!(name(index));
        backup["spec"]["repository"]["name"] = json!(name(index));
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        items.extend([repository, backup]);
    }
    scene.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}))?;
    let only = format!("--watch-namespace={}", scene.namespace);
    let mut operator = world.another_operator(&format!("at-rest-{number}"), &[&only])?;
    operator.wait_until_ready()?;
    let path = Resource::BACKUP_CONFIGURATION.list(&scene.namespace);
    scene.client().wait("all are Ready", &path, |list| {
        let items = list?["items"].as_array()?;
        (items.iter().filter(|backup| conditions::phase(backup) == "Ready").count() == MANY)
            .then_some(())
    })?;
    settle(&operator, 0)?;
    Ok((scene, operator))
}

/// How often the operator has looked at a BackupConfiguration.
fn looks(operator: &Operator) -> Result<usize> {
    let metrics = operator.metrics()?;
    let series = "sealift_reconcile_duration_seconds_count{kind=\"BackupConfiguration\"} ";
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.context("reconciliations are not counted")?.parse().context("a count is no number")
}

/// Waits until it has looked at least so often, and has nothing more to look at: of what it has
/// just written it is told again.
fn settle(operator: &Operator, at_least: usize) -> Result<()> {
    let mut before = None;
    wait::until("the operator has looked at all", PATIENCE, || {
        let now = looks(operator)?;
        let idle = operator.metrics()?.lines().all(|line| {
            let busy = ["sealift_reconcile_running{", "sealift_reconcile_queue_depth{"];
            !busy.iter().any(|name| line.starts_with(name)) || line.ends_with(" 0")
        });
        let settled = now >= at_least && idle && before == Some(now);
        before = Some(now);
        Ok(settled.then_some(()))
    })
}

/// The versions of all objects, by kind and name.
fn versions(scene: &Scene<'_>) -> Result<BTreeMap<(&'static str, String), String>> {
    let mut versions = BTreeMap::new();
    for kind in KINDS {
        for object in scene.client().list(kind, &scene.namespace)? {
            let name = text(&object, "/metadata/name").to_owned();
            let version = text(&object, "/metadata/resourceVersion").to_owned();
            versions.insert((kind.plural, name), version);
        }
    }
    Ok(versions)
}

/// What the operator wrote there since its first `past` requests: verb, resource, name.
fn writes(scene: &Scene<'_>, past: usize) -> Result<Vec<String>> {
    let log = scene.plane.audit_log()?;
    let reads = ["get", "list", "watch"];
    let of_the_row = log.of(OPERATOR).skip(past).filter(|it| it.namespace == scene.namespace);
    Ok(of_the_row
        .filter(|request| !reads.contains(&request.right.verb.as_str()))
        .map(|request| format!("{} {}", request.right, request.name))
        .collect())
}

fn asked(scene: &Scene<'_>) -> Result<usize> {
    Ok(scene.plane.audit_log()?.of(OPERATOR).count())
}

fn looked_at_again(world: &World) -> Result<()> {
    let (scene, operator) = ready(world, "B16-again")?;
    let (before, past, looked) = (versions(&scene)?, asked(&scene)?, looks(&operator)?);
    ensure!(before.len() >= MANY * KINDS.len(), "there are {} objects", before.len());
    // Every plan may be made of it.
    let annotate = ["annotate", "task", "vault-backup-1.10.3", "example.org/touched=again"];
    scene.program().succeed(&[annotate.as_slice(), &["--overwrite"]].concat())?;
    settle(&operator, looked + MANY)?;
    let written = writes(&scene, past)?;
    ensure!(written.is_empty(), "the operator wrote: {written:?}");
    ensure!(versions(&scene)? == before, "versions have changed");
    Ok(())
}

fn started_again(world: &World) -> Result<()> {
    let (scene, mut operator) = ready(world, "B16-start")?;
    operator.kill()?;
    let suspended = json!({"spec": {"suspend": true}});
    let client = scene.client();
    client.patch(Resource::CRON_JOB, &scene.namespace, &trigger(7), &suspended)?;
    // What is taken away is nobody's afterwards.
    let unlimited = json!([{"op": "remove", "path": "/spec/startingDeadlineSeconds"}]);
    let patch = ["patch", "cronjob", &trigger(8), "--type=json", "-p", &unlimited.to_string()];
    scene.kubectl(&patch)?;
    let generous = json!({"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    client.patch(Resource::ROLE, &scene.namespace, &trigger(9), &generous)?;
    let label = json!({"metadata": {"labels": {"team": "payments"}}});
    client.patch(Resource::SERVICE_ACCOUNT, &scene.namespace, &trigger(10), &label)?;
    let (before, past) = (versions(&scene)?, asked(&scene)?);
    operator.restart()?;
    settle(&operator, MANY)?;
    let after = versions(&scene)?;
    let changed: Vec<String> = after
        .iter()
        .filter(|(key, version)| before.get(key) != Some(version))
        .map(|((plural, name), _)| format!("{plural} {name}"))
        .collect();
    let wanted = [
        format!("cronjobs {}", trigger(7)),
        format!("cronjobs {}", trigger(8)),
        format!("roles {}", trigger(9)),
    ];
    ensure!(changed == wanted, "changed: {changed:?}");
    let written = writes(&scene, past)?;
    ensure!(written.len() == wanted.len(), "the operator wrote: {written:?}");
    let is = |kind, index: usize, pointer: &str, value: Value| -> Result<()> {
        let object = scene.object(kind, &trigger(index))?;
        ensure!(object.pointer(pointer) == Some(&value), "{pointer}: {object}");
        Ok(())
    };
    is(Resource::CRON_JOB, 7, "/spec/suspend", json!(false))?;
    is(Resource::CRON_JOB, 8, "/spec/startingDeadlineSeconds", json!(1800))?;
    is(Resource::ROLE, 9, "/rules/0/verbs", json!(["get"]))?;
    // What others add beside it is theirs.
    is(Resource::SERVICE_ACCOUNT, 10, "/metadata/labels/team", json!("payments"))
}
