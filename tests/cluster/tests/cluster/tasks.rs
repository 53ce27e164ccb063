//! H: Tasks and Functions: what is found, what is refused, and that the refusal says where.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::conditions;
use crate::scene::{BACKUP, Scene};
use crate::world::{World, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "H01: an unknown Task is Invalid and named, and heals when it appears",
            unknown_task,
        ),
        trial(
            world,
            "H02: a variable without a value is refused with Function and variable",
            no_value,
        ),
        trial(world, "H03: without a Task anywhere the message names both places", no_task),
        trial(
            world,
            "H08: a Function with an ordinary container image is Invalid",
            container_image,
        ),
        trial(world, "H09: arguments of the original are accepted", known_arguments),
    ]
}

/// The guide with another Task, whose name the row may change.
fn with_task(scene: &Scene<'_>, task: &str) -> Result<()> {
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    let mut backup = scene.backup()?;
    backup["spec"]["task"] = json!({"name": task});
    scene.apply(&backup)
}

/// A Task of one Function, which is a copy of the catalogue's with other `image` and `args`.
fn task(scene: &Scene<'_>, name: &str, image: &str, args: &Value) -> Result<()> {
    let meta = json!({"name": name});
    let api = "stash.appscode.com/v1beta1";
    scene.apply(&json!({"apiVersion": api, "kind": "Function", "metadata": meta,
        "spec": {"image": image, "args": args}}))?;
    scene.apply(&json!({"apiVersion": api, "kind": "Task", "metadata": meta,
        "spec": {"steps": [{"name": name}, {"name": "update-status"}]}}))
}

fn invalid(scene: &Scene<'_>, words: &[&str]) -> Result<()> {
    let backup = scene.wait_for_phase(BACKUP, "Invalid")?;
    let found = conditions::of(&backup, "ValidationPassed");
    ensure!(found == "False ResourceValidationFailed", "ValidationPassed: {found}");
    let message = conditions::message(&backup, "ValidationPassed");
    for word in words {
        ensure!(message.contains(word), "the message does not name {word}: {message}");
    }
    let jobs = scene.client().names(sealift_cluster::Resource::CRON_JOB, &scene.namespace)?;
    ensure!(jobs.is_empty(), "CronJobs: {jobs:?}");
    Ok(())
}

fn unknown_task(world: &World) -> Result<()> {
    let scene = Scene::new(world, "H01")?;
    let name = "nope-of-h01";
    with_task(&scene, name)?;
    invalid(&scene, &[name])?;
    task(&scene, name, &catalog_image(&scene)?, &json!([]))?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(())
}

/// The image of the catalogue's Function for backups.
fn catalog_image(scene: &Scene<'_>) -> Result<String> {
    let function = scene.program().json(&["get", "fn", "vault-backup-1.10.3"])?;
    Ok(crate::world::text(&function, "/spec/image").to_owned())
}

fn no_value(world: &World) -> Result<()> {
    let scene = Scene::new(world, "H02")?;
    let name = "asks-for-nope";
    task(&scene, name, &catalog_image(&scene)?, &json!(["--x=${NOPE}"]))?;
    with_task(&scene, name)?;
    invalid(&scene, &["NOPE", name])
}

fn no_task(world: &World) -> Result<()> {
    let scene = Scene::new(world, "H03")?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    let mut binding = scene.app_binding()?;
    if let Some(parameters) = binding["spec"]["parameters"].as_object_mut() {
        parameters.remove("stash");
    }
    scene.apply(&binding)?;
    scene.apply(&scene.backup()?)?;
    invalid(&scene, &["spec.task", "spec.parameters.stash.addon"])
}

fn container_image(world: &World) -> Result<()> {
    let scene = Scene::new(world, "H08")?;
    let (name, image) = ("mysql-backup-8.0.3", "stashed/stash-mysql:8.0.3");
    task(&scene, name, image, &json!(["backup-mysql"]))?;
    with_task(&scene, name)?;
    invalid(&scene, &[name, image])
}

fn known_arguments(world: &World) -> Result<()> {
    let scene = Scene::new(world, "H09")?;
    let name = "with-the-originals-arguments";
    let arguments = json!([
        "backup-vault",
        "--insecure-tls=${REPOSITORY_INSECURE_TLS:=false}",
        "--retention-keep-last=${RETENTION_KEEP_LAST:=0}",
        "--retention-prune=${RETENTION_PRUNE:=false}",
        "--license-apiservice=${LICENSE_APISERVICE:=}",
    ]);
    task(&scene, name, "stashed/stash-vault:1.10.3", &arguments)?;
    with_task(&scene, name)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(())
}
