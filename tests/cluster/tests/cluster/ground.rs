//! Real Vaults behind AppBindings, and one repository in a folder of this machine: what a row
//! needs in which Jobs run as processes. Nothing here decides what is right.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sealift_cluster::Resource;
use sealift_cluster::relay::Relay;
use sealift_e2e::restic::Restic;
use sealift_e2e::secrets;
use sealift_e2e::vault::{Keys, Vault};
use sealift_e2e::{binaries, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::conditions;
use crate::jobs::{Ran, Started};
use crate::scene::{STORAGE_SECRET, Scene};
use crate::world::{World, text};

/// The password of the repository, as the scene's Secret has it.
pub const PASSWORD: &str = "sentinel-restic-password";
/// Where a Vault writes down what it was asked, in its own folder.
const AUDIT: &str = "audit.log";

/// A scene with a repository that every Vault of the row shares.
pub struct Ground<'a> {
    pub scene: Scene<'a>,
    folder: TempDir,
}

/// A Vault with a kv engine, an audit log, and an address that Jobs reach.
pub struct RealVault {
    pub vault: Vault,
    pub keys: Keys,
    relay: Relay,
    folder: PathBuf,
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
        let ground = Self { scene, folder: tempfile::tempdir()? };
        let scene = &ground.scene;
        let mut repository = scene.repository()?;
        repository["spec"]["backend"] = json!({
            "local": {"mountPath": ground.repository(), "hostPath": {"path": "/nowhere"}},
            "storageSecretName": STORAGE_SECRET,
        });
        scene.apply(&scene.storage_secret())?;
        scene.apply(&repository)?;
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
        RealVault::start(&self.folder.path().join(name))
    }

    /// The guide's AppBinding under this name, before this Vault. Its Secrets are called after
    /// it, and its keys have the prefix of [`prefix`].
    pub fn bind(&self, name: &str, to: &RealVault) -> Result<()> {
        let scene = &self.scene;
        let mut binding = scene.app_binding()?;
        binding["metadata"]["name"] = json!(name);
        binding["spec"]["clientConfig"] = json!({"url": to.address()});
        let parameters = &mut binding["spec"]["parameters"];
        parameters["backupTokenSecretRef"] = json!({"name": format!("{name}-backup-token")});
        parameters["unsealer"]["mode"] =
            json!({"kubernetesSecret": {"secretName": format!("{name}-keys")}});
        let key_prefix = json!([{"name": "keyPrefix", "value": prefix(name)}]);
        for task in ["backupTask", "restoreTask"] {
            parameters["stash"]["addon"][task]["params"] = key_prefix.clone();
        }
        let token = to.vault.backup_token(&to.keys.root_token)?;
        let token = scene.secret(&format!("{name}-backup-token"), &json!({ "token": token }));
        scene.apply(&token)?;
        scene
            .apply(&scene.secret(&format!("{name}-keys"), &named_keys(&prefix(name), &to.keys)))?;
        scene.apply(&binding)
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
        let ran = Started::of(scene, &format!("stash-backup-{session}-0"))?.run()?;
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
    pub fn started(&self, name: &str) -> Result<Started> {
        Started::of(&self.scene, &format!("stash-restore-{name}-0"))
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

/// What the names of a Vault's keys begin with, as KubeVault has it.
pub fn prefix(binding: &str) -> String {
    format!("k8s.kubevault.com.demo.{binding}")
}

/// Keys as KubeVault's Secret holds them.
pub fn named_keys(prefix: &str, keys: &Keys) -> Value {
    let mut named = json!({});
    named[format!("{prefix}-root-token")] = json!(keys.root_token);
    for (share, key) in keys.unseal.iter().enumerate() {
        named[format!("{prefix}-unseal-key-{share}")] = json!(key);
    }
    named
}

impl RealVault {
    fn start(folder: &Path) -> Result<Self> {
        let vault = Vault::start(&binaries::server("vault", "vault")?, folder, None)?;
        let keys = vault.init()?;
        vault.enable_kv(&keys.root_token)?;
        let audit = json!({"type": "file", "options": {"file_path": AUDIT}});
        vault.call("PUT", "v1/sys/audit/file", &keys.root_token, Some(&audit))?;
        let address = vault.address();
        let port = address.rsplit(':').next().context("an address without a port")?.parse()?;
        Ok(Self { vault, keys, relay: Relay::to(port)?, folder: folder.to_path_buf() })
    }

    /// Where Jobs reach it.
    pub fn address(&self) -> String {
        format!("http://{}", self.relay.address())
    }

    /// Writes the one secret rows look at.
    pub fn put(&self, value: &str) -> Result<()> {
        self.vault.put(&self.keys.root_token, "canary", value)
    }

    /// The one secret holds this.
    pub fn ensure_holds(&self, value: &str) -> Result<()> {
        let found = self.vault.get(&self.keys.root_token, "canary")?;
        ensure!(found.as_deref() == Some(value), "{found:?} instead of {value:?}");
        Ok(())
    }

    /// The paths below `sys/storage/raft/` it was sent something to, by its own log.
    pub fn sent_to(&self) -> Result<Vec<String>> {
        let log = fs::read_to_string(self.folder.join(AUDIT)).context("there is no audit log")?;
        let mut paths = Vec::new();
        for line in log.lines() {
            let entry: Value = serde_json::from_str(line).context("an audit log is not JSON")?;
            let path = text(&entry, "/request/path").strip_prefix("sys/storage/raft/");
            let sent = text(&entry, "/type") == "request"
                && matches!(text(&entry, "/request/operation"), "update" | "create");
            paths.extend(path.filter(|_| sent).map(str::to_owned));
        }
        Ok(paths)
    }

    /// Nothing was restored into it: its root token works, it holds `value`, and nobody even
    /// asked it to take a snapshot.
    pub fn ensure_untouched(&self, value: &str) -> Result<()> {
        self.ensure_holds(value)?;
        let sent = self.sent_to()?;
        ensure!(sent.is_empty(), "it was sent {sent:?}");
        Ok(())
    }

    /// After a forced restore: it opens with other keys than its own, and with them only.
    pub fn unseal_with(&self, keys: &Keys) -> Result<()> {
        self.vault.wait_for_health(&[503])?;
        self.vault.unseal(&keys.unseal)?;
        wait::until("the restored Vault knows the root token", wait::START_LIMIT, || {
            let looked =
                self.vault.call("GET", "v1/auth/token/lookup-self", &keys.root_token, None);
            Ok(looked.ok().map(|_| ()))
        })
    }
}
