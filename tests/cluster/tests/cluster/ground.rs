//! Real Vaults behind AppBindings, and one repository in a folder of this machine: what a row
//! needs in which Jobs run as processes. Nothing here decides what is right.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use sealift_cluster::Resource;
use sealift_e2e::restic::Restic;
use sealift_e2e::secrets;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::conditions;
use crate::process::{Prepared, Ran};
use crate::real_vault::RealVault;
use crate::scene::{PASSWORD, Scene};
use crate::world::{World, text};

/// A scene with a repository that every Vault of the row shares.
pub struct Ground<'a> {
    pub scene: Scene<'a>,
    folder: TempDir,
    /// Where Jobs reach its Vaults.
    address: &'static str,
}

/// How the original's addon stored a snapshot.
pub struct Original<'a> {
    /// What the names of the keys begin with.
    pub prefix: &'a str,
    /// How many unseal keys lie beside the snapshot.
    pub shares: usize,
    /// The folder restic recorded: with or without an interim volume.
    pub path: &'a str,
    pub host: &'a str,
}

/// Where the addon put its files without an interim volume.
pub const WITHOUT_VOLUME: &str = "/stash-tmp/stash-interim-volume/data";
/// And with one.
pub const WITH_VOLUME: &str = "/stash-interim-volume/data";

impl<'a> Ground<'a> {
    /// The Repository and its Secret.
    pub fn new(world: &'a World, number: &str) -> Result<Self> {
        let scene = Scene::new(world, number)?;
        let ground = Self { scene, folder: tempfile::tempdir()?, address: world.address() };
        let scene = &ground.scene;
        scene.apply(&scene.storage_secret())?;
        scene.apply(&scene.local_repository(&ground.repository())?)?;
        Ok(ground)
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// restic on the repository.
    pub fn restic(&self) -> Result<Restic> {
        Restic::new(self.repository().to_string_lossy().into_owned(), PASSWORD)
    }

    /// Starts a Vault.
    pub fn vault(&self, name: &str) -> Result<RealVault> {
        RealVault::start(&self.folder.path().join(name), self.address)
    }

    /// Puts the guide's AppBinding under this name before this Vault.
    pub fn bind(&self, name: &str, to: &RealVault) -> Result<()> {
        to.bind(&self.scene, name)
    }

    /// Backs up the target of an AppBinding for real; returns the snapshot's whole id.
    pub fn back_up(&self, binding: &str, session: &str) -> Result<String> {
        let scene = &self.scene;
        let mut backup = scene.backup()?;
        let name = format!("{binding}-backup");
        backup["metadata"]["name"] = json!(name);
        // The row makes its sessions itself.
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        backup["spec"]["backupHistoryLimit"] = json!(5);
        backup["spec"]["target"]["ref"]["name"] = json!(binding);
        scene.apply(&backup)?;
        scene.wait_for_phase(&name, "Ready")?;
        let object = json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
            "metadata": {"name": session, "namespace": scene.namespace},
            "spec": {"invoker": {"apiGroup": "stash.appscode.com",
                "kind": "BackupConfiguration", "name": name}},
        });
        scene.client().create(Resource::BACKUP_SESSION, &scene.namespace, &object)?;
        let ran = Prepared::of(scene, &format!("stash-backup-{session}-0"))?.run()?;
        ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
        let what = format!("{session} has succeeded");
        let ended = scene.wait(&what, Resource::BACKUP_SESSION, session, |session| {
            conditions::phase(session) == "Succeeded"
        })?;
        let short = text(&ended, "/status/targets/0/stats/0/snapshots/0/name").to_owned();
        let all = self.restic()?.snapshots()?;
        let mut ids = all.iter().map(|snapshot| text(snapshot, "/id"));
        let id = ids.find(|id| !short.is_empty() && id.starts_with(&short));
        Ok(id.with_context(|| format!("restic knows no snapshot {short:?}"))?.to_owned())
    }

    /// Stores a snapshot of a Vault as the original's addon does: plain restic, its names, its
    /// paths. Returns the snapshot's whole id.
    pub fn store(&self, of: &RealVault, as_: &Original<'_>) -> Result<String> {
        let restic = self.restic()?;
        if !self.repository().join("config").is_file() {
            restic.init()?;
        }
        let known = ids(&restic)?;
        let files = tempfile::tempdir()?;
        let write = |name: String, bytes: &[u8]| fs::write(files.path().join(name), bytes);
        write("backup.snap".to_owned(), &of.vault.snapshot(&of.keys.root_token)?)?;
        // The original writes each key as a JSON string.
        let root = serde_json::to_vec(&of.keys.root_token)?;
        write(format!("{}-root-token", as_.prefix), &root)?;
        for (share, key) in of.keys.unseal.iter().take(as_.shares).enumerate() {
            write(format!("{}-unseal-key-{share}", as_.prefix), &serde_json::to_vec(key)?)?;
        }
        restic.backup_at(files.path(), as_.path, as_.host)?;
        let mut new = ids(&restic)?.into_iter().filter(|id| !known.contains(id));
        new.next().context("restic made no snapshot")
    }

    /// The guide's RestoreSession under this name and changed; not made yet.
    pub fn restore(&self, name: &str, change: impl FnOnce(&mut Value)) -> Result<Value> {
        let mut restore = self.scene.restore()?;
        restore["metadata"]["name"] = json!(name);
        change(&mut restore["spec"]);
        Ok(restore)
    }

    /// Makes it and runs its Job to its end, whatever that is.
    pub fn run(&self, restore: &Value) -> Result<Ran> {
        self.scene.apply(restore)?;
        self.started(text(restore, "/metadata/name"))?.run()
    }

    /// The Job of a restore, ready to be run.
    pub fn started(&self, name: &str) -> Result<Prepared> {
        Prepared::of(&self.scene, &format!("stash-restore-{name}-0"))
    }

    /// Makes it and runs it; it must succeed.
    pub fn succeed(&self, restore: &Value) -> Result<Value> {
        let ran = self.run(restore)?;
        ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
        self.ended(text(restore, "/metadata/name"), "Succeeded")
    }

    /// Makes it and runs it; it must fail. Returns it and the error its host has.
    pub fn fail(&self, restore: &Value) -> Result<(Value, String)> {
        let ran = self.run(restore)?;
        ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
        let ended = self.ended(text(restore, "/metadata/name"), "Failed")?;
        let error = text(&ended, "/status/stats/0/error").to_owned();
        Ok((ended, error))
    }

    /// Waits for the last phase of a restore.
    pub fn ended(&self, name: &str, phase: &str) -> Result<Value> {
        let what = format!("{name} is {phase}");
        self.scene.wait(&what, Resource::RESTORE_SESSION, name, |restore| {
            conditions::phase(restore) == phase
        })
    }

    /// One key of a Secret.
    pub fn value(&self, secret: &str, key: &str) -> Result<String> {
        secrets::value(&self.scene.object(Resource::SECRET, secret)?, key)
    }
}

fn ids(restic: &Restic) -> Result<Vec<String>> {
    Ok(restic.snapshots()?.iter().map(|snapshot| text(snapshot, "/id").to_owned()).collect())
}
