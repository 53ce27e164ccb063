//! M: what a Stash of today leaves for a BackupConfiguration under the very names that ours have:
//! CronJob, ServiceAccounts, and RoleBindings to ClusterRoles that go with Stash.

use std::process::Command;
use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_e2e::binaries;
use serde_json::{Value, json};

use crate::acted::{ended, job_of};
use crate::conditions;
use crate::ground::Ground;
use crate::process::{Prepared, kubeconfig};
use crate::scene::{BACKUP, CRON_JOB, REPOSITORY, Scene, VAULT};
use crate::stage;
use crate::world::{World, text, trial};

/// The ServiceAccount of the backups, and its RoleBinding.
const ACCOUNT: &str = "backupconfiguration-demo-backup-0";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "M01: names that Stash and Sealift share are taken over, rights included",
            shared_names,
        ),
        trial(world, "M01: a RoleBinding of somebody else is left alone", of_somebody_else),
    ]
}

/// A RoleBinding to a ClusterRole of Stash.
fn binding(scene: &Scene<'_>, meta: &Value, role: &str) -> Result<()> {
    scene.apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": meta["name"],
            "namespace": scene.namespace}]}))
}

/// What the operator of Stash made for this BackupConfiguration.
fn leave(scene: &Scene<'_>, backup: &Value) -> Result<()> {
    let meta = |name: &str| {
        json!({"name": name, "labels": {"app.kubernetes.io/managed-by": "stash.appscode.com"},
            "ownerReferences": [{"apiVersion": "stash.appscode.com/v1beta1", "controller": true,
                "blockOwnerDeletion": true, "kind": "BackupConfiguration", "name": BACKUP,
                "uid": backup["metadata"]["uid"]}]})
    };
    for (name, role) in [(CRON_JOB, "stash-cron-job"), (ACCOUNT, "stash-backup-job")] {
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta(name)});
        scene.apply(&account)?;
        binding(scene, &meta(name), role)?;
    }
    let container = json!({"name": "stash-trigger", "image": "appscode/stash",
        "args": ["create-backupsession", "--invoker-name=demo-backup"]});
    let pod = json!({"spec": {"restartPolicy": "Never", "serviceAccountName": CRON_JOB,
        "containers": [container]}});
    scene.apply(&json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta(CRON_JOB),
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": pod}}}}))
}

/// A BackupConfiguration for which nothing is made, as its Repository is not there.
fn not_ready(scene: &Scene<'_>) -> Result<Value> {
    let mut backup = scene.backup()?;
    backup["spec"]["schedule"] = json!("0 0 1 1 *");
    backup["spec"]["repository"]["name"] = json!("not-yet");
    scene.apply(&backup)?;
    scene.wait_for_phase(BACKUP, "NotReady")
}

fn names_its_repository(scene: &Scene<'_>) -> Result<()> {
    let patch = json!({"spec": {"repository": {"name": REPOSITORY}}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    Ok(())
}

fn shared_names(world: &World) -> Result<()> {
    let ground = Ground::new(world, "M01-shared")?;
    let scene = &ground.scene;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    leave(scene, &not_ready(scene)?)?;
    names_its_repository(scene)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    let job = scene.object(Resource::CRON_JOB, CRON_JOB)?;
    let containers = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"];
    ensure!(
        containers.as_array().is_some_and(|all| all.len() == 1)
            && containers[0]["image"] == stage::IMAGE,
        "{containers}"
    );

    // The trigger and the backup have their rights, and no others.
    let output = Command::new(binaries::sealift()?)
        .args(["create-backupsession", "--invoker-name=demo-backup"])
        .args(["--invoker-kind=BackupConfiguration", "--output=json"])
        .env("KUBECONFIG", kubeconfig(scene, CRON_JOB)?)
        .env("POD_NAMESPACE", &scene.namespace)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout)?;
    let session = text(&made, "/name");
    let ran = Prepared::of(scene, &job_of(session))?.run()?;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    ended(scene, session, "Succeeded")?;
    for name in [CRON_JOB, ACCOUNT] {
        let binding = scene.object(Resource::ROLE_BINDING, name)?;
        ensure!(
            binding["roleRef"]["kind"] == "Role" && binding["roleRef"]["name"] == name,
            "{binding}"
        );
    }
    Ok(())
}

fn of_somebody_else(world: &World) -> Result<()> {
    let scene = Scene::new(world, "M01-somebody")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    not_ready(&scene)?;
    // One that is watched, since it has the labels of all that Stash ever made.
    let labels = json!({"app.kubernetes.io/managed-by": "stash.appscode.com"});
    binding(&scene, &json!({"name": CRON_JOB, "labels": labels}), "of-somebody-else")?;
    let before = scene.object(Resource::ROLE_BINDING, CRON_JOB)?;
    names_its_repository(&scene)?;
    let backup = scene.wait_for_condition("CronJobCreated", "False CronJobCreationFailed")?;
    let message = conditions::message(&backup, "CronJobCreated");
    ensure!(message.contains(CRON_JOB), "message: {message}");
    let after = scene.object(Resource::ROLE_BINDING, CRON_JOB)?;
    ensure!(after == before, "it was {before} and is {after}");
    Ok(())
}
