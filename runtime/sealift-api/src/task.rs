//! `Task` (`stash.appscode.com/v1beta1`, cluster-scoped): the steps of a backup or restore.

use k8s_openapi::ClusterResourceScope;
use k8s_openapi::api::core::v1::Volume;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::manifest::{Manifest, STASH_GROUP, STASH_V1BETA1};
use crate::reference::Param;

/// A Task.
pub type Task = Manifest<TaskSpec>;

/// What the user wants.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskSpec {
    /// The steps in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// Volumes of a container; a component mounts none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
}

impl Kind for TaskSpec {
    const GROUP: &'static str = STASH_GROUP;
    const VERSION: &'static str = "v1beta1";
    const API_VERSION: &'static str = STASH_V1BETA1;
    const KIND: &'static str = "Task";
    const PLURAL: &'static str = "tasks";
    type Scope = ClusterResourceScope;
}

/// One step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Name of the Function.
    #[serde(default)]
    pub name: String,
    /// Values for its variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
}
