//! A Job the operator made, as a process of this machine: the command of its pod, with exactly the
//! rights of its ServiceAccount. The operator hears of it by what it writes alone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::{binaries, wait};
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::Scene;
use crate::world::text;

const LEFT: &str = "termination-log";
const LOG: &str = "log";
const PLAN: &str = "plan.json";

/// A Job's command, ready to be run.
pub struct Prepared {
    folder: TempDir,
    kubeconfig: PathBuf,
    arguments: Vec<String>,
    pod: String,
}

/// A Job's process. Dropping it kills it.
pub struct Running {
    child: Child,
    folder: TempDir,
}

/// A Job's process that has ended.
pub struct Ran {
    pub code: Option<i32>,
    /// The termination message, as it stands there.
    pub message: String,
    /// The same, read.
    pub left: Value,
    pub log: String,
}

impl Prepared {
    /// Takes plan and arguments from a Job, once it is there.
    pub fn of(scene: &Scene<'_>, job: &str) -> Result<Self> {
        let found = scene.wait("the Job exists", Resource::JOB, job, |_| true)?;
        let folder = tempfile::tempdir()?;
        let pod = &found["spec"]["template"]["spec"];
        let mut arguments: Vec<String> = pod
            .pointer("/containers/0/args")
            .and_then(Value::as_array)
            .context("the Job's container has no arguments")?
            .iter()
            .filter_map(|argument| argument.as_str().map(str::to_owned))
            .collect();
        // A Job that removes data has none.
        if let Ok(map) = plan_map(&found) {
            let map = scene.object(Resource::CONFIG_MAP, map)?;
            let plan = folder.path().join(PLAN);
            fs::write(&plan, text(&map, "/data/plan.json"))?;
            for argument in &mut arguments {
                if argument == "/etc/sealift/plan/plan.json" {
                    *argument = plan.to_string_lossy().into_owned();
                }
            }
        }
        let kubeconfig = kubeconfig(scene, text(pod, "/serviceAccountName"))?;
        Ok(Self { folder, kubeconfig, arguments, pod: format!("pod-of-{job}") })
    }

    /// The file of the plan.
    pub fn plan(&self) -> PathBuf {
        self.folder.path().join(PLAN)
    }

    /// Starts it.
    pub fn start(self) -> Result<Running> {
        let child = Command::new(binaries::sealift()?)
            .args(&self.arguments)
            .arg("--termination-log")
            .arg(self.folder.path().join(LEFT))
            .env("KUBECONFIG", &self.kubeconfig)
            .env("POD_NAME", &self.pod)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.folder.path().join(LOG))?)
            .spawn()
            .context("failed to start sealift job")?;
        Ok(Running { child, folder: self.folder })
    }

    /// Starts it and waits for its end.
    pub fn run(self) -> Result<Ran> {
        self.start()?.wait()
    }
}

impl Running {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        read(&self.folder.path().join(LOG))
    }

    /// Asks it to end, as kubelet does.
    pub fn terminate(&self) -> Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(status.success(), "the Job has ended already");
        Ok(())
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<Ran> {
        let code = wait::until("the Job's process ends", PATIENCE, || {
            Ok(self.child.try_wait()?.map(|status| status.code()))
        })
        .with_context(|| self.log())?;
        let log = self.log();
        let message = fs::read_to_string(self.folder.path().join(LEFT))
            .with_context(|| format!("nothing left: {log}"))?;
        Ok(Ran { code, left: serde_json::from_str(&message)?, message, log })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A kubeconfig of a ServiceAccount.
pub fn kubeconfig(scene: &Scene<'_>, account: &str) -> Result<PathBuf> {
    let user = format!("system:serviceaccount:{}:{account}", scene.namespace);
    let name = format!("{}-{account}", scene.namespace);
    scene.plane.kubeconfig(&name, &user, Some("system:authenticated"))
}

/// The name of the ConfigMap whose plan a Job carries out.
pub fn plan_map(job: &Value) -> Result<&str> {
    let volumes = job.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
    volumes
        .into_iter()
        .flatten()
        .find_map(|volume| volume.pointer("/configMap/name")?.as_str())
        .context("the Job mounts no plan")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
