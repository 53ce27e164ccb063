//! A real Prometheus Pushgateway.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use crate::binaries;
use crate::process::{Process, free_port, http_client};
use crate::wait;

/// Where it keeps its series, in its folder.
const FILE: &str = "pushgateway.dat";

/// A running Pushgateway.
#[derive(Debug)]
pub struct Pushgateway {
    process: Process,
    client: ureq::Agent,
    folder: PathBuf,
    address: String,
}

impl Pushgateway {
    /// Starts one on loopback; its log and what it keeps go to `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_on(folder, "127.0.0.1")
    }

    /// The same on another address of this machine.
    pub fn start_on(folder: &Path, host: &str) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let address = format!("{host}:{}", free_port()?);
        let process = run(folder, &address)?;
        let (client, folder) = (http_client(), folder.to_path_buf());
        let mut gateway = Self { process, client, folder, address };
        gateway.wait_until_ready()?;
        Ok(gateway)
    }

    /// Ends it as the end of its container would.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Starts it again, where it was, with what it has kept.
    pub fn restart(&mut self) -> Result<()> {
        self.process = run(&self.folder, &self.address)?;
        self.wait_until_ready()
    }

    /// Waits until the file it keeps its series in has been written after `since`.
    pub fn wait_until_kept(&self, since: SystemTime) -> Result<()> {
        let file = self.folder.join(FILE);
        wait::until("the Pushgateway writes its file", wait::START_LIMIT, || {
            let written = fs::metadata(&file).and_then(|file| file.modified()).ok();
            Ok(written.filter(|written| *written > since).map(drop))
        })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let ready = format!("{}/-/ready", self.url());
        let client = self.client.clone();
        self.process.wait_until_ready(|| {
            client.get(&ready).call().is_ok_and(|answer| answer.status() == 200)
        })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it tells a Prometheus, in the text format.
    pub fn text(&self) -> Result<String> {
        let url = format!("{}/metrics", self.url());
        let answer = self.client.get(&url).call();
        answer
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .context("failed to read the metrics of the Pushgateway")
    }

    /// The families of a job by their names, each with its type, its help and its series, as the
    /// Pushgateway's own API tells them. None = nothing was pushed under this job.
    pub fn families(&self, job: &str) -> Result<Option<Map<String, Value>>> {
        let url = format!("{}/api/v1/metrics", self.url());
        let answer: Value = self
            .client
            .get(&url)
            .call()
            .and_then(|mut answer| answer.body_mut().read_json())
            .context("failed to ask the Pushgateway for its groups")?;
        let groups = answer.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        let is = |group: &Value| group.pointer("/labels/job").is_some_and(|it| it == job);
        let group = groups.into_iter().find(is);
        let Some(Value::Object(mut group)) = group else { return Ok(None) };
        group.retain(|_, family| family.get("metrics").is_some_and(Value::is_array));
        Ok(Some(group))
    }

    /// Hands a text to Prometheus' own parser, which is the Pushgateway's; then it is in [`Self::families`].
    pub fn push(&self, job: &str, text: &str) -> Result<()> {
        let url = format!("{}/metrics/job/{job}", self.url());
        let mut answer =
            self.client.put(&url).send(text).context("failed to push to the Pushgateway")?;
        let status = answer.status();
        if !status.is_success() {
            let said = answer.body_mut().read_to_string().unwrap_or_default();
            bail!("the Pushgateway answered with {status}: {said}");
        }
        Ok(())
    }

    /// All samples it holds, `name{labels}` to value, its own and Go's left out.
    pub fn samples(&self) -> Result<BTreeMap<String, f64>> {
        Ok(self
            .text()?
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

fn run(folder: &Path, address: &str) -> Result<Process> {
    let mut command = Command::new(binaries::server("pushgateway", "pushgateway")?);
    command.args([
        &format!("--web.listen-address={address}"),
        &format!("--persistence.file={}", folder.join(FILE).display()),
        "--persistence.interval=1s",
    ]);
    Process::start("pushgateway", folder, &mut command)
}
