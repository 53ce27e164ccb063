//! Objects to a plan: pure, deterministic, and complete or not at all.
//!
//! The way: `invoker` reads the BackupConfiguration or RestoreSession, `repository` and
//! `target` the objects it names, `variables` and `stages` resolve the Task into a chain,
//! `keys` and `snapshot` say which keys and which snapshot are meant, `interim` where artifacts
//! of unknown size wait, `hooks` what is done before and after, `pins` which objects the plan
//! holds for. Every one of them
//! collects problems instead of stopping at the first. No value of a Secret enters a plan:
//! Secrets are looked at only for whether they and their keys are there, and only on a machine
//! without a cluster.

mod alone;
mod credential;
mod hooks;
mod input;
mod interim;
mod invoker;
mod keys;
mod origin;
mod permission;
mod pins;
mod problem;
mod repository;
mod secret_check;
mod snapshot;
mod stages;
mod step;
mod target;
mod usage_policy;
mod variables;

use sealift_core::causes::chain_of_causes;
use sealift_core::chain::Flow;
use sealift_core::duration;
use sealift_core::limits::MAX_SESSION_SECONDS;
use sealift_core::plan::{Direction, ObjectRef, PLAN_VERSION, Plan, RepositoryPlan, Retention};

pub use alone::{check_alone, repository_in_pod};
pub use input::{ComponentInfo, Components, Environment, PlanInput, PlanOptions};
use invoker::Invoker;
pub use pins::pins;
use problem::Problems;
pub use problem::{PlanError, Problem, Reason};
use secret_check::Secrets;
pub use usage_policy::{Use, usage};

use crate::backup_configuration::BackupConfiguration;
use crate::objects::Objects;

/// Makes the plan of one session.
///
/// # Errors
/// All problems that were found, at least one; each names object and field and says what to do.
pub fn plan(input: &PlanInput<'_>) -> Result<Plan, PlanError> {
    let mut problems = Problems::default();
    match attempt(input, &mut problems) {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => Err(problems.into_error()),
    }
}

/// The plan of a Repository on its own, for commands that work on it without a session.
///
/// # Errors
/// All problems that were found, at least one.
pub fn repository_plan(
    objects: &Objects,
    repository: &ObjectRef,
    environment: Environment,
) -> Result<RepositoryPlan, PlanError> {
    let mut problems = Problems::default();
    let plan = match objects.repository(&repository.namespace, &repository.name) {
        Some(object) => {
            repository::of_object(Secrets { objects, environment }, object, &mut problems)
        }
        None => {
            problems.add(
                Reason::NotFound,
                repository,
                "metadata.name",
                "is not among the objects",
                "give a Repository that is among the objects",
            );
            None
        }
    };
    match plan {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => Err(problems.into_error()),
    }
}

/// The retention policy of a BackupConfiguration on its own, for commands that forget snapshots
/// without a session.
///
/// # Errors
/// All problems that were found, at least one.
pub fn retention_plan(configuration: &BackupConfiguration) -> Result<Retention, PlanError> {
    let mut problems = Problems::default();
    let invoker = Invoker::of_backup(configuration, "");
    match invoker.retention(&mut Vec::new(), &mut problems) {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => Err(problems.into_error()),
    }
}

/// None only after a problem was added.
fn attempt(input: &PlanInput<'_>, problems: &mut Problems) -> Option<Plan> {
    let invoker = Invoker::find(input, problems)?;
    let mut notes = invoker.notes();
    invoker.check(problems);
    let timeout_seconds = timeout(&invoker, &mut notes, problems);
    let retention = invoker.retention(&mut notes, problems);
    let repository = repository::plan(input, &invoker, problems);
    let target = target::find(input, &invoker, problems);
    let (repository, target) = (repository?, target?);
    let task = target::task(&invoker, &target, problems)?;
    let variables = variables::built_in(input, &invoker, &repository, &target, &task);
    let resolved = stages::plan(input, &invoker, &task, &variables, &mut notes, problems);
    let origins = origin::plan(input, &target, resolved.as_ref(), &variables, problems);
    let resolved = resolved?;
    let pins = pins::plan(input, &target, &repository.reference, &resolved);
    let keys = keys::plan(input, &target, &invoker, &resolved, problems);
    interim::check(&invoker, &resolved, problems);
    let interim_volume = interim::plan(&invoker, problems);
    permission::check_repository(&invoker, &task, &resolved.stages, problems);
    let hooks = hooks::plan(input, &invoker, &target, problems);
    let direction = match invoker.flow {
        Flow::Backup => Direction::Backup(snapshot::identity(&invoker, &target, &resolved)),
        Flow::Restore => {
            Direction::Restore(snapshot::selection(&invoker, &target, &resolved, problems)?)
        }
    };
    let bounded = |mut stage: sealift_core::plan::StagePlan| {
        stage.limits.wall_seconds = stage.limits.wall_seconds.min(timeout_seconds);
        stage
    };
    Some(Plan {
        version: PLAN_VERSION.to_owned(),
        direction,
        session: invoker.session.clone(),
        invoker: invoker.reference.clone(),
        target: target.plan(&invoker),
        repository,
        task: task.name,
        stages: resolved.stages.into_iter().map(bounded).collect(),
        observers: resolved.observers,
        origins,
        keys,
        interim_volume,
        retention,
        hooks,
        timeout_seconds,
        pins,
        notes,
    })
}

fn timeout(invoker: &Invoker<'_>, notes: &mut Vec<String>, problems: &mut Problems) -> u64 {
    let Some(text) = invoker.time_out else {
        return MAX_SESSION_SECONDS;
    };
    match duration::parse_seconds(text) {
        Ok(seconds) if seconds > MAX_SESSION_SECONDS => {
            notes.push(format!("spec.timeOut: {text} is shortened to the longest session, 20h"));
            MAX_SESSION_SECONDS
        }
        Ok(seconds) => seconds,
        Err(error) => {
            problems.add(
                Reason::Invalid,
                &invoker.reference,
                "spec.timeOut",
                chain_of_causes(&error),
                "write hours, minutes and seconds, such as 2h or 1h30m; days are not known",
            );
            MAX_SESSION_SECONDS
        }
    }
}
