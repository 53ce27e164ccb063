//! The props of the quickstart: the Vault's binary, a temporary folder, the manifests in it, and
//! calls of `sealift` with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;
use sealift_e2e::manifests::Manifests;
use sealift_e2e::secrets::read_keys;
use sealift_e2e::vault::{Keys, Vault};
use tempfile::TempDir;

use crate::servers;
use crate::workspace::{self, Workspace};

/// Prefix of the key names, as in `examples/quickstart`.
const KEY_PREFIX: &str = "demo.vault";

/// Where the Vault comes from.
#[derive(Debug)]
pub(super) enum VaultBinary {
    /// Installed by the user.
    OnPath { path: PathBuf, version: String },
    /// Built before.
    Cached,
    /// Has to be built, with this Go.
    ToBuild { go: String },
}

/// Looks on PATH, then in the cache, then for a Go that can build one.
pub(super) fn find_vault() -> Result<VaultBinary> {
    // Raft storage came with 1.4; what calls itself OpenBao speaks the same API.
    if let Some(version) = workspace::version("vault", "version")
        && (version.starts_with("Vault v1.") || version.starts_with("OpenBao v"))
    {
        let short = version.split(" (").next().unwrap_or_default().to_owned();
        return Ok(VaultBinary::OnPath {
            path: "vault".into(),
            version: format!("{short} on PATH"),
        });
    }
    if binaries::server("vault", "vault").is_ok() {
        return Ok(VaultBinary::Cached);
    }
    match workspace::version("go", "version") {
        Some(go) => Ok(VaultBinary::ToBuild { go: go.replace("go version ", "") }),
        None => bail!(
            "there is neither a Vault on PATH nor a Go to build one with; install Vault \
             (https://developer.hashicorp.com/vault/install) or Go 1.26 (https://go.dev/dl/)"
        ),
    }
}

impl VaultBinary {
    /// How long [`ensure`](Self::ensure) takes, where that is worth knowing.
    pub(super) fn duration(&self, workspace: &Workspace) -> Result<Option<&'static str>> {
        Ok(match self {
            Self::OnPath { .. } => None,
            Self::Cached | Self::ToBuild { .. } => {
                (!servers::built(workspace, "vault")?).then(|| servers::duration("vault"))
            }
        })
    }

    /// The binary, built if it has to be.
    pub(super) fn ensure(self, workspace: &Workspace) -> Result<PathBuf> {
        match self {
            Self::OnPath { path, .. } => Ok(path),
            Self::Cached | Self::ToBuild { .. } => {
                servers::ensure(workspace, "vault")?;
                binaries::server("vault", "vault")
            }
        }
    }
}

/// A temporary folder with everything in it.
#[derive(Debug)]
pub(super) struct Stage {
    folder: TempDir,
    manifests: Manifests,
}

impl Stage {
    /// An empty folder with the manifests that do not depend on a Vault.
    pub(super) fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("sealift-quickstart-")
            .tempdir()
            .context("failed to create a temporary folder")?;
        let manifests = Manifests::new(&folder.path().join("manifests"))?;
        manifests
            .local_repository(&folder.path().join("repository"), "a password of the quickstart")?;
        manifests.fill("backupconfiguration.yaml", &[])?;
        manifests.fill("restoresession.yaml", &[])?;
        Ok(Self { folder, manifests })
    }

    /// A new folder.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::create_dir(&path).with_context(|| format!("failed to create {}", path.display()))?;
        Ok(path)
    }

    /// Writes AppBinding, token and keys of a Vault.
    pub(super) fn describe(&self, vault: &Vault, keys: &Keys) -> Result<()> {
        self.manifests.app_binding(&vault.address())?;
        self.manifests.token(&vault.backup_token(&keys.root_token)?)?;
        self.manifests.keys(keys)?;
        Ok(())
    }

    /// Removes the Vault's data and the Secrets with its token and keys.
    pub(super) fn destroy(&self) -> Result<()> {
        let data = self.folder.path().join("vault-before");
        fs::remove_dir_all(&data)
            .with_context(|| format!("failed to remove {}", data.display()))?;
        for name in ["vault-token.yaml", "vault-keys.yaml"] {
            let path = self.manifests.path(name);
            fs::remove_file(&path)
                .with_context(|| format!("failed to remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Arguments of the backup.
    pub(super) fn backup(&self) -> Vec<PathBuf> {
        self.run("backupconfiguration.yaml")
    }

    /// Arguments of the restore: keys that change are written to a folder.
    pub(super) fn restore(&self) -> Vec<PathBuf> {
        let mut arguments = self.run("restoresession.yaml");
        arguments.push("--write-secrets".into());
        arguments.push(self.folder.path().join("written"));
        arguments
    }

    /// Arguments of the list of snapshots.
    pub(super) fn snapshots(&self) -> Vec<PathBuf> {
        vec!["snapshots".into(), "-f".into(), self.manifests.path("repository.yaml")]
    }

    fn run(&self, invoker: &str) -> Vec<PathBuf> {
        let mut arguments: Vec<PathBuf> = vec!["run".into()];
        for name in
            ["appbinding.yaml", "vault-token.yaml", "vault-keys.yaml", "repository.yaml", invoker]
        {
            arguments.push("-f".into());
            arguments.push(self.manifests.path(name));
        }
        arguments
    }

    /// Runs `sealift` and returns what it said.
    pub(super) fn sealift(&self, arguments: &[PathBuf]) -> Result<String> {
        let binary = binaries::sealift()?;
        let shown: Vec<String> = arguments.iter().map(|argument| shown(argument)).collect();
        let mut command = Command::new(binary);
        command.args(arguments).env("SEALIFT_LOCK_DIR", self.folder.path().join("locks"));
        let output = command.output().context("failed to run sealift")?;
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stderr),
            String::from_utf8_lossy(&output.stdout)
        );
        if !output.status.success() {
            bail!("sealift {} ended with {}:\n{text}", shown.join(" "), output.status);
        }
        Ok(format!("$ sealift {}\n{text}", shown.join(" ")))
    }

    /// The keys the restore wrote.
    pub(super) fn restored_keys(&self) -> Result<Keys> {
        read_keys(&self.folder.path().join("written"), KEY_PREFIX)
    }
}

/// An argument as a person would type it in the folder of the manifests.
fn shown(argument: &Path) -> String {
    argument
        .file_name()
        .filter(|_| argument.is_absolute())
        .unwrap_or(argument.as_os_str())
        .to_string_lossy()
        .into_owned()
}
