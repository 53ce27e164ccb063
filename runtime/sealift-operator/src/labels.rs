//! Labels, annotations, finalizers and owners of what the operator makes.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use sealift_api::kind::Kind;
use sealift_api::manifest::Manifest;
use sealift_core::plan::ObjectRef;

use crate::names;

/// Finalizer of BackupConfigurations and RestoreSessions, the original's.
pub const FINALIZER: &str = "stash.appscode.com";
/// Finalizer of Repositories, the original's.
pub const REPOSITORY_FINALIZER: &str = "stash";
/// Which program manages an object.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "stash.appscode.com");
/// A label selector for everything the operator makes.
pub const MANAGED: &str = "app.kubernetes.io/managed-by=stash.appscode.com";
/// What an object is for.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// A Job that is deleted once it has succeeded.
pub const DELETE_ON_COMPLETION: (&str, &str) =
    ("stash.appscode.com/delete-job-on-completion", "true");
/// Kind of the invoker.
pub const INVOKER_TYPE: &str = "stash.appscode.com/invoker-type";
/// Name of the invoker.
pub const INVOKER_NAME: &str = "stash.appscode.com/invoker-name";
const TARGET_KIND: &str = "stash.appscode.com/target-kind";
const TARGET_NAME: &str = "stash.appscode.com/target-name";
const TARGET_NAMESPACE: &str = "stash.appscode.com/target-namespace";
/// Hash of what we last wanted an object to be.
pub const DESIRED: &str = "sealift.dev/desired-hash";
/// When the last successful backup of a BackupConfiguration began.
pub const LAST_SUCCESS: &str = "sealift.dev/last-success";

/// Name of the Repository whose data an object is there to remove; as a label it may be cut.
pub const WIPE_OF: &str = "sealift.dev/wipe-of";
/// `metadata.uid` of that Repository.
pub const WIPE_UID: &str = "sealift.dev/wipe-uid";
/// `metadata.generation` of that Repository.
pub const WIPE_GENERATION: &str = "sealift.dev/wipe-generation";
/// The how many-th attempt a Job is.
pub const WIPE_ATTEMPT: &str = "sealift.dev/wipe-attempt";

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// Backup or restore, as labels say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `stash-backup`
    Backup,
    /// `stash-restore`
    Restore,
}

impl Purpose {
    /// The value of [`COMPONENT`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "stash-backup",
            Self::Restore => "stash-restore",
        }
    }
}

/// Labels of every object made for an invoker: its own, and ours over them.
#[must_use]
pub fn of_invoker(purpose: Purpose, invoker: &ObjectMeta) -> Labels {
    let mut labels = invoker.labels.clone().unwrap_or_default();
    labels.insert(COMPONENT.to_owned(), purpose.as_str().to_owned());
    labels.insert(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned());
    labels
}

/// Labels by which a session, its Job and its pod are found.
#[must_use]
pub fn of_session(invoker: &ObjectRef, target: Option<&ObjectRef>) -> Labels {
    let mut labels = Labels::new();
    let mut set = |key: &str, value: &str| {
        labels.insert(key.to_owned(), names::label_value(value));
    };
    set(INVOKER_TYPE, &invoker.kind);
    set(INVOKER_NAME, &invoker.name);
    if let Some(target) = target {
        set(TARGET_KIND, &target.kind);
        set(TARGET_NAME, &target.name);
        set(TARGET_NAMESPACE, &target.namespace);
    }
    labels
}

/// The owner of what is made for an object; with it, it goes.
#[must_use]
pub fn owner<Spec: Kind, Status>(object: &Manifest<Spec, Status>) -> OwnerReference {
    OwnerReference {
        api_version: Spec::API_VERSION.to_owned(),
        kind: Spec::KIND.to_owned(),
        name: object.name().to_owned(),
        uid: object.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// An owner that only takes what it owns along: it does not control it, nor wait for it.
#[must_use]
pub fn member<Spec: Kind, Status>(object: &Manifest<Spec, Status>) -> OwnerReference {
    OwnerReference { controller: None, block_owner_deletion: None, ..owner(object) }
}

/// The owner that controls an object, if it is of this kind.
#[must_use]
pub fn controller_of<'a>(meta: &'a ObjectMeta, kind: &str) -> Option<&'a OwnerReference> {
    meta.owner_references
        .iter()
        .flatten()
        .find(|owner| owner.kind == kind && owner.api_version.starts_with("stash.appscode.com/"))
}

/// The CronJob that a Job was made of, by the CronJob controller or by a person.
#[must_use]
pub fn cron_job_of(job: &ObjectMeta) -> Option<&OwnerReference> {
    let owners = job.owner_references.iter().flatten();
    owners
        .into_iter()
        .find(|owner| owner.kind == "CronJob" && owner.api_version.starts_with("batch/"))
}

/// Whether the object of this uid controls an object. A name says nothing: it may be made anew.
#[must_use]
pub fn is_controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    let owners = meta.owner_references.iter().flatten();
    !uid.is_empty()
        && owners.into_iter().any(|owner| owner.uid == uid && owner.controller == Some(true))
}

/// The value of an annotation.
#[must_use]
pub fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

/// Whether an object is being deleted.
#[must_use]
pub fn is_going(meta: &ObjectMeta) -> bool {
    meta.deletion_timestamp.is_some()
}

/// Whether an object carries a finalizer.
#[must_use]
pub fn has_finalizer(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().flatten().any(|found| found == finalizer)
}
