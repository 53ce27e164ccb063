//! A real restic REST server.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::binaries;
use crate::process::{Process, free_port, http_client};

/// A running REST server that serves the folder it was given.
#[derive(Debug)]
pub struct RestServer {
    _process: Process,
    port: u16,
}

impl RestServer {
    /// Starts one without users on `folder/data`.
    pub fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(binaries::server("rest-server", "rest-server")?);
        command
            .arg("--no-auth")
            .arg("--listen")
            .arg(format!("127.0.0.1:{port}"))
            .arg("--path")
            .arg(folder.join("data"));
        let mut process = Process::start("rest-server", folder, &mut command)?;
        let client = http_client();
        // Any answer of the server will do: there is no repository yet.
        let url = format!("http://127.0.0.1:{port}/");
        process.wait_until_ready(|| client.get(&url).call().is_ok())?;
        Ok(Self { _process: process, port })
    }

    /// `127.0.0.1:<port>`.
    #[must_use]
    pub fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// URL of the repository `name`.
    #[must_use]
    pub fn repository(&self, name: &str) -> String {
        format!("http://{}/{name}/", self.authority())
    }
}
