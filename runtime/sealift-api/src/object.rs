//! One object that is read: any of the kinds a plan is made of.
//!
//! What makes it from a document is `reading`; many of them are `objects`.

use std::collections::BTreeMap;

use sealift_core::plan::ObjectRef;

use crate::app_binding::AppBinding;
use crate::backup_configuration::BackupConfiguration;
use crate::backup_session::BackupSession;
use crate::function::Function;
use crate::repository::Repository;
use crate::restore_session::RestoreSession;
use crate::secret::Secret;
use crate::task::Task;

/// Any object that is read.
#[derive(Debug, Clone)]
pub enum Object {
    /// How an application is reached.
    AppBinding(Box<AppBinding>),
    /// What is backed up.
    BackupConfiguration(Box<BackupConfiguration>),
    /// One run of a backup.
    BackupSession(Box<BackupSession>),
    /// One step's program.
    Function(Box<Function>),
    /// Labels for a Repository's usage policy.
    Namespace(Namespace),
    /// Where snapshots lie.
    Repository(Box<Repository>),
    /// One restore.
    RestoreSession(Box<RestoreSession>),
    /// Credentials.
    Secret(Box<Secret>),
    /// The steps of a backup or restore.
    Task(Box<Task>),
}

/// A Namespace's labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    name: String,
    labels: BTreeMap<String, String>,
}

impl Namespace {
    /// A Namespace with these labels; it always carries its own name as a label, too.
    #[must_use]
    pub fn new(name: String, labels: Option<BTreeMap<String, String>>) -> Self {
        let mut labels = labels.unwrap_or_default();
        labels.entry("kubernetes.io/metadata.name".to_owned()).or_insert_with(|| name.clone());
        Self { name, labels }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its labels.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }
}

impl Object {
    /// The object by name.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        match self {
            Self::AppBinding(object) => object.reference(),
            Self::BackupConfiguration(object) => object.reference(),
            Self::BackupSession(object) => object.reference(),
            Self::Function(object) => object.reference(),
            Self::Namespace(object) => reference("", "Namespace", "", &object.name),
            Self::Repository(object) => object.reference(),
            Self::RestoreSession(object) => object.reference(),
            Self::Secret(object) => reference("", "Secret", object.namespace(), object.name()),
            Self::Task(object) => object.reference(),
        }
    }
}

pub(crate) fn reference(group: &str, kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}
