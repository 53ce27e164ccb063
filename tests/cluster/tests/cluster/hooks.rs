//! L on a node: hooks that run commands in Vault's pod and tell a server what happened.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_cluster::namespaces::NODE_ADDRESS;
use sealift_cluster::workloads::vault;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::conditions;
use crate::receiver::receiver;
use crate::scene::{BACKUP, Scene};
use crate::stage;
use crate::world::{World, trial};

const BEFORE: &str = "PreBackupHookExecutionSucceeded";
const AFTER: &str = "PostBackupHookExecutionSucceeded";

/// What every run shows.
pub fn first(world: &Arc<World>) -> Trial {
    trial(world, "L01: a command that fails in Vault's pod ends the session", command_fails)
}

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "L02: a hook after the backup is called as its policy says", policies),
        trial(world, "L03: a command that never ends is given up at the deadline", endless),
    ]
}

/// The guide on a Vault of its own: a hook may only look for pods in the session's namespace.
fn ready<'a>(world: &'a World, number: &str, change: impl FnOnce(&mut Value)) -> Result<Scene<'a>> {
    let backing = world.backing()?;
    let scene = Scene::new(world, number)?;
    let vault = vault::start(scene.plane, world.node()?, &scene.namespace, 1)?;
    stage::apply(&scene, &vault, &backing.storage, &scene.app_binding()?)?;
    let mut backup = scene.backup()?;
    backup["spec"]["schedule"] = json!("0 0 1 1 *");
    backup["spec"]["backupHistoryLimit"] = json!(9);
    change(&mut backup["spec"]);
    scene.apply(&backup)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(scene)
}

/// The status of a session of this number, once it has ended.
fn ended(scene: &Scene<'_>, number: u32) -> Result<Value> {
    let name = format!("demo-backup-{}", 1_700_000_000 + number);
    scene.session(&name)?;
    Ok(stage::follow(scene, Resource::BACKUP_SESSION, &name)?.0)
}

fn of_target(session: &Value, kind: &str) -> String {
    conditions::at(session, "/status/targets/0/conditions", kind)
}

fn has_snapshot(session: &Value) -> bool {
    session.pointer("/status/targets/0/stats/0/snapshots/0/name").is_some()
}

fn command_fails(world: &World) -> Result<()> {
    let scene = ready(world, "L01-pod", |spec| {
        spec["hooks"] = json!({
            "preBackup": {"exec": {"command": ["vault", "no-such-command"]}},
            "postBackup": {"exec": {"command": ["vault", "version"]}},
        });
    })?;
    let session = ended(&scene, 0)?;
    let status = &session["status"];
    ensure!(conditions::phase(&session) == "Failed" && !has_snapshot(&session), "{status}");
    ensure!(of_target(&session, BEFORE) == "False FailedToExecutePreBackupHook", "{status}");
    ensure!(of_target(&session, AFTER).is_empty(), "postBackup was run: {status}");
    ensure!(status.to_string().contains("exit code 127"), "{status}");
    Ok(())
}

fn policies(world: &World) -> Result<()> {
    let (port, received) = receiver(NODE_ADDRESS, "200 OK")?;
    let (refusing, refused) = receiver(NODE_ADDRESS, "500 No")?;
    let post = |port: u16, policy: &str| {
        json!({
            "preBackup": {"exec": {"command": ["vault", "version"]}, "containerName": "vault"},
            "postBackup": {"executionPolicy": policy, "httpPost": {
                "host": NODE_ADDRESS, "port": port, "scheme": "HTTP", "path": "/done",
                "body": "{{ .Target.Name }} {{ .Status.Phase }} {{ .RetryLeft }}.",
            }},
        })
    };
    let scene = ready(world, "L02", |spec| spec["hooks"] = post(port, "Always"))?;
    let rows = [
        (port, "Always", Some("vault Succeeded 0."), "True SuccessfullyExecutedPostBackupHook"),
        (port, "OnSuccess", Some("vault Succeeded 0."), "True SuccessfullyExecutedPostBackupHook"),
        (port, "OnFailure", None, "True SuccessfullyExecutedPostBackupHook"),
        (port, "OnFinalRetryFailure", None, "True SuccessfullyExecutedPostBackupHook"),
        (refusing, "Always", Some("vault Succeeded 0."), "False FailedToExecutePostBackupHook"),
    ];
    for (number, (port, policy, wanted, condition)) in (0..).zip(rows) {
        let patch = json!({"spec": {"hooks": post(port, policy)}});
        scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
        scene.wait("the edit is observed", Resource::BACKUP_CONFIGURATION, BACKUP, |backup| {
            backup["status"]["observedGeneration"] == backup["metadata"]["generation"]
                && conditions::phase(backup) == "Ready"
        })?;
        let session = ended(&scene, number)?;
        let status = &session["status"];
        ensure!(
            of_target(&session, BEFORE) == "True SuccessfullyExecutedPreBackupHook",
            "{status}"
        );
        ensure!(of_target(&session, AFTER) == condition, "{policy}: {status}");
        ensure!(has_snapshot(&session), "{policy}: {status}");
        let phase = if condition.starts_with("True") { "Succeeded" } else { "Failed" };
        ensure!(conditions::phase(&session) == phase, "{policy}: {status}");
        let receiver = if port == refusing { &refused } else { &received };
        match wanted {
            Some(wanted) => {
                let body = receiver.recv_timeout(PATIENCE).context("nobody called")?;
                ensure!(body == wanted, "{policy}: {body}");
            }
            None => ensure!(receiver.try_recv().is_err(), "{policy}: somebody called"),
        }
    }
    Ok(())
}

fn endless(world: &World) -> Result<()> {
    let scene = ready(world, "L03", |spec| {
        spec["timeOut"] = json!("60s");
        spec["hooks"] = json!({"preBackup": {"exec": {"command": [
            "vault", "server", "-dev", "-dev-no-store-token", "-dev-listen-address=127.0.0.1:18200",
        ]}}});
    })?;
    let name = "demo-backup-1700000000";
    scene.session(name)?;
    let answers = || {
        let ask = ["vault", "status", "-address=http://127.0.0.1:18200"];
        let exec = ["-n", &scene.namespace, "exec", "vault-0", "-c", "vault", "--"];
        scene.program().run(&[exec.as_slice(), &ask].concat())
    };
    wait::until("the command runs in Vault's pod", PATIENCE, || {
        Ok((answers()?.code == Some(0)).then_some(()))
    })?;
    let (session, _) = stage::follow(&scene, Resource::BACKUP_SESSION, name)?;
    // The command itself may go on: Kubernetes knows no way to end it.
    let status = &session["status"];
    ensure!(conditions::phase(&session) == "Failed" && !has_snapshot(&session), "{status}");
    Ok(())
}
