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
        std::fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let start = Start {
            folder: folder.to_path_buf(),
            kubeconfig: kubeconfig.to_path_buf(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        Ok(Self { process: start.run()?, start })
    }

    /// Kills it as a node that dies would, and starts it again.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = self.start.run()?;
        Ok(())
    }

    /// Kills it.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
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

impl Start {
    fn run(&self) -> Result<Process> {
        let port = free_port()?;
        let mut command = Command::new(binaries::sealift()?);
        command
            .args(["operator", &format!("--metrics-address=127.0.0.1:{port}")])
            .args(&self.arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("RUST_BACKTRACE", "1")
            .current_dir(&self.folder);
        let mut process = Process::start("operator", &self.folder, &mut command)?;
        let (client, ready) = (http_client(), format!("http://127.0.0.1:{port}/readyz"));
        process.wait_until_ready(|| {
            client.get(&ready).call().is_ok_and(|answer| answer.status() == 200)
        })?;
        Ok(process)
    }
}
