//! `helm`, as an administrator types it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;

use crate::kubectl::Kubectl;

/// The program and the file that says who calls.
#[derive(Debug, Clone)]
pub struct Helm {
    binary: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Helm {
    /// The pinned `helm`, calling as `kubectl` does. Nothing of the user's own settings is read.
    pub fn new(kubectl: &Kubectl) -> Result<Self> {
        let kubeconfig = kubectl.kubeconfig().to_path_buf();
        let folder = kubeconfig.parent().context("the kubeconfig lies in no folder")?;
        Ok(Self {
            binary: binaries::server("helm", "helm")?,
            home: folder.join("helm"),
            kubeconfig,
        })
    }

    /// Calls it; another exit code than 0 is an error with its words.
    pub fn succeed(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.binary)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HELM_CACHE_HOME", self.home.join("cache"))
            .env("HELM_CONFIG_HOME", self.home.join("config"))
            .env("HELM_DATA_HOME", self.home.join("data"))
            .stdin(Stdio::null())
            .output()
            .context("failed to run helm")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("helm {} ended with {}: {said}{errors}", arguments.join(" "), output.status);
        }
        Ok(said)
    }
}
