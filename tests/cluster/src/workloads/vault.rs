//! Vault with raft on three nodes, in the form KubeVault gives it: a StatefulSet with a volume for
//! each pod and a headless Service, and a Service that leads to the active node only.

use std::path::Path;

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;
use sealift_e2e::process::http_client;
use sealift_e2e::vault::{Keys, SHARES, THRESHOLD};
use sealift_e2e::wait;
use serde_json::{Value, json};

use super::{pod_address, tolerations};
use crate::client::{Client, PATIENCE};
use crate::control_plane::ControlPlane;
use crate::images::Image;
use crate::node::Node;

const IMAGE: &str = "localhost/vault:1";
/// The name of the VaultServer, its StatefulSet and its Services.
const NAME: &str = "vault";

/// Every node serves plain HTTP inside of the cluster, as in the guide.
const SETTINGS: &str = r#"storage "raft" {
  path = "/data"
  retry_join {
    leader_api_addr = "http://vault-0.vault-internal:8200"
  }
  retry_join {
    leader_api_addr = "http://vault-1.vault-internal:8200"
  }
  retry_join {
    leader_api_addr = "http://vault-2.vault-internal:8200"
  }
}
listener "tcp" {
  address = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_disable = true
}
service_registration "kubernetes" {}
disable_mlock = true
ui = false
"#;

/// A running Vault.
#[derive(Debug)]
pub struct Vault {
    client: ureq::Agent,
    addresses: Vec<String>,
    /// What `init` gave out.
    pub keys: Keys,
}

/// Starts one of `nodes` nodes in `namespace`, initialised and unsealed.
pub fn start(plane: &ControlPlane, node: &Node, namespace: &str, nodes: usize) -> Result<Vault> {
    node.import(&Image::of(IMAGE, &binaries::server("vault", "vault")?)?)?;
    let mut items = objects(namespace, nodes);
    items.extend((0..nodes).map(|index| volume(namespace, index, &node.volumes())));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    plane.kubectl().apply(&list.to_string(), &[])?;
    let addresses = addresses(plane.client(), namespace, nodes)?;
    let keys = Keys { root_token: String::new(), unseal: Vec::new() };
    let mut vault = Vault { client: http_client(), addresses, keys };
    vault.init()?;
    Ok(vault)
}

fn addresses(client: &Client, namespace: &str, nodes: usize) -> Result<Vec<String>> {
    let address = |index| pod_address(client, namespace, &format!("{NAME}-{index}"));
    (0..nodes).map(|index| Ok(format!("http://{}:8200", address(index)?))).collect()
}

impl Vault {
    /// Deletes the pods in `namespace` and waits for those that take their places on the same
    /// volumes. Every node is sealed then.
    pub fn restart(&mut self, plane: &ControlPlane, namespace: &str) -> Result<()> {
        let pods = format!("app.kubernetes.io/instance={NAME}");
        plane.kubectl().succeed(&["-n", namespace, "delete", "pods", "--selector", &pods])?;
        self.addresses = addresses(plane.client(), namespace, self.addresses.len())?;
        Ok(())
    }

    fn init(&mut self) -> Result<()> {
        for node in 0..self.addresses.len() {
            self.wait_for_health(node, &[501])?;
        }
        let body = json!({"secret_shares": SHARES, "secret_threshold": THRESHOLD});
        let answer = self.call(0, "PUT", "v1/sys/init", "", Some(&body))?;
        self.keys = Keys {
            root_token: answer
                .pointer("/root_token")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            unseal: answer
                .pointer("/keys_base64")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|key| Some(key.as_str()?.to_owned()))
                .collect(),
        };
        self.unseal(0)?;
        self.wait_for_health(0, &[200])?;
        for node in 1..self.addresses.len() {
            // It joins by itself, and is sealed then.
            self.wait_for_health(node, &[503])?;
            self.unseal(node)?;
            self.wait_for_health(node, &[200, 429])?;
        }
        Ok(())
    }

    /// Hands enough unseal keys to one node.
    pub fn unseal(&self, node: usize) -> Result<()> {
        for key in self.keys.unseal.iter().take(THRESHOLD) {
            self.call(node, "PUT", "v1/sys/unseal", "", Some(&json!({ "key": key })))?;
        }
        Ok(())
    }

    /// Waits until `sys/health` of a node answers with one of `wanted`: 200 active, 429 standby,
    /// 501 uninitialised, 503 sealed.
    pub fn wait_for_health(&self, node: usize, wanted: &[u16]) -> Result<()> {
        let url = format!("{}/v1/sys/health", self.address(node)?);
        let mut last = String::new();
        wait::until(&format!("health {wanted:?} of node {node} of the Vault"), PATIENCE, || {
            let status = self.client.get(&url).call().map(|answer| answer.status().as_u16());
            last = format!("{status:?}");
            Ok(status.is_ok_and(|status| wanted.contains(&status)).then_some(()))
        })
        .with_context(|| format!("{url} was last answered with {last}"))
    }

    /// A token that may take and restore snapshots and nothing else.
    pub fn backup_token(&self) -> Result<String> {
        let policy = "path \"sys/storage/raft/snapshot\" { capabilities = [\"read\", \"update\"] }\n\
                      path \"sys/storage/raft/snapshot-force\" { capabilities = [\"update\"] }\n";
        let root = &self.keys.root_token;
        let body = json!({ "policy": policy });
        self.call(0, "PUT", "v1/sys/policies/acl/backup", root, Some(&body))?;
        let body = json!({"policies": ["backup"], "no_parent": true});
        let answer = self.call(0, "POST", "v1/auth/token/create", root, Some(&body))?;
        let token = answer.pointer("/auth/client_token").and_then(Value::as_str);
        Ok(token.context("the Vault gave out no token")?.to_owned())
    }

    /// Mounts a kv engine at `secret/`.
    pub fn enable_kv(&self) -> Result<()> {
        let root = &self.keys.root_token;
        self.call(0, "POST", "v1/sys/mounts/secret", root, Some(&json!({"type": "kv"})))?;
        Ok(())
    }

    /// Writes `secret/<name>` with one field `value`.
    pub fn put(&self, name: &str, value: &str) -> Result<()> {
        let root = &self.keys.root_token;
        self.call(0, "PUT", &format!("v1/secret/{name}"), root, Some(&json!({ "value": value })))?;
        Ok(())
    }

    /// The field `value` of `secret/<name>`.
    pub fn get(&self, name: &str) -> Result<String> {
        let answer =
            self.call(0, "GET", &format!("v1/secret/{name}"), &self.keys.root_token, None)?;
        let value = answer.pointer("/data/value").and_then(Value::as_str);
        Ok(value.with_context(|| format!("secret/{name} has no value"))?.to_owned())
    }

    /// One request to one node; standbys forward it.
    pub fn call(
        &self,
        node: usize,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Value> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.address(node)?))
            .header("X-Vault-Token", token)
            .body(body.map(Value::to_string).unwrap_or_default())
            .context("failed to form a request")?;
        let mut answer =
            self.client.run(request).with_context(|| format!("{method} {path} failed"))?;
        let status = answer.status();
        let text = answer
            .body_mut()
            .read_to_string()
            .with_context(|| format!("failed to read the answer to {method} {path}"))?;
        if !status.is_success() {
            bail!("{method} {path} was answered with {status}: {text}");
        }
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).context("failed to parse an answer of the Vault")
    }

    fn address(&self, node: usize) -> Result<&str> {
        let address = self.addresses.get(node);
        Ok(address.with_context(|| format!("the Vault has no node {node}"))?)
    }
}

fn objects(namespace: &str, nodes: usize) -> Vec<Value> {
    let labels = json!({"app.kubernetes.io/name": "vaultservers.kubevault.com", "app.kubernetes.io/instance": NAME});
    let meta = json!({"name": NAME, "namespace": namespace, "labels": labels});
    // Vault itself puts the last label on its pods.
    let active = json!({"app.kubernetes.io/name": "vaultservers.kubevault.com", "app.kubernetes.io/instance": NAME, "vault-active": "true"});
    let ports = json!([{"name": "client", "port": 8200}, {"name": "cluster", "port": 8201}]);
    let field = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let rbac = "rbac.authorization.k8s.io";
    vec![
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta,
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "patch", "update"]}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}]}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"vault.hcl": SETTINGS}}),
        json!({"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": format!("{NAME}-internal"), "namespace": namespace},
            "spec": {"clusterIP": "None", "publishNotReadyAddresses": true, "selector": labels, "ports": ports}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta,
            "spec": {"publishNotReadyAddresses": true, "selector": active, "ports": ports}}),
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta, "spec": {
            "serviceName": format!("{NAME}-internal"),
            "replicas": nodes,
            // They find each other only once all of them are there.
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "serviceAccountName": NAME,
                "terminationGracePeriodSeconds": 0,
                "tolerations": tolerations(),
                "containers": [{
                    "name": NAME,
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "args": ["server", "-config", "/etc/vault/vault.hcl"],
                    "env": [
                        field("VAULT_K8S_POD_NAME", "metadata.name"),
                        field("VAULT_K8S_NAMESPACE", "metadata.namespace"),
                        field("VAULT_RAFT_NODE_ID", "metadata.name"),
                        field("POD_NAME", "metadata.name"),
                        {"name": "VAULT_API_ADDR", "value": "http://$(POD_NAME).vault-internal:8200"},
                        {"name": "VAULT_CLUSTER_ADDR", "value": "https://$(POD_NAME).vault-internal:8201"},
                    ],
                    "volumeMounts": [
                        {"name": "data", "mountPath": "/data"},
                        {"name": "settings", "mountPath": "/etc/vault"},
                    ],
                }],
                "volumes": [{"name": "settings", "configMap": {"name": NAME}}],
            }},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"],
                "storageClassName": "",
                "resources": {"requests": {"storage": "1Gi"}},
            }}],
        }}),
    ]
}

/// The volume of one pod: a folder of the node, there being nobody who makes volumes.
fn volume(namespace: &str, index: usize, folder: &Path) -> Value {
    let name = format!("{namespace}-{NAME}-{index}");
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "",
        "claimRef": {"namespace": namespace, "name": format!("data-{NAME}-{index}")},
        "hostPath": {"path": folder.join(&name), "type": "DirectoryOrCreate"},
    }})
}
