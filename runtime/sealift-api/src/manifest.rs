//! What all manifests have in common: `apiVersion`, `kind`, `metadata`, `spec`, `status`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_core::plan::ObjectRef;
use serde::{Deserialize, Serialize};

/// Group and version of the Stash API, second generation.
pub const STASH_V1BETA1: &str = "stash.appscode.com/v1beta1";
/// Group and version of the Stash API, first generation.
pub const STASH_V1ALPHA1: &str = "stash.appscode.com/v1alpha1";
/// Group and version of AppBindings.
pub const APP_CATALOG_V1ALPHA1: &str = "appcatalog.appscode.com/v1alpha1";
/// Group of the Stash API.
pub const STASH_GROUP: &str = "stash.appscode.com";
/// Group of AppBindings.
pub const APP_CATALOG_GROUP: &str = "appcatalog.appscode.com";

/// A manifest with a `spec` and, where the kind has one, a `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest<Spec, Status = NoStatus> {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata`.
    #[serde(default)]
    pub metadata: ObjectMeta,
    /// What the user wants.
    pub spec: Spec,
    /// What was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A status that is not read or written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NoStatus {}

impl<Spec, Status> Manifest<Spec, Status> {
    /// `metadata.name`; empty if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// `metadata.namespace`; empty if it has none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// The object by name, for plans and messages.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            group: group_of(&self.api_version).to_owned(),
            kind: self.kind.clone(),
            namespace: self.namespace().to_owned(),
            name: self.name().to_owned(),
        }
    }
}

/// The group of an `apiVersion`; empty for the core group.
#[must_use]
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
