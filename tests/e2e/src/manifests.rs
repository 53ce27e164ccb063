//! The manifests of a scene: those of `examples/`, filled in and written to a folder.
//!
//! The same files serve the quickstart and the tests, so what a reader sees in `examples/` is
//! what is tested.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::binaries;
use crate::s3::S3;
use crate::vault::Keys;

/// Writes manifests into one folder.
#[derive(Debug, Clone)]
pub struct Manifests {
    folder: PathBuf,
}

impl Manifests {
    /// Manifests that go to `folder`, which is created.
    pub fn new(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        Ok(Self { folder: folder.to_path_buf() })
    }

    /// The file `name` in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes `text` as it is, readable by this user only.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("failed to create {}", path.display()))?;
        file.write_all(text.as_bytes())
            .with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    /// Fills in and writes the file `name` of `examples/quickstart`.
    pub fn fill(&self, name: &str, values: &[(&str, &str)]) -> Result<PathBuf> {
        self.write(name, &filled("quickstart", name, values)?)
    }

    /// The AppBinding of a Vault at `url`.
    pub fn app_binding(&self, url: &str) -> Result<PathBuf> {
        self.fill("appbinding.yaml", &[("VAULT_URL", url)])
    }

    /// The Secret with the token for backups.
    pub fn token(&self, token: &str) -> Result<PathBuf> {
        self.fill("vault-token.yaml", &[("BACKUP_TOKEN", token)])
    }

    /// The Secret with root token and unseal keys.
    pub fn keys(&self, keys: &Keys) -> Result<PathBuf> {
        let names: Vec<String> =
            (0..keys.unseal.len()).map(|share| format!("UNSEAL_KEY_{share}")).collect();
        let mut values = vec![("ROOT_TOKEN", keys.root_token.as_str())];
        values.extend(names.iter().map(String::as_str).zip(keys.unseal.iter().map(String::as_str)));
        self.fill("vault-keys.yaml", &values)
    }

    /// The Repository in a folder of this machine, and its Secret.
    pub fn local_repository(&self, path: &Path, password: &str) -> Result<PathBuf> {
        let path = path.to_str().context("the path of the repository is not UTF-8")?;
        self.fill("repository.yaml", &[("REPOSITORY_PATH", path), ("RESTIC_PASSWORD", password)])
    }

    /// The Repository on a REST server, and its Secret.
    pub fn rest_repository(&self, url: &str, password: &str) -> Result<PathBuf> {
        let values = [("REST_URL", url), ("RESTIC_PASSWORD", password)];
        self.write("repository.yaml", &filled("repositories", "rest.yaml", &values)?)
    }

    /// The Repository in an S3 bucket, and its Secret.
    pub fn s3_repository(
        &self,
        server: &S3,
        bucket: &str,
        prefix: &str,
        password: &str,
    ) -> Result<PathBuf> {
        let values = [
            ("ENDPOINT", server.endpoint()),
            ("BUCKET", bucket.to_owned()),
            ("PREFIX", prefix.to_owned()),
            ("ACCESS_KEY", server.access_key.clone()),
            ("SECRET_KEY", server.secret_key.clone()),
            ("RESTIC_PASSWORD", password.to_owned()),
        ];
        let values: Vec<(&str, &str)> =
            values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.write("repository.yaml", &filled("repositories", "s3.yaml", &values)?)
    }
}

/// The text of the file `name` in `examples/<folder>` with every `${…}` replaced.
pub fn filled(folder: &str, name: &str, values: &[(&str, &str)]) -> Result<String> {
    let example = binaries::source_root().join("examples").join(folder).join(name);
    let mut text = fs::read_to_string(&example)
        .with_context(|| format!("failed to read {}", example.display()))?;
    for (variable, value) in values {
        text = text.replace(&format!("${{{variable}}}"), value);
    }
    if let Some(left) = text.find("${") {
        let rest: String = text.get(left..).unwrap_or_default().chars().take(40).collect();
        bail!("{} still has a place to fill in: {rest}", example.display());
    }
    Ok(text)
}
