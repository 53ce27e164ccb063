//! Two BackupConfigurations with one Repository: what a session does for it while another one is
//! still in it, and what the next one makes up for.

use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::acted::{self, job_of};
use crate::conditions;
use crate::gate::{Gate, Mode};
use crate::process::Prepared;
use crate::scene::REPOSITORY;
use crate::shore::Shore;
use crate::world::{World, trial};

/// The second one's name, and that of its target.
const OTHER: &str = "other";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(
        world,
        "a backup beside one that takes long succeeds, and retention is made up for",
        beside_a_long_one,
    )]
}

/// Of each target only the newest snapshot is to stay.
fn keep_one() -> Value {
    json!({"name": "keep-one", "keepLast": 1, "prune": true})
}

/// The guide's Vault by another way, behind an AppBinding of its own, backed up into the same place.
fn other(shore: &Shore<'_>, way: &Gate) -> Result<()> {
    let scene = &shore.scene;
    let mut binding = scene.app_binding()?;
    binding["metadata"]["name"] = json!(OTHER);
    binding["spec"]["clientConfig"] = json!({"url": way.url()});
    scene.apply(&binding)?;
    let mut backup = scene.backup()?;
    backup["metadata"]["name"] = json!(OTHER);
    let spec = &mut backup["spec"];
    spec["schedule"] = json!("0 0 1 1 *");
    spec["backupHistoryLimit"] = json!(20);
    spec["target"]["ref"]["name"] = json!(OTHER);
    spec["retentionPolicy"] = keep_one();
    // Of what is left of it a part is waited.
    spec["timeOut"] = json!("90s");
    scene.apply(&backup)?;
    scene.wait_for_phase(OTHER, "Ready")?;
    Ok(())
}

/// A session of the other one, from its begin to its success.
fn back_up_other(shore: &Shore<'_>, session: &str) -> Result<Value> {
    acted::session(&shore.scene, session, OTHER, &json!({}))?;
    let ran = Prepared::of(&shore.scene, &job_of(session))?.run()?;
    let ended = shore.ended(session)?;
    ensure!(
        conditions::phase(&ended) == "Succeeded" && ran.code == Some(0),
        "{session}: {} {} {}",
        ended["status"],
        ran.left,
        ran.log
    );
    Ok(ended)
}

fn snapshots(shore: &Shore<'_>) -> Result<usize> {
    Ok(shore.restic("demo-vault")?.snapshots()?.len())
}

fn beside_a_long_one(world: &World) -> Result<()> {
    let shore = Shore::new(world, "shared-repository")?;
    let vault = shore.vault(world)?;
    shore.ready(|_| (), |backup| backup["retentionPolicy"] = keep_one())?;
    let port = vault.vault.address().rsplit(':').next().context("no port")?.parse()?;
    let way = Gate::before(port, world.address())?;
    other(&shore, &way)?;
    back_up_other(&shore, "first")?;

    let long = shore.session("long")?;
    vault.gate.set(Mode::Held);
    let long = thread::spawn(move || long.run());
    vault.gate.wait_for_guest()?;
    let short = back_up_other(&shore, "short")?;
    ensure!(!long.is_finished(), "the long one has ended before");
    ensure!(
        conditions::of(&short, "RetentionPolicyApplied") == "Unknown RetentionPolicyPostponed"
            && conditions::message(&short, "RetentionPolicyApplied").contains("/long ("),
        "{}",
        short["status"]
    );
    // What can be done beside the other one is done.
    ensure!(
        conditions::of(&short, "RepositoryIntegrityVerified")
            == "True SuccessfullyVerifiedRepositoryIntegrity",
        "{}",
        short["status"]
    );
    ensure!(snapshots(&shore)? == 2, "something was removed beside the other one");
    let repository = shore.scene.object(Resource::REPOSITORY, REPOSITORY)?;
    ensure!(
        repository["status"]["snapshotCount"] == 2 && repository["status"]["integrity"] == true,
        "{}",
        repository["status"]
    );
    shore.tells("short", "Warning MaintenancePostponed", "/long (")?;

    vault.gate.set(Mode::Open);
    let ran = long.join().map_err(|_| anyhow!("the thread of a Job panicked"))??;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    let long = shore.ended("long")?;
    ensure!(
        conditions::phase(&long) == "Succeeded"
            && conditions::of(&long, "RetentionPolicyApplied")
                == "True SuccessfullyAppliedRetentionPolicy",
        "{}",
        long["status"]
    );
    // One of each target: what was left to it is made up for.
    ensure!(snapshots(&shore)? == 2, "{} snapshots", snapshots(&shore)?);
    shore.restic("demo-vault")?.check()
}
