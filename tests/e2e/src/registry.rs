//! Real OCI registries: the one of the distribution project, which keeps signatures under tags,
//! and one from memory that lists what refers to a manifest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use crate::binaries;
use crate::process::{Process, free_port, http_client};

/// What a registry of distribution asks for and shows.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A file of names and bcrypt hashes: who may ask. None: everybody.
    pub users: Option<PathBuf>,
    /// Files of a certificate and its key, as PEM. None: plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// A running registry on loopback.
#[derive(Debug)]
pub struct Registry {
    _process: Process,
    port: u16,
    /// Where distribution keeps its blobs.
    data: PathBuf,
}

impl Registry {
    /// One of the distribution project, with its data in `folder/registry`.
    pub fn distribution(folder: &Path, options: &Options) -> Result<Self> {
        let data = folder.join("registry");
        let port = free_port()?;
        let mut http = json!({"addr": format!("127.0.0.1:{port}")});
        if let Some((certificate, key)) = &options.tls {
            http = json!({
                "addr": format!("127.0.0.1:{port}"),
                "tls": {"certificate": certificate, "key": key},
            });
        }
        let mut settings = json!({
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": data}, "delete": {"enabled": true}},
            "http": http,
        });
        if let (Some(users), Some(settings)) = (&options.users, settings.as_object_mut()) {
            let auth = json!({"htpasswd": {"realm": "tests", "path": users}});
            settings.insert("auth".to_owned(), auth);
        }
        // JSON is YAML.
        let file = folder.join("registry.yml");
        fs::write(&file, settings.to_string())
            .with_context(|| format!("failed to write {}", file.display()))?;
        let mut command = Command::new(binaries::server("registry", "registry")?);
        // It would look for a collector of traces.
        command.env("OTEL_TRACES_EXPORTER", "none").arg("serve").arg(&file);
        Self::start("registry", folder, command, port, data, options.tls.is_some())
    }

    /// One from memory, with the referrers API.
    pub fn referrers(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(binaries::server("referrers", "referrers")?);
        command.arg("-address").arg(format!("127.0.0.1:{port}"));
        Self::start("referrers", folder, command, port, folder.join("none"), false)
    }

    fn start(
        name: &str,
        folder: &Path,
        mut command: Command,
        port: u16,
        data: PathBuf,
        tls: bool,
    ) -> Result<Self> {
        let mut process = Process::start(name, folder, &mut command)?;
        let client = http_client();
        let url = format!("http://127.0.0.1:{port}/v2/");
        process.wait_until_ready(|| match tls {
            // Its certificate is the test's to judge.
            true => std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(),
            false => client.get(&url).call().is_ok(),
        })?;
        Ok(Self { _process: process, port, data })
    }

    /// `127.0.0.1:<port>`, as references begin.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file in which distribution keeps the blob or manifest of this hash.
    #[must_use]
    pub fn blob_file(&self, hex: &str) -> PathBuf {
        let begin = hex.get(..2).unwrap_or_default();
        self.data.join("docker/registry/v2/blobs/sha256").join(begin).join(hex).join("data")
    }
}
