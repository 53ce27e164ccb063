//! `BackupSession` (`stash.appscode.com/v1beta1`): one run of a backup, and how it went.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::kind::Kind;
use crate::manifest::{Manifest, STASH_GROUP, STASH_V1BETA1};
use crate::reference::TargetRef;

/// A BackupSession.
pub type BackupSession = Manifest<BackupSessionSpec, BackupSessionStatus>;

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupSessionSpec {
    /// The BackupConfiguration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoker: Option<InvokerRef>,
    /// Tries that are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_left: Option<i32>,
}

impl Kind for BackupSessionSpec {
    const GROUP: &'static str = STASH_GROUP;
    const VERSION: &'static str = "v1beta1";
    const API_VERSION: &'static str = STASH_V1BETA1;
    const KIND: &'static str = "BackupSession";
    const PLURAL: &'static str = "backupsessions";
    type Scope = NamespaceResourceScope;
}

/// The object a session was made for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvokerRef {
    /// Group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_group: Option<String>,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupSessionStatus {
    /// Of the whole session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<BackupSessionPhase>,
    /// How long it took, as Go prints it: `39s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_duration: Option<String>,
    /// When it is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_deadline: Option<Time>,
    /// Each target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<BackupTargetStatus>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Whether another session was made after it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<bool>,
    /// When the next try begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_retry: Option<Time>,
}

/// Phase of a BackupSession.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BackupSessionPhase {
    /// Not begun.
    Pending,
    /// Not begun and never will be.
    Skipped,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Ended without its purpose reached.
    Failed,
    /// Nothing is known.
    Unknown,
}

/// Status of one target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupTargetStatus {
    /// The target.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<TargetRef>,
    /// Hosts of it; 1 for an AppBinding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_hosts: Option<i32>,
    /// Phase of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<TargetPhase>,
    /// Each host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stats: Vec<HostBackupStats>,
    /// `InitializeBackendRepository`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_backup_actions: Vec<String>,
    /// `ApplyRetentionPolicy`, `VerifyRepositoryIntegrity`, `SendRepositoryMetrics`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_backup_actions: Vec<String>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Phase of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TargetPhase {
    /// Not begun.
    Pending,
    /// Done.
    Succeeded,
    /// Under way.
    Running,
    /// Ended without its purpose reached.
    Failed,
}

/// Result of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostBackupStats {
    /// `target.alias` or `host-0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// `Succeeded` or `Failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<HostPhase>,
    /// How long it took, as Go prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The snapshots it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotStats>,
}

/// Phase of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HostPhase {
    /// Done.
    Succeeded,
    /// Ended without its purpose reached.
    Failed,
    /// Under way; only in a RestoreSession.
    Running,
    /// Nothing is known; only in a RestoreSession.
    Unknown,
}

/// A snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct SnapshotStats {
    /// restic's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Such as `75.867 KiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_size: Option<String>,
    /// Such as `75.867 KiB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<String>,
    /// `m:ss` or `h:mm:ss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processing_time: Option<String>,
    /// Files in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_stats: Option<FileStats>,
}

/// Files of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FileStats {
    /// All.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_files: Option<i64>,
    /// Not in the snapshot before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_files: Option<i64>,
    /// Different from the snapshot before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified_files: Option<i64>,
    /// As in the snapshot before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmodified_files: Option<i64>,
}
