//! Those who wait: for a place that other namespaces leave them, and for a Secret, which cannot be
//! watched. Waiting costs next to nothing, and nobody waits for one who only waits.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::json;

use crate::acted::{ended, report, running, session};
use crate::conditions;
use crate::scene::{BACKUP, Scene};
use crate::world::{OPERATOR, World, text, trial};

/// So many that one request of each would be seen.
const MANY: usize = 12;
const TOKEN: &str = "vault-backup-token";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(
        world,
        "restores that wait for a Secret ask for it seldom and together, and go on once it is there",
        for_a_secret,
    )]
}

/// Those that need a cluster of their own.
pub fn apart(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(
        world,
        "a namespace gets no more places than it leaves to others, and all of them if it is alone",
        for_a_place,
    )]
}

fn name(index: usize) -> String {
    format!("restore-{index:02}")
}

fn for_a_secret(world: &World) -> Result<()> {
    let scene = Scene::new(world, "waiting-secret")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.repository()?)?;
    let mut items = Vec::new();
    for index in 0..MANY {
        let mut restore = scene.restore()?;
        restore["metadata"]["name"] = json!(name(index));
        items.push(restore);
    }
    scene.apply(&json!({"apiVersion": "v1", "kind": "List", "items": items}))?;
    for index in 0..MANY {
        let what = format!("{} says what it waits for", name(index));
        scene.wait(&what, Resource::RESTORE_SESSION, &name(index), |restore| {
            conditions::message(restore, "ValidationPassed").contains(TOKEN)
        })?;
    }
    let past = scene.plane.audit_log()?.of(OPERATOR).count();
    // The operator gives a session this long to get its invoker: several times the first wait.
    session(&scene, "nobody-1700000001", "nobody", &json!({}))?;
    ended(&scene, "nobody-1700000001", "Skipped")?;
    let log = scene.plane.audit_log()?;
    let here = log.of(OPERATOR).skip(past).filter(|it| it.namespace == scene.namespace);
    let asked: Vec<String> = here
        .filter(|request| ["secrets", "restoresessions"].contains(&plural(request)))
        .map(|request| format!("{} {}", request.right, request.name))
        .collect();
    ensure!(asked.len() < MANY / 2, "{MANY} restores that wait asked: {asked:?}");
    ensure!(asked.iter().all(|it| it.ends_with(TOKEN)), "who waits asked: {asked:?}");

    scene.apply(&scene.vault_secrets())?;
    let jobs = Resource::JOB.list(&scene.namespace);
    scene.client().wait("one of them begins", &jobs, |jobs| {
        let mut jobs = jobs?["items"].as_array()?.iter();
        jobs.any(|job| text(job, "/metadata/name").starts_with("stash-restore-")).then_some(())
    })
}

fn plural(request: &sealift_cluster::audit::Request) -> &str {
    request.right.resource.split('/').next().unwrap_or_default()
}

/// A namespace with BackupConfigurations of these names, each of a Vault of its own.
fn backups<'a>(world: &'a World, number: &str, names: &[&str]) -> Result<Scene<'a>> {
    let scene = Scene::without_operator(world, number)?;
    scene.apply_guide()?;
    scene.client().delete(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP)?;
    for name in names {
        let (mut binding, mut backup) = (scene.app_binding()?, scene.backup()?);
        binding["metadata"]["name"] = json!(name);
        scene.apply(&binding)?;
        backup["metadata"]["name"] = json!(name);
        backup["spec"]["target"]["ref"]["name"] = json!(name);
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        scene.apply(&backup)?;
    }
    Ok(scene)
}

fn begin(scene: &Scene<'_>, name: &str) -> Result<String> {
    let session_name = format!("{name}-1700000001");
    scene.wait_for_phase(name, "Ready")?;
    session(scene, &session_name, name, &json!({}))?;
    Ok(session_name)
}

/// It waits although places are free, and says for whom they are.
fn waits(scene: &Scene<'_>, session: &str) -> Result<()> {
    scene.wait(&format!("{session} waits"), Resource::BACKUP_SESSION, session, |found| {
        conditions::of(found, "Queued") == "True WaitingForPlace"
            && conditions::message(found, "Queued").contains("kept for other namespaces")
    })?;
    Ok(())
}

fn for_a_place(world: &World) -> Result<()> {
    let world = world.apart();
    let hog = backups(&world, "hog", &["a", "b", "c", "d"])?;
    let late = backups(&world, "late", &["one"])?;
    let mut operator = world.another_operator("places", &["--max-concurrent-sessions=4"])?;
    operator.wait_until_ready().with_context(|| operator.log_tail())?;
    let [a, b] = [begin(&hog, "a")?, begin(&hog, "b")?];
    running(&hog, &a)?;
    running(&hog, &b)?;
    let [c, d] = [begin(&hog, "c")?, begin(&hog, "d")?];
    waits(&hog, &c)?;
    waits(&hog, &d)?;
    // Who comes last finds a place at once.
    let one = begin(&late, "one")?;
    running(&late, &one)?;
    // Whom the next operator finds running counts as before.
    operator.restart()?;
    report(&late, &one, None)?;
    ended(&late, &one, "Succeeded")?;
    waits(&hog, &c)?;
    // An end gives the place to the next of the same namespace.
    report(&hog, &a, None)?;
    ended(&hog, &a, "Succeeded")?;
    running(&hog, &c)?;
    waits(&hog, &d)?;
    // Nobody else is left who could want one.
    late.client().delete(Resource::BACKUP_CONFIGURATION, &late.namespace, "one")?;
    running(&hog, &d)?;
    Ok(())
}
