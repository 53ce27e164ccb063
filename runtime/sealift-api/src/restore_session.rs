//! `RestoreSession` (`stash.appscode.com/v1beta1`): one restore, and how it went.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, VolumeMount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backup_session::HostPhase;
use crate::condition::Condition;
use crate::hook::RestoreHooks;
use crate::kind::Kind;
use crate::manifest::{Manifest, STASH_GROUP, STASH_V1BETA1};
use crate::reference::{Driver, RepositoryRef, TargetRef, TaskRef, TempDir};
use crate::runtime_settings::RuntimeSettings;

/// A RestoreSession.
pub type RestoreSession = Manifest<RestoreSessionSpec, RestoreSessionStatus>;

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreSessionSpec {
    /// The Task; default: the one of the AppBinding's addon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRef>,
    /// Where from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryRef>,
    /// Default `Restic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-default" = "Restic"))]
    pub driver: Option<Driver>,
    /// Where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<RestoreTarget>,
    /// Settings of the Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_settings: Option<RuntimeSettings>,
    /// The Job's directory for temporary files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temp_dir: Option<TempDir>,
    /// The volume for data whose size is not known beforehand; removed with the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interim_volume_template: Option<PersistentVolumeClaim>,
    /// Before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks: Option<RestoreHooks>,
    /// Deadline, such as `2h`; default 20h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_out: Option<String>,
    /// Deprecated place of the rules; wins over `target.rules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

impl Kind for RestoreSessionSpec {
    const GROUP: &'static str = STASH_GROUP;
    const VERSION: &'static str = "v1beta1";
    const API_VERSION: &'static str = STASH_V1BETA1;
    const KIND: &'static str = "RestoreSession";
    const PLURAL: &'static str = "restoresessions";
    type Scope = NamespaceResourceScope;
}

/// What is restored into.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoreTarget {
    /// Hostname; default `host-0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The object.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<TargetRef>,
    /// Mounts of a workload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Of a workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// Of a workload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_claim_templates: Vec<PersistentVolumeClaim>,
    /// Arguments for `restic restore`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Which snapshot for which host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// Which snapshot for which host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// Hosts it is for; none = all without a rule of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_hosts: Vec<String>,
    /// Hostname in the snapshot; default: the alias, else any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_host: Option<String>,
    /// `latest` or an id; default `latest`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<String>,
    /// Folders; not together with `snapshots`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Patterns of a workload's files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// Patterns of a workload's files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
}

/// What was observed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RestoreSessionStatus {
    /// Of the whole session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RestoreSessionPhase>,
    /// Hosts of the target; 1 for an AppBinding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_hosts: Option<i32>,
    /// How long it took, as Go prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_duration: Option<String>,
    /// When it is given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_deadline: Option<Time>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Each host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stats: Vec<HostRestoreStats>,
}

/// Phase of a RestoreSession.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RestoreSessionPhase {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Ended without its purpose reached.
    Failed,
    /// Nothing is known.
    Unknown,
    /// The user must change something.
    Invalid,
}

/// Result of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HostRestoreStats {
    /// `target.alias` or `host-0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Phase of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<HostPhase>,
    /// How long it took, as Go prints it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
