//! A Repository deleted while sessions work in it, and streams of a Vault that break off: what was
//! begun ends as it should, and nothing is lost.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::conditions;
use crate::gate::Mode;
use crate::process::{Prepared, Ran};
use crate::real_vault::RealVault;
use crate::scene::{BACKUP, REPOSITORY};
use crate::shore::Shore;
use crate::world::{World, text, trial, trial_alone};

const RESTORE: &str = "vault-restore-session";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "I05: a Repository deleted under a backup goes after it", under_a_backup),
        trial(world, "I06: the data goes only when the backup that runs has ended", wiped_after),
        trial(world, "I05: a Repository deleted under a restore goes after it", under_a_restore),
        trial(world, "I07: no session begins in a Repository that is being deleted", takes_no_more),
        trial_alone(
            world,
            "I07: no session begins in a Repository that was deleted while no operator ran",
            deleted_meanwhile,
        ),
        trial(world, "E13: a Vault's stream that breaks off fails the session", cut),
        trial(world, "E13: an empty answer of a standby fails the session", empty),
    ]
}

/// A scene with a Vault behind a gate.
fn ready<'a>(world: &'a World, number: &str, wipe_out: bool) -> Result<(Shore<'a>, RealVault)> {
    let shore = Shore::new(world, number)?;
    let vault = shore.vault(world)?;
    vault.put("first")?;
    shore.ready(|repository| repository["wipeOut"] = json!(wipe_out), |_| ())?;
    Ok((shore, vault))
}

/// A session that stands before the Vault's gate and holds the repository.
fn held(vault: &RealVault, started: Prepared) -> Result<JoinHandle<Result<Ran>>> {
    vault.gate.set(Mode::Held);
    let running = thread::spawn(move || started.run());
    vault.gate.wait_for_guest()?;
    Ok(running)
}

fn ended(running: JoinHandle<Result<Ran>>) -> Result<Ran> {
    running.join().map_err(|_| anyhow!("the thread of a Job panicked"))?
}

fn running(shore: &Shore<'_>, session: &str) -> Result<()> {
    shore.scene.wait("the session runs", Resource::BACKUP_SESSION, session, |session| {
        conditions::phase(session) == "Running"
    })?;
    Ok(())
}

/// Deletes the Repository; it stays, and says for whom.
fn waits_for(shore: &Shore<'_>, session: &str) -> Result<()> {
    shore.delete(REPOSITORY)?;
    let repository = shore.waits(REPOSITORY, "RepositoryInUse")?;
    let message = conditions::message(&repository, "Deletable");
    ensure!(message.contains(session), "message: {message}");
    ensure!(!shore.has_wipe_job()?, "a Job that removes data was made");
    Ok(())
}

/// A Repository that is deleted while a backup holds it: it waits, and the backup ends well.
fn deleted_under_a_backup<'a>(
    world: &'a World,
    number: &str,
    wipe_out: bool,
) -> Result<(Shore<'a>, RealVault)> {
    let (shore, vault) = ready(world, number, wipe_out)?;
    let started = shore.session("one")?;
    running(&shore, "one")?;
    let job = held(&vault, started)?;
    waits_for(&shore, "one")?;
    vault.gate.set(Mode::Open);
    let ran = ended(job)?;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    let session = shore.ended("one")?;
    ensure!(conditions::phase(&session) == "Succeeded", "{}", session["status"]);
    Ok((shore, vault))
}

fn under_a_backup(world: &World) -> Result<()> {
    let (shore, _vault) = deleted_under_a_backup(world, "I05-backup", false)?;
    shore.gone(REPOSITORY)?;
    let restic = shore.restic("demo-vault")?;
    ensure!(restic.snapshots()?.len() == 1, "snapshots: {:?}", restic.snapshots()?);
    restic.check()
}

fn wiped_after(world: &World) -> Result<()> {
    let (shore, _vault) = deleted_under_a_backup(world, "I06-backup", true)?;
    let ran = shore.wipe(&shore.wipe_job(REPOSITORY, 1)?)?;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    shore.gone(REPOSITORY)?;
    ensure!(shore.files()?.is_empty(), "something is left");
    shore.swept()
}

fn under_a_restore(world: &World) -> Result<()> {
    let (shore, vault) = ready(world, "I05-restore", false)?;
    shore.back_up("one", "Succeeded")?;
    vault.put("second")?;
    shore.scene.apply(&shore.scene.restore()?)?;
    let started = Prepared::of(&shore.scene, &format!("stash-restore-{RESTORE}-0"))?;
    shore.scene.wait("the restore runs", Resource::RESTORE_SESSION, RESTORE, |restore| {
        conditions::phase(restore) == "Running"
    })?;
    let job = held(&vault, started)?;
    waits_for(&shore, RESTORE)?;
    vault.gate.set(Mode::Open);
    let ran = ended(job)?;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    shore.scene.wait("the restore ends", Resource::RESTORE_SESSION, RESTORE, |restore| {
        conditions::phase(restore) == "Succeeded"
    })?;
    ensure!(vault.holds()?.as_deref() == Some("first"), "the Vault holds {:?}", vault.holds()?);
    shore.gone(REPOSITORY)?;
    shore.restic("demo-vault")?.check()
}

/// While its data is not removed yet, the Repository is there, and takes no session.
fn takes_no_more(world: &World) -> Result<()> {
    let (shore, _vault) = ready(world, "I07-going", true)?;
    shore.delete(REPOSITORY)?;
    shore.wipe_job(REPOSITORY, 1)?;
    let backup =
        shore.scene.wait_for_condition("RepositoryFound", "False RepositoryNotAvailable")?;
    let message = conditions::message(&backup, "RepositoryFound");
    ensure!(message.contains("is being deleted"), "message: {message}");
    shore.scene.wait_for_phase(BACKUP, "NotReady")?;
    shore.scene.session("late")?;
    let session = shore.ended("late")?;
    ensure!(conditions::phase(&session) == "Skipped", "{}", session["status"]);
    let jobs = shore.scene.client().names(Resource::JOB, &shore.scene.namespace)?;
    ensure!(jobs.iter().all(|job| job.starts_with("sealift-wipe-")), "Jobs: {jobs:?}");
    Ok(())
}

/// Its BackupConfiguration still says that it is ready.
fn deleted_meanwhile(world: &World) -> Result<()> {
    let (shore, _vault) = ready(world, "I07-meanwhile", true)?;
    world.operator()?.kill()?;
    let made = shore.delete(REPOSITORY).and_then(|()| shore.scene.session("late"));
    world.operator()?.restart()?;
    made?;
    let session = shore.ended("late")?;
    let phase = conditions::phase(&session);
    ensure!(matches!(phase, "Skipped" | "Failed"), "{}", session["status"]);
    let jobs = shore.scene.client().names(Resource::JOB, &shore.scene.namespace)?;
    ensure!(jobs.iter().all(|job| job.starts_with("sealift-wipe-")), "Jobs: {jobs:?}");
    Ok(())
}

fn cut(world: &World) -> Result<()> {
    broken(world, "E13-cut", Mode::Cut)
}

fn empty(world: &World) -> Result<()> {
    broken(world, "E13-empty", Mode::Empty)
}

/// The session fails and says so, the repository holds what it held, and the next one succeeds.
fn broken(world: &World, number: &str, mode: Mode) -> Result<()> {
    let (shore, vault) = ready(world, number, false)?;
    shore.back_up("one", "Succeeded")?;
    let before = snapshots(&shore)?;
    vault.gate.set(mode);
    let session = shore.back_up("two", "Failed")?;
    let error = text(&session, "/status/targets/0/stats/0/error");
    ensure!(!error.is_empty(), "{}", session["status"]);
    eprintln!("{number}: {error}");
    ensure!(snapshots(&shore)? == before, "snapshots: {:?}", snapshots(&shore)?);
    shore.restic("demo-vault")?.check()?;
    vault.gate.set(Mode::Open);
    shore.back_up("three", "Succeeded")?;
    ensure!(snapshots(&shore)?.len() == 2, "snapshots: {:?}", snapshots(&shore)?);
    Ok(())
}

fn snapshots(shore: &Shore<'_>) -> Result<Vec<Value>> {
    let found = shore.restic("demo-vault")?.snapshots().context("restic cannot list")?;
    Ok(found.iter().map(|snapshot| snapshot["id"].clone()).collect())
}
