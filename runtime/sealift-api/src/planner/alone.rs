//! Objects on their own: what can be said of them although no invoker leads to them.
//!
//! For `sealift validate`, where a file may hold one Function and nothing else. A plan finds
//! the same problems, and those that only show together.

use sealift_core::plan::{ObjectRef, RepositoryPlan};

use super::problem::{PlanError, Problems, Reason, cluster_ref};
use super::secret_check::Secrets;
use super::{Components, Environment, permission, repository, step};
use crate::function::Function;
use crate::object::Object;
use crate::objects::Objects;
use crate::repository::Repository;
use crate::task::Task;

/// Checks every Repository, Task and Function of the user. Secrets are not asked for, since
/// they may well be in other files.
///
/// # Errors
/// All problems that were found, at least one.
pub fn check_alone(objects: &Objects, components: &dyn Components) -> Result<(), PlanError> {
    let mut problems = Problems::default();
    for (_, object) in objects.iter() {
        match object {
            Object::Repository(object) => {
                let secrets = Secrets { objects, environment: Environment::Pod };
                repository::of_object(secrets, object, &mut problems);
            }
            Object::Task(task) => check_task(objects, task, &mut problems),
            Object::Function(function) => check_function(components, function, &mut problems),
            _ => {}
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.into_error()) }
}

/// Where one Repository points, as the pods of a cluster see it. Its Secret is not asked for.
///
/// # Errors
/// All that is wrong with its backend, at least one.
pub fn repository_in_pod(repository: &Repository) -> Result<RepositoryPlan, PlanError> {
    let mut problems = Problems::default();
    let objects = Objects::default();
    let secrets = Secrets { objects: &objects, environment: Environment::Pod };
    let plan = repository::of_object(secrets, repository, &mut problems);
    match plan.filter(|_| problems.is_empty()) {
        Some(plan) => Ok(plan),
        None => Err(problems.into_error()),
    }
}

fn check_task(objects: &Objects, task: &Task, problems: &mut Problems) {
    let object = cluster_ref("Task", task.name());
    if task.spec.steps.is_empty() {
        problems.add(
            Reason::Invalid,
            &object,
            "spec.steps",
            "there are no steps",
            "name at least the Function that does the work",
        );
    }
    for (index, step) in task.spec.steps.iter().enumerate() {
        if !is_template(&step.name) && objects.function(&step.name).is_none() {
            problems.add(
                Reason::NotFound,
                &object,
                format!("spec.steps[{index}].name"),
                format!("Function {} does not exist", step.name),
                format!("create it, or use one of {}", objects.function_names().join(", ")),
            );
        }
    }
}

fn check_function(components: &dyn Components, function: &Function, problems: &mut Problems) {
    let object: ObjectRef = cluster_ref("Function", function.name());
    let image = function.spec.image.as_deref().unwrap_or_default();
    if !is_template(image) {
        let first = function.spec.args.first().map(String::as_str);
        step::component((components, Environment::Local), &object, image, first, problems);
    }
    if let Some(permissions) = &function.spec.permissions {
        permission::read(&object, permissions, problems);
    }
    permission::limits(&object, function, image, problems);
}

/// A text with variables says nothing before they are replaced.
fn is_template(text: &str) -> bool {
    text.contains('$')
}
