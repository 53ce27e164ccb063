//! What a kind is called and where its objects live, so that any client finds them.
//!
//! A `Spec` type says it once; every [`Manifest`] of it is then a resource of `k8s-openapi`, and
//! so of every client that is generic over those. Nothing here speaks to an API server. What the
//! API server is told about a kind (its schema, its columns) is `crd`'s.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, Resource, ResourceScope};

use crate::manifest::Manifest;

/// Says of a `Spec` type which kind it is the `spec` of.
pub trait Kind {
    /// Group, such as `stash.appscode.com`.
    const GROUP: &'static str;
    /// Version within the group, such as `v1beta1`.
    const VERSION: &'static str;
    /// `group/version`, as manifests write it.
    const API_VERSION: &'static str;
    /// The kind, such as `BackupConfiguration`.
    const KIND: &'static str;
    /// The name in URLs and roles, such as `backupconfigurations`.
    const PLURAL: &'static str;
    /// Whether objects belong to a namespace.
    type Scope: ResourceScope;
}

impl<Spec: Kind, Status> Resource for Manifest<Spec, Status> {
    const API_VERSION: &'static str = Spec::API_VERSION;
    const GROUP: &'static str = Spec::GROUP;
    const KIND: &'static str = Spec::KIND;
    const VERSION: &'static str = Spec::VERSION;
    const URL_PATH_SEGMENT: &'static str = Spec::PLURAL;
    type Scope = Spec::Scope;
}

impl<Spec: Kind, Status> Metadata for Manifest<Spec, Status> {
    type Ty = ObjectMeta;

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn metadata_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl<Spec: Kind, Status> Manifest<Spec, Status> {
    /// A new object of this kind, without a status.
    #[must_use]
    pub fn new(metadata: ObjectMeta, spec: Spec) -> Self {
        Self {
            api_version: Spec::API_VERSION.to_owned(),
            kind: Spec::KIND.to_owned(),
            metadata,
            spec,
            status: None,
        }
    }
}
