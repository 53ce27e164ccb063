//! The tools of others for registries: oras, crane and cosign.
//!
//! Each run has an empty home of its own, so that nothing of this machine's user is seen or
//! changed.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use crate::binaries;

/// The password of all key pairs of the tests.
pub const PASSWORD: &str = "a password of the tests";

/// One of them.
#[derive(Debug, Clone)]
pub struct Tool {
    name: &'static str,
    program: PathBuf,
    home: PathBuf,
}

impl Tool {
    /// `oras`, with its home in `folder`.
    pub fn oras(folder: &Path) -> Result<Self> {
        Self::of("oras", folder)
    }

    /// `crane`.
    pub fn crane(folder: &Path) -> Result<Self> {
        Self::of("crane", folder)
    }

    /// `cosign`.
    pub fn cosign(folder: &Path) -> Result<Self> {
        Self::of("cosign", folder)
    }

    fn of(name: &'static str, folder: &Path) -> Result<Self> {
        Ok(Self { name, program: binaries::server(name, name)?, home: folder.to_path_buf() })
    }

    /// Runs it in `folder` and hands out what happened.
    pub fn output(&self, folder: &Path, arguments: &[&str]) -> Result<Output> {
        Command::new(&self.program)
            .args(arguments)
            .current_dir(folder)
            .env_clear()
            .env("HOME", &self.home)
            .env("DOCKER_CONFIG", &self.home)
            .env("COSIGN_PASSWORD", PASSWORD)
            .output()
            .with_context(|| format!("failed to start {}", self.name))
    }

    /// Runs it in `folder`; what it printed. A failure is an error with what it said.
    pub fn run(&self, folder: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = self.output(folder, arguments)?;
        ensure!(
            output.status.success(),
            "{} {} ended with {}: {}",
            self.name,
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(output.stdout)
    }

    /// The same, as one line of text.
    pub fn text(&self, folder: &Path, arguments: &[&str]) -> Result<String> {
        Ok(String::from_utf8(self.run(folder, arguments)?)?.trim().to_owned())
    }
}
