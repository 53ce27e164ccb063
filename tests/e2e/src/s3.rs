//! A real S3 server (versitygw on a folder).

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::binaries;
use crate::process::{Process, free_port, http_client};
use crate::vault::Tls;

/// A running S3 server with one bucket.
#[derive(Debug)]
pub struct S3 {
    _process: Process,
    endpoint: String,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: String,
}

impl S3 {
    /// Starts one on `folder/buckets` with the bucket `bucket`.
    pub fn start(folder: &Path, bucket: &str) -> Result<Self> {
        Self::start_with(folder, bucket, None)
    }

    /// The same, encrypted with a certificate for `localhost`.
    pub fn start_encrypted(folder: &Path, bucket: &str, tls: &Tls) -> Result<Self> {
        Self::start_with(folder, bucket, Some(tls))
    }

    fn start_with(folder: &Path, bucket: &str, tls: Option<&Tls>) -> Result<Self> {
        let port = free_port()?;
        let buckets = folder.join("buckets");
        let path = buckets.join(bucket);
        fs::create_dir_all(&path)
            .with_context(|| format!("failed to create {}", path.display()))?;
        let (access_key, secret_key) =
            ("sealift-access-key".to_owned(), "sealift-secret-storage-key".to_owned());
        let mut command = Command::new(binaries::server("versitygw", "versitygw")?);
        command
            .env("ROOT_ACCESS_KEY", &access_key)
            .env("ROOT_SECRET_KEY", &secret_key)
            .arg("--port")
            .arg(format!("127.0.0.1:{port}"));
        if let Some(tls) = tls {
            command.arg("--cert").arg(&tls.certificate).arg("--key").arg(&tls.key);
        }
        command.arg("posix").arg(&buckets);
        let mut process = Process::start("versitygw", folder, &mut command)?;
        let endpoint = match tls {
            Some(_) => {
                // Nobody here trusts its authority.
                process.wait_until_ready(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
                format!("https://localhost:{port}")
            }
            None => {
                let (client, url) = (http_client(), format!("http://127.0.0.1:{port}"));
                // Refusing a request without a signature is an answer as well.
                process.wait_until_ready(|| client.get(&url).call().is_ok())?;
                url
            }
        };
        Ok(Self { _process: process, endpoint, access_key, secret_key })
    }

    /// `http://127.0.0.1:<port>`, or `https://localhost:<port>` if it is encrypted.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }
}
