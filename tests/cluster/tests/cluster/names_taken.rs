//! Names that a session needs and another object has: the session says whose it is and what to do,
//! and keeps nobody waiting for ever.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::acted::{self, ended, job_of, report, running};
use crate::conditions;
use crate::operators::instead_of_the_one;
use crate::scene::{BACKUP, Scene};
use crate::world::{World, text, trial, trial_alone};

const SESSION: &str = "demo-backup-1700000001";
const NEXT: &str = "demo-backup-1700000002";
const RESTORE: &str = "vault-restore-session";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "a session whose Job's name is taken says by whom, and begins once it is free",
            begins_once_free,
        ),
        trial(
            world,
            "a restore whose Job's name is taken says by whom, and begins once it is free",
            restore_begins_once_free,
        ),
        trial_alone(
            world,
            "a session whose Job's name stays taken fails, and the next one runs",
            |world| instead_of_the_one(world, stays_taken),
        ),
    ]
}

/// Somebody's Job that never runs.
fn strange_job(scene: &Scene<'_>, name: &str) -> Result<()> {
    let container = json!({"name": "strange", "image": "strange"});
    scene.apply(&json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"suspend": true, "template": {
            "spec": {"restartPolicy": "Never", "containers": [container]}}}}))
}

/// What a session says of its Job: `<status> <reason>` and the message.
fn said(session: &Value) -> (String, &str) {
    let at = "/status/targets/0/conditions";
    let all = session.pointer(at).and_then(Value::as_array);
    let found = all.into_iter().flatten().find(|it| it["type"] == "BackupExecutorEnsured");
    let kind = conditions::at(session, at, "BackupExecutorEnsured");
    (kind, found.map_or("", |found| text(found, "/message")))
}

/// Waits until a session says that a name is taken.
fn told(scene: &Scene<'_>, session: &str) -> Result<Value> {
    let what = format!("{session} says that a name is taken");
    scene.wait(&what, Resource::BACKUP_SESSION, session, |found| {
        said(found).0 == "Unknown NameTaken"
    })
}

/// Waits for an Event about an object.
fn event(scene: &Scene<'_>, about: &str, reason: &str) -> Result<Value> {
    let path = Resource::EVENT.list(&scene.namespace);
    scene.client().wait(&format!("the Event {reason} of {about}"), &path, |list| {
        let mut events = list?["items"].as_array()?.iter();
        events
            .find(|event| event["involvedObject"]["name"] == about && event["reason"] == reason)
            .cloned()
    })
}

fn begins_once_free(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "name-taken")?;
    let job = job_of(SESSION);
    strange_job(&scene, &job)?;
    let strange = scene.object(Resource::JOB, &job)?;
    scene.session(SESSION)?;
    let session = told(&scene, SESSION)?;
    let (_, message) = said(&session);
    ensure!(
        message.contains(&job)
            && message.contains("made by somebody else; ")
            && message.contains("delete it, or make a session of another name"),
        "message: {message}"
    );
    ensure!(conditions::phase(&session) == "Pending", "{}", session["status"]);
    ensure!(event(&scene, SESSION, "NameTaken")?["type"] == "Warning", "no Warning");
    // What is another's is left alone.
    let still = scene.object(Resource::JOB, &job)?;
    ensure!(still["metadata"]["uid"] == strange["metadata"]["uid"], "the Job is another one");
    scene.client().delete(Resource::JOB, &scene.namespace, &job)?;
    let session = running(&scene, SESSION)?;
    ensure!(said(&session).0 == "True SuccessfullyEnsuredBackupExecutor", "{}", session["status"]);
    report(&scene, SESSION, None)?;
    ended(&scene, SESSION, "Succeeded")?;

    // Sessions whose names differ in a dot want one Job, too.
    let binding = |name: &str| -> Result<()> {
        let mut binding = scene.app_binding()?;
        binding["metadata"]["name"] = json!(name);
        let mut backup = scene.backup()?;
        backup["metadata"]["name"] = json!(name);
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        backup["spec"]["target"]["ref"]["name"] = json!(name);
        scene.apply(&binding)?;
        scene.apply(&backup)?;
        scene.wait_for_phase(name, "Ready")?;
        Ok(())
    };
    binding("one")?;
    binding("two")?;
    acted::session(&scene, "backup.1", "one", &json!({}))?;
    running(&scene, "backup.1")?;
    acted::session(&scene, "backup-1", "two", &json!({}))?;
    let session = told(&scene, "backup-1")?;
    let (_, message) = said(&session);
    ensure!(message.contains("belongs to BackupSession backup.1; "), "message: {message}");
    Ok(())
}

fn restore_begins_once_free(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "restore-name-taken")?;
    let job = format!("stash-restore-{RESTORE}-0");
    strange_job(&scene, &job)?;
    scene.apply(&scene.restore()?)?;
    let what = "the restore says that a name is taken";
    let restore = scene.wait(what, Resource::RESTORE_SESSION, RESTORE, |restore| {
        conditions::of(restore, "RestoreJobCreated") == "Unknown NameTaken"
    })?;
    let message = conditions::message(&restore, "RestoreJobCreated");
    ensure!(
        message.contains(&job) && message.contains("made by somebody else"),
        "message: {message}"
    );
    ensure!(conditions::phase(&restore) == "Pending", "{}", restore["status"]);
    ensure!(event(&scene, RESTORE, "NameTaken")?["type"] == "Warning", "no Warning");
    scene.client().delete(Resource::JOB, &scene.namespace, &job)?;
    scene.wait("the restore runs", Resource::RESTORE_SESSION, RESTORE, |restore| {
        conditions::phase(restore) == "Running"
            && conditions::of(restore, "RestoreJobCreated") == "True RestoreJobCreationSucceeded"
    })?;
    Ok(())
}

fn stays_taken(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "name-stays-taken")?;
    let mut hasty = world.another_operator("hasty-for-names", &["--pending-limit=1"])?;
    hasty.wait_until_ready()?;
    let judged = (|| {
        scene.apply_guide()?;
        let patch = json!({"spec": {"schedule": "0 0 1 1 *", "backupHistoryLimit": 5}});
        scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
        scene.wait_for_phase(BACKUP, "Ready")?;
        strange_job(&scene, &job_of(SESSION))?;
        scene.session(SESSION)?;
        scene.session(NEXT)?;
        let session = ended(&scene, SESSION, "Failed")?;
        let (kind, message) = said(&session);
        ensure!(
            kind == "False FailedToEnsureBackupExecutor" && message.contains(&job_of(SESSION)),
            "{}",
            session["status"]
        );
        // With so little patience it is soon given up, too.
        scene.wait("the next one has begun", Resource::BACKUP_SESSION, NEXT, |next| {
            !next["status"]["sessionDeadline"].is_null()
        })?;
        Ok(())
    })();
    judged.with_context(|| hasty.log_tail())
}
