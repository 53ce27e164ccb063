//! What a Job left as its termination message when it could not write the session's status.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::acted::{ended, job_of, pod_ends, running};
use crate::conditions;
use crate::scene::Scene;
use crate::world::{World, text, trial};

const SESSION: &str = "demo-backup-1700000001";
const NEXT: &str = "demo-backup-1700000002";
const RESTORE: &str = "vault-restore-session";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(
        world,
        "fault: what failed after a safe snapshot fails a session whose status was not written",
        safe_and_failed,
    )]
}

/// The record of a Job whose data is safe and that failed afterwards.
fn record(reason: &str, message: &str, integrity: f64) -> String {
    json!({"version": "sealift.outcome/v1", "ending": "SnapshotSafe", "reason": reason,
        "message": message, "snapshot": "0123456789abcdef", "startedSeconds": 1_700_000_001,
        "finishedSeconds": 1_700_000_009, "observed": false, "statusWritten": false,
        "statistics": {"duration-seconds": 8.0, "repository-integrity": integrity}})
    .to_string()
}

/// A session whose Job ends with this record; as it stands then.
fn ends_with(scene: &Scene<'_>, session: &str, record: &str) -> Result<Value> {
    scene.session(session)?;
    running(scene, session)?;
    pod_ends(scene, &job_of(session), 1, "Error", record)?;
    let ended = ended(scene, session, "Failed")?;
    let host = &ended["status"]["targets"][0]["stats"][0];
    ensure!(text(host, "/snapshots/0/name") == "01234567", "{}", ended["status"]);
    Ok(ended)
}

fn safe_and_failed(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "last-words")?;
    let why = "the snapshot is safe, but the check found 1 errors, first: a pack is missing";
    let session = ends_with(&scene, SESSION, &record("MaintenanceFailed", why, 0.0))?;
    ensure!(
        conditions::of(&session, "RepositoryIntegrityVerified")
            == "False FailedToVerifyRepositoryIntegrity"
            && conditions::message(&session, "RepositoryIntegrityVerified").contains(why),
        "{}",
        session["status"]
    );
    let events = Resource::EVENT.list(&scene.namespace);
    scene.client().wait("an Event says so", &events, |list| {
        let mut events = list?["items"].as_array()?.iter();
        let says = |event: &&Value| {
            event["involvedObject"]["name"] == SESSION
                && event["reason"] == "FailedToVerifyRepositoryIntegrity"
        };
        events.any(|event| says(&event)).then_some(())
    })?;

    let why = "the work is done and stays, but the postBackup hook failed: it answered 500";
    let session = ends_with(&scene, NEXT, &record("HookFailed", why, 1.0))?;
    let target = &session["status"]["targets"][0];
    ensure!(
        target["phase"] == "Failed"
            && conditions::at(
                &session,
                "/status/targets/0/conditions",
                "PostBackupHookExecutionSucceeded"
            ) == "False FailedToExecutePostBackupHook",
        "{}",
        session["status"]
    );

    scene.apply(&scene.restore()?)?;
    let phase_is = |phase: &'static str| move |restore: &Value| conditions::phase(restore) == phase;
    let kind = Resource::RESTORE_SESSION;
    scene.wait("the restore runs", kind, RESTORE, phase_is("Running"))?;
    let why = "the work is done and stays, but the postRestore hook failed: it answered 500";
    let job = format!("stash-restore-{RESTORE}-0");
    pod_ends(&scene, &job, 1, "Error", &record("HookFailed", why, 1.0))?;
    let restore = scene.wait("the restore has failed", kind, RESTORE, phase_is("Failed"))?;
    ensure!(text(&restore, "/status/stats/0/error") == why, "{}", restore["status"]);
    Ok(())
}
