//! One test's stage: manifests, a repository, and `sealift` that plays with them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use sealift_e2e::manifests::Manifests;
use sealift_e2e::restic::Restic;
use sealift_e2e::sealift::{Outcome, Running, Sealift};
use sealift_e2e::vault::Keys;
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{Filled, World};

/// The password of the repositories of the tests.
pub const PASSWORD: &str = "correct horse battery staple of the tests";

/// What every run gets besides its invoker.
const COMMON: [&str; 4] =
    ["appbinding.yaml", "vault-token.yaml", "vault-keys.yaml", "repository.yaml"];

/// A folder with manifests and a repository.
pub struct Scene {
    folder: TempDir,
    pub manifests: Manifests,
    pub sealift: Sealift,
}

impl Scene {
    /// The stage for a filled Vault and a repository in a folder of its own.
    pub fn new(world: &World, filled: &Filled) -> Result<Self> {
        Self::at(world, &filled.vault.address(), &filled.token, &filled.keys)
    }

    /// The same with another address, such as that of a double.
    pub fn at(world: &World, url: &str, token: &str, keys: &Keys) -> Result<Self> {
        let folder = world.folder()?;
        let manifests = Manifests::new(&folder.path().join("manifests"))?;
        manifests.app_binding(url)?;
        manifests.token(token)?;
        manifests.keys(keys)?;
        manifests.local_repository(&folder.path().join("repository"), PASSWORD)?;
        manifests.fill("backupconfiguration.yaml", &[])?;
        manifests.fill("restoresession.yaml", &[])?;
        let sealift = Sealift::new(folder.path())?
            .with_secrets([PASSWORD, token, &keys.root_token])
            .with_secrets(keys.unseal.iter().map(String::as_str));
        Ok(Self { folder, manifests, sealift })
    }

    /// The folder of the local repository.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// restic on the local repository.
    pub fn restic(&self) -> Result<Restic> {
        Restic::new(self.repository().to_string_lossy(), PASSWORD)
    }

    /// Replaces text in a manifest; the text must be there.
    pub fn edit(&self, manifest: &str, from: &str, to: &str) -> Result<()> {
        let path = self.manifests.path(manifest);
        let text = fs::read_to_string(&path)?;
        ensure!(text.contains(from), "{manifest} does not contain {from:?}");
        self.manifests.write(manifest, &text.replace(from, to))?;
        Ok(())
    }

    /// Arguments of `sealift run` (or another verb) with this invoker.
    pub fn arguments(&self, verb: &str, invoker: &str, more: &[&str]) -> Vec<String> {
        let mut arguments = vec![verb.to_owned()];
        for name in COMMON.iter().chain([&invoker]) {
            arguments.push("-f".to_owned());
            arguments.push(self.manifests.path(name).to_string_lossy().into_owned());
        }
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        arguments
    }

    /// Runs a backup to its end.
    pub fn backup(&self, more: &[&str]) -> Result<Outcome> {
        let arguments = self.arguments("run", "backupconfiguration.yaml", more);
        self.sealift.run(&borrowed(&arguments))
    }

    /// Starts a backup.
    pub fn start_backup(&self, more: &[&str]) -> Result<Running> {
        let arguments = self.arguments("run", "backupconfiguration.yaml", more);
        self.sealift.start(&borrowed(&arguments))
    }

    /// Runs a backup that must succeed and returns the BackupSession it prints.
    pub fn successful_backup(&self) -> Result<Value> {
        let outcome = self.backup(&["--output", "json"])?;
        ensure!(outcome.code == Some(0), "the backup failed: {}", outcome.text());
        outcome.json()
    }

    /// Runs a restore to its end; the keys it writes go to `folder()/written`.
    pub fn restore(&self, more: &[&str]) -> Result<Outcome> {
        let written = self.written().to_string_lossy().into_owned();
        let mut arguments = vec!["--write-secrets", &written];
        arguments.extend(more);
        let arguments = self.arguments("run", "restoresession.yaml", &arguments);
        self.sealift.run(&borrowed(&arguments))
    }

    /// Where a restore writes the keys it brought back.
    pub fn written(&self) -> PathBuf {
        self.folder.path().join("written")
    }

    /// How many snapshot files the local repository has; none if there is no repository.
    pub fn snapshot_files(&self) -> Result<usize> {
        files_below(&self.repository().join("snapshots"))
    }

    /// Bytes of all packs of the local repository.
    pub fn pack_bytes(&self) -> Result<u64> {
        bytes_below(&self.repository().join("data"))
    }

    /// A failure as it must be: this exit code, these words, no snapshot.
    pub fn assert_failed(&self, outcome: &Outcome, code: i32, words: &[&str]) -> Result<()> {
        assert_failure(outcome, code, words)?;
        let snapshots = self.snapshot_files()?;
        ensure!(snapshots == 0, "{snapshots} snapshots appeared: {}", outcome.text());
        Ok(())
    }

    /// The run after a failure: it succeeds, and restic accepts all that is there.
    pub fn assert_recovers(&self) -> Result<Value> {
        let session = self.successful_backup().context("the run after the failure")?;
        let snapshots = self.snapshot_files()?;
        ensure!(snapshots == 1, "{snapshots} snapshots after the run that succeeded");
        self.restic()?.check()?;
        Ok(session)
    }
}

/// A failure as it must be: this exit code and these words, in any case of letters.
pub fn assert_failure(outcome: &Outcome, code: i32, words: &[&str]) -> Result<()> {
    ensure!(outcome.code == Some(code), "the exit code is not {code}: {}", outcome.text());
    let said = outcome.stderr.to_lowercase();
    let missing: Vec<&&str> =
        words.iter().filter(|word| !said.contains(&word.to_lowercase())).collect();
    ensure!(missing.is_empty(), "the message does not say {missing:?}: {}", outcome.text());
    // A Function's last words are quoted within a line; a panic of ours begins one.
    let panicked =
        said.lines().any(|line| line.starts_with("thread '") && line.contains("panicked"));
    ensure!(!panicked, "it panicked: {}", outcome.text());
    Ok(())
}

/// Arguments as `Command` wants them.
pub fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

/// Files in a folder and all below it; a folder that is not there has none.
pub fn files_below(folder: &Path) -> Result<usize> {
    Ok(walk(folder)?.len())
}

fn bytes_below(folder: &Path) -> Result<u64> {
    walk(folder)?.iter().map(|path| Ok(fs::metadata(path)?.len())).sum()
}

/// All files below a folder.
pub fn walk(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => bail!("failed to list {}: {error}", folder.display()),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() { found.extend(walk(&path)?) } else { found.push(path) }
    }
    Ok(found)
}
