//! What a step may do and use up, and where that comes from.

use sealift_core::chain::Flow;
use sealift_core::grants::{Grants, RepositoryGrant};
use sealift_core::limits::Limits;
use sealift_core::plan::{GrantsFrom, Kind, ObjectRef, StagePlan};
use serde_json::Value;

use super::invoker::Invoker;
use super::problem::{Problems, Reason, cluster_ref};
use super::step::Step;
use super::target::ChosenTask;
use crate::catalog::Catalog;
use crate::function::Function;
use crate::objects::Provenance;

/// What both component and permissions name.
pub(super) fn grants(
    object: &ObjectRef,
    function: &Function,
    from: Provenance,
    step: &Step,
    problems: &mut Problems,
) -> (Grants, GrantsFrom) {
    let shipped = Catalog::built_in()
        .function_of(&step.reference)
        .and_then(|function| function.spec.permissions.as_ref());
    let (permissions, grants_from) = match (&function.spec.permissions, shipped, from) {
        (Some(own), _, Provenance::User) => (own, GrantsFrom::Function),
        (Some(own), _, Provenance::Catalog) => (own, GrantsFrom::Catalog),
        (None, Some(shipped), _) => (shipped, GrantsFrom::Catalog),
        (None, None, _) => return (Grants::default(), GrantsFrom::None),
    };
    let allowed = read(object, permissions, problems);
    (step.component.requests.intersection(&allowed), grants_from)
}

/// `spec.permissions`; nothing after a problem was added.
pub(super) fn read(object: &ObjectRef, permissions: &Value, problems: &mut Problems) -> Grants {
    match Grants::parse(permissions) {
        Ok(allowed) => allowed,
        Err(errors) => {
            for error in errors {
                problems.add(
                    Reason::Invalid,
                    object,
                    below("spec.permissions", error.field()),
                    error.to_string(),
                    "correct it; a permission that is not understood is not granted",
                );
            }
            Grants::default()
        }
    }
}

/// Those of the Function, else those the catalogue ships for its component.
pub(super) fn limits(
    object: &ObjectRef,
    function: &Function,
    reference: &str,
    problems: &mut Problems,
) -> Limits {
    let shipped = Catalog::built_in()
        .function_of(reference)
        .and_then(|function| function.spec.limits.as_ref());
    let Some(limits) = function.spec.limits.as_ref().or(shipped) else {
        return Limits::default();
    };
    match Limits::parse(limits) {
        Ok(limits) => limits,
        Err(errors) => {
            for error in errors {
                problems.add(
                    Reason::Invalid,
                    object,
                    below("spec.limits", error.field()),
                    error.to_string(),
                    "write it as limits: {cpuSeconds: 600, memory: 128Mi, wallTime: 2h}",
                );
            }
            Limits::default()
        }
    }
}

/// A backup whose sink may not write, or a restore whose source may not read, cannot do its work.
pub(super) fn check_repository(
    invoker: &Invoker<'_>,
    task: &ChosenTask,
    stages: &[StagePlan],
    problems: &mut Problems,
) {
    let (kind, wanted) = match invoker.flow {
        Flow::Backup => (Kind::Sink, "write"),
        Flow::Restore => (Kind::Source, "read-selected"),
    };
    let Some(stage) = stages.iter().find(|stage| stage.kind == kind) else { return };
    let granted = match (invoker.flow, stage.grants.repository) {
        (Flow::Backup, grant) => grant == Some(RepositoryGrant::Write),
        (Flow::Restore, grant) => {
            matches!(grant, Some(RepositoryGrant::ReadSelected | RepositoryGrant::ReadAll))
        }
    };
    if !granted {
        problems.add(
            Reason::Invalid,
            &cluster_ref("Function", &stage.function),
            "spec.permissions.repository",
            format!(
                "the {} of Task {} has no grant for the repository that both component and permissions name",
                kind.as_str(),
                task.name
            ),
            format!("grant repository: {wanted}, or use a component that asks for it"),
        );
    }
}

fn below(parent: &str, field: &str) -> String {
    if field.is_empty() { parent.to_owned() } else { format!("{parent}.{field}") }
}
