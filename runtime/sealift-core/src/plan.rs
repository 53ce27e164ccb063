//! The plan of one session: everything the Job needs to know, with no choices left.
//!
//! A plan is made by pure code from the objects a user wrote (`resolve`), printed by
//! `sealift plan`, and executed by `sealift-job`. It names Secrets and their keys; it never
//! holds what is in them. This module holds the data only: making a plan and running it
//! are elsewhere.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::grants::Grants;
use crate::hook::Hooks;
use crate::limits::Limits;
use crate::pins::Pins;

/// The format of the plan; a reader refuses any other.
pub const PLAN_VERSION: &str = "sealift.plan/v1";

/// Everything one session does, fixed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: String,
    /// Whether bytes flow into the repository or out of it.
    pub direction: Direction,
    /// The `BackupSession` or `RestoreSession`.
    pub session: ObjectRef,
    /// The `BackupConfiguration` a backup comes from, or the `RestoreSession` itself.
    pub invoker: ObjectRef,
    /// What is backed up, or restored into.
    pub target: Target,
    /// Where the snapshots are.
    pub repository: RepositoryPlan,
    /// Name of the Task that was resolved.
    pub task: String,
    /// Source, transforms, sink: in this order, neighbours joined by a pipe.
    pub stages: Vec<StagePlan>,
    /// Run at the end, whatever the outcome.
    pub observers: Vec<StagePlan>,
    /// What the host names on the network are bound to.
    pub origins: Vec<Origin>,
    /// Where unseal keys and root token of the target are kept; absent without unsealer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyStorePlan>,
    /// Where artifacts of unknown size wait until their end is seen; absent = such an artifact
    /// fails a backup when it is larger than 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interim_volume: Option<InterimVolume>,
    /// What is kept after a backup; absent for a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// What is done before and after the work.
    #[serde(default, skip_serializing_if = "Hooks::is_empty")]
    pub hooks: Hooks,
    /// The session's deadline in seconds from its start.
    pub timeout_seconds: u64,
    /// The objects the plan was made from, as they were.
    #[serde(default, skip_serializing_if = "Pins::is_empty")]
    pub pins: Pins,
    /// What the user should know although nothing is wrong, such as an image that is not used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Direction and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// Into the repository, as a snapshot with this identity.
    Backup(SnapshotIdentity),
    /// Out of the repository, from the snapshot this selects.
    Restore(SnapshotSelection),
}

/// A Kubernetes object, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// API group, without version.
    pub group: String,
    /// Kind, as in `kind:`.
    pub kind: String,
    /// Namespace; empty for a cluster-scoped object.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for ObjectRef {
    /// `Kind namespace/name`, or `Kind name` without namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// The volume of `interimVolumeTemplate`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterimVolume {
    /// Bytes the template asks for (`spec.resources.requests.storage`): what one artifact may
    /// fill at most; none = it asks for nothing, and the place itself is the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

/// What is backed up, or restored into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The AppBinding.
    pub reference: ObjectRef,
    /// `target.alias`, else `host-0`: the hostname in statistics and metrics.
    pub hostname: String,
    /// What metrics call the target's group: that of `spec.type` (`group/resource`), else the AppBinding's own.
    pub metrics_group: String,
    /// What metrics call the target's kind: the resource of `spec.type`, else `appbindings`.
    pub metrics_kind: String,
}

/// How a snapshot is found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotIdentity {
    /// restic's `hostname`.
    pub hostname: String,
    /// The absolute folder all artifacts of the session lie in: the original's interim path.
    pub path: String,
    /// restic's tags; those that begin with `sealift.` are ours.
    pub tags: Vec<String>,
    /// The Functions' digests and arguments, no secrets.
    pub description: String,
}

/// Which snapshot is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSelection {
    /// `latest`, or a snapshot's id or unambiguous prefix of it.
    pub snapshot: String,
    /// Only of this host; none = any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The tag of this target; snapshots that carry it are preferred for `latest`.
    pub target_tag: String,
    /// Whether `latest` may be another target's, if none is of this one and the repository
    /// holds those of one other only: what a forced restore is for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_another: bool,
    /// The folders in which the artifacts are looked for: both interim paths of the original.
    pub paths: Vec<String>,
}

/// A Repository object and where it points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryPlan {
    /// The Repository.
    pub reference: ObjectRef,
    /// Kind of storage and place in it.
    pub location: Location,
    /// The Secret with `RESTIC_PASSWORD` and the storage's keys.
    pub secret: SecretRef,
}

/// Where a restic repository lies. No secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Location {
    /// A folder.
    #[serde(rename_all = "camelCase")]
    Local {
        /// Absolute path: `mountPath` and, outside a cluster, `subPath` below it.
        path: String,
    },
    /// An S3 bucket.
    #[serde(rename_all = "camelCase")]
    S3 {
        /// Host, with or without scheme, as the manifest has it.
        endpoint: String,
        /// Bucket.
        bucket: String,
        /// Prefix below the bucket, as the manifest has it: variables and metrics show it so.
        /// Slashes at its ends name the same place.
        prefix: String,
        /// Region; empty = the provider's default.
        region: String,
        /// `insecureTLS` of the manifest: certificates are not verified.
        insecure_tls: bool,
    },
    /// restic's REST server.
    #[serde(rename_all = "camelCase")]
    Rest {
        /// URL without user and password.
        url: String,
    },
}

impl Location {
    /// The provider's name, as in flags and metrics of the original.
    #[must_use]
    pub fn provider(&self) -> &'static str {
        match self {
            Self::Local { .. } => "local",
            Self::S3 { .. } => "s3",
            Self::Rest { .. } => "rest",
        }
    }
}

/// A Secret, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// One stage of the chain, or one observer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StagePlan {
    /// `<Function name, dots to dashes>-<position>`, as the original names the container.
    pub name: String,
    /// The Function.
    pub function: String,
    /// Kind of the component, from its descriptor.
    pub kind: Kind,
    /// The component, pinned by digest.
    pub component: ComponentRef,
    /// Parameters by the names of the component's descriptor; values as text.
    pub parameters: BTreeMap<String, String>,
    /// What it may do.
    pub grants: Grants,
    /// Where the grants come from.
    pub grants_from: GrantsFrom,
    /// What it may use up.
    pub limits: Limits,
}

/// What a Function is, which is the interface its component exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Makes artifacts.
    Source,
    /// Takes artifacts and makes artifacts.
    Transform,
    /// Takes artifacts.
    Sink,
    /// Sees the outcome.
    Observer,
}

impl Kind {
    /// The name in manifests, WIT and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Transform => "transform",
            Self::Sink => "sink",
            Self::Observer => "observer",
        }
    }
}

/// A component and the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentRef {
    /// `builtin:<name>`, `<registry>/<repository>@sha256:<manifest>`, or `file:<path>` (only in
    /// `sealift run`).
    pub reference: String,
    /// `sha256:<hex>` of the component.
    pub digest: String,
}

/// Who granted a Function its rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantsFrom {
    /// The catalogue, for a built-in component without `spec.permissions`.
    Catalog,
    /// `spec.permissions` of the Function.
    Function,
    /// Nobody: any other component without `spec.permissions` gets nothing.
    None,
}

/// A name on the network and what it is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// The host a Function asks for, such as `target`.
    pub name: String,
    /// Scheme, host and port it stands for; a path is put before the request's own.
    pub url: Url,
    /// PEM certificates that sign the server's; none = the bundled public roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Name to verify in the server's certificate; none = the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// `insecureSkipTLSVerify` of the AppBinding.
    #[serde(default)]
    pub insecure_skip_tls_verify: bool,
    /// The header the host adds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<Credential>,
    /// Hosts (`name` or `name:port`) a redirect may lead to besides the origin's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_hosts: Vec<String>,
    /// Domains whose hosts a redirect may lead to as well, such as `demo.svc`: those of the
    /// namespace of the AppBinding's Service. A name of one or two labels, which only that
    /// namespace's own pods resolve, is taken for one of the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redirect_domains: Vec<String>,
    /// Addresses to use instead of asking DNS (`sealift run --resolve`), as `ip:port`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

/// A header whose value lies in a Secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Header name, such as `x-vault-token`.
    pub header: String,
    /// The Secret.
    pub secret: SecretRef,
    /// Key in its data, after the transforms.
    pub key: String,
    /// `secretTransforms` of the AppBinding, applied in order before the key is looked up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<SecretTransform>,
}

/// One of an AppBinding's `secretTransforms`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecretTransform {
    /// `from` becomes `to`.
    RenameKey {
        /// Old key.
        from: String,
        /// New key.
        to: String,
    },
    /// Adds a key whose value stands in the AppBinding, which the plan does not repeat.
    AddKey {
        /// The key.
        key: String,
    },
    /// Adds all keys of another Secret.
    AddKeysFrom {
        /// That Secret.
        secret: SecretRef,
    },
    /// Removes a key.
    RemoveKey {
        /// The key.
        key: String,
    },
}

/// Where unseal keys and root token are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyStorePlan {
    /// The Secret of the Kubernetes-Secret unsealer.
    pub secret: SecretRef,
    /// Prefix of the names, empty = none: `<prefix>-unseal-key-0`.
    pub prefix: String,
    /// Prefix of the names in the snapshot that is restored; equal to `prefix` unless told.
    pub snapshot_prefix: String,
    /// How many unseal keys there are.
    pub shares: u32,
    /// How many of them unseal.
    pub threshold: u32,
}

impl KeyStorePlan {
    /// Root token and unseal keys, by their names under `prefix`.
    #[must_use]
    pub fn names_under(&self, prefix: &str) -> Vec<String> {
        let dash = if prefix.is_empty() { "" } else { "-" };
        std::iter::once(format!("{prefix}{dash}root-token"))
            .chain((0..self.shares).map(|share| format!("{prefix}{dash}unseal-key-{share}")))
            .collect()
    }
}

/// A RetentionPolicy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retention {
    /// `name`.
    pub name: String,
    /// The newest n.
    pub keep_last: u32,
    /// One for each of the last n hours that have one; likewise below.
    pub keep_hourly: u32,
    /// Days.
    pub keep_daily: u32,
    /// ISO weeks.
    pub keep_weekly: u32,
    /// Months.
    pub keep_monthly: u32,
    /// Years.
    pub keep_yearly: u32,
    /// Snapshots with any of these tags.
    pub keep_tags: Vec<String>,
    /// Remove the data of forgotten snapshots as well.
    pub prune: bool,
    /// Only say what would be removed.
    pub dry_run: bool,
}
