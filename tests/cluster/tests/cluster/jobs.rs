//! What `sealift job` and `sealift trigger` do with an API server, as processes of this machine
//! that hold exactly the rights the operator gave to their ServiceAccounts.

use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_e2e::binaries;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::conditions;
use crate::process::{Prepared, kubeconfig};
use crate::scene::{BACKUP, CRON_JOB, REPOSITORY, Scene};
use crate::world::{World, text, trial};

const SESSION: &str = "demo-backup-1700000000";
const JOB: &str = "stash-backup-demo-backup-1700000000-0";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "C01: the CronJob's command makes a session with its own rights", trigger),
        trial(world, "E01: a Job that cannot reach Vault says so everywhere", vault_is_away),
        trial(world, "L01: a failing preBackup hook ends the session before anything", hook_fails),
        trial(world, "a Job whose plan was changed touches nothing", plan_changed),
        trial(world, "a Job whose AppBinding was changed says that its plan is outdated", outdated),
    ]
}

/// A session whose Job is ready to be run.
fn prepared(scene: &Scene<'_>) -> Result<Prepared> {
    scene.session(SESSION)?;
    Prepared::of(scene, JOB)
}

/// The guide with a repository in a folder of this machine and a Vault that nobody serves.
fn ready<'a>(world: &'a World, number: &str, folder: &TempDir) -> Result<Scene<'a>> {
    let scene = Scene::new(world, number)?;
    let mut backup = scene.backup()?;
    backup["spec"]["task"] = json!({
        "name": "vault-backup-1.10.3", "params": [{"name": "waitTimeout", "value": "1"}],
    });
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.local_repository(&folder.path().join("repository"))?)?;
    scene.apply(&backup)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(scene)
}

fn trigger(world: &World) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = ready(world, "C01", &folder)?;
    let kubeconfig = kubeconfig(&scene, CRON_JOB)?;
    let output = Command::new(binaries::sealift()?)
        .args(["create-backupsession", "--invoker-name=demo-backup"])
        .args(["--invoker-kind=BackupConfiguration", "--output=json"])
        .env("KUBECONFIG", &kubeconfig)
        .env("POD_NAMESPACE", &scene.namespace)
        .output()?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{log}");
    let made: Value = serde_json::from_slice(&output.stdout)?;
    let name = text(&made, "/name");
    let seconds = name.strip_prefix("demo-backup-").unwrap_or_default();
    ensure!(seconds.len() == 10 && seconds.parse::<u64>().is_ok(), "name: {name}");
    let session = scene.object(Resource::BACKUP_SESSION, name)?;
    ensure!(
        session["spec"]["invoker"]
            == json!({"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": BACKUP}),
        "invoker: {}",
        session["spec"]
    );
    let owner = &session["metadata"]["ownerReferences"][0];
    let backup = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    ensure!(owner["uid"] == backup["metadata"]["uid"], "owner: {owner}");
    Ok(())
}

/// The phase and what stands in the status of the one target.
fn target(scene: &Scene<'_>) -> Result<Value> {
    let session = scene.object(Resource::BACKUP_SESSION, SESSION)?;
    Ok(session["status"]["targets"][0].clone())
}

fn condition_of<'a>(conditions: &'a Value, kind: &str) -> &'a Value {
    let all = conditions.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|condition| condition["type"] == kind).unwrap_or(&Value::Null)
}

fn reasons(scene: &Scene<'_>) -> Result<Vec<Value>> {
    let events = scene.client().list(Resource::EVENT, &scene.namespace)?;
    Ok(events
        .into_iter()
        .filter(|event| event["involvedObject"]["name"] == SESSION)
        .filter(|event| event["source"]["component"] == "Status Updater")
        .collect())
}

fn vault_is_away(world: &World) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = ready(world, "E01", &folder)?;
    let ran = prepared(&scene)?.run()?;
    ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
    ensure!(ran.left["ending"] == "Failed" && ran.left["statusWritten"] == true, "{}", ran.left);
    for line in ran.log.lines() {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        ensure!(line["session"] == SESSION, "a line names no session: {line}");
    }
    ensure!(!ran.log.contains("sentinel"), "the log holds a secret");
    ensure!(secrets_asked_for(&scene)? > 0, "the API server's log shows no Secret that was read");

    let target = target(&scene)?;
    ensure!(target["ref"]["kind"] == "AppBinding" && target["totalHosts"] == 1, "{target}");
    ensure!(target["phase"] == "Failed", "{target}");
    ensure!(target["preBackupActions"] == json!(["InitializeBackendRepository"]), "{target}");
    let stats = &target["stats"][0];
    ensure!(stats["hostname"] == "host-0" && stats["phase"] == "Failed", "{stats}");
    ensure!(!text(stats, "/error").is_empty() && !text(stats, "/duration").is_empty(), "{stats}");
    ensure!(
        condition_of(&target["conditions"], "BackupExecutorEnsured")["status"] == "True",
        "what the operator wrote is gone: {target}"
    );
    let events = reasons(&scene)?;
    let failed = events.iter().find(|event| event["reason"] == "Host Backup Failed");
    let failed = failed.with_context(|| format!("events: {events:?}"))?;
    ensure!(
        failed["type"] == "Warning"
            && text(failed, "/message").starts_with(
                "backup failed for host \"host-0\" of \"AppBinding\"/\"vault\". Reason: "
            ),
        "{failed}"
    );
    // The repository was made and is empty, and nobody holds it.
    ensure!(folder.path().join("repository/config").is_file(), "no repository was made");
    let repository = scene.object(Resource::REPOSITORY, REPOSITORY)?;
    ensure!(repository["status"]["lastBackupTime"].is_null(), "{repository}");
    let uid = text(&repository, "/metadata/uid");
    let lease =
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/sealift-{uid}", scene.namespace);
    let lease = scene.client().get(&lease)?.context("the operator made no Lease")?;
    let holders = &lease["metadata"]["annotations"]["sealift.dev/holders"];
    ensure!(*holders == "{}", "the Lease is still held: {lease}");
    scene.wait("the session is Failed", Resource::BACKUP_SESSION, SESSION, |session| {
        conditions::phase(session) == "Failed"
    })?;
    Ok(())
}

fn hook_fails(world: &World) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = ready(world, "L01", &folder)?;
    // A Job never reaches its own loopback.
    let hook = json!({"tcpSocket": {"host": "127.0.0.1", "port": "1"}});
    let patch = json!({"spec": {"hooks": {"preBackup": hook, "postBackup": hook}}});
    scene.edit(&patch)?;
    let ran = prepared(&scene)?.run()?;
    ensure!(ran.left["reason"] == "HookFailed", "{}", ran.left);
    let target = target(&scene)?;
    let before = condition_of(&target["conditions"], "PreBackupHookExecutionSucceeded");
    ensure!(
        before["status"] == "False" && before["reason"] == "FailedToExecutePreBackupHook",
        "{target}"
    );
    let after = condition_of(&target["conditions"], "PostBackupHookExecutionSucceeded");
    ensure!(after.is_null(), "postBackup was run: {target}");
    ensure!(!folder.path().join("repository").is_dir(), "the repository was touched");
    scene.wait("the session is Failed", Resource::BACKUP_SESSION, SESSION, |session| {
        conditions::phase(session) == "Failed"
    })?;
    Ok(())
}

/// How often the Job of the scene's session has asked for a Secret, by the API server's own log.
fn secrets_asked_for(scene: &Scene<'_>) -> Result<usize> {
    let user =
        format!("system:serviceaccount:{}:backupconfiguration-demo-backup-0", scene.namespace);
    let log = scene.plane.audit_log()?;
    Ok(log.of(&user).filter(|request| request.right.resource == "secrets").count())
}

fn plan_changed(world: &World) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = ready(world, "changed-plan", &folder)?;
    let job = prepared(&scene)?;
    let plan = job.plan();
    let text = std::fs::read_to_string(&plan)?.replace("vault-backup-token", "vault-keys");
    std::fs::write(&plan, text)?;
    let ran = job.run()?;
    ensure!(ran.code == Some(2), "{:?}: {}", ran.code, ran.left);
    ensure!(ran.left["ending"] == "Refused" && ran.left["reason"] == "PlanChanged", "{}", ran.left);
    ensure!(target(&scene)?["stats"].is_null(), "the session was written");
    let asked = secrets_asked_for(&scene)?;
    ensure!(asked == 0, "{asked} Secrets were read");
    ensure!(!folder.path().join("repository").is_dir(), "the repository was touched");
    Ok(())
}

fn outdated(world: &World) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let scene = ready(world, "outdated-plan", &folder)?;
    let job = prepared(&scene)?;
    let patch = json!({"spec": {"clientConfig": {"service": {"port": 8201}}}});
    scene.client().patch(Resource::APP_BINDING, &scene.namespace, "vault", &patch)?;
    let ran = job.run()?;
    ensure!(ran.left["reason"] == "PlanOutdated", "{}", ran.left);
    let target = target(&scene)?;
    let error = text(&target, "/stats/0/error");
    ensure!(
        error.contains("metadata.generation is") && error.contains("make the plan again"),
        "{target}"
    );
    ensure!(!folder.path().join("repository").is_dir(), "the repository was touched");
    Ok(())
}
