//! A scene whose Jobs really run: as processes of this machine with the rights the operator gave
//! to their ServiceAccounts, against a real Vault, into a repository in a folder.
//!
//! The control plane has no node, so a Job's pod never starts; the process does what it would,
//! and the operator hears of it by the status alone.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use sealift_cluster::Resource;
use sealift_e2e::restic::Restic;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::acted::{self, job_of};
use crate::conditions;
use crate::gate::Mode;
use crate::process::{Prepared, Ran, Running};
use crate::real_vault::RealVault;
use crate::scene::{BACKUP, PASSWORD, REPOSITORY, Scene, VAULT};
use crate::world::{World, text};

/// The guide with everything behind it.
pub struct Chain<'a> {
    world: &'a World,
    pub scene: Scene<'a>,
    pub target: RealVault,
    folder: TempDir,
}

impl<'a> Chain<'a> {
    /// A ready BackupConfiguration, changed by `change` before it is applied.
    pub fn ready(world: &'a World, number: &str, change: impl FnOnce(&mut Value)) -> Result<Self> {
        let scene = Scene::new(world, number)?;
        let folder = tempfile::tempdir()?;
        let target = RealVault::start(&folder.path().join("vault"), world.address())?;
        target.bind(&scene, VAULT)?;
        let chain = Self { world, scene, target, folder };
        let scene = &chain.scene;
        let mut backup = scene.backup()?;
        // The row makes its sessions itself.
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        backup["spec"]["backupHistoryLimit"] = json!(5);
        change(&mut backup);
        scene.apply(&scene.storage_secret())?;
        scene.apply(&scene.local_repository(&chain.repository())?)?;
        scene.apply(&backup)?;
        scene.wait_for_phase(BACKUP, "Ready")?;
        Ok(chain)
    }

    /// Writes the Secret of the Vault's token.
    pub fn give_token(&self, token: &str) -> Result<()> {
        self.scene.apply(&self.scene.secret("vault-backup-token", &json!({"token": token})))
    }

    /// Makes a session and runs its Job to its end.
    pub fn run(&self, session: &str) -> Result<Ran> {
        self.scene.session(session)?;
        self.start(session)?.wait()
    }

    /// A whole session that succeeds, for real.
    pub fn succeed(&self, session: &str) -> Result<Value> {
        let ran = self.run(session)?;
        ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
        self.ended(session, "Succeeded")
    }

    /// Waits for the final phase of a session.
    pub fn ended(&self, session: &str, phase: &str) -> Result<Value> {
        acted::ended(&self.scene, session, phase)
    }

    /// Starts the process of the Job the operator made for a session.
    pub fn start(&self, session: &str) -> Result<Running> {
        let job = Prepared::of(&self.scene, &job_of(session));
        job.with_context(|| self.told(session))?.start()
    }

    /// A session that runs, with its Job before the Vault: it gets no further until
    /// [`release`](Self::release).
    pub fn held(&self, session: &str) -> Result<Running> {
        self.target.gate.set(Mode::Held);
        self.scene.session(session)?;
        let job = self.start(session)?;
        acted::running(&self.scene, session)?;
        self.target.gate.wait_for_guest().with_context(|| job.log())?;
        Ok(job)
    }

    /// The way to the Vault is free.
    pub fn release(&self) {
        self.target.gate.set(Mode::Open);
    }

    /// What session and operator say, for the message of a failed row.
    fn told(&self, session: &str) -> String {
        let status = self.scene.object(Resource::BACKUP_SESSION, session);
        let status = status.map(|found| found["status"].to_string());
        let log = self.world.operator().map(|operator| operator.log_tail());
        format!(
            "the session says {}; the operator says {}",
            status.unwrap_or_else(|error| error.to_string()),
            log.unwrap_or_else(|error| error.to_string())
        )
    }

    /// Where the repository is.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// restic on the repository.
    pub fn restic(&self) -> Result<Restic> {
        Restic::new(self.repository().to_string_lossy().into_owned(), PASSWORD)
    }

    /// How many snapshots there are; 0 = there is no repository.
    pub fn snapshots(&self) -> Result<usize> {
        if !self.repository().join("config").is_file() {
            return Ok(0);
        }
        Ok(self.restic()?.snapshots()?.len())
    }

    /// The path of the repository's Lease.
    pub fn lease(&self) -> Result<String> {
        let repository = self.scene.object(Resource::REPOSITORY, REPOSITORY)?;
        let uid = text(&repository, "/metadata/uid");
        let root = "/apis/coordination.k8s.io/v1/namespaces";
        Ok(format!("{root}/{}/leases/sealift-{uid}", self.scene.namespace))
    }

    /// Who holds the repository, as the Lease says it.
    pub fn holders(&self) -> Result<String> {
        let lease = self.scene.client().get(&self.lease()?)?.context("there is no Lease")?;
        Ok(text(&lease, "/metadata/annotations/sealift.dev~1holders").to_owned())
    }

    /// The session holds nothing any more, and one snapshot for each that succeeded is whole.
    pub fn ensure_sound(&self, snapshots: usize) -> Result<()> {
        let holders = self.holders()?;
        ensure!(holders == "{}", "the repository is held: {holders}");
        let found = self.snapshots()?;
        ensure!(found == snapshots, "{found} snapshots instead of {snapshots}");
        self.restic()?.check()
    }
}

/// The reason the operator gives for a session that failed: of its host, or of its target.
pub fn error_of(session: &Value) -> String {
    let target = &session["status"]["targets"][0];
    let said = conditions::message(session, "DeadlineExceeded");
    format!("{} {said}", text(target, "/stats/0/error"))
}
