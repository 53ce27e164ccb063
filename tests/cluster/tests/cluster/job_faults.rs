//! What befalls the Job itself while it runs: its hold of the repository is lost, or it is told to
//! end. It leaves nothing behind that looks like a backup, and nothing that stops the next one.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::acted::running;
use crate::chain::{Chain, Ran, error_of};
use crate::scene::BACKUP;
use crate::world::{World, text, trial, trial_alone};

const SESSION: &str = "demo-backup-1700000001";
const NEXT: &str = "demo-backup-1700000002";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "E02: after a session that failed the next one runs, Vault being back",
            vault_back,
        ),
        trial(world, "fault: a Job whose Lease is deleted ends without a snapshot", lease_deleted),
        trial(world, "fault: a Job whose Lease is taken ends without a snapshot", lease_taken),
        trial(world, "fault: a Job that is told to end says so and holds nothing", terminated),
        trial_alone(
            world,
            "fault: a backup counts although the API server is away when its Job ends",
            server_away,
        ),
        trial(world, "fault: a backup deleted while it runs holds nothing when it ends", deleted),
        trial(
            world,
            "fault: a token that is rotated between sessions is used by the next",
            token_rotated,
        ),
        trial(
            world,
            "fault: a password that is changed fails the next session, and not the repository",
            password_changed,
        ),
    ]
}

/// A session whose Job waits for the Vault's snapshot, `change` then, and what comes of the Job.
fn in_the_middle(chain: &Chain<'_>, change: impl FnOnce(&Chain<'_>) -> Result<()>) -> Result<Ran> {
    chain.gate.close();
    chain.scene.session(SESSION)?;
    let job = chain.start(SESSION)?;
    running(&chain.scene, SESSION)?;
    chain.gate.wait_until_holding(&job)?;
    let holders = chain.holders()?;
    ensure!(holders.contains(SESSION), "the repository is held by {holders}");
    change(chain)?;
    let ran = job.wait()?;
    chain.gate.release();
    Ok(ran)
}

/// The session has failed and says why; no snapshot is there, and the next one is whole.
fn failed_and_sound(chain: &Chain<'_>, ran: &Ran, words: &str) -> Result<()> {
    ensure!(ran.left["statusWritten"] == true, "{} {}", ran.left, ran.log);
    ensure!(ran.left["snapshot"].is_null(), "{}", ran.left);
    let session = chain.ended(SESSION, "Failed")?;
    let error = error_of(&session);
    ensure!(error.contains(words), "error: {error}; left: {}", ran.left);
    ensure!(chain.snapshots()? == 0, "there is a snapshot");
    chain.succeed(NEXT)?;
    chain.ensure_sound(1)
}

fn lease_deleted(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "lease-deleted", |_| ())?;
    let ran = in_the_middle(&chain, |chain| {
        let path = chain.lease()?;
        let (status, answer) = chain.scene.client().call("DELETE", &path, "", None)?;
        ensure!(status == 200, "{status}: {answer}");
        Ok(())
    })?;
    ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
    failed_and_sound(&chain, &ran, "lost")
}

fn lease_taken(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "lease-taken", |_| ())?;
    let ran = in_the_middle(&chain, |chain| {
        // As whoever takes it for dead would leave it.
        let patch = json!({"metadata": {"annotations": {"sealift.dev/holders": "{}"}}});
        let media = "application/merge-patch+json";
        let (status, answer) =
            chain.scene.client().call("PATCH", &chain.lease()?, media, Some(&patch))?;
        ensure!(status == 200, "{status}: {answer}");
        Ok(())
    })?;
    ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
    failed_and_sound(&chain, &ran, "lost")
}

fn terminated(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "terminated", |_| ())?;
    chain.gate.close();
    chain.scene.session(SESSION)?;
    let job = chain.start(SESSION)?;
    running(&chain.scene, SESSION)?;
    chain.gate.wait_until_holding(&job)?;
    job.terminate()?;
    let ran = job.wait()?;
    chain.gate.release();
    ensure!(chain.holders()? == "{}", "the repository is held: {}", chain.holders()?);
    failed_and_sound(&chain, &ran, "interrupted")
}

fn deleted(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "deleted-running", |_| ())?;
    let scene = &chain.scene;
    chain.gate.close();
    scene.session(SESSION)?;
    let job = chain.start(SESSION)?;
    running(scene, SESSION)?;
    chain.gate.wait_until_holding(&job)?;
    scene.client().delete(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP)?;
    for (resource, name) in [
        (Resource::BACKUP_CONFIGURATION, BACKUP.to_owned()),
        (Resource::BACKUP_SESSION, SESSION.to_owned()),
        (Resource::JOB, crate::acted::job_of(SESSION)),
        (Resource::SERVICE_ACCOUNT, "backupconfiguration-demo-backup-0".to_owned()),
        (Resource::ROLE_BINDING, "backupconfiguration-demo-backup-0".to_owned()),
    ] {
        scene.client().wait_until_gone(&resource.path(&scene.namespace, &name))?;
    }
    // The pod is told to end then; its rights may be gone by now.
    job.terminate()?;
    let ran = job.wait()?;
    chain.gate.release();
    ensure!(ran.code != Some(0), "{:?}: {}", ran.code, ran.left);
    ensure!(chain.snapshots()? == 0, "there is a snapshot");
    // What it could not give back is dead after a minute, for whoever comes next.
    let mut backup = scene.backup()?;
    backup["spec"]["schedule"] = json!("0 0 1 1 *");
    scene.apply(&backup)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    chain.succeed(NEXT)?;
    chain.ensure_sound(1)
}

fn token_rotated(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "rotated", |_| ())?;
    chain.succeed(SESSION)?;
    let root = &chain.keys.root_token;
    let old = chain.scene.object(Resource::SECRET, "vault-backup-token")?;
    let new = chain.vault.backup_token(root)?;
    let token = decoded(text(&old, "/data/token"))?;
    chain.vault.call("POST", "v1/auth/token/revoke", root, Some(&json!({"token": token})))?;
    chain.give_token(&new)?;
    chain.succeed(NEXT)?;
    chain.ensure_sound(2)
}

fn decoded(text: &str) -> Result<String> {
    use base64::Engine as _;
    Ok(String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text)?)?)
}

fn password_changed(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "password", |_| ())?;
    chain.succeed(NEXT)?;
    let scene = &chain.scene;
    let name = crate::scene::STORAGE_SECRET;
    let with = |password: &str| scene.secret(name, &json!({"RESTIC_PASSWORD": password}));
    scene.apply(&with("another password"))?;
    let ran = chain.run(SESSION)?;
    ensure!(ran.code == Some(1), "{:?}: {}", ran.code, ran.left);
    let session: Value = chain.ended(SESSION, "Failed")?;
    let error = error_of(&session);
    ensure!(error.contains(name) && !error.contains("another password"), "error: {error}");
    chain.ensure_sound(1)?;
    scene.apply(&with(crate::chain::PASSWORD))?;
    chain.succeed("demo-backup-1700000003")?;
    chain.ensure_sound(2)
}

fn vault_back(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "E02", |backup| {
        backup["spec"]["task"] = json!({"name": "vault-backup-1.10.3",
            "params": [{"name": "waitTimeout", "value": "1"}]});
    })?;
    chain.vault.seal(&chain.keys.root_token)?;
    let ran = chain.run(SESSION)?;
    ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
    let error = error_of(&chain.ended(SESSION, "Failed")?);
    ensure!(error.contains("sealed"), "error: {error}");
    chain.ensure_sound(0)?;
    chain.vault.unseal(&chain.keys.unseal)?;
    chain.succeed(NEXT)?;
    chain.ensure_sound(1)
}

fn server_away(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "server-away", |_| ())?;
    let scene = &chain.scene;
    chain.gate.close();
    scene.session(SESSION)?;
    let job = chain.start(SESSION)?;
    running(scene, SESSION)?;
    chain.gate.wait_until_holding(&job)?;
    std::thread::scope(|scope| {
        let restarted = scope.spawn(|| scene.plane.restart_api_server());
        let gone = wait::until("the API server is away", PATIENCE, || {
            let answer = scene.client().call("GET", "/readyz", "", None);
            Ok((!answer.is_ok_and(|(status, _)| status == 200)).then_some(()))
        });
        chain.gate.release();
        match restarted.join() {
            Ok(restarted) => gone.and(restarted),
            Err(_) => bail!("the restart panicked"),
        }
    })?;
    let ran = job.wait()?;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    chain.ended(SESSION, "Succeeded")?;
    chain.ensure_sound(1)?;
    chain.succeed(NEXT)?;
    chain.ensure_sound(2)
}
