//! A real Vault of this machine behind an AppBinding of the guide, with a gate on the way to it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sealift_e2e::vault::{Keys, Vault};
use sealift_e2e::{binaries, wait};
use serde_json::{Value, json};

use crate::gate::Gate;
use crate::scene::Scene;
use crate::world::text;

/// Where it writes down what it was asked, in its own folder.
const AUDIT: &str = "audit.log";

/// A Vault with a kv engine, an audit log, and an address that Jobs reach.
pub struct RealVault {
    pub vault: Vault,
    pub keys: Keys,
    /// What lies between the Jobs and it.
    pub gate: Gate,
    folder: PathBuf,
}

impl RealVault {
    /// Starts it in `folder`, and lets Jobs reach it at `address`.
    pub fn start(folder: &Path, address: &str) -> Result<Self> {
        let vault = Vault::start(&binaries::server("vault", "vault")?, folder, None)?;
        let keys = vault.init()?;
        vault.enable_kv(&keys.root_token)?;
        let audit = json!({"type": "file", "options": {"file_path": AUDIT}});
        vault.call("PUT", "v1/sys/audit/file", &keys.root_token, Some(&audit))?;
        let port = vault.address().rsplit(':').next().context("no port")?.parse()?;
        let gate = Gate::before(port, address)?;
        Ok(Self { vault, keys, gate, folder: folder.to_path_buf() })
    }

    /// Applies the guide's AppBinding under this name. Its Secrets are called after it, and its
    /// keys have the prefix of [`prefix`].
    pub fn bind(&self, scene: &Scene<'_>, name: &str) -> Result<()> {
        let mut binding = scene.app_binding()?;
        binding["metadata"]["name"] = json!(name);
        binding["spec"]["clientConfig"] = json!({"url": self.gate.url()});
        let parameters = &mut binding["spec"]["parameters"];
        let (token, keys) = (format!("{name}-backup-token"), format!("{name}-keys"));
        parameters["backupTokenSecretRef"] = json!({"name": token});
        parameters["unsealer"]["mode"] = json!({"kubernetesSecret": {"secretName": keys}});
        let key_prefix = json!([{"name": "keyPrefix", "value": prefix(name)}]);
        for task in ["backupTask", "restoreTask"] {
            parameters["stash"]["addon"][task]["params"] = key_prefix.clone();
        }
        let value = self.vault.backup_token(&self.keys.root_token)?;
        scene.apply(&scene.secret(&token, &json!({ "token": value })))?;
        scene.apply(&scene.secret(&keys, &named_keys(&prefix(name), &self.keys)))?;
        scene.apply(&binding)
    }

    /// Writes the one secret rows look at.
    pub fn put(&self, value: &str) -> Result<()> {
        self.vault.put(&self.keys.root_token, "canary", value)
    }

    /// What that holds.
    pub fn holds(&self) -> Result<Option<String>> {
        self.vault.get(&self.keys.root_token, "canary")
    }

    /// It holds this.
    pub fn ensure_holds(&self, value: &str) -> Result<()> {
        let found = self.holds()?;
        ensure!(found.as_deref() == Some(value), "{found:?} instead of {value:?}");
        Ok(())
    }

    /// The paths below `sys/storage/raft/` it was sent something to, by its own log.
    pub fn sent_to(&self) -> Result<Vec<String>> {
        let log = fs::read_to_string(self.folder.join(AUDIT)).context("there is no audit log")?;
        let mut paths = Vec::new();
        for line in log.lines() {
            let entry: Value = serde_json::from_str(line).context("an audit log is not JSON")?;
            let path = text(&entry, "/request/path").strip_prefix("sys/storage/raft/");
            let sent = text(&entry, "/type") == "request"
                && matches!(text(&entry, "/request/operation"), "update" | "create");
            paths.extend(path.filter(|_| sent).map(str::to_owned));
        }
        Ok(paths)
    }

    /// Nothing was restored into it: its root token works, it holds `value`, and nobody even
    /// asked it to take a snapshot.
    pub fn ensure_untouched(&self, value: &str) -> Result<()> {
        self.ensure_holds(value)?;
        let sent = self.sent_to()?;
        ensure!(sent.is_empty(), "it was sent {sent:?}");
        Ok(())
    }

    /// After a forced restore: it opens with other keys than its own, and with them only.
    pub fn unseal_with(&self, keys: &Keys) -> Result<()> {
        self.vault.wait_for_health(&[503])?;
        self.vault.unseal(&keys.unseal)?;
        wait::until("the restored Vault knows the root token", wait::START_LIMIT, || {
            let looked =
                self.vault.call("GET", "v1/auth/token/lookup-self", &keys.root_token, None);
            Ok(looked.ok().map(|_| ()))
        })
    }
}

/// What the names of a Vault's keys begin with, as KubeVault has it.
pub fn prefix(binding: &str) -> String {
    format!("k8s.kubevault.com.demo.{binding}")
}

/// Keys as KubeVault's Secret holds them.
pub fn named_keys(prefix: &str, keys: &Keys) -> Value {
    let mut named = json!({});
    named[format!("{prefix}-root-token")] = json!(keys.root_token);
    for (share, key) in keys.unseal.iter().enumerate() {
        named[format!("{prefix}-unseal-key-{share}")] = json!(key);
    }
    named
}
