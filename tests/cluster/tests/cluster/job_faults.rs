//! What befalls the Job itself while it runs: its hold of the repository is lost, or it is told to
//! end. It leaves nothing behind that looks like a backup, and nothing that stops the next one.

use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::acted::job_of;
use crate::chain::{Chain, error_of};
use crate::conditions;
use crate::process::Ran;
use crate::scene::{BACKUP, PASSWORD, REPOSITORY, STORAGE_SECRET};
use crate::shore::files_below;
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
        trial(
            world,
            "E12: without the password a session fails and no byte of the repository changes",
            password_missing,
        ),
        trial(
            world,
            "E04, E05: a backup past its deadline ends as Failed and leaves nothing",
            past_deadline,
        ),
    ]
}

/// A request about the Lease by which a running Job holds the repository, and what comes of the Job.
fn lease_lost(chain: &Chain<'_>, method: &str, body: Option<&Value>) -> Result<()> {
    let job = chain.held(SESSION)?;
    let holders = chain.holders()?;
    ensure!(holders.contains(SESSION), "the repository is held by {holders}");
    let media = "application/merge-patch+json";
    let (status, answer) = chain.scene.client().call(method, &chain.lease()?, media, body)?;
    ensure!(status == 200, "{status}: {answer}");
    let ran = job.wait()?;
    chain.release();
    ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
    failed_and_sound(chain, &ran, "lost")
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
    lease_lost(&Chain::ready(world, "lease-deleted", |_| ())?, "DELETE", None)
}

fn lease_taken(world: &World) -> Result<()> {
    // As whoever takes it for dead would leave it.
    let patch = json!({"metadata": {"annotations": {"sealift.dev/holders": "{}"}}});
    lease_lost(&Chain::ready(world, "lease-taken", |_| ())?, "PATCH", Some(&patch))
}

fn terminated(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "terminated", |_| ())?;
    let job = chain.held(SESSION)?;
    job.terminate()?;
    let ran = job.wait()?;
    chain.release();
    ensure!(chain.holders()? == "{}", "the repository is held: {}", chain.holders()?);
    failed_and_sound(&chain, &ran, "interrupted")
}

fn deleted(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "deleted-running", |_| ())?;
    let scene = &chain.scene;
    let job = chain.held(SESSION)?;
    scene.client().delete(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP)?;
    for (resource, name) in [
        (Resource::BACKUP_CONFIGURATION, BACKUP.to_owned()),
        (Resource::BACKUP_SESSION, SESSION.to_owned()),
        (Resource::JOB, job_of(SESSION)),
        (Resource::SERVICE_ACCOUNT, "backupconfiguration-demo-backup-0".to_owned()),
        (Resource::ROLE_BINDING, "backupconfiguration-demo-backup-0".to_owned()),
    ] {
        scene.client().wait_until_gone(&resource.path(&scene.namespace, &name))?;
    }
    // The pod is told to end then; its rights may be gone by now.
    job.terminate()?;
    let ran = job.wait()?;
    chain.release();
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
    let root = &chain.target.keys.root_token;
    let old = chain.scene.object(Resource::SECRET, "vault-backup-token")?;
    let new = chain.target.vault.backup_token(root)?;
    let token = decoded(text(&old, "/data/token"))?;
    chain.target.vault.call(
        "POST",
        "v1/auth/token/revoke",
        root,
        Some(&json!({"token": token})),
    )?;
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
    let with = |password: &str| scene.secret(STORAGE_SECRET, &json!({"RESTIC_PASSWORD": password}));
    scene.apply(&with("another password"))?;
    let ran = chain.run(SESSION)?;
    ensure!(ran.code == Some(1), "{:?}: {}", ran.code, ran.left);
    let session: Value = chain.ended(SESSION, "Failed")?;
    let error = error_of(&session);
    ensure!(
        error.contains(STORAGE_SECRET) && !error.contains("another password"),
        "error: {error}"
    );
    chain.ensure_sound(1)?;
    scene.apply(&with(PASSWORD))?;
    chain.succeed("demo-backup-1700000003")?;
    chain.ensure_sound(2)
}

fn password_missing(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "E12-missing", |_| ())?;
    chain.succeed(SESSION)?;
    let before = files_below(&chain.repository())?;
    let scene = &chain.scene;
    let without = json!({"data": {"RESTIC_PASSWORD": null}});
    scene.client().patch(Resource::SECRET, &scene.namespace, STORAGE_SECRET, &without)?;
    let ran = chain.run(NEXT)?;
    ensure!(matches!(ran.code, Some(1 | 2)), "{:?}: {}", ran.code, ran.left);
    let error = error_of(&chain.ended(NEXT, "Failed")?);
    for name in ["RESTIC_PASSWORD", STORAGE_SECRET, REPOSITORY] {
        ensure!(error.contains(name), "{name} is not in: {error}");
    }
    ensure!(files_below(&chain.repository())? == before, "the repository changed");
    scene.apply(&scene.storage_secret())?;
    chain.succeed("demo-backup-1700000003")?;
    chain.ensure_sound(2)
}

fn past_deadline(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "E05", |backup| backup["spec"]["timeOut"] = json!("20s"))?;
    let job = chain.held(SESSION)?;
    let session = chain.ended(SESSION, "Failed")?;
    let said = conditions::of(&session, "DeadlineExceeded");
    ensure!(said == "True FailedToCompleteWithinDeadline", "DeadlineExceeded: {said}");
    let message = conditions::message(&session, "DeadlineExceeded");
    ensure!(message == "Failed to complete backup within 20s.", "message: {message}");
    let [made, due] = ["/metadata/creationTimestamp", "/status/sessionDeadline"]
        .map(|pointer| text(&session, pointer).parse::<Timestamp>());
    let (made, due) = (made?, due?);
    ensure!(due.duration_since(made).as_secs() == 20, "made {made}, due {due}");
    let scene = &chain.scene;
    scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, &job_of(SESSION)))?;
    // Its pod is told to end then.
    job.terminate()?;
    let ran = job.wait()?;
    chain.release();
    ensure!(ran.code != Some(0), "{}", ran.left);
    chain.ensure_sound(0)?;
    let longer = json!({"spec": {"timeOut": null}});
    scene.edit(&longer)?;
    chain.succeed(NEXT)?;
    chain.ensure_sound(1)
}

fn vault_back(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "E02", |backup| {
        backup["spec"]["task"] = json!({"name": "vault-backup-1.10.3",
            "params": [{"name": "waitTimeout", "value": "1"}]});
    })?;
    chain.target.vault.seal(&chain.target.keys.root_token)?;
    let ran = chain.run(SESSION)?;
    ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
    let error = error_of(&chain.ended(SESSION, "Failed")?);
    ensure!(error.contains("sealed"), "error: {error}");
    chain.ensure_sound(0)?;
    chain.target.vault.unseal(&chain.target.keys.unseal)?;
    chain.succeed(NEXT)?;
    chain.ensure_sound(1)
}

fn server_away(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "server-away", |_| ())?;
    let scene = &chain.scene;
    let job = chain.held(SESSION)?;
    std::thread::scope(|scope| {
        let restarted = scope.spawn(|| scene.plane.restart_api_server());
        let gone = wait::until("the API server is away", PATIENCE, || {
            let answer = scene.client().call("GET", "/readyz", "", None);
            Ok((!answer.is_ok_and(|(status, _)| status == 200)).then_some(()))
        });
        chain.release();
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
