//! What the original's addon stored with plain restic is restored by Sealift.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::secrets::read_keys;

use crate::round_trip::{assert_restored, empty_vault};
use crate::scene::{PASSWORD, Scene};
use crate::world::{World, trial};

/// Where the original's addon puts its files, and so what restic records.
const INTERIM: &str = "/stash-tmp/stash-interim-volume/data";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(world, "original::a_snapshot_stored_by_plain_restic_is_restored", restore)]
}

fn restore(world: &World) -> Result<()> {
    let filled = world.small()?;
    let folder = world.folder()?;
    let (vault, keys) = empty_vault(folder.path())?;
    let token = vault.backup_token(&keys.root_token)?;
    let scene = Scene::at(world, &vault.address(), &token, &keys)?;
    let restic = scene.restic()?;
    restic.init()?;
    {
        let interim = InterimFolder::new()?;
        interim.write("backup.snap", &filled.snapshot)?;
        interim.write_json("demo.vault-root-token", &filled.keys.root_token)?;
        for (share, key) in filled.keys.unseal.iter().enumerate() {
            interim.write_json(&format!("demo.vault-unseal-key-{share}"), key)?;
        }
        restic.backup(Path::new(INTERIM), "host-0")?;
    }
    let outcome = scene.restore(&[])?;
    ensure!(outcome.code == Some(0), "the restore failed: {}", outcome.text());
    let restored = read_keys(&scene.written(), "demo.vault")?;
    assert_restored(&vault, filled, &restored)?;
    ensure!(!outcome.text().contains(PASSWORD));
    Ok(())
}

/// The original's folder, made for a moment: restic records absolute paths, so it has to be there.
struct InterimFolder {
    made: PathBuf,
}

impl InterimFolder {
    fn new() -> Result<Self> {
        let made = PathBuf::from("/stash-tmp");
        ensure!(!made.is_dir(), "{} is there already; this test needs to make it", made.display());
        fs::create_dir_all(INTERIM).context(
            "this test stores files where the original does, in /stash-tmp, and may not create that folder; run it as root",
        )?;
        Ok(Self { made })
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = Path::new(INTERIM).join(name);
        fs::write(&path, bytes)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        Ok(())
    }

    fn write_json(&self, name: &str, value: &str) -> Result<()> {
        self.write(name, &serde_json::to_vec(value)?)
    }
}

impl Drop for InterimFolder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.made));
    }
}
