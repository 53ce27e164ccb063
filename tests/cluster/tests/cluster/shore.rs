//! A row's namespace with a bucket of a real S3 server behind its Repositories, and a real Vault
//! where a row backs one up: what a row needs in which Jobs run as processes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::restic::Restic;
use sealift_e2e::s3::S3;
use sealift_e2e::wait;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::conditions;
use crate::process::{Prepared, Ran};
use crate::real_vault::RealVault;
use crate::scene::{BACKUP, REPOSITORY, STORAGE_SECRET, Scene, VAULT};
use crate::stage::PASSWORD;
use crate::world::{World, text};

const BUCKET: &str = "backups";

/// A scene with a bucket.
pub struct Shore<'a> {
    pub scene: Scene<'a>,
    pub s3: S3,
    pub folder: TempDir,
}

impl<'a> Shore<'a> {
    /// An empty bucket and the Secret for it.
    pub fn new(world: &'a World, number: &str) -> Result<Self> {
        Self::of(Scene::new(world, number)?)
    }

    /// The same in a namespace that is there.
    pub fn of(scene: Scene<'a>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let s3 = S3::start(folder.path(), BUCKET)?;
        let shore = Self { scene, s3, folder };
        shore.scene.apply(&shore.secret(&shore.s3.secret_key))?;
        Ok(shore)
    }

    /// The storage's Secret.
    pub fn secret(&self, key: &str) -> Value {
        let data = json!({
            "RESTIC_PASSWORD": PASSWORD,
            "AWS_ACCESS_KEY_ID": self.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": key,
        });
        self.scene.secret(STORAGE_SECRET, &data)
    }

    /// A Repository of this name at this prefix of the bucket, not applied yet.
    pub fn repository(&self, name: &str, prefix: &str) -> Result<Value> {
        let mut repository = self.scene.repository()?;
        repository["metadata"]["name"] = json!(name);
        repository["spec"]["backend"] = json!({
            "s3": {"endpoint": self.s3.endpoint(), "bucket": BUCKET, "prefix": prefix},
            "storageSecretName": STORAGE_SECRET,
        });
        Ok(repository)
    }

    /// restic on a prefix.
    pub fn restic(&self, prefix: &str) -> Result<Restic> {
        let place = format!("s3:{}/{BUCKET}/{prefix}", self.s3.endpoint());
        let keys = [
            ("AWS_ACCESS_KEY_ID", self.s3.access_key.as_str()),
            ("AWS_SECRET_ACCESS_KEY", self.s3.secret_key.as_str()),
        ];
        Ok(Restic::new(place, PASSWORD)?.with_environment(&keys))
    }

    /// restic's own repository at a prefix, with one snapshot of one file.
    pub fn fill(&self, prefix: &str) -> Result<()> {
        let restic = self.restic(prefix)?;
        restic.init()?;
        restic.backup(&self.something()?, "host-0")
    }

    fn something(&self) -> Result<PathBuf> {
        let folder = self.folder.path().join("something");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("file"), "something to keep")?;
        Ok(folder)
    }

    /// The bucket, as the server keeps it.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join("buckets").join(BUCKET)
    }

    /// Everything in the bucket, with its bytes.
    pub fn files(&self) -> Result<Vec<(String, Vec<u8>)>> {
        files_below(&self.bucket())
    }

    /// A Vault with the guide's AppBinding and Secrets before it.
    pub fn vault(&self, world: &World) -> Result<RealVault> {
        let vault = RealVault::start(&self.folder.path().join("vault"), world.address())?;
        vault.bind(&self.scene, VAULT)?;
        Ok(vault)
    }

    /// The guide's Repository, changed, and its BackupConfiguration, ready. The row makes its
    /// sessions itself.
    pub fn ready(
        &self,
        repository: impl FnOnce(&mut Value),
        backup: impl FnOnce(&mut Value),
    ) -> Result<()> {
        let mut object = self.repository(REPOSITORY, "demo-vault")?;
        repository(&mut object["spec"]);
        self.scene.apply(&object)?;
        let mut object = self.scene.backup()?;
        object["spec"]["schedule"] = json!("0 0 1 1 *");
        object["spec"]["backupHistoryLimit"] = json!(20);
        backup(&mut object["spec"]);
        self.scene.apply(&object)?;
        self.scene.wait_for_phase(BACKUP, "Ready")?;
        Ok(())
    }

    /// Makes a BackupSession; its Job is ready to be run.
    pub fn session(&self, name: &str) -> Result<Prepared> {
        self.scene.session(name)?;
        Prepared::of(&self.scene, &format!("stash-backup-{name}-0"))
    }

    /// A whole BackupSession with this last phase.
    pub fn back_up(&self, name: &str, phase: &str) -> Result<Value> {
        let ran = self.session(name)?.run()?;
        let session = self.ended(name)?;
        ensure!(
            conditions::phase(&session) == phase,
            "{name} is not {phase}: {} {} {}",
            session["status"],
            ran.left,
            ran.log
        );
        Ok(session)
    }

    /// Waits for the last phase of a BackupSession.
    pub fn ended(&self, name: &str) -> Result<Value> {
        self.scene.wait(&format!("{name} ends"), Resource::BACKUP_SESSION, name, |session| {
            matches!(conditions::phase(session), "Succeeded" | "Failed" | "Skipped")
        })
    }

    /// Deletes a Repository without waiting for its end.
    pub fn delete(&self, repository: &str) -> Result<()> {
        self.scene.client().delete(Resource::REPOSITORY, &self.scene.namespace, repository)
    }

    /// Waits until a Repository is gone.
    pub fn gone(&self, repository: &str) -> Result<()> {
        let path = Resource::REPOSITORY.path(&self.scene.namespace, repository);
        self.scene.client().wait_until_gone(&path)
    }

    /// Waits until the deletion of a Repository is said to wait for this.
    pub fn waits(&self, repository: &str, reason: &str) -> Result<Value> {
        let what = format!("{repository} waits: {reason}");
        self.scene.wait(&what, Resource::REPOSITORY, repository, |found| {
            conditions::of(found, "Deletable") == format!("False {reason}")
        })
    }

    /// The Job of this attempt to remove the data of a Repository.
    pub fn wipe_job(&self, repository: &str, attempt: u32) -> Result<Value> {
        let path = Resource::JOB.list(&self.scene.namespace);
        let what = format!("attempt {attempt} to remove the data of {repository}");
        self.scene.client().wait(&what, &path, |list| {
            let mut items = list?["items"].as_array()?.iter();
            items.find(|job| is_attempt(job, repository, attempt)).cloned()
        })
    }

    /// Whether there is any Job that removes data.
    pub fn has_wipe_job(&self) -> Result<bool> {
        let jobs = self.scene.client().list(Resource::JOB, &self.scene.namespace)?;
        Ok(jobs.iter().any(|job| !annotation(job, "wipe-of").is_empty()))
    }

    /// Runs it on this machine as its pod would, and says so as the kubelet would.
    pub fn wipe(&self, job: &Value) -> Result<Ran> {
        let name = text(job, "/metadata/name");
        let ran = Prepared::of(&self.scene, name)?.run()?;
        self.ends(name, ran.code, &ran.message)?;
        Ok(ran)
    }

    /// What a kubelet writes when the container of a Job's pod has ended.
    fn ends(&self, job: &str, code: Option<i32>, message: &str) -> Result<()> {
        let scene = &self.scene;
        let path = Resource::POD.list(&scene.namespace);
        let pod = scene.client().wait(&format!("Job {job} has a pod"), &path, |list| {
            let mut items = list?["items"].as_array()?.iter();
            let of = |pod: &&Value| pod["metadata"]["labels"]["job-name"] == job;
            Some(text(items.find(of)?, "/metadata/name").to_owned())
        })?;
        let (phase, reason) =
            if code == Some(0) { ("Succeeded", "Completed") } else { ("Failed", "Error") };
        let status = json!({"status": {"phase": phase, "containerStatuses": [{
            "name": "sealift-wipe", "image": "sealift", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"terminated": {
                "exitCode": code.unwrap_or(137), "reason": reason, "message": message,
            }},
        }]}});
        scene.client().patch_status(Resource::POD, &scene.namespace, &pod, &status)?;
        Ok(())
    }

    /// Waits until nothing is left of what was made to remove data.
    pub fn swept(&self) -> Result<()> {
        let client = self.scene.client();
        let kinds =
            [Resource::JOB, Resource::SERVICE_ACCOUNT, Resource::ROLE, Resource::ROLE_BINDING];
        wait::until("what removed the data is gone", sealift_cluster::client::PATIENCE, || {
            for kind in kinds {
                let names = client.names(kind, &self.scene.namespace)?;
                if names.iter().any(|name| name.starts_with("sealift-wipe-")) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
    }

    /// Waits for an Event about an object: it follows what it tells of.
    pub fn tells(&self, about: &str, reason: &str, words: &str) -> Result<()> {
        let told = |it: &String| it.starts_with(reason) && it.contains(words);
        wait::until(&format!("the Event {reason:?} is there"), PATIENCE, || {
            Ok(self.said(about)?.iter().any(told).then_some(()))
        })
    }

    /// Events about an object, as `<type> <reason>: <message>`.
    fn said(&self, about: &str) -> Result<Vec<String>> {
        let events = self.scene.client().list(Resource::EVENT, &self.scene.namespace)?;
        let of = events.iter().filter(|event| event["involvedObject"]["name"] == about);
        Ok(of
            .map(|event| {
                let [type_, reason, message] =
                    ["/type", "/reason", "/message"].map(|pointer| text(event, pointer));
                format!("{type_} {reason}: {message}")
            })
            .collect())
    }
}

fn is_attempt(job: &Value, repository: &str, attempt: u32) -> bool {
    annotation(job, "wipe-of") == repository
        && annotation(job, "wipe-attempt") == attempt.to_string()
        && job["metadata"]["deletionTimestamp"].is_null()
}

fn annotation<'v>(job: &'v Value, name: &str) -> &'v str {
    job["metadata"]["annotations"][format!("sealift.dev/{name}")].as_str().unwrap_or_default()
}

/// The files of a folder, with their bytes.
pub fn files_below(root: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push((below(root, &path)?, fs::read(&path)?)),
            }
        }
    }
    found.sort();
    Ok(found)
}

fn below(root: &Path, path: &Path) -> Result<String> {
    Ok(path.strip_prefix(root)?.to_string_lossy().into_owned())
}
