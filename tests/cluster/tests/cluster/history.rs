//! C and D: which sessions run, wait or are skipped beside others, and which of them are kept.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::acted::{ended, job_of, report, running, session, sessions_are, succeed};
use crate::conditions;
use crate::scene::{BACKUP, Scene};
use crate::world::{World, text, trial};

const FIRST: &str = "demo-backup-1700000001";
const SECOND: &str = "demo-backup-1700000002";
const THIRD: &str = "demo-backup-1700000003";
const FOURTH: &str = "demo-backup-1700000004";
const FIFTH: &str = "demo-backup-1700000005";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "C15: without a backupHistoryLimit the newest session stays", |world| {
            history(world, "C15-unset", None, &[FIFTH])
        }),
        trial(world, "C15: with backupHistoryLimit 3 the three newest stay", |world| {
            history(world, "C15-three", Some(3), &[THIRD, FOURTH, FIFTH])
        }),
        trial(world, "C15: with backupHistoryLimit 0 at most the newest stays", |world| {
            history(world, "C15-zero", Some(0), &[FIFTH])
        }),
        trial(world, "C16: a skipped session does not push out the last that ran", skipped_beside),
        trial(
            world,
            "D02: a session with the old label alone counts, is adopted and goes with its invoker",
            old_label,
        ),
        trial(world, "D04: beside a session that runs another one is skipped", beside_running),
        trial(world, "D06: two invokers of one target take turns", one_target),
    ]
}

/// The guide with a history of its own, and no schedule that could be due.
fn ready<'a>(world: &'a World, number: &str, limit: Option<i32>) -> Result<Scene<'a>> {
    let scene = Scene::new(world, number)?;
    scene.apply_guide()?;
    configure(&scene, limit)?;
    Ok(scene)
}

fn configure(scene: &Scene<'_>, limit: Option<i32>) -> Result<()> {
    let patch = json!({"spec": {"backupHistoryLimit": limit, "schedule": "0 0 1 1 *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("it is ready", Resource::BACKUP_CONFIGURATION, BACKUP, |backup| {
        conditions::phase(backup) == "Ready"
            && backup["status"]["observedGeneration"] == backup["metadata"]["generation"]
    })?;
    Ok(())
}

fn history(world: &World, number: &str, limit: Option<i32>, stay: &[&str]) -> Result<()> {
    let scene = ready(world, number, limit)?;
    let all = [FIRST, SECOND, THIRD, FOURTH, FIFTH];
    for name in all {
        let ended = succeed(&scene, name)?;
        let cleaned = conditions::of(&ended, "BackupHistoryCleaned");
        ensure!(cleaned == "True SuccessfullyCleanedBackupHistory", "{name}: {cleaned}");
    }
    sessions_are(&scene, stay)?;
    for gone in all.iter().filter(|name| !stay.contains(name)) {
        scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, &job_of(gone)))?;
    }
    let pods = Resource::POD.list(&scene.namespace);
    scene.client().wait("the pods of the others are gone", &pods, |list| {
        let pods = list?["items"].as_array()?;
        (pods.len() == stay.len()).then_some(())
    })?;
    for name in stay {
        scene.object(Resource::JOB, &job_of(name))?;
    }
    Ok(())
}

fn skipped_beside(world: &World) -> Result<()> {
    let scene = ready(world, "C16", Some(1))?;
    succeed(&scene, FIRST)?;
    let task = |name: &Value| json!({"spec": {"task": name}});
    let backups = Resource::BACKUP_CONFIGURATION;
    scene.client().patch(backups, &scene.namespace, BACKUP, &task(&json!({"name": "nope"})))?;
    scene.wait_for_phase(BACKUP, "Invalid")?;
    scene.session(SECOND)?;
    ended(&scene, SECOND, "Skipped")?;
    scene.session(THIRD)?;
    ended(&scene, THIRD, "Skipped")?;
    // The newest, as the limit says, and the last that ran.
    sessions_are(&scene, &[FIRST, THIRD])?;
    scene.client().patch(backups, &scene.namespace, BACKUP, &task(&Value::Null))?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    succeed(&scene, FOURTH)?;
    sessions_are(&scene, &[FOURTH])
}

fn with_old_label(scene: &Scene<'_>, name: &str) -> Result<Value> {
    session(scene, name, BACKUP, &json!({"stash.appscode.com/backup-configuration": BACKUP}))
}

fn old_label(world: &World) -> Result<()> {
    let scene = ready(world, "D02", Some(1))?;
    scene.session(FIRST)?;
    running(&scene, FIRST)?;
    with_old_label(&scene, SECOND)?;
    ended(&scene, SECOND, "Skipped")?;
    let backup = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    let adopted = |found: &Value| {
        let labels = &found["metadata"]["labels"];
        labels["stash.appscode.com/invoker-type"] == "BackupConfiguration"
            && labels["stash.appscode.com/invoker-name"] == BACKUP
            && labels["stash.appscode.com/target-name"] == "vault"
            && found["metadata"]["ownerReferences"][0]["uid"] == backup["metadata"]["uid"]
    };
    scene.wait("it is adopted", Resource::BACKUP_SESSION, SECOND, adopted)?;
    report(&scene, FIRST, None)?;
    ended(&scene, FIRST, "Succeeded")?;
    // The other way round: while it runs, the one with all labels is skipped.
    with_old_label(&scene, THIRD)?;
    running(&scene, THIRD)?;
    scene.session(FOURTH)?;
    ended(&scene, FOURTH, "Skipped")?;
    report(&scene, THIRD, None)?;
    let third = ended(&scene, THIRD, "Succeeded")?;
    ensure!(adopted(&third), "it is not adopted: {}", third["metadata"]);
    // Both kinds are one history: the newest, and the last that ran.
    sessions_are(&scene, &[THIRD, FOURTH])?;
    scene.client().delete(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP)?;
    sessions_are(&scene, &[])?;
    scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, &job_of(THIRD)))
}

fn beside_running(world: &World) -> Result<()> {
    let scene = ready(world, "D04", Some(5))?;
    scene.session(FIRST)?;
    running(&scene, FIRST)?;
    scene.session(SECOND)?;
    let second = ended(&scene, SECOND, "Skipped")?;
    let found = conditions::of(&second, "BackupSkipped");
    ensure!(found == "True SkippedTakingNewBackup", "BackupSkipped: {found}");
    let message = conditions::message(&second, "BackupSkipped");
    let wanted = format!(
        "Skipped taking new backup. Reason: Previous BackupSession: {FIRST} is \"Running\"."
    );
    ensure!(message == wanted, "message: {message}");
    report(&scene, FIRST, None)?;
    ended(&scene, FIRST, "Succeeded")?;
    // A skipped one stays skipped, and the next one runs.
    succeed(&scene, THIRD)?;
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    ensure!(jobs == [job_of(FIRST), job_of(THIRD)], "Jobs: {jobs:?}");
    let second = scene.object(Resource::BACKUP_SESSION, SECOND)?;
    ensure!(conditions::phase(&second) == "Skipped", "status: {}", second["status"]);
    Ok(())
}

fn one_target(world: &World) -> Result<()> {
    let scene = ready(world, "D06", Some(5))?;
    let mut other = scene.backup()?;
    other["metadata"]["name"] = json!("other-backup");
    other["spec"]["schedule"] = json!("0 0 1 1 *");
    other["spec"]["backupHistoryLimit"] = json!(5);
    scene.apply(&other)?;
    scene.wait_for_phase("other-backup", "Ready")?;
    let names = [FIRST, "other-backup-1700000001"];
    session(&scene, names[0], BACKUP, &json!({}))?;
    session(&scene, names[1], "other-backup", &json!({}))?;
    let waits = |found: &Value| {
        conditions::phase(found) == "Pending" && text(found, "/status/targets/0/phase") == "Pending"
    };
    // Of the same second the name decides; of others the age.
    let list = Resource::BACKUP_SESSION.list(&scene.namespace);
    let (runs, pending) = scene.client().wait("one runs and the other waits", &list, |list| {
        let items = list?["items"].as_array()?;
        let named = |wanted: &dyn Fn(&Value) -> bool| -> Option<String> {
            let mut fit = items.iter().filter(|found| wanted(found));
            let name = text(fit.next()?, "/metadata/name").to_owned();
            fit.next().is_none().then_some(name)
        };
        Some((named(&|found| conditions::phase(found) == "Running")?, named(&waits)?))
    })?;
    ensure!(runs != pending && names.contains(&runs.as_str()), "{runs} and {pending}");
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    ensure!(jobs == [job_of(&runs)], "Jobs: {jobs:?}");
    report(&scene, &runs, None)?;
    ended(&scene, &runs, "Succeeded")?;
    report(&scene, &pending, None)?;
    ended(&scene, &pending, "Succeeded")?;
    Ok(())
}
