//! E on a node: what a session says when its pod, its Vault or its operator goes away, and that
//! the next session succeeds.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::conditions;
use crate::node_faults::{Gate, waiting};
use crate::scene::{BACKUP, Scene};
use crate::stage;
use crate::world::{World, text, trial, trial_alone};

const FIRST: &str = "demo-backup-1700000000";
const SECOND: &str = "demo-backup-1700000300";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "E03: a pod killed for its memory ends the session with that word",
            out_of_memory,
        ),
        trial(world, "E03: a pod deleted by force ends the session", pod_deleted),
        trial(world, "E03: a pod that finds no node ends the session at its deadline", no_node),
        trial(world, "E04: a session past its deadline has failed and says so", deadline),
        trial(world, "E12: another password for an existing repository is refused", other_password),
        trial_alone(
            world,
            "E14: an operator killed while a session runs changes nothing",
            operator_killed,
        ),
    ]
}

/// Makes a session and waits for its end.
fn session(scene: &Scene<'_>, name: &str) -> Result<Value> {
    scene.session(name)?;
    Ok(stage::follow(scene, Resource::BACKUP_SESSION, name)?.0)
}

/// Makes a session and waits until its pod is there.
fn pod_of(scene: &Scene<'_>, name: &str) -> Result<String> {
    scene.session(name)?;
    let job = format!("stash-backup-{name}-0");
    let path = format!("{}?labelSelector=job-name={job}", Resource::POD.list(&scene.namespace));
    scene.client().wait("the Job's pod exists", &path, |pods| {
        Some(pods?.pointer("/items/0/metadata/name")?.as_str()?.to_owned())
    })
}

fn failed(session: &Value, word: &str) -> Result<()> {
    ensure!(conditions::phase(session) == "Failed", "status: {}", session["status"]);
    let status = session["status"].to_string();
    ensure!(status.contains(word), "the status does not say {word}: {status}");
    Ok(())
}

fn next_succeeds(scene: &Scene<'_>) -> Result<()> {
    let next = session(scene, SECOND)?;
    ensure!(conditions::phase(&next) == "Succeeded", "the next session: {}", next["status"]);
    Ok(())
}

fn out_of_memory(world: &World) -> Result<()> {
    let limited = json!({"resources": {"limits": {"memory": "16Mi"}}});
    let scene = stage::ready(world, "E03-oom", |backup| {
        backup["spec"]["runtimeSettings"]["container"] = limited;
    })?;
    failed(&session(&scene, FIRST)?, "OOMKilled")?;
    let patch = json!({"spec": {"runtimeSettings": {"container": {"resources": null}}}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    next_succeeds(&scene)
}

fn pod_deleted(world: &World) -> Result<()> {
    let gate = Gate::open()?;
    let (scene, held) = waiting(world, "E03-pod", &gate)?;
    let pods = scene.client().names(Resource::POD, &scene.namespace)?;
    let pod = pods.iter().find(|pod| pod.starts_with("stash-backup-")).context("no pod")?;
    scene.kubectl(&["delete", "pod", pod, "--force", "--grace-period=0"])?;
    drop(held);
    let (ended, _) = stage::follow(&scene, Resource::BACKUP_SESSION, FIRST)?;
    failed(&ended, "pod")?;
    drop(gate);
    let free = json!({"spec": {"hooks": null}});
    scene.edit(&free)?;
    next_succeeds(&scene)
}

fn no_node(world: &World) -> Result<()> {
    let scene = stage::ready(world, "E03-image", |backup| {
        backup["spec"]["timeOut"] = json!("10s");
        backup["spec"]["runtimeSettings"]["pod"] = json!({"nodeSelector": {"no": "such-node"}});
    })?;
    let ended = session(&scene, FIRST)?;
    failed(&ended, "Failed to complete backup within 10s.")?;
    let patch = json!({"spec": {"timeOut": "2h", "runtimeSettings": {"pod": null}}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    next_succeeds(&scene)
}

fn deadline(world: &World) -> Result<()> {
    // Nothing listens there, and the Function waits for it longer than the session may last.
    let scene = stage::ready(world, "E04", |backup| backup["spec"]["timeOut"] = json!("10s"))?;
    let mut binding = scene.app_binding()?;
    binding["spec"]["clientConfig"] = json!({"url": "http://10.243.0.1:9"});
    scene.client().delete(Resource::APP_BINDING, &scene.namespace, "vault")?;
    scene.apply(&binding)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    let ended = session(&scene, FIRST)?;
    failed(&ended, "Failed to complete backup within 10s.")?;
    let found = conditions::of(&ended, "DeadlineExceeded");
    ensure!(found == "True FailedToCompleteWithinDeadline", "DeadlineExceeded: {found}");
    ensure!(!text(&ended, "/status/sessionDeadline").is_empty(), "status: {}", ended["status"]);
    // E05: nothing of it goes on.
    let job = Resource::JOB.path(&scene.namespace, &format!("stash-backup-{FIRST}-0"));
    scene.client().wait("the Job has no running pod", &job, |job| {
        let active = job.map_or(0, |job| job["status"]["active"].as_i64().unwrap_or(0));
        (active == 0).then_some(())
    })
}

fn other_password(world: &World) -> Result<()> {
    let scene = stage::ready(world, "E12", |_| ())?;
    let first = session(&scene, FIRST)?;
    ensure!(conditions::phase(&first) == "Succeeded", "the first session: {}", first["status"]);
    let patch = json!({"stringData": {"RESTIC_PASSWORD": "another password"}});
    let name = crate::scene::STORAGE_SECRET;
    scene.client().patch(Resource::SECRET, &scene.namespace, name, &patch)?;
    failed(&session(&scene, SECOND)?, name)
}

fn operator_killed(world: &World) -> Result<()> {
    let scene = stage::ready(world, "E14", |_| ())?;
    pod_of(&scene, FIRST)?;
    world.operator()?.restart()?;
    let (ended, _) = stage::follow(&scene, Resource::BACKUP_SESSION, FIRST)?;
    ensure!(conditions::phase(&ended) == "Succeeded", "status: {}", ended["status"]);
    let mut jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    // The CronJob may have been due meanwhile.
    jobs.retain(|job| !job.starts_with("stash-trigger-"));
    ensure!(jobs == [format!("stash-backup-{FIRST}-0")], "Jobs: {jobs:?}");
    next_succeeds(&scene)
}
