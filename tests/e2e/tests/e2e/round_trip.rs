//! A Vault of more than 5 000 secrets and 25 MB goes round, and others judge what is stored.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::secrets::read_keys;
use sealift_e2e::vault::{Keys, Vault};
use serde_json::Value;

use crate::scene::Scene;
use crate::world::{Filled, World, trial, vault_binary};

/// The large Vault after its first backup. Tests that write work on copies.
pub struct Round {
    pub scene: Scene,
    /// The BackupSession that was printed.
    pub session: Value,
}

impl Round {
    /// Backs the large Vault up.
    pub fn new(world: &World) -> Result<Self> {
        let scene = Scene::new(world, world.large()?)?;
        let session = scene.successful_backup()?;
        Ok(Self { scene, session })
    }

    /// The one snapshot, by restic's full id.
    pub fn snapshot(&self) -> Result<String> {
        let snapshots = self.scene.restic()?.snapshots()?;
        ensure!(snapshots.len() == 1, "restic lists {} snapshots instead of one", snapshots.len());
        Ok(snapshots[0]["id"].as_str().context("a snapshot without id")?.to_owned())
    }

    /// The `backup.snap` of the snapshot, as restic reads it.
    pub fn dump(&self) -> Result<Vec<u8>> {
        let restic = self.scene.restic()?;
        let id = self.snapshot()?;
        let files = restic.files(&id)?;
        let path = files.iter().find(|file| file.ends_with("/backup.snap"));
        restic.dump(&id, path.context("the snapshot has no backup.snap")?)
    }
}

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "round_trip::the_session_reports_one_snapshot_with_its_files",
            session_is_complete,
        ),
        trial(world, "round_trip::restic_check_reads_every_byte", |world| {
            world.round()?.scene.restic()?.check()
        }),
        trial(world, "round_trip::the_snapshot_has_the_layout_of_the_original", layout),
        trial(world, "round_trip::vault_inspects_what_restic_dumps_with_equal_counts", inspect),
        trial(world, "round_trip::vaults_own_restore_takes_what_restic_dumps", vault_cli_restore),
        trial(
            world,
            "round_trip::every_secret_is_back_after_a_restore_into_an_empty_vault",
            sealift_restore,
        ),
        trial(
            world,
            "round_trip::a_second_backup_of_an_unchanged_vault_adds_little",
            second_backup,
        ),
        trial(
            world,
            "round_trip::no_secret_stands_in_the_repository_in_clear",
            repository_is_encrypted,
        ),
        trial(
            world,
            "round_trip::no_secret_stands_in_what_describes_the_snapshot",
            description_is_harmless,
        ),
    ]
}

fn session_is_complete(world: &World) -> Result<()> {
    let large = world.large()?;
    ensure!(large.secrets.len() >= 5_000);
    ensure!(
        large.snapshot.len() >= 25_000_000,
        "the state has only {} bytes",
        large.snapshot.len()
    );
    let session = &world.round()?.session;
    ensure!(session["kind"] == "BackupSession", "not a BackupSession: {session}");
    ensure!(session["status"]["phase"] == "Succeeded", "phase: {session}");
    let stats = &session["status"]["targets"][0]["stats"][0];
    ensure!(stats["hostname"] == "host-0", "hostname: {session}");
    ensure!(stats["snapshots"][0]["fileStats"]["totalFiles"] == 7, "files: {session}");
    let name = stats["snapshots"][0]["name"].as_str().context("the snapshot has no name")?;
    ensure!(world.round()?.snapshot()?.starts_with(name), "restic knows no snapshot {name}");
    Ok(())
}

fn layout(world: &World) -> Result<()> {
    let round = world.round()?;
    let restic = round.scene.restic()?;
    let snapshots = restic.snapshots()?;
    ensure!(snapshots[0]["hostname"] == "host-0", "hostname: {}", snapshots[0]);
    let folder = "/stash-tmp/stash-interim-volume/data";
    ensure!(snapshots[0]["paths"] == serde_json::json!([folder]), "paths: {}", snapshots[0]);
    let mut files = restic.files(&round.snapshot()?)?;
    files.sort();
    let mut expected =
        vec![format!("{folder}/backup.snap"), format!("{folder}/demo.vault-root-token")];
    expected.extend((0..5).map(|share| format!("{folder}/demo.vault-unseal-key-{share}")));
    ensure!(files == expected, "files: {files:?}");
    // The original writes each key as a JSON string.
    let token = restic.dump(&round.snapshot()?, &expected[1])?;
    let token: String =
        serde_json::from_slice(&token).context("the root token is no JSON string")?;
    ensure!(token == world.large()?.keys.root_token, "the stored root token differs");
    Ok(())
}

fn inspect(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let (served, dumped) = (folder.path().join("served.snap"), folder.path().join("dumped.snap"));
    fs::write(&served, &world.large()?.snapshot)?;
    fs::write(&dumped, world.round()?.dump()?)?;
    let (served, dumped) = (counts(&served)?, counts(&dumped)?);
    ensure!(served == dumped, "counts differ: {served} and {dumped}");
    let total = served["StatsKV"].as_array().map_or(0, Vec::len);
    ensure!(total > 0, "vault counted nothing: {served}");
    Ok(())
}

/// What `vault operator raft snapshot inspect` counts, without what is about the moment only.
pub fn counts(snapshot: &Path) -> Result<Value> {
    let output = Command::new(vault_binary()?)
        .args(["operator", "raft", "snapshot", "inspect", "-format=json"])
        .arg(snapshot)
        .output()?;
    ensure!(output.status.success(), "inspect: {}", String::from_utf8_lossy(&output.stderr));
    let mut value: Value =
        serde_json::from_slice(&output.stdout).context("inspect printed no JSON")?;
    if let Some(fields) = value.as_object_mut() {
        fields
            .retain(|name, _| matches!(name.as_str(), "StatsKV" | "TotalCountKV" | "TotalSizeKV"));
    }
    Ok(value)
}

fn vault_cli_restore(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let dumped = folder.path().join("dumped.snap");
    fs::write(&dumped, world.round()?.dump()?)?;
    let (vault, keys) = empty_vault(folder.path())?;
    let output = Command::new(vault_binary()?)
        .args(["operator", "raft", "snapshot", "restore", "-force"])
        .arg(&dumped)
        .env("VAULT_ADDR", vault.address())
        .env("VAULT_TOKEN", &keys.root_token)
        .output()?;
    ensure!(output.status.success(), "restore: {}", String::from_utf8_lossy(&output.stderr));
    assert_restored(&vault, world.large()?, &world.large()?.keys)
}

fn sealift_restore(world: &World) -> Result<()> {
    let large = world.large()?;
    let round = world.round()?;
    let folder = world.folder()?;
    let (vault, keys) = empty_vault(folder.path())?;
    let token = vault.backup_token(&keys.root_token)?;
    let scene = Scene::at(world, &vault.address(), &token, &keys)?;
    scene.manifests.local_repository(&round.scene.repository(), crate::scene::PASSWORD)?;
    let outcome = scene.restore(&["--output", "json"])?;
    ensure!(outcome.code == Some(0), "the restore failed: {}", outcome.text());
    let session = outcome.json()?;
    ensure!(session["kind"] == "RestoreSession", "not a RestoreSession: {session}");
    ensure!(session["status"]["phase"] == "Succeeded", "phase: {session}");

    let restored = read_keys(&scene.written(), "demo.vault")?;
    ensure!(restored.unseal == large.keys.unseal, "other unseal keys came back");
    ensure!(restored.root_token == large.keys.root_token, "another root token came back");
    for file in crate::scene::walk(&scene.written())? {
        let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file)?.permissions());
        ensure!(mode & 0o077 == 0, "{} can be read by others: {mode:o}", file.display());
    }
    for secret in restored.unseal.iter().chain([&restored.root_token]) {
        ensure!(!outcome.text().contains(secret.as_str()), "a restored key stands in the output");
    }
    assert_restored(&vault, large, &restored)
}

/// An initialised Vault without secrets.
pub fn empty_vault(folder: &Path) -> Result<(Vault, Keys)> {
    let vault = Vault::start(&vault_binary()?, folder, None)?;
    let keys = vault.init()?;
    Ok((vault, keys))
}

/// Unseals a restored Vault with `keys` and reads every secret.
pub fn assert_restored(vault: &Vault, filled: &Filled, keys: &Keys) -> Result<()> {
    vault.wait_for_health(&[503])?;
    vault.unseal(&keys.unseal)?;
    vault.compare_all(&keys.root_token, &filled.secrets)
}

fn second_backup(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.large()?)?;
    scene.successful_backup()?;
    let first = scene.pack_bytes()?;
    scene.successful_backup()?;
    let added = scene.pack_bytes()? - first;
    ensure!(
        added * 10 < first,
        "the first backup has {first} bytes of packs, the second added {added}"
    );
    ensure!(scene.snapshot_files()? == 2, "there are not two snapshots");
    scene.restic()?.check()
}

fn repository_is_encrypted(world: &World) -> Result<()> {
    let round = world.round()?;
    let secrets = secrets(world.large()?);
    for file in crate::scene::walk(&round.scene.repository())? {
        let bytes = fs::read(&file)?;
        let text = String::from_utf8_lossy(&bytes);
        let found = secrets.iter().any(|secret| text.contains(secret));
        ensure!(!found, "{} holds a secret in clear", file.display());
    }
    Ok(())
}

/// The keys are contents of files, encrypted as all contents are. Who may list snapshots, such as
/// whoever reads a log of restic, sees none of them.
fn description_is_harmless(world: &World) -> Result<()> {
    let (round, id) = (world.round()?, world.round()?.snapshot()?);
    let restic = round.scene.restic()?;
    let tree = format!("{id}:/stash-tmp/stash-interim-volume/data");
    let mut found = String::new();
    for arguments in [
        &["cat", "snapshot", &id][..],
        &["cat", "tree", &tree],
        &["ls", "--json", &id],
        &["snapshots", "--json"],
        &["cat", "config"],
    ] {
        found.push_str(&String::from_utf8_lossy(&restic.run(arguments)?));
    }
    // What is searched is what was meant: tags, and the nodes of the key files.
    for name in ["sealift.target=", "demo.vault-root-token", "demo.vault-unseal-key-4"] {
        ensure!(found.contains(name), "{name} is not in {found}");
    }
    let secret = secrets(world.large()?).into_iter().find(|secret| found.contains(secret));
    ensure!(secret.is_none(), "a secret stands in {found}");
    Ok(())
}

/// Everything nobody may read.
fn secrets(filled: &Filled) -> Vec<&str> {
    let mut secrets = vec![crate::scene::PASSWORD, &filled.token, &filled.keys.root_token];
    secrets.extend(filled.keys.unseal.iter().map(String::as_str));
    secrets
}
