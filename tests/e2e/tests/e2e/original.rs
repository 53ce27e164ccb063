//! What the original's addon stored with plain restic is restored by Sealift.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::secrets::read_keys;
use serde_json::json;

use crate::round_trip::{assert_restored, empty_vault};
use crate::scene::{PASSWORD, Scene};
use crate::world::{World, trial};

/// Where the original's addon puts its files, and so what restic records.
const INTERIM: &str = "/stash-tmp/stash-interim-volume/data";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "original::a_snapshot_stored_by_plain_restic_is_restored", restore),
        trial(world, "original::what_the_chunks_of_its_repository_cost_is_said", large_chunks),
    ]
}

fn large_chunks(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    scene.restic()?.init()?;
    let outcome = scene.backup(&[])?;
    ensure!(outcome.code == Some(0), "the backup failed: {}", outcome.text());
    let cost = "chunks of 1024 KiB on average, 16 KiB would suit this target";
    ensure!(outcome.stdout.contains("warning: ") && outcome.stdout.contains(cost));
    let session = scene.successful_backup()?;
    let conditions = session["status"]["conditions"].as_array().context("no conditions")?;
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == "BackendRepositoryInitialized")
        .context("no condition says that the repository is there")?;
    let message = found["message"].as_str().context("a condition without message")?;
    ensure!(message.contains(cost), "the condition says {message:?}");
    Ok(())
}

fn restore(world: &World) -> Result<()> {
    let filled = world.small()?;
    let folder = world.folder()?;
    let (vault, keys) = empty_vault(folder.path())?;
    let token = vault.backup_token(&keys.root_token)?;
    let scene = Scene::at(world, &vault.address(), &token, &keys)?;
    let restic = scene.restic()?;
    restic.init()?;
    let files = folder.path().join("files");
    fs::create_dir(&files)?;
    fs::write(files.join("backup.snap"), &filled.snapshot)?;
    // The original writes each key as a JSON string.
    fs::write(files.join("demo.vault-root-token"), serde_json::to_vec(&filled.keys.root_token)?)?;
    for (share, key) in filled.keys.unseal.iter().enumerate() {
        fs::write(files.join(format!("demo.vault-unseal-key-{share}")), serde_json::to_vec(key)?)?;
    }
    restic.backup_at(&files, INTERIM, "host-0")?;
    let snapshots = restic.snapshots()?;
    ensure!(snapshots[0]["paths"] == json!([INTERIM]), "paths: {}", snapshots[0]);
    let outcome = scene.restore(&[])?;
    ensure!(outcome.code == Some(0), "the restore failed: {}", outcome.text());
    let restored = read_keys(&scene.written(), "demo.vault")?;
    assert_restored(&vault, filled, &restored)?;
    ensure!(!outcome.text().contains(PASSWORD));
    Ok(())
}
