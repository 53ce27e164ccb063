//! `sealift operator` as a process outside of the cluster, with a kubeconfig.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sealift_e2e::binaries;
use sealift_e2e::process::{Process, free_port, http_client};

/// A running operator. Dropping it kills it.
#[derive(Debug)]
pub struct Operator {
    process: Process,
    port: u16,
    start: Start,
}

/// How it is started.
#[derive(Debug, Clone)]
struct Start {
    folder: PathBuf,
    kubeconfig: PathBuf,
    arguments: Vec<String>,
}

impl Operator {
    /// Starts the built `sealift` and waits until it says that it is ready. Its log goes to `folder`.
    pub fn start(folder: &Path, kubeconfig: &Path, arguments: &[&str]) -> Result<Self> {
        let mut operator = Self::start_unready(folder, kubeconfig, arguments)?;
        operator.wait_until_ready()?;
        Ok(operator)
    }

    /// The same without the wait, for one that shall not become ready.
    pub fn start_unready(folder: &Path, kubeconfig: &Path, arguments: &[&str]) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let start = Start {
            folder: folder.to_path_buf(),
            kubeconfig: kubeconfig.to_path_buf(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        let (process, port) = start.run()?;
        Ok(Self { process, port, start })
    }

    /// Kills it as a node that dies would, and starts it again.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        (self.process, self.port) = self.start.run()?;
        self.wait_until_ready()
    }

    /// Waits until `/readyz` says yes.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let ready = ready_url(self.port);
        let client = http_client();
        self.process.wait_until_ready(|| {
            client.get(&ready).call().is_ok_and(|answer| answer.status() == 200)
        })
    }

    /// What `/readyz` says: status and text. None while it does not listen.
    #[must_use]
    pub fn readiness(&self) -> Option<(u16, String)> {
        let mut answer = http_client().get(ready_url(self.port)).call().ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
    }

    /// What it tells a Prometheus.
    pub fn metrics(&self) -> Result<String> {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        let answer = http_client().get(url).call();
        answer
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .context("failed to read the metrics of the operator")
    }

    /// Kills it.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Asks it to end, as kubelet does, and waits for that; its exit code.
    pub fn terminate(&mut self) -> Result<Option<i32>> {
        self.process.terminate()
    }

    /// The process id.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// The last lines it logged.
    #[must_use]
    pub fn log_tail(&self) -> String {
        self.process.log_tail()
    }
}

fn ready_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/readyz")
}

impl Start {
    fn run(&self) -> Result<(Process, u16)> {
        let port = free_port()?;
        let mut command = Command::new(binaries::sealift()?);
        command
            .args(["operator", &format!("--metrics-address=127.0.0.1:{port}")])
            .args(&self.arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("RUST_BACKTRACE", "1")
            .current_dir(&self.folder);
        Ok((Process::start("operator", &self.folder, &mut command)?, port))
    }
}
