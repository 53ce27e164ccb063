//! What a plan is made of, besides the objects: components, and what the place knows.

use std::collections::BTreeMap;

use sealift_core::grants::Grants;
use sealift_core::plan::{Kind, ObjectRef};
use serde_json::Value;
use url::Url;

use super::secret_check::Secrets;
use crate::objects::Objects;

/// Everything [`plan`](super::plan) looks at.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
    /// Objects of the user; the built-in catalogue lies beneath them.
    pub objects: &'a Objects,
    /// The BackupConfiguration or RestoreSession: one of [`Objects::invokers`].
    pub invoker: &'a ObjectRef,
    /// Name of the BackupSession; a restore is its own session and does not use it.
    pub session: &'a str,
    /// The components that can be run here.
    pub components: &'a dyn Components,
    /// What this place knows.
    pub options: &'a PlanOptions,
}

impl PlanInput<'_> {
    pub(super) fn secrets(&self) -> Secrets<'_> {
        Secrets { objects: self.objects, environment: self.options.environment }
    }
}

/// Looks components up by reference. Implemented by whoever can load them.
pub trait Components {
    /// What is known of `builtin:<name>`, `file:<path>` or an image reference; none = it is not there.
    fn find(&self, reference: &str) -> Option<ComponentInfo>;

    /// Why [`find`](Self::find) gives nothing for a file or for what lies in a registry: it cannot
    /// be had, nobody trusted has signed it, or it is no component that can be run here. None =
    /// there is nothing to say but that it is not there.
    fn refusal(&self, _reference: &str) -> Option<String> {
        None
    }

    /// References of all that are there, for messages.
    fn references(&self) -> Vec<String>;
}

/// What a plan needs to know of a component; all of it stands in its descriptor.
#[derive(Debug, Clone, PartialEq)]
pub struct ComponentInfo {
    /// What it is.
    pub kind: Kind,
    /// The reference that stands in plans: the one that was asked for, and for one that can be
    /// moved, such as a tag, the one by digest it led to.
    pub reference: String,
    /// `sha256:<hex>` of its bytes.
    pub digest: String,
    /// JSON Schema of its parameters.
    pub parameters: Value,
    /// What it asks for.
    pub requests: Grants,
    /// Whether it sends artifacts whose size it does not know beforehand.
    pub unknown_size: bool,
}

impl Components for BTreeMap<String, ComponentInfo> {
    fn find(&self, reference: &str) -> Option<ComponentInfo> {
        self.get(reference).cloned()
    }

    fn references(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// Where the plan will run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Environment {
    /// On this machine: the Secrets must be among the objects, `file:` components and Service
    /// addresses by hand are allowed, a local repository is a folder of this machine.
    #[default]
    Local,
    /// In a Job's pod: Secrets are read there, a local repository is a mounted volume.
    Pod,
}

/// What the place knows that no object says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanOptions {
    /// Where the plan will run.
    pub environment: Environment,
    /// Addresses (`ip:port`) for the AppBinding's Service or URL, instead of DNS; empty = ask DNS.
    pub target_addresses: Vec<String>,
    /// Base URL of the Pushgateway; none = no metrics are pushed.
    pub pushgateway: Option<Url>,
    /// PEM certificates for it.
    pub pushgateway_ca_pem: Option<String>,
    /// Addresses for it, instead of DNS.
    pub pushgateway_addresses: Vec<String>,
    /// The cluster's domain behind `svc`; none = names end with `.svc`, as the original's do.
    pub cluster_domain: Option<String>,
}
