//! A Vault of several raft nodes on loopback: one leads, the others are standbys, and each may
//! become the next leader.
//!
//! The nodes are unsealed with the same keys. Each writes down which requests it served, in an
//! audit log in its own folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::vault::{Keys, Vault};
use crate::wait;

/// Where each node writes down what it served; a relative path, so that it is not one file.
const AUDIT: &str = "audit.log";

/// How long a leader is waited for. One that steps down first lets its requests end, and Vault
/// ends those after 90 s only: a snapshot that is held halfway takes that long.
pub const ELECTION_LIMIT: Duration = Duration::from_secs(300);

/// A running cluster, unsealed.
#[derive(Debug)]
pub struct VaultCluster {
    nodes: Vec<(Vault, PathBuf)>,
    /// The keys of all nodes.
    pub keys: Keys,
}

impl VaultCluster {
    /// Starts `count` nodes with data in `folder` and waits until every one of them could lead.
    pub fn start(binary: &Path, folder: &Path, count: usize) -> Result<Self> {
        let mut nodes = Vec::new();
        for index in 0..count {
            let (id, folder) = (id(index), folder.join(id(index)));
            fs::create_dir_all(&folder)
                .with_context(|| format!("failed to create {}", folder.display()))?;
            nodes.push((Vault::start_node(binary, &folder, None, &id)?, folder));
        }
        let (first, _) = nodes.first().context("a cluster has at least one node")?;
        let keys = first.init()?;
        // New nodes become voters after this time; the default is ten seconds.
        first.call(
            "POST",
            "v1/sys/storage/raft/autopilot/configuration",
            &keys.root_token,
            Some(&json!({"server_stabilization_time": "1s"})),
        )?;
        for (node, _) in nodes.iter().skip(1) {
            join(node, first, &keys)?;
        }
        let audit = json!({"type": "file", "options": {"file_path": AUDIT}});
        first.call("PUT", "v1/sys/audit/file", &keys.root_token, Some(&audit))?;
        let cluster = Self { nodes, keys };
        cluster.wait_until_settled()?;
        Ok(cluster)
    }

    /// Restarts every node, as it happens to a Vault whose pods are all deleted.
    pub fn restart(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(|(node, _)| node.restart())
    }

    /// Unseals every node with `keys`, which are those of the cluster from then on, and waits
    /// until every one of them could lead.
    pub fn unseal(&mut self, keys: Keys) -> Result<()> {
        self.keys = keys;
        for node in self.nodes() {
            node.wait_for_health(&[503])?;
            node.hand_in(&self.keys.unseal)?;
        }
        self.wait_until_settled()
    }

    /// Ends the node of this number as a power cut would.
    pub fn stop(&mut self, index: usize) -> Result<()> {
        self.node_mut(index)?.stop()
    }

    /// Empties the volume of the node of this number, starts it, and lets it join the others.
    pub fn replace(&mut self, index: usize) -> Result<()> {
        let leader = self.leader()?;
        self.node_mut(index)?.restart_empty()?;
        join(self.node(index)?, self.node(leader)?, &self.keys)?;
        self.wait_until_settled()
    }

    fn node_mut(&mut self, index: usize) -> Result<&mut Vault> {
        Ok(&mut self.nodes.get_mut(index).context("the cluster has no such node")?.0)
    }

    /// All nodes, in order.
    pub fn nodes(&self) -> impl Iterator<Item = &Vault> {
        self.nodes.iter().map(|(node, _)| node)
    }

    /// The node of this number.
    pub fn node(&self, index: usize) -> Result<&Vault> {
        Ok(&self.nodes.get(index).context("the cluster has no such node")?.0)
    }

    /// The number of the node that leads, waited for.
    pub fn leader(&self) -> Result<usize> {
        wait::until("a leader of the cluster", ELECTION_LIMIT, || {
            Ok(self.nodes().position(|node| node.health() == Some(200)))
        })
    }

    /// The number of a node that does not lead.
    pub fn standby(&self) -> Result<usize> {
        let leader = self.leader()?;
        (0..self.nodes.len()).find(|index| *index != leader).context("there is no standby")
    }

    /// Makes the leader step down and waits until another node leads; returns its number.
    pub fn change_leader(&self) -> Result<usize> {
        let former = self.leader()?;
        self.node(former)?.call("PUT", "v1/sys/step-down", &self.keys.root_token, None)?;
        let next = wait::until("another leader of the cluster", ELECTION_LIMIT, || {
            let leader = self.nodes().position(|node| node.health() == Some(200));
            Ok(leader.filter(|leader| *leader != former))
        })?;
        self.wait_until_settled()?;
        Ok(next)
    }

    /// Waits until every node votes and keeps up with the leader.
    pub fn wait_until_settled(&self) -> Result<()> {
        wait::until("a cluster in which all nodes are equal", ELECTION_LIMIT, || {
            let leader = self.node(self.leader()?)?;
            let path = "v1/sys/storage/raft/autopilot/state";
            // A leader that has just begun answers with an error at first.
            let Ok(state) = leader.call("GET", path, &self.keys.root_token, None) else {
                return Ok(None);
            };
            let servers = state.pointer("/data/servers").and_then(Value::as_object);
            Ok(servers.filter(|servers| self.are_equal(servers)).map(|_| ()))
        })
    }

    fn are_equal(&self, servers: &serde_json::Map<String, Value>) -> bool {
        let is_voter = |server: &Value| {
            let status = server.get("status").and_then(Value::as_str);
            let healthy = server.get("healthy").and_then(Value::as_bool);
            healthy == Some(true) && matches!(status, Some("leader" | "voter"))
        };
        servers.len() == self.nodes.len() && servers.values().all(is_voter)
    }

    /// How many snapshots the node of this number has served, by its audit log.
    pub fn snapshots_served(&self, index: usize) -> Result<usize> {
        let (_, folder) = self.nodes.get(index).context("the cluster has no such node")?;
        let log = folder.join(AUDIT);
        if !log.is_file() {
            // A node that never led has served nothing.
            return Ok(0);
        }
        let text = fs::read_to_string(&log)
            .with_context(|| format!("failed to read {}", log.display()))?;
        let mut count = 0;
        for line in text.lines() {
            let entry: Value = serde_json::from_str(line).context("an audit log is not JSON")?;
            let text = |pointer| entry.pointer(pointer).and_then(Value::as_str);
            let is_snapshot = text("/request/path") == Some("sys/storage/raft/snapshot")
                && text("/request/operation") == Some("read");
            count += usize::from(text("/type") == Some("request") && is_snapshot);
        }
        Ok(count)
    }

    /// Reads `secrets` through every node, which standbys pass on to their leader, and then from
    /// the data of the next leader, which was a standby.
    pub fn compare_all(&self, token: &str, secrets: &[(String, String)]) -> Result<()> {
        for (index, node) in self.nodes().enumerate() {
            node.compare_all(token, secrets).with_context(|| format!("through node {index}"))?;
        }
        let next = self.change_leader()?;
        self.node(next)?
            .compare_all(token, secrets)
            .with_context(|| format!("from node {next}, which leads now"))
    }
}

/// A node with an empty volume becomes one of the leader's cluster.
fn join(node: &Vault, leader: &Vault, keys: &Keys) -> Result<()> {
    let leader = json!({"leader_api_addr": leader.address()});
    node.call("POST", "v1/sys/storage/raft/join", "", Some(&leader))?;
    node.hand_in(&keys.unseal)?;
    node.wait_for_health(&[429])
}

fn id(index: usize) -> String {
    format!("vault-{index}")
}
