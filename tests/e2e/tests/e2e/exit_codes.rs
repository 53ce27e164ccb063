//! The exit codes for what is neither a success nor a plain failure, and what the repository holds
//! after each. The others stand with what leads to them.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::sealift::{Outcome, Running};

use crate::scene::{Scene, assert_failure, walk};
use crate::trap::{Hand, trap};
use crate::vault_double::{Answer, End, Health, VaultDouble, Watch};
use crate::world::{World, trial};

/// The session of a backup that is held.
const SESSION: &str = "vault-backup-1700000000";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = vec![
        trial(
            world,
            "exit_codes::a_policy_that_keeps_nothing_is_3_and_the_snapshot_is_safe",
            policy,
        ),
        trial(
            world,
            "exit_codes::damage_to_an_older_snapshot_is_3_and_the_new_one_is_safe",
            damage,
        ),
        trial(world, "exit_codes::upkeep_beside_a_backup_is_11_and_names_it", locked),
    ];
    for (signal, name) in [("INT", "ctrl_c"), ("TERM", "a_termination")] {
        let name = format!("exit_codes::{name}_is_130_and_nothing_is_committed");
        trials.push(trial(world, name, move |world| interrupted(world, signal)));
    }
    trials
}

fn policy(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    scene.edit("backupconfiguration.yaml", "keepLast: 5", "keepTags: [nobody]")?;
    let outcome = scene.backup(&["--output", "json"])?;
    let words = ["the snapshot is safe", "retention policy", "keep no snapshot"];
    assert_failure(&outcome, 3, &words)?;
    ensure!(scene.snapshot_files()? == 1, "there is not one snapshot");
    assert_reported(&scene, &outcome)
}

fn damage(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    scene.successful_backup()?;
    let older = walk(&scene.repository().join("snapshots"))?;
    let older = older.first().context("there is no snapshot")?;
    fs::write(older, "this is no snapshot")?;
    let outcome = scene.backup(&["--output", "json"])?;
    assert_failure(&outcome, 3, &["the snapshot is safe", "the check found"])?;
    ensure!(scene.snapshot_files()? == 2, "what could not be read was removed");
    fs::remove_file(older)?;
    assert_reported(&scene, &outcome)
}

/// The session failed and has a snapshot, which restic lists alone and finds whole.
fn assert_reported(scene: &Scene, outcome: &Outcome) -> Result<()> {
    let session = outcome.json()?;
    ensure!(session["status"]["phase"] == "Failed", "phase: {session}");
    let name = session["status"]["targets"][0]["stats"][0]["snapshots"][0]["name"].as_str();
    let name = name.with_context(|| format!("the session names no snapshot: {session}"))?;
    let listed = scene.restic()?.snapshots()?;
    ensure!(listed.len() == 1, "restic lists {} snapshots", listed.len());
    let id = listed[0]["id"].as_str().unwrap_or_default();
    ensure!(id.starts_with(name), "restic lists {id}, the session names {name}");
    scene.restic()?.check()
}

/// A backup whose Vault has sent half of its snapshot and does not go on.
struct Held {
    scene: Scene,
    run: Running,
    hand: Hand,
    _vault: VaultDouble,
}

impl Held {
    fn new(world: &World) -> Result<Self> {
        let filled = world.small()?;
        let (trap, hand) = trap();
        let half = filled.snapshot.len() / 2;
        let watch: Watch = Arc::new(move |sent| {
            if sent >= half {
                trap.hold();
            }
        });
        let whole = Answer::Body { bytes: filled.snapshot.clone(), end: End::Proper };
        let vault = VaultDouble::watched(Health::Active, whole, watch)?;
        let scene = Scene::at(world, &vault.address(), &filled.token, &filled.keys)?;
        let run = hand.wait_for(scene.start_backup(&["--session", SESSION])?)?;
        Ok(Self { scene, run, hand, _vault: vault })
    }
}

fn locked(world: &World) -> Result<()> {
    let Held { scene, run, hand, _vault } = Held::new(world)?;
    let [repository, policy] = ["repository.yaml", "backupconfiguration.yaml"]
        .map(|name| scene.manifests.path(name).to_string_lossy().into_owned());
    for verb in ["prune", "forget"] {
        let outcome = scene.sealift.run(&[verb, "-f", &repository, "-f", &policy])?;
        assert_failure(&outcome, 11, &["is in use", SESSION, "wait until"])?;
    }
    // Who only reads is in nobody's way.
    for verb in ["snapshots", "check"] {
        scene.sealift.succeed(&[verb, "-f", &repository])?;
    }
    drop(hand);
    let outcome = run.wait()?;
    ensure!(outcome.code == Some(0), "the backup failed: {}", outcome.text());
    scene.sealift.succeed(&["prune", "-f", &repository])?;
    scene.restic()?.check()
}

fn interrupted(world: &World, signal: &str) -> Result<()> {
    let Held { scene, run, hand, _vault } = Held::new(world)?;
    run.signal(signal)?;
    // It ends although the Vault never goes on.
    let outcome = run.wait()?;
    drop(hand);
    scene.assert_failed(&outcome, 130, &["the session was interrupted"])?;
    ensure!(outcome.stdout.contains("nothing was committed"), "{}", outcome.text());
    scene.assert_recovers().map(drop)
}
