//! `BackupBlueprint` (`stash.appscode.com/v1beta1`, cluster-scoped): what Repositories and
//! BackupConfigurations are made from for objects that ask for it by annotation.
//!
//! The kind exists so that a cluster that has such objects keeps them; no controller serves it
//! yet.

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backup_configuration::{RetentionPolicy, RetryConfig};
use crate::hook::BackupHooks;
use crate::kind::Kind;
use crate::manifest::{Manifest, STASH_GROUP, STASH_V1BETA1};
use crate::reference::{TaskRef, TempDir};
use crate::repository::{Backend, UsagePolicy};
use crate::runtime_settings::RuntimeSettings;

/// A BackupBlueprint.
pub type BackupBlueprint = Manifest<BackupBlueprintSpec>;

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupBlueprintSpec {
    /// The storage, with `${VARIABLES}`.
    #[serde(default)]
    pub backend: Backend,
    /// Remove the data with the Repository; default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wipe_out: Option<bool>,
    /// Who may use the Repository; absent = its own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage_policy: Option<UsagePolicy>,
    /// Namespace of the BackupConfigurations; default: the target's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_namespace: Option<String>,
    /// Namespace of the Repositories; default: the BackupConfiguration's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_namespace: Option<String>,
    /// Cron schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The Task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRef>,
    /// What is kept.
    pub retention_policy: RetentionPolicy,
    /// Settings of the Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_settings: Option<RuntimeSettings>,
    /// The Job's directory for temporary files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_dir: Option<TempDir>,
    /// The volume for data whose size is not known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interim_volume_template: Option<PersistentVolumeClaim>,
    /// Before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<BackupHooks>,
    /// Finished BackupSessions that stay; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_history_limit: Option<i32>,
    /// Deadline of a session, such as `2h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_out: Option<String>,
    /// Tries after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_config: Option<RetryConfig>,
}

impl Kind for BackupBlueprintSpec {
    const GROUP: &'static str = STASH_GROUP;
    const VERSION: &'static str = "v1beta1";
    const API_VERSION: &'static str = STASH_V1BETA1;
    const KIND: &'static str = "BackupBlueprint";
    const PLURAL: &'static str = "backupblueprints";
    type Scope = ClusterResourceScope;
}
