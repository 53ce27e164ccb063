//! A real etcd, asked through its JSON gateway as its users do.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::binaries;
use crate::process::{Process, free_port, http_client};

/// A running etcd of one member.
#[derive(Debug)]
pub struct Etcd {
    _process: Process,
    client: ureq::Agent,
    address: String,
}

impl Etcd {
    /// Starts one on loopback; its log and its data go to `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let (client, peer) = (free_port()?, free_port()?);
        let address = format!("http://127.0.0.1:{client}");
        let peer = format!("http://127.0.0.1:{peer}");
        let mut command = Command::new(binaries::server("kubernetes", "server")?);
        command.arg("--data-dir").arg(folder.join("data"));
        command.args(["--name", "default", "--unsafe-no-fsync"]);
        command.args(["--listen-client-urls", &address, "--advertise-client-urls", &address]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("default={peer}")]);
        let mut process = Process::start("etcd", folder, &mut command)?;
        let (client, ready) = (http_client(), format!("{address}/readyz"));
        process.wait_until_ready(|| {
            client.get(&ready).call().is_ok_and(|answer| answer.status() == 200)
        })?;
        Ok(Self { _process: process, client, address })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.address
    }

    /// Puts a key.
    pub fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.ask("put", &json!({"key": STANDARD.encode(key), "value": STANDARD.encode(value)}))
            .map(drop)
    }

    /// Puts a key that a lease of ten minutes holds.
    pub fn put_leased(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let lease = self.post("/v3/lease/grant", &json!({"TTL": "600"}))?;
        let lease = lease.get("ID").cloned().context("etcd granted no lease")?;
        let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
        self.ask("put", &json!({"key": key, "value": value, "lease": lease})).map(drop)
    }

    /// All keys with their values.
    pub fn all(&self) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        let everything = STANDARD.encode([0]);
        let answer = self.ask("range", &json!({"key": everything, "range_end": everything}))?;
        let kvs = answer.get("kvs").and_then(Value::as_array).cloned().unwrap_or_default();
        kvs.iter().map(|kv| Ok((field(kv, "key")?, field(kv, "value")?))).collect()
    }

    fn ask(&self, verb: &str, body: &Value) -> Result<Value> {
        self.post(&format!("/v3/kv/{verb}"), body)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.address);
        let mut answer =
            self.client.post(&url).send_json(body).with_context(|| format!("POST {path}"))?;
        let status = answer.status();
        if status != 200 {
            bail!("POST {path}: {status}: {}", answer.body_mut().read_to_string()?);
        }
        // All keys of a test in one answer are more than ureq takes by default.
        let body = answer.body_mut().with_config().limit(256 << 20);
        body.read_json().with_context(|| format!("POST {path}: the answer is no JSON"))
    }
}

/// A field in base64; one that is empty is left out.
fn field(kv: &Value, name: &str) -> Result<Vec<u8>> {
    let text = kv.get(name).and_then(Value::as_str).unwrap_or_default();
    STANDARD.decode(text).with_context(|| format!("{name} of a key is not base64"))
}
