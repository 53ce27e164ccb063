//! A real Vault with raft storage: one node on loopback, alone or of a cluster (`vault_cluster`).
//!
//! It is driven through its HTTP API, as an operator of a Vault would; the snapshot endpoints
//! are here for the tests' own comparisons, never as a replacement of Sealift's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{Process, free_port, http_client};
use crate::wait;

/// How many unseal keys a Vault of the tests has, and how many of them open it.
pub const SHARES: usize = 5;
/// See [`SHARES`].
pub const THRESHOLD: usize = 3;

/// The name of its settings in its folder.
const SETTINGS: &str = "vault.hcl";
/// The folder in it that holds its storage.
const DATA: &str = "data";

/// What `init` gave out, once.
#[derive(Clone)]
pub struct Keys {
    /// The root token.
    pub root_token: String,
    /// The unseal keys, in order.
    pub unseal: Vec<String>,
}

/// A certificate for a second, encrypted listener.
#[derive(Debug, Clone)]
pub struct Tls {
    /// PEM file of the certificate chain.
    pub certificate: PathBuf,
    /// PEM file of its key.
    pub key: PathBuf,
}

/// A running Vault, possibly sealed.
#[derive(Debug)]
pub struct Vault {
    process: Process,
    client: ureq::Agent,
    binary: PathBuf,
    folder: PathBuf,
    port: u16,
    tls_port: Option<u16>,
}

impl Vault {
    /// Starts a Vault on the data in `folder` (none = an empty, uninitialised one).
    pub fn start(binary: &Path, folder: &Path, tls: Option<&Tls>) -> Result<Self> {
        Self::start_node(binary, folder, tls, "vault-0")
    }

    /// A Vault that the key `key` of another Vault's transit engine unseals.
    pub fn start_unsealed_by(
        binary: &Path,
        folder: &Path,
        service: &Self,
        token: &str,
        key: &str,
    ) -> Result<Self> {
        let seal = format!(
            "seal \"transit\" {{\n  address = {:?}\n  token = {token:?}\n  disable_renewal = \"true\"\n  mount_path = \"transit/\"\n  key_name = {key:?}\n}}\n",
            service.address()
        );
        Self::start_with(binary, folder, None, "vault-0", &seal)
    }

    /// The same as [`start`](Self::start) for the node `id` of a cluster. Relative paths in its
    /// settings are of `folder`.
    pub fn start_node(binary: &Path, folder: &Path, tls: Option<&Tls>, id: &str) -> Result<Self> {
        Self::start_with(binary, folder, tls, id, "")
    }

    fn start_with(
        binary: &Path,
        folder: &Path,
        tls: Option<&Tls>,
        id: &str,
        seal: &str,
    ) -> Result<Self> {
        let data = folder.join(DATA);
        fs::create_dir_all(&data)
            .with_context(|| format!("failed to create {}", data.display()))?;
        let (port, cluster) = (free_port()?, free_port()?);
        let tls_port = tls.map(|_| free_port()).transpose()?;
        let secure = match (tls, tls_port) {
            (Some(tls), Some(port)) => format!(
                "listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_cert_file = {:?}\n  tls_key_file = {:?}\n}}\n",
                tls.certificate, tls.key
            ),
            _ => String::new(),
        };
        // The first listener names the cluster address; the second must not ask for the same port.
        // Elections and new voters as soon as Vault allows: a node alone does not notice.
        let settings = format!(
            "storage \"raft\" {{\n  path = {data:?}\n  node_id = {id:?}\n  performance_multiplier = 2\n  autopilot_reconcile_interval = \"1s\"\n  autopilot_update_interval = \"500ms\"\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  cluster_address = \"127.0.0.1:{cluster}\"\n  tls_disable = true\n}}\n\
             {secure}{seal}\
             api_addr = \"http://127.0.0.1:{port}\"\ncluster_addr = \"https://127.0.0.1:{cluster}\"\n\
             disable_mlock = true\nui = false\n"
        );
        let file = folder.join(SETTINGS);
        fs::write(&file, settings)
            .with_context(|| format!("failed to write {}", file.display()))?;
        let mut vault = Self {
            process: launch(binary, folder)?,
            client: http_client(),
            binary: binary.to_path_buf(),
            folder: folder.to_path_buf(),
            port,
            tls_port,
        };
        vault.wait_until_it_answers()?;
        Ok(vault)
    }

    /// Ends it as a power cut would and starts it again on its data, at its addresses. It is
    /// sealed then.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.process = launch(&self.binary, &self.folder)?;
        self.wait_until_it_answers()
    }

    /// Ends it as a power cut would; [`restart`](Self::restart) starts it again.
    pub fn stop(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Ends it and starts it again on an empty volume: it is uninitialised then.
    pub fn restart_empty(&mut self) -> Result<()> {
        self.stop()?;
        let data = self.folder.join(DATA);
        fs::remove_dir_all(&data)
            .with_context(|| format!("failed to remove {}", data.display()))?;
        fs::create_dir(&data).with_context(|| format!("failed to create {}", data.display()))?;
        self.restart()
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let (client, health) = (self.client.clone(), self.url("v1/sys/health"));
        self.process.wait_until_ready(|| client.get(&health).call().is_ok())
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `https://localhost:<port>`, if it was started with a certificate.
    #[must_use]
    pub fn tls_address(&self) -> Option<String> {
        self.tls_port.map(|port| format!("https://localhost:{port}"))
    }

    /// The process id of the server.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the server as a power cut would. Its data stays where it is.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill()
    }

    /// Initialises it with [`SHARES`] keys, unseals it and waits until it is active.
    pub fn init(&self) -> Result<Keys> {
        let body = json!({"secret_shares": SHARES, "secret_threshold": THRESHOLD});
        let keys = self.made(&body, "keys_base64")?;
        self.unseal(&keys.unseal)?;
        Ok(keys)
    }

    /// The same for one that a service unseals: its keys are recovery keys.
    pub fn init_unsealed(&self) -> Result<Keys> {
        let body = json!({"recovery_shares": SHARES, "recovery_threshold": THRESHOLD});
        let keys = self.made(&body, "recovery_keys_base64")?;
        self.wait_for_health(&[200])?;
        Ok(keys)
    }

    fn made(&self, body: &Value, keys: &str) -> Result<Keys> {
        let answer = self.call("PUT", "v1/sys/init", "", Some(body))?;
        let shares = (0..SHARES).map(|share| text(&answer, &format!("/{keys}/{share}")));
        Ok(Keys {
            root_token: text(&answer, "/root_token")?,
            unseal: shares.collect::<Result<_>>()?,
        })
    }

    /// Mounts a transit engine with these keys, for Vaults that are to be unsealed by it.
    pub fn enable_transit(&self, token: &str, keys: &[&str]) -> Result<()> {
        self.call("POST", "v1/sys/mounts/transit", token, Some(&json!({"type": "transit"})))?;
        for key in keys {
            self.call("POST", &format!("v1/transit/keys/{key}"), token, None)?;
        }
        Ok(())
    }

    /// Hands in the first [`THRESHOLD`] of `keys` and waits until the Vault is active.
    pub fn unseal(&self, keys: &[String]) -> Result<()> {
        self.hand_in(keys)?;
        self.wait_for_health(&[200])
    }

    /// Hands in the first [`THRESHOLD`] of `keys`.
    pub fn hand_in(&self, keys: &[String]) -> Result<()> {
        for key in keys.iter().take(THRESHOLD) {
            self.call("PUT", "v1/sys/unseal", "", Some(&json!({ "key": key })))?;
        }
        Ok(())
    }

    /// What `sys/health` answers now: 200 active, 429 standby; `None` without an answer.
    #[must_use]
    pub fn health(&self) -> Option<u16> {
        self.client
            .get(self.url("v1/sys/health"))
            .call()
            .ok()
            .map(|answer| answer.status().as_u16())
    }

    /// Seals it.
    pub fn seal(&self, token: &str) -> Result<()> {
        self.call("PUT", "v1/sys/seal", token, None)?;
        self.wait_for_health(&[503])
    }

    /// Waits until `sys/health` answers with one of `wanted`: 200 active, 429 standby,
    /// 501 uninitialised, 503 sealed.
    pub fn wait_for_health(&self, wanted: &[u16]) -> Result<()> {
        wait::until(&format!("health {wanted:?} of the Vault"), wait::START_LIMIT, || {
            Ok(self.health().is_some_and(|status| wanted.contains(&status)).then_some(()))
        })
    }

    /// Mounts a kv engine at `secret/`.
    pub fn enable_kv(&self, token: &str) -> Result<()> {
        self.call("POST", "v1/sys/mounts/secret", token, Some(&json!({"type": "kv"})))?;
        Ok(())
    }

    /// A token that may take and restore snapshots and nothing else.
    pub fn backup_token(&self, root_token: &str) -> Result<String> {
        let policy = "path \"sys/storage/raft/snapshot\" { capabilities = [\"read\", \"update\"] }\n\
                      path \"sys/storage/raft/snapshot-force\" { capabilities = [\"update\"] }\n";
        self.call(
            "PUT",
            "v1/sys/policies/acl/backup",
            root_token,
            Some(&json!({ "policy": policy })),
        )?;
        let answer = self.call(
            "POST",
            "v1/auth/token/create",
            root_token,
            Some(&json!({"policies": ["backup"], "no_parent": true})),
        )?;
        text(&answer, "/auth/client_token")
    }

    /// Writes `secret/<name>` with one field `value`.
    pub fn put(&self, token: &str, name: &str, value: &str) -> Result<()> {
        self.call("PUT", &format!("v1/secret/{name}"), token, Some(&json!({ "value": value })))?;
        Ok(())
    }

    /// Reads `secret/<name>`; `None` if it is not there.
    pub fn get(&self, token: &str, name: &str) -> Result<Option<String>> {
        let mut answer = self
            .client
            .get(self.url(&format!("v1/secret/{name}")))
            .header("X-Vault-Token", token)
            .call()
            .with_context(|| format!("failed to read secret/{name}"))?;
        match answer.status().as_u16() {
            404 => Ok(None),
            200 => {
                let body: Value = answer
                    .body_mut()
                    .read_json()
                    .context("failed to read an answer of the Vault")?;
                Ok(Some(text(&body, "/data/value")?))
            }
            status => bail!("reading secret/{name} was answered with {status}"),
        }
    }

    /// Writes many secrets over six connections.
    pub fn put_all(&self, token: &str, secrets: &[(String, String)]) -> Result<()> {
        self.each(secrets, |(name, value)| self.put(token, name, value))
    }

    /// Reads many secrets back over six connections; the error names the first that differs.
    pub fn compare_all(&self, token: &str, secrets: &[(String, String)]) -> Result<()> {
        self.each(secrets, |(name, value)| match self.get(token, name)? {
            Some(found) if found == *value => Ok(()),
            Some(_) => bail!("secret/{name} has another value than was written"),
            None => bail!("secret/{name} is missing"),
        })
    }

    /// The snapshot as Vault serves it.
    pub fn snapshot(&self, token: &str) -> Result<Vec<u8>> {
        let mut answer = self
            .client
            .get(self.url("v1/sys/storage/raft/snapshot"))
            .header("X-Vault-Token", token)
            .call()
            .context("failed to ask for a snapshot")?;
        if answer.status().as_u16() != 200 {
            bail!("the request for a snapshot was answered with {}", answer.status());
        }
        answer
            .body_mut()
            .with_config()
            .limit(u64::MAX)
            .read_to_vec()
            .context("failed to read a snapshot")
    }

    fn each<T: Sync>(&self, items: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
        let share = items.len().div_ceil(6).max(1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = items
                .chunks(share)
                .map(|chunk| scope.spawn(|| chunk.iter().try_for_each(&work)))
                .collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(_) => bail!("a worker of the harness panicked"),
            })
        })
    }

    /// One request to the API; any answer but a success is an error with Vault's own words.
    pub fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(self.url(path))
            .header("X-Vault-Token", token);
        let bytes = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(bytes).context("failed to form a request")?;
        let mut answer =
            self.client.run(request).with_context(|| format!("{method} {path} failed"))?;
        let status = answer.status();
        let body = answer
            .body_mut()
            .with_config()
            .limit(64 << 20)
            .read_to_string()
            .with_context(|| format!("failed to read the answer to {method} {path}"))?;
        if !status.is_success() {
            bail!("{method} {path} was answered with {status}: {body}");
        }
        if body.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_str(&body).context("failed to parse an answer of the Vault")
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address())
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// `count` secrets of about `size` bytes; the same numbers give the same secrets.
#[must_use]
pub fn some_secrets(count: usize, size: usize) -> Vec<(String, String)> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..count)
        .map(|index| {
            let mut value = String::with_capacity(size + 16);
            while value.len() < size {
                // Marsaglia's xorshift: cheap, and it does not compress.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                value.push_str(&format!("{state:016x}"));
            }
            (format!("application-{:02}/credential-{index:05}", index % 40), value)
        })
        .collect()
}

/// The time a test gives a Vault to apply a snapshot it already accepted.
pub const RESTORE_LIMIT: Duration = Duration::from_secs(120);

fn launch(binary: &Path, folder: &Path) -> Result<Process> {
    let mut command = Command::new(binary);
    command
        .arg("server")
        .arg("-config")
        .arg(folder.join(SETTINGS))
        .current_dir(folder)
        .env_remove("VAULT_ADDR")
        .env_remove("VAULT_TOKEN");
    Process::start("vault", folder, &mut command)
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    Ok(value
        .pointer(pointer)
        .and_then(Value::as_str)
        .with_context(|| format!("an answer of the Vault has no {pointer}"))?
        .to_owned())
}
