//! J: what goes when an object goes, and what stays.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::json;

use crate::intruders::apart;
use crate::scene::{BACKUP, CRON_JOB, REPOSITORY, Scene};
use crate::world::{World, text, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "J01: a deleted BackupConfiguration takes all it made along", deleted),
        trial(world, "J02: it goes while a session of it has not ended", deleted_while_running),
        trial(
            world,
            "J: a deleted RestoreSession takes its rights at a Repository along",
            restore_goes,
        ),
        trial(world, "J03: a namespace with everything in it goes", namespace_goes),
    ]
}

fn deleted(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "J01")?;
    has_reference(&scene, true)?;
    scene.kubectl(&["delete", "bc", BACKUP, "--wait=false"])?;
    gone(&scene)
}

fn deleted_while_running(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "J02")?;
    let (session, job) = ("demo-backup-1700000000", "stash-backup-demo-backup-1700000000-0");
    scene.session(session)?;
    scene.wait("the Job exists", Resource::JOB, job, |_| true)?;
    scene.kubectl(&["delete", "bc", BACKUP, "--wait=false"])?;
    gone(&scene)?;
    let client = scene.client();
    client.wait_until_gone(&Resource::BACKUP_SESSION.path(&scene.namespace, session))?;
    client.wait_until_gone(&Resource::JOB.path(&scene.namespace, job))
}

fn restore_goes(world: &World) -> Result<()> {
    let (storage, scene) = apart(world, "J-restore", "All")?;
    let mut restore = scene.restore()?;
    restore["spec"]["repository"]["namespace"] = json!(storage.namespace);
    scene.apply(&restore)?;
    let name = text(&restore, "/metadata/name");
    scene.wait("the Job exists", Resource::JOB, &format!("stash-restore-{name}-0"), |_| true)?;
    let rights = format!("{}-restoresession-{name}-0", scene.namespace);
    for resource in [Resource::ROLE, Resource::ROLE_BINDING] {
        let found = storage.client().names(resource, &storage.namespace)?;
        ensure!(found.contains(&rights), "{found:?} has no {rights}");
    }
    scene.kubectl(&["delete", "restoresession", name, "--wait=false"])?;
    for resource in [Resource::ROLE, Resource::ROLE_BINDING] {
        storage.client().wait_until_gone(&resource.path(&storage.namespace, &rights))?;
    }
    let restore = Resource::RESTORE_SESSION.path(&scene.namespace, name);
    scene.client().wait_until_gone(&restore)
}

fn gone(scene: &Scene<'_>) -> Result<()> {
    for (resource, name) in [
        (Resource::BACKUP_CONFIGURATION, BACKUP),
        (Resource::CRON_JOB, CRON_JOB),
        (Resource::SERVICE_ACCOUNT, CRON_JOB),
        (Resource::ROLE_BINDING, CRON_JOB),
    ] {
        scene.client().wait_until_gone(&resource.path(&scene.namespace, name))?;
    }
    has_reference(scene, false)
}

fn has_reference(scene: &Scene<'_>, wanted: bool) -> Result<()> {
    let what = "the Repository's references are right";
    scene.wait(what, Resource::REPOSITORY, REPOSITORY, |repository| {
        let references = repository["status"]["references"].as_array();
        references.is_some_and(|all| !all.is_empty()) == wanted
    })?;
    Ok(())
}

fn namespace_goes(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "J03")?;
    scene.apply(&scene.restore()?)?;
    let job = "stash-restore-vault-restore-session-0";
    scene.wait("the Job exists", Resource::JOB, job, |_| true)?;
    scene.program().succeed(&["delete", "namespace", &scene.namespace, "--wait=false"])?;
    scene.client().wait_until_gone(&format!("/api/v1/namespaces/{}", scene.namespace))
}
