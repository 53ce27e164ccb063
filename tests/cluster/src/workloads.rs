//! What a backup needs around it, in pods: a Vault as KubeVault makes it, and storages.

pub mod storage;
pub mod vault;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::client::{Client, Resource};

/// Tolerations of pods that rows stand on: they keep their data, and stay when their node is silent.
#[must_use]
pub fn tolerations() -> Value {
    json!([
        {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
        {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
    ])
}

/// Waits until a pod runs, and returns its address.
pub fn pod_address(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let path = Resource::POD.path(namespace, name);
    client
        .wait(&format!("pod {name} runs"), &path, |pod| {
            let pod = pod?;
            let running = pod.pointer("/status/phase").and_then(Value::as_str) == Some("Running");
            let address = pod.pointer("/status/podIP").and_then(Value::as_str)?;
            running.then(|| address.to_owned())
        })
        .with_context(|| format!("pod {namespace}/{name} does not run"))
}
