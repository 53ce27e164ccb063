//! J: what goes when an object goes, and what stays.

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::Trial;
use sealift_cluster::Resource;

use crate::scene::{BACKUP, CRON_JOB, REPOSITORY, Scene};
use crate::world::{World, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "J01: a deleted BackupConfiguration takes all it made along", deleted),
        trial(world, "J02: it goes while a session of it has not ended", deleted_while_running),
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
