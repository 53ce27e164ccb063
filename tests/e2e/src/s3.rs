//! A real S3 server (versitygw on a folder).

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::binaries;
use crate::process::{Process, free_port, http_client};

/// A running S3 server with one bucket.
#[derive(Debug)]
pub struct S3 {
    _process: Process,
    port: u16,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: String,
}

impl S3 {
    /// Starts one on `folder/buckets` with the bucket `bucket`.
    pub fn start(folder: &Path, bucket: &str) -> Result<Self> {
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
            .arg(format!("127.0.0.1:{port}"))
            .arg("posix")
            .arg(&buckets);
        let mut process = Process::start("versitygw", folder, &mut command)?;
        let client = http_client();
        // Refusing a request without a signature is an answer as well.
        let url = format!("http://127.0.0.1:{port}/");
        process.wait_until_ready(|| client.get(&url).call().is_ok())?;
        Ok(Self { _process: process, port, access_key, secret_key })
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
