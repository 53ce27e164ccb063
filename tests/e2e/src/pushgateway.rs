//! A real Prometheus Pushgateway.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::binaries;
use crate::process::{Process, free_port, http_client};

/// A running Pushgateway without persistence.
#[derive(Debug)]
pub struct Pushgateway {
    _process: Process,
    client: ureq::Agent,
    port: u16,
}

impl Pushgateway {
    /// Starts one; its log goes to `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(binaries::server("pushgateway", "pushgateway")?);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let mut process = Process::start("pushgateway", folder, &mut command)?;
        let client = http_client();
        let ready = format!("http://127.0.0.1:{port}/-/ready");
        process.wait_until_ready(|| {
            client.get(&ready).call().is_ok_and(|answer| answer.status() == 200)
        })?;
        Ok(Self { _process: process, client, port })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All samples it holds, `name{labels}` to value, its own and Go's left out.
    pub fn samples(&self) -> Result<BTreeMap<String, f64>> {
        let url = format!("{}/metrics", self.url());
        let text = self
            .client
            .get(&url)
            .call()
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .context("failed to read the metrics of the Pushgateway")?;
        Ok(text
            .lines()
            .filter(|line| line.starts_with("stash_"))
            .filter_map(|line| line.rsplit_once(' '))
            .filter_map(|(series, value)| Some((series.to_owned(), value.parse().ok()?)))
            .collect())
    }

    /// The value of the one series of this name.
    pub fn value(&self, name: &str) -> Result<Option<f64>> {
        let prefix = format!("{name}{{");
        Ok(self
            .samples()?
            .into_iter()
            .find(|(series, _)| series.starts_with(&prefix))
            .map(|(_, value)| value))
    }
}
