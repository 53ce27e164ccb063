//! Runs the built `sealift` and watches that it keeps secrets to itself.
//!
//! Every run is searched for the secrets it was given: standard output and error, and the
//! arguments of the process and of its children while it runs.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{binaries, wait};

/// No run of a test takes longer; a run that does is stuck.
const RUN_LIMIT: Duration = Duration::from_secs(300);

/// The binary and the secrets that must appear nowhere.
#[derive(Clone)]
pub struct Sealift {
    binary: PathBuf,
    secrets: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
}

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// From start to end.
    pub duration: Duration,
    /// The most memory it had at once, in KiB, as last seen while it ran.
    pub peak_memory_kib: u64,
}

/// A run that has not ended yet.
#[derive(Debug)]
pub struct Running {
    child: Child,
    readers: Option<(std::thread::JoinHandle<String>, std::thread::JoinHandle<String>)>,
    start: Instant,
    secrets: Vec<String>,
    command_lines: Vec<String>,
    peak_memory_kib: u64,
}

impl Sealift {
    /// The `sealift` of this build; lock files go to `folder`.
    pub fn new(folder: &Path) -> Result<Self> {
        Ok(Self {
            binary: binaries::sealift()?,
            secrets: Vec::new(),
            environment: Vec::new(),
            folder: folder.to_path_buf(),
        })
    }

    /// Sets a variable of every run.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds secrets no run may show.
    #[must_use]
    pub fn with_secrets<T: Into<String>>(mut self, secrets: impl IntoIterator<Item = T>) -> Self {
        self.secrets.extend(
            secrets.into_iter().map(Into::into).filter(|secret: &String| !secret.is_empty()),
        );
        self
    }

    /// Starts a run.
    pub fn start(&self, arguments: &[&str]) -> Result<Running> {
        let mut child = Command::new(&self.binary)
            .args(arguments)
            .current_dir(&self.folder)
            .env("SEALIFT_LOCK_DIR", self.folder.join("locks"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to start {}", self.binary.display()))?;
        let stdout = child.stdout.take().context("the run has no standard output")?;
        let stderr = child.stderr.take().context("the run has no standard error")?;
        Ok(Running {
            child,
            readers: Some((
                std::thread::spawn(|| collect(stdout)),
                std::thread::spawn(|| collect(stderr)),
            )),
            start: Instant::now(),
            secrets: self.secrets.clone(),
            command_lines: Vec::new(),
            peak_memory_kib: 0,
        })
    }

    /// Runs to the end.
    pub fn run(&self, arguments: &[&str]) -> Result<Outcome> {
        self.start(arguments)?.wait()
    }

    /// Runs to the end; an exit code other than 0 is an error with everything it said.
    pub fn succeed(&self, arguments: &[&str]) -> Result<Outcome> {
        let outcome = self.run(arguments)?;
        if outcome.code != Some(0) {
            bail!(
                "sealift {} ended with {:?}:\n{}{}",
                arguments.join(" "),
                outcome.code,
                outcome.stdout,
                outcome.stderr
            );
        }
        Ok(outcome)
    }
}

impl Running {
    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().context("failed to ask for the state of a run")?.is_some())
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("failed to kill a run")
    }

    /// Sends it a signal, such as `INT`.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status()
            .context("failed to run kill")?;
        if !status.success() {
            bail!("the run has ended already");
        }
        Ok(())
    }

    /// Waits for the end and searches what it left for secrets.
    pub fn wait(mut self) -> Result<Outcome> {
        let status = wait::until("the end of a run of sealift", RUN_LIMIT, || {
            let ended = self.child.try_wait().context("failed to wait for a run")?;
            if ended.is_none() {
                self.note_command_lines();
                self.note_memory();
            }
            Ok(ended)
        });
        if status.is_err() {
            let _ = self.child.kill();
        }
        let Some((stdout, stderr)) = self.readers.take() else {
            bail!("a run was waited for twice")
        };
        let (Ok(stdout), Ok(stderr)) = (stdout.join(), stderr.join()) else {
            bail!("a reader of the harness panicked")
        };
        let status = status.with_context(|| format!("it said:\n{stdout}{stderr}"))?;
        for (place, text) in [("standard output", &stdout), ("standard error", &stderr)] {
            self.search(place, text)?;
        }
        for line in &self.command_lines {
            self.search("the arguments or the environment of a child", line)?;
        }
        let (duration, peak_memory_kib) = (self.start.elapsed(), self.peak_memory_kib);
        Ok(Outcome { code: status.code(), stdout, stderr, duration, peak_memory_kib })
    }

    fn search(&self, place: &str, text: &str) -> Result<()> {
        if self.secrets.iter().any(|secret| text.contains(secret.as_str())) {
            bail!("a secret stands in {place} of sealift");
        }
        Ok(())
    }

    /// `VmHWM` is the peak so far, so a look from time to time is enough.
    fn note_memory(&mut self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let peak = status
            .unwrap_or_default()
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        self.peak_memory_kib = peak.unwrap_or(self.peak_memory_kib);
    }

    /// Its own arguments, and the arguments and environment of its children. Its own environment
    /// is the test's.
    fn note_command_lines(&mut self) {
        let id = self.child.id();
        let mut files = vec![format!("/proc/{id}/cmdline")];
        for child in fs::read_to_string(format!("/proc/{id}/task/{id}/children"))
            .unwrap_or_default()
            .split_whitespace()
        {
            files.push(format!("/proc/{child}/cmdline"));
            files.push(format!("/proc/{child}/environ"));
        }
        for file in files {
            let Ok(bytes) = fs::read(file) else { continue };
            let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
            if !self.command_lines.contains(&text) {
                self.command_lines.push(text);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A run that has ended is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Outcome {
    /// Everything it said, for the message of a failed test.
    #[must_use]
    pub fn text(&self) -> String {
        format!("exit code {:?}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr)
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout)
            .with_context(|| format!("standard output is not JSON: {}", self.text()))
    }
}

impl std::fmt::Debug for Sealift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealift").field("binary", &self.binary).finish_non_exhaustive()
    }
}

fn collect(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    // What could be read is what is searched and shown; a broken pipe ends it.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
