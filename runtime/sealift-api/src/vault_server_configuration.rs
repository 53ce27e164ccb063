//! `VaultServerConfiguration` (`config.kubevault.com/v1alpha1`): the `parameters` of a Vault's AppBinding.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::reference::{LocalRef, TaskRef};

/// Kind of the parameters.
pub const KIND: &str = "VaultServerConfiguration";

/// Parameters of a Vault.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultServerConfiguration {
    /// `config.kubevault.com/v1alpha1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<String>,
    /// `VaultServerConfiguration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Path of the auth method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Role for the auth method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_role: Option<String>,
    /// Kubernetes auth method; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<Value>,
    /// Azure auth method; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Value>,
    /// AWS auth method; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<Value>,
    /// Storage; snapshots exist for `raft`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The Secret whose key `token` holds the token for snapshots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_token_secret_ref: Option<LocalRef>,
    /// Tasks for backup and restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stash: Option<StashParameters>,
    /// Where unseal keys and root token are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsealer: Option<Unsealer>,
    /// `Local` or `RemoteRelay`; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_mode: Option<String>,
    /// Name of the spoke; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spoke_name: Option<String>,
    /// Tenants are isolated; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolate_tenants: Option<bool>,
}

/// `stash` of the parameters; any AppBinding may have it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StashParameters {
    /// The addon.
    #[serde(default)]
    pub addon: StashAddon,
}

/// Tasks for backup and restore.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StashAddon {
    /// For a backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_task: Option<TaskRef>,
    /// For a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restore_task: Option<TaskRef>,
}

/// Where unseal keys and root token are kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsealer {
    /// How many unseal keys there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_shares: Option<i64>,
    /// How many of them unseal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_threshold: Option<i64>,
    /// Of KubeVault's unsealer; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_period_seconds: Option<i64>,
    /// Of KubeVault's unsealer; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrite_existing: Option<bool>,
    /// Whether the root token is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_root_token: Option<bool>,
    /// The store.
    #[serde(default)]
    pub mode: UnsealerMode,
}

/// The store; exactly one is set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnsealerMode {
    /// A Secret of the AppBinding's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_secret: Option<KubernetesSecretMode>,
    /// Google Cloud; not built yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub google_kms_gcs: Option<Value>,
    /// AWS; not built yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_kms_ssm: Option<Value>,
    /// Azure; not built yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_key_vault: Option<Value>,
}

/// A Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesSecretMode {
    /// Its name.
    #[serde(default)]
    pub secret_name: String,
}
