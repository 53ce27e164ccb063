//! The kinds: names, columns, categories, and which of them keep a status of their own.
//!
//! Everything here is as the original has it (`kubectl get` prints the same), but for the
//! status of a Function, which is ours.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, JSONSchemaProps, ValidationRule,
};
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use schemars::JsonSchema;

use super::{Error, definition, rules, structural};
use crate::app_binding::AppBindingSpec;
use crate::backup_blueprint::BackupBlueprintSpec;
use crate::backup_configuration::{BackupConfigurationSpec, BackupConfigurationStatus};
use crate::backup_session::{BackupSessionSpec, BackupSessionStatus};
use crate::batch::{BackupBatchSpec, BackupBatchStatus, RestoreBatchSpec, RestoreBatchStatus};
use crate::function::{FunctionSpec, FunctionStatus};
use crate::kind::Kind;
use crate::repository::{RepositorySpec, RepositoryStatus};
use crate::restore_session::{RestoreSessionSpec, RestoreSessionStatus};
use crate::task::TaskSpec;

/// What a definition says beside names and schema of the types.
pub(super) struct Traits {
    /// For `kubectl explain`.
    pub(super) description: &'static str,
    /// Value of the label `app.kubernetes.io/name`.
    pub(super) label: &'static str,
    /// Names for people who type.
    pub(super) short_names: &'static [&'static str],
    /// `kubectl get <category>` lists it.
    pub(super) categories: &'static [&'static str],
    /// What `kubectl get` prints: title, type, path. `AGE` follows by itself.
    pub(super) columns: &'static [(&'static str, &'static str, &'static str)],
    /// Rules about the whole object.
    pub(super) rules: Vec<ValidationRule>,
    /// Rules about its `spec`.
    pub(super) spec_rules: Vec<ValidationRule>,
}

impl Traits {
    /// Of a kind of the Stash API.
    fn stash(
        description: &'static str,
        short_names: &'static [&'static str],
        categories: &'static [&'static str],
        columns: &'static [(&'static str, &'static str, &'static str)],
    ) -> Self {
        Self {
            description,
            label: "stash",
            short_names,
            categories,
            columns,
            rules: Vec::new(),
            spec_rules: Vec::new(),
        }
    }
}

/// Where objects of a scope live, in the words of a definition.
pub(super) trait ScopeName {
    /// `Namespaced` or `Cluster`.
    const NAME: &'static str;
}

impl ScopeName for NamespaceResourceScope {
    const NAME: &'static str = "Namespaced";
}

impl ScopeName for ClusterResourceScope {
    const NAME: &'static str = "Cluster";
}

const CONFIGURED: &[&str] = &["stash", "appscode"];
const LISTED_IN_ALL: &[&str] = &["stash", "appscode", "all"];
const PHASE: (&str, &str, &str) = ("Phase", "string", ".status.phase");
const DURATION: (&str, &str, &str) = ("Duration", "string", ".status.sessionDuration");
const REPOSITORY: (&str, &str, &str) = ("Repository", "string", ".spec.repository.name");
const SCHEDULE: (&str, &str, &str) = ("Schedule", "string", ".spec.schedule");
const PAUSED: (&str, &str, &str) = ("Paused", "boolean", ".spec.paused");
const TASK: (&str, &str, &str) = ("Task", "string", ".spec.task.name");

/// Every definition, in order of its name.
pub(super) fn all() -> Result<Vec<CustomResourceDefinition>, Error> {
    let mut all = vec![
        app_binding()?,
        with_status::<BackupBatchSpec, BackupBatchStatus>(Traits::stash(
            "Several targets that are backed up as one. Kept, but not served yet.",
            &[],
            LISTED_IN_ALL,
            &[SCHEDULE, PAUSED, PHASE],
        ))?,
        without_status::<BackupBlueprintSpec>(Traits::stash(
            "What Repositories and BackupConfigurations are made from. Kept, but not served yet.",
            &["bb"],
            CONFIGURED,
            &[TASK, SCHEDULE],
        ))?,
        with_status::<BackupConfigurationSpec, BackupConfigurationStatus>(Traits::stash(
            "What is backed up, when, where to, and what is kept.",
            &["bc"],
            LISTED_IN_ALL,
            &[TASK, SCHEDULE, PAUSED, PHASE],
        ))?,
        with_status::<BackupSessionSpec, BackupSessionStatus>(Traits {
            rules: rules::immutable_spec("to back up again, create another BackupSession"),
            ..Traits::stash(
                "One run of a backup, and how it went.",
                &[],
                LISTED_IN_ALL,
                &[
                    ("Invoker-Type", "string", ".spec.invoker.kind"),
                    ("Invoker-Name", "string", ".spec.invoker.name"),
                    PHASE,
                    DURATION,
                ],
            )
        })?,
        with_status::<FunctionSpec, FunctionStatus>(Traits::stash(
            "The program of one step: a WebAssembly component and its parameters.",
            &["fn"],
            CONFIGURED,
            &[],
        ))?,
        with_status::<RepositorySpec, RepositoryStatus>(Traits {
            spec_rules: rules::repository_spec(),
            ..Traits::stash(
                "Where snapshots lie, and who may use them.",
                &["repo"],
                CONFIGURED,
                &[
                    ("Integrity", "boolean", ".status.integrity"),
                    ("Size", "string", ".status.totalSize"),
                    ("Snapshot-Count", "integer", ".status.snapshotCount"),
                    ("Last-Successful-Backup", "date", ".status.lastBackupTime"),
                ],
            )
        })?,
        with_status::<RestoreBatchSpec, RestoreBatchStatus>(Traits::stash(
            "Several targets that are restored as one. Kept, but not served yet.",
            &[],
            LISTED_IN_ALL,
            &[REPOSITORY, PHASE, DURATION],
        ))?,
        with_status::<RestoreSessionSpec, RestoreSessionStatus>(Traits {
            rules: rules::immutable_spec("to restore again, create another RestoreSession"),
            ..Traits::stash(
                "One restore, and how it went.",
                &["restore"],
                LISTED_IN_ALL,
                &[REPOSITORY, PHASE, DURATION],
            )
        })?,
        without_status::<TaskSpec>(Traits::stash(
            "The steps of a backup or restore.",
            &["task"],
            CONFIGURED,
            &[],
        ))?,
    ];
    all.sort_by(|left, right| left.metadata.name.cmp(&right.metadata.name));
    Ok(all)
}

fn app_binding() -> Result<CustomResourceDefinition, Error> {
    without_status::<AppBindingSpec>(Traits {
        description: "How an application is reached.",
        label: "catalog",
        short_names: &[],
        categories: &["catalog", "appscode", "all"],
        columns: &[("Type", "string", ".spec.type"), ("Version", "string", ".spec.version")],
        rules: Vec::new(),
        spec_rules: Vec::new(),
    })
}

fn with_status<Spec, Status>(traits: Traits) -> Result<CustomResourceDefinition, Error>
where
    Spec: Kind<Scope: ScopeName> + JsonSchema,
    Status: JsonSchema,
{
    let status = structural::of::<Status>()?;
    finished::<Spec>(traits, Some(status))
}

fn without_status<Spec>(traits: Traits) -> Result<CustomResourceDefinition, Error>
where
    Spec: Kind<Scope: ScopeName> + JsonSchema,
{
    finished::<Spec>(traits, None)
}

fn finished<Spec>(
    traits: Traits,
    status: Option<JSONSchemaProps>,
) -> Result<CustomResourceDefinition, Error>
where
    Spec: Kind<Scope: ScopeName> + JsonSchema,
{
    let spec = structural::of::<Spec>()?;
    Ok(definition::<Spec>(<Spec::Scope as ScopeName>::NAME, traits, spec, status))
}

/// A column of `kubectl get`.
pub(super) fn column((name, kind, path): (&str, &str, &str)) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: name.to_owned(),
        type_: kind.to_owned(),
        format: (kind == "date" && name != "Age").then(|| "date-time".to_owned()),
        json_path: path.to_owned(),
        ..CustomResourceColumnDefinition::default()
    }
}
