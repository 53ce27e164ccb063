//! `BackupBatch` and `RestoreBatch` (`stash.appscode.com/v1beta1`): several targets as one.
//!
//! The kinds exist so that a cluster that has such objects keeps them; no controller serves
//! them yet, and nothing here says they are run.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backup_configuration::{
    BackupConfigurationPhase, BackupTarget, RetentionPolicy, RetryConfig,
};
use crate::backup_session::TargetPhase;
use crate::condition::Condition;
use crate::hook::{BackupHooks, RestoreHooks};
use crate::kind::Kind;
use crate::manifest::{Manifest, STASH_GROUP, STASH_V1BETA1};
use crate::reference::{Driver, RepositoryRef, TargetRef, TaskRef, TempDir};
use crate::restore_session::{HostRestoreStats, RestoreSessionPhase, RestoreTarget};
use crate::runtime_settings::RuntimeSettings;

/// A BackupBatch.
pub type BackupBatch = Manifest<BackupBatchSpec, BackupBatchStatus>;
/// A RestoreBatch.
pub type RestoreBatch = Manifest<RestoreBatchSpec, RestoreBatchStatus>;

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupBatchSpec {
    /// The targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<BackupBatchMember>,
    /// Cron schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Settings of the CronJob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_settings: Option<RuntimeSettings>,
    /// Default `Restic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "Restic"))]
    pub driver: Option<Driver>,
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryRef>,
    /// What is kept.
    pub retention_policy: RetentionPolicy,
    /// No scheduled sessions; default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// Finished BackupSessions that stay; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_history_limit: Option<i32>,
    /// Before and after all targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<BackupHooks>,
    /// `Parallel` or `Sequential`; default `Parallel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "Parallel"))]
    pub execution_order: Option<String>,
    /// Deadline of a session, such as `2h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_out: Option<String>,
    /// Tries after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_config: Option<RetryConfig>,
}

impl Kind for BackupBatchSpec {
    const GROUP: &'static str = STASH_GROUP;
    const VERSION: &'static str = "v1beta1";
    const API_VERSION: &'static str = STASH_V1BETA1;
    const KIND: &'static str = "BackupBatch";
    const PLURAL: &'static str = "backupbatches";
    type Scope = NamespaceResourceScope;
}

/// One target of a BackupBatch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupBatchMember {
    /// The Task; default: the one of the AppBinding's addon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRef>,
    /// What.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<BackupTarget>,
    /// Settings of the Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_settings: Option<RuntimeSettings>,
    /// The Job's directory for temporary files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temp_dir: Option<TempDir>,
    /// The volume for data whose size is not known beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interim_volume_template: Option<PersistentVolumeClaim>,
    /// Before and after this target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<BackupHooks>,
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BackupBatchStatus {
    /// The generation this was computed for.
    #[serde(deserialize_with = "crate::generation::read", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::generation")]
    pub observed_generation: Option<i64>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Conditions of each target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub member_conditions: Vec<MemberConditions>,
    /// `Invalid`, `Ready` or `NotReady`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<BackupConfigurationPhase>,
}

/// Conditions of one target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MemberConditions {
    /// The target.
    pub target: TargetRef,
    /// Conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreBatchSpec {
    /// Default `Restic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "Restic"))]
    pub driver: Option<Driver>,
    /// Where from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryRef>,
    /// The targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<RestoreBatchMember>,
    /// `Parallel` or `Sequential`; default `Parallel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "Parallel"))]
    pub execution_order: Option<String>,
    /// Before and after all targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<RestoreHooks>,
    /// Deadline, such as `2h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_out: Option<String>,
}

impl Kind for RestoreBatchSpec {
    const GROUP: &'static str = STASH_GROUP;
    const VERSION: &'static str = "v1beta1";
    const API_VERSION: &'static str = STASH_V1BETA1;
    const KIND: &'static str = "RestoreBatch";
    const PLURAL: &'static str = "restorebatches";
    type Scope = NamespaceResourceScope;
}

/// One target of a RestoreBatch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreBatchMember {
    /// The Task; default: the one of the AppBinding's addon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRef>,
    /// Where to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<RestoreTarget>,
    /// Settings of the Job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_settings: Option<RuntimeSettings>,
    /// The Job's directory for temporary files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temp_dir: Option<TempDir>,
    /// The volume for data whose size is not known beforehand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interim_volume_template: Option<PersistentVolumeClaim>,
    /// Before and after this target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooks: Option<RestoreHooks>,
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreBatchStatus {
    /// Of the whole batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RestoreSessionPhase>,
    /// How long it took, as Go prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_duration: Option<String>,
    /// When it is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_deadline: Option<Time>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Each target.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<RestoreMemberStatus>,
}

/// Status of one target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreMemberStatus {
    /// The target.
    #[serde(rename = "ref")]
    pub reference: TargetRef,
    /// Conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Hosts of it; 1 for an AppBinding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_hosts: Option<i32>,
    /// Phase of the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<TargetPhase>,
    /// Each host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stats: Vec<HostRestoreStats>,
}
