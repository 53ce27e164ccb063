//! `Function` (`stash.appscode.com/v1beta1`, cluster-scoped): one step's program.

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::core::v1::{ContainerPort, VolumeDevice, VolumeMount};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::condition::Condition;
use crate::kind::Kind;
use crate::manifest::{Manifest, STASH_GROUP, STASH_V1BETA1};
use crate::runtime_settings::ContainerRuntimeSettings;

/// A Function.
pub type Function = Manifest<FunctionSpec, FunctionStatus>;

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FunctionSpec {
    /// The component: `builtin:<name>`, or an image of the original that stands for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Of a container; a component has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Parameters as `--name=value`, with `${VARIABLES}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Of a container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
    /// Of a container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<VolumeMount>,
    /// Of a container.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volume_devices: Vec<VolumeDevice>,
    /// Of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_settings: Option<ContainerRuntimeSettings>,
    /// Of a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security_policy_name: Option<String>,
    /// Ours: what the component may do. Absent: what the catalogue grants a built-in component,
    /// and nothing for any other.
    // Kept as it was written; `sealift_core::grants` reads it, so that the message can list the
    // valid names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::permissions")]
    pub permissions: Option<Value>,
    /// Ours: what one run of the component may use up.
    // Kept as it was written; `sealift_core::limits` reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::limits")]
    pub limits: Option<Value>,
}

impl Kind for FunctionSpec {
    const GROUP: &'static str = STASH_GROUP;
    const VERSION: &'static str = "v1beta1";
    const API_VERSION: &'static str = STASH_V1BETA1;
    const KIND: &'static str = "Function";
    const PLURAL: &'static str = "functions";
    type Scope = ClusterResourceScope;
}

/// What was observed. Ours: the original's Functions have no status.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct FunctionStatus {
    /// The generation this was computed for.
    #[serde(deserialize_with = "crate::generation::read", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "crate::schema::generation")]
    pub observed_generation: Option<i64>,
    /// Conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// The component `spec.image` stands for, with its digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
}
