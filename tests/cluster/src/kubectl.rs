//! `kubectl`, as a user of the cluster types it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;
use serde_json::Value;

/// The program and the file that says who calls.
#[derive(Debug, Clone)]
pub struct Kubectl {
    binary: PathBuf,
    kubeconfig: PathBuf,
}

/// What a call said.
#[derive(Debug, Clone)]
pub struct Said {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Kubectl {
    /// The pinned `kubectl` with this kubeconfig.
    pub fn new(kubeconfig: PathBuf) -> Result<Self> {
        Ok(Self { binary: binaries::server("kubernetes", "kubectl")?, kubeconfig })
    }

    /// The file that says who calls.
    #[must_use]
    pub fn kubeconfig(&self) -> &std::path::Path {
        &self.kubeconfig
    }

    /// A call to add arguments to.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--kubeconfig").arg(&self.kubeconfig).env_remove("KUBECONFIG");
        // What it remembers of the API is per user, and this API lives for minutes.
        if let Some(folder) = self.kubeconfig.parent() {
            command.arg("--cache-dir").arg(folder.join("kubectl-cache"));
        }
        command
    }

    /// Calls it and says what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<Said> {
        self.run_with(arguments, None)
    }

    /// The same with text on its standard input.
    pub fn run_with(&self, arguments: &[&str], input: Option<&str>) -> Result<Said> {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to start kubectl")?;
        if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
            // It reads all of its input before it answers; a broken pipe is told by its words.
            drop(stdin.write_all(text.as_bytes()));
        }
        let output = child.wait_with_output().context("failed to wait for kubectl")?;
        Ok(Said {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Calls it; another exit code than 0 is an error with its words.
    pub fn succeed(&self, arguments: &[&str]) -> Result<String> {
        self.run(arguments)?.succeeded(arguments)
    }

    /// What it prints with `-o json`.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        let said = self.succeed(&all)?;
        serde_json::from_str(&said).with_context(|| format!("not JSON: {said}"))
    }

    /// `kubectl apply` of these manifests.
    pub fn apply(&self, manifests: &str, more: &[&str]) -> Result<String> {
        let mut arguments = vec!["apply", "-f", "-"];
        arguments.extend(more);
        self.run_with(&arguments, Some(manifests))?.succeeded(&arguments)
    }

    /// `kubectl get --raw`.
    pub fn raw(&self, path: &str) -> Result<String> {
        self.succeed(&["get", "--raw", path])
    }
}

impl Said {
    /// Everything it said, for the message of a failed test.
    #[must_use]
    pub fn text(&self) -> String {
        format!("exit code {:?}\n{}{}", self.code, self.stdout, self.stderr)
    }

    fn succeeded(self, arguments: &[&str]) -> Result<String> {
        if self.code != Some(0) {
            bail!("kubectl {}: {}", arguments.join(" "), self.text());
        }
        Ok(self.stdout)
    }
}
