//! restic itself, the referee: what it accepts is a repository.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::binaries;

/// Makes the first folder a root that has all of `/` in it, and the second folder as the third;
/// then runs the rest in it. Needs a mount namespace of its own, which ends with it.
const OTHER_ROOT: &str = r#"
set -e
root=$1; data=$2; at=$3; shift 3
mount -t tmpfs tmpfs "$root"
for entry in /*; do
  if [ -L "$entry" ]; then cp -P "$entry" "$root/"
  elif [ -d "$entry" ]; then mkdir -p "$root$entry"; mount --rbind "$entry" "$root$entry"; fi
done
mkdir -p "$root$at"
mount --bind "$data" "$root$at"
exec chroot "$root" "$@"
"#;

/// restic 0.19.1 with one repository and its password.
#[derive(Debug)]
pub struct Restic {
    binary: PathBuf,
    repository: String,
    password: String,
    environment: Vec<(String, String)>,
}

impl Restic {
    /// `repository` in restic's own notation.
    pub fn new(repository: impl Into<String>, password: &str) -> Result<Self> {
        Ok(Self {
            binary: binaries::server("restic", "restic")?,
            repository: repository.into(),
            password: password.to_owned(),
            environment: Vec::new(),
        })
    }

    /// Adds variables, such as the keys of a storage.
    #[must_use]
    pub fn with_environment(mut self, environment: &[(&str, &str)]) -> Self {
        self.environment.extend(
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        self
    }

    /// Runs restic and returns what it printed; any failure is an error with its words.
    pub fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = self.output(arguments)?;
        if !output.status.success() {
            bail!(
                "restic {} ended with {}:\n{}{}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(output.stdout)
    }

    /// Runs restic, whatever its end.
    pub fn output(&self, arguments: &[&str]) -> Result<Output> {
        self.output_of(Command::new(&self.binary), arguments)
    }

    /// Runs restic through `command`, which takes it as it is (`unshare … restic`).
    fn output_of(&self, mut command: Command, arguments: &[&str]) -> Result<Output> {
        command
            .env("RESTIC_REPOSITORY", &self.repository)
            .env("RESTIC_PASSWORD", &self.password)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .arg("--no-cache")
            .args(arguments)
            .output()
            .with_context(|| format!("failed to run {}", self.binary.display()))
    }

    /// Creates the repository.
    pub fn init(&self) -> Result<()> {
        self.run(&["init"]).map(drop)
    }

    /// Stores the folder `path` as the original's addon does: absolute path, given host.
    pub fn backup(&self, path: &Path, host: &str) -> Result<()> {
        let path = path.to_str().context("a path of a test is not UTF-8")?;
        self.run(&["backup", path, "--host", host, "--quiet"]).map(drop)
    }

    /// Stores the files of `folder` as if they lay in the absolute folder `at`, which need not
    /// exist: restic records absolute paths, so it runs in a file system of its own where they do.
    pub fn backup_at(&self, folder: &Path, at: &str, host: &str) -> Result<()> {
        let root = tempfile::tempdir().context("failed to create a folder to be the root")?;
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", OTHER_ROOT, "sh"]);
        command.arg(root.path()).arg(folder).arg(at).arg(&self.binary);
        let output = self.output_of(command, &["backup", at, "--host", host, "--quiet"])?;
        if !output.status.success() {
            bail!(
                "restic in a file system of its own: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// Reads every byte of the repository and checks it. Without lock: tests share repositories
    /// that nobody writes to any more.
    pub fn check(&self) -> Result<()> {
        let said = self.run(&["check", "--read-data", "--no-lock"])?;
        let said = String::from_utf8_lossy(&said);
        if !said.contains("no errors were found") {
            bail!("restic check did not say that no errors were found:\n{said}");
        }
        Ok(())
    }

    /// All snapshots, as restic prints them with `--json`.
    pub fn snapshots(&self) -> Result<Vec<Value>> {
        let said = self.run(&["snapshots", "--json"])?;
        serde_json::from_slice(&said).context("failed to parse what restic snapshots printed")
    }

    /// The paths of all files in the snapshot `id`.
    pub fn files(&self, id: &str) -> Result<Vec<String>> {
        let said = self.run(&["ls", "--json", id])?;
        let mut files = Vec::new();
        for line in said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let entry: Value =
                serde_json::from_slice(line).context("failed to parse what restic ls printed")?;
            if entry.get("type").and_then(Value::as_str) == Some("file") {
                files.extend(entry.get("path").and_then(Value::as_str).map(str::to_owned));
            }
        }
        Ok(files)
    }

    /// The bytes of one file in the snapshot `id`.
    pub fn dump(&self, id: &str, path: &str) -> Result<Vec<u8>> {
        self.run(&["dump", id, path])
    }
}
