//! What breaks around the operator, without pods: it goes on, and loses nothing.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::json;

use crate::conditions;
use crate::scene::{BACKUP, CRON_JOB, Scene};
use crate::world::{World, trial, trial_alone};

const SESSION: &str = "demo-backup-1700000000";
const JOB: &str = "stash-backup-demo-backup-1700000000-0";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(
            world,
            "fault: the API server dies, and what is edited next is followed",
            api_server,
        ),
        trial_alone(
            world,
            "fault: sessions made while no operator runs get one Job each",
            operator_away,
        ),
        trial(world, "fault: a value nobody can read is named, and others go on", unreadable),
        trial(world, "fault: a Job deleted under its session ends the session", job_deleted),
    ]
}

fn api_server(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-api")?;
    scene.plane.restart_api_server()?;
    let patch = json!({"spec": {"schedule": "0 4 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 4 * * *"
    })?;
    let other = Scene::ready(world, "fault-api-new")?;
    ensure!(other.client().names(Resource::CRON_JOB, &other.namespace)? == [CRON_JOB]);
    Ok(())
}

fn operator_away(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-away")?;
    world.operator()?.kill()?;
    scene.session(SESSION)?;
    world.operator()?.restart()?;
    let job = scene.wait("the Job exists", Resource::JOB, JOB, |_| true)?;
    for _ in 0..3 {
        world.operator()?.restart()?;
    }
    // The last operator has looked at everything once it has done this.
    let patch = json!({"spec": {"schedule": "0 5 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 5 * * *"
    })?;
    let mut jobs = scene.client().list(Resource::JOB, &scene.namespace)?;
    // The CronJob may have been due meanwhile and has Jobs of its own.
    jobs.retain(|job| job["metadata"]["ownerReferences"][0]["name"] == SESSION);
    ensure!(
        jobs.len() == 1 && jobs[0]["metadata"]["uid"] == job["metadata"]["uid"],
        "the session has {} Jobs",
        jobs.len()
    );
    Ok(())
}

fn unreadable(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-text")?;
    let mut backup = scene.backup()?;
    backup["metadata"]["name"] = json!("strange");
    backup["spec"]["timeOut"] = json!("two moons");
    let said = scene.program().run_with(&["apply", "-f", "-"], Some(&backup.to_string()))?;
    if said.code == Some(0) {
        let strange = scene.wait_for_phase("strange", "Invalid")?;
        let message = conditions::message(&strange, "ValidationPassed");
        ensure!(message.contains("two moons"), "message: {message}");
    } else {
        // The API server's own refusal names it as well.
        ensure!(said.stderr.contains("timeOut"), "{}", said.text());
    }
    let patch = json!({"spec": {"schedule": "0 6 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 6 * * *"
    })?;
    Ok(())
}

/// The row E03 of the list, as far as no pod must run.
fn job_deleted(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-job")?;
    scene.session(SESSION)?;
    scene.wait("the Job exists", Resource::JOB, JOB, |_| true)?;
    scene.kubectl(&["delete", "job", JOB, "--wait=false"])?;
    let session = scene.wait("the session ends", Resource::BACKUP_SESSION, SESSION, |session| {
        conditions::phase(session) == "Failed"
    })?;
    ensure!(session["status"].to_string().contains(JOB), "status: {}", session["status"]);
    Ok(())
}
