//! What could be taken for something else: the Job, plan or volume of an earlier session for that
//! of a new one, a pod that will never start for one that soon will, and a session somebody has
//! ended for one that runs.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::operator::Operator;
use serde_json::{Value, json};

use crate::acted::{self, ended, job_of, pod_ends, report, running, succeed};
use crate::api_proxy::{ApiProxy, Fault};
use crate::conditions;
use crate::ground::Ground;
use crate::operators::instead_of_the_one;
use crate::process::plan_map;
use crate::scene::{BACKUP, Scene};
use crate::stage;
use crate::world::{World, text, trial, trial_alone};

const RESTORE: &str = "vault-restore-session";
const SESSION: &str = "demo-backup-1700000001";
const NEXT: &str = "demo-backup-1700000002";

const CLAIM: Resource = Resource { root: "/api/v1", plural: "persistentvolumeclaims" };

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "mistaken: a restore that is made again restores again", restored_again),
        trial(
            world,
            "mistaken: a session made again gets Job, plan and volume of its own",
            made_again,
        ),
        trial(
            world,
            "mistaken: sessions whose names differ in a dot do not share a Job",
            differs_in_a_dot,
        ),
        trial_alone(
            world,
            "mistaken: a session ended while its Job is made stays ended",
            |world| instead_of_the_one(world, stays_ended),
        ),
    ]
}

fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// The uid of the one that controls an object.
fn owner(object: &Value) -> &str {
    text(object, "/metadata/ownerReferences/0/uid")
}

fn restore_job(session: &str) -> String {
    format!("stash-restore-{session}-0")
}

/// Deletes a RestoreSession and leaves what it owned behind, as the garbage collector does for a
/// while.
fn orphan(scene: &Scene<'_>, session: &str) -> Result<()> {
    scene.kubectl(&["delete", "restoresession", session, "--cascade=orphan"])?;
    Ok(())
}

/// Waits for the Job of a session that is controlled by this very session.
fn own_job(scene: &Scene<'_>, job: &str, session: &Value) -> Result<Value> {
    let wanted = uid(session);
    scene.wait("it has a Job of its own", Resource::JOB, job, |job| owner(job) == wanted)
}

fn restored_again(world: &World) -> Result<()> {
    let ground = Ground::new(world, "restored-again")?;
    let scene = &ground.scene;
    let vault = ground.vault("vault")?;
    ground.bind("vault", &vault)?;
    vault.put("backed up")?;
    ground.back_up("vault", "first-1700000001")?;
    vault.put("lost once")?;
    let restore = ground.restore(RESTORE, |_| ())?;
    let ran = ground.run(&restore)?;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    ground.ended(RESTORE, "Succeeded")?;
    vault.ensure_holds("backed up")?;

    // As its pod leaves it: complete, with the record of a success.
    let name = restore_job(RESTORE);
    pod_ends(scene, &name, 0, "Completed", &ran.left.to_string())?;
    let old = scene.wait("the Job is complete", Resource::JOB, &name, |job| {
        let conditions = job["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        conditions.any(|found| found["type"] == "Complete" && found["status"] == "True")
    })?;
    orphan(scene, RESTORE)?;
    let left = scene.object(Resource::JOB, &name)?;
    ensure!(uid(&left) == uid(&old), "the old Job is not there any more");

    vault.put("lost twice")?;
    scene.apply(&restore)?;
    let again = scene.object(Resource::RESTORE_SESSION, RESTORE)?;
    let job = own_job(scene, &name, &again)?;
    ensure!(uid(&job) != uid(&old), "the Job is the old one");
    let now = scene.wait("it runs", Resource::RESTORE_SESSION, RESTORE, |restore| {
        !matches!(conditions::phase(restore), "" | "Pending")
    })?;
    ensure!(conditions::phase(&now) == "Running", "before its Job ran: {}", now["status"]);
    vault.ensure_holds("lost twice")?;
    let ran = ground.started(RESTORE)?.run()?;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    ground.ended(RESTORE, "Succeeded")?;
    vault.ensure_holds("backed up")
}

fn made_again(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "made-again")?;
    // A backup of the same name, whose plan stays what it is.
    scene.session(RESTORE)?;
    report(&scene, RESTORE, None)?;
    ended(&scene, RESTORE, "Succeeded")?;
    let backup = scene.object(Resource::JOB, &job_of(RESTORE))?;
    let of_backup = scene.object(Resource::CONFIG_MAP, plan_map(&backup)?)?;

    let mut restore = scene.restore()?;
    restore["spec"]["interimVolumeTemplate"] = json!({
        "metadata": {"name": "v1"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let (name, claim) = (restore_job(RESTORE), format!("{RESTORE}-v1"));
    let mut known: Vec<String> = Vec::new();
    for _ in 0..2 {
        scene.apply(&restore)?;
        let session = scene.object(Resource::RESTORE_SESSION, RESTORE)?;
        let job = own_job(&scene, &name, &session)?;
        let map = scene.object(Resource::CONFIG_MAP, plan_map(&job)?)?;
        let claim = scene.object(CLAIM, &claim)?;
        for object in [&job, &map, &claim] {
            ensure!(owner(object) == uid(&session), "of another one: {}", object["metadata"]);
            ensure!(object["metadata"]["deletionTimestamp"].is_null(), "it goes: {object}");
            ensure!(!known.contains(&uid(object).to_owned()), "of the earlier one: {object}");
            known.push(uid(object).to_owned());
        }
        scene.wait("it runs", Resource::RESTORE_SESSION, RESTORE, |restore| {
            conditions::phase(restore) == "Running"
        })?;
        orphan(&scene, RESTORE)?;
        ensure!(uid(&scene.object(Resource::JOB, &name)?) == uid(&job), "the Job is gone");
    }
    let still = scene.object(Resource::CONFIG_MAP, text(&of_backup, "/metadata/name"))?;
    ensure!(
        uid(&still) == uid(&of_backup) && still["data"] == of_backup["data"],
        "the plan of the backup is another one: {still}"
    );
    Ok(())
}

fn differs_in_a_dot(world: &World) -> Result<()> {
    let scene = Scene::new(world, "dot")?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    for name in ["one", "two"] {
        let mut binding = scene.app_binding()?;
        binding["metadata"]["name"] = json!(name);
        let mut backup = scene.backup()?;
        backup["metadata"]["name"] = json!(name);
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        backup["spec"]["target"]["ref"]["name"] = json!(name);
        scene.apply(&binding)?;
        scene.apply(&backup)?;
        scene.wait_for_phase(name, "Ready")?;
    }
    let (dot, dash) = ("backup.1", "backup-1");
    let job = job_of(dash);
    let first = acted::session(&scene, dot, "one", &json!({}))?;
    running(&scene, dot)?;
    own_job(&scene, &job, &first)?;
    let second = acted::session(&scene, dash, "two", &json!({}))?;
    scene.wait("it was looked at", Resource::BACKUP_SESSION, dash, |session| {
        session["metadata"]["ownerReferences"].is_array()
    })?;
    report(&scene, dot, None)?;
    ended(&scene, dot, "Succeeded")?;
    let waits = scene.object(Resource::BACKUP_SESSION, dash)?;
    ensure!(matches!(conditions::phase(&waits), "" | "Pending"), "{}", waits["status"]);
    own_job(&scene, &job, &first)?;
    scene.client().delete(Resource::BACKUP_SESSION, &scene.namespace, dot)?;
    own_job(&scene, &job, &second)?;
    succeed_of(&scene, dash)
}

fn succeed_of(scene: &Scene<'_>, session: &str) -> Result<()> {
    report(scene, session, None)?;
    ended(scene, session, "Succeeded")?;
    Ok(())
}

/// The operator has made the Job and is about to say that the session runs; somebody ends it
/// just then.
fn stays_ended(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "stays-ended")?;
    scene.apply_guide()?;
    let patch = json!({"spec": {"schedule": "0 0 1 1 *", "backupHistoryLimit": 5}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    let proxy = ApiProxy::start(scene.plane, "stays-ended")?;
    let folder = scene.plane.files().folder.join("operator-of-stays-ended");
    let image = format!("--image={}", stage::IMAGE);
    let arguments = [image.as_str(), "--pod-name=stays-ended"];
    let mut operator = Operator::start_unready(&folder, proxy.kubeconfig(), &arguments)?;
    operator.wait_until_ready()?;
    let done = (|| {
        scene.wait_for_phase(BACKUP, "Ready")?;
        proxy.expect("PUT", format!("/backupsessions/{SESSION}/status"), Fault::Hold);
        scene.session(SESSION)?;
        proxy.wait_until_held()?;
        let forged = json!({"status": {"phase": "Failed"}});
        scene.client().patch_status(
            Resource::BACKUP_SESSION,
            &scene.namespace,
            SESSION,
            &forged,
        )?;
        scene.object(Resource::JOB, &job_of(SESSION))?;
        proxy.release();
        proxy.wait_until_met()?;
        // The next one does not find it running.
        succeed(&scene, NEXT)?;
        let first = scene.object(Resource::BACKUP_SESSION, SESSION)?;
        let status = &first["status"];
        ensure!(
            conditions::phase(&first) == "Failed" && status["sessionDeadline"].is_null(),
            "it was begun: {status}"
        );
        Ok(())
    })();
    done.with_context(|| operator.log_tail())
}
