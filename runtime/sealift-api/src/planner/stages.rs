//! The chosen Task to stages and observers: variables, components, parameters, grants, limits.

use std::collections::BTreeMap;

use sealift_core::chain::{self, Flow, Slot};
use sealift_core::component::{ImageKind, classify};
use sealift_core::grants::{Grants, RepositoryGrant};
use sealift_core::limits::Limits;
use sealift_core::names;
use sealift_core::parameters;
use sealift_core::plan::{ComponentRef, GrantsFrom, Kind, ObjectRef, StagePlan};
use sealift_core::resolution::{
    ResolutionError, ResolvedStep, StepText, TaskText, TextObject, resolve, resolve_step,
};
use sealift_core::substitution::Variables;
use serde_json::Value;

use super::input::ComponentInfo;
use super::invoker::Invoker;
use super::problem::{Problems, Reason, chain_text};
use super::target::ChosenTask;
use super::{Environment, PlanInput};
use crate::catalog::Catalog;
use crate::function::Function;
use crate::manifest::STASH_GROUP;
use crate::objects::From;

/// Stages and observers in order.
pub(super) struct Stages {
    pub(super) stages: Vec<StagePlan>,
    pub(super) observers: Vec<StagePlan>,
}

impl Stages {
    pub(super) fn all(&self) -> impl Iterator<Item = &StagePlan> {
        self.stages.iter().chain(&self.observers)
    }
}

/// A step whose component is known.
struct Step {
    resolved: ResolvedStep,
    reference: String,
    component: ComponentInfo,
    parameters: BTreeMap<String, String>,
}

struct Planner<'a, 'p> {
    input: &'a PlanInput<'a>,
    task: &'a ChosenTask,
    variables: &'a Variables,
    /// `spec` of every Function, without what is never substituted.
    specs: BTreeMap<String, Value>,
    notes: &'p mut Vec<String>,
    problems: &'p mut Problems,
}

/// None only after a problem was added.
pub(super) fn plan(
    input: &PlanInput<'_>,
    invoker: &Invoker<'_>,
    task: &ChosenTask,
    variables: &Variables,
    notes: &mut Vec<String>,
    problems: &mut Problems,
) -> Option<Stages> {
    let specs = input
        .objects
        .function_names()
        .into_iter()
        .filter_map(|name| {
            let (function, _) = input.objects.function(&name)?;
            let mut spec = serde_json::to_value(&function.spec).ok()?;
            // A param must not be able to widen a grant or a limit.
            if let Value::Object(fields) = &mut spec {
                fields.remove("permissions");
                fields.remove("limits");
            }
            Some((name, spec))
        })
        .collect();
    Planner { input, task, variables, specs, notes, problems }.plan(invoker)
}

impl Planner<'_, '_> {
    fn plan(&mut self, invoker: &Invoker<'_>) -> Option<Stages> {
        let text = self.task_text()?;
        let resolved = match resolve(&text, |name| self.specs.get(name), self.variables) {
            Ok(resolved) => resolved,
            Err(errors) => {
                errors.iter().for_each(|error| self.resolution_problem(error));
                return None;
            }
        };
        let count = resolved.steps.len();
        let steps: Vec<(Step, Kind)> = resolved
            .steps
            .into_iter()
            .filter_map(|step| self.step(step))
            .map(|step| {
                let kind = step.component.kind;
                (step, kind)
            })
            .collect();
        if steps.len() < count {
            return None;
        }
        let arranged = match chain::arrange(invoker.flow, steps) {
            Ok(arranged) => arranged,
            Err(error) => {
                self.chain_problem(invoker, &error);
                return None;
            }
        };
        let mut position = 0;
        let mut slots = |planner: &mut Self, slots: Vec<Slot<Step>>| {
            let mut stages = Vec::new();
            for slot in slots {
                stages.push(planner.slot(slot, position)?);
                position += 1;
            }
            Some(stages)
        };
        let stages = slots(self, arranged.stages)?;
        let observers = slots(self, arranged.observers)?;
        Some(Stages { stages, observers: self.reachable(observers) })
    }

    fn task_text(&mut self) -> Option<TaskText> {
        let Some((task, _)) = self.input.objects.task(&self.task.name) else {
            self.problems.add(
                Reason::NotFound,
                &self.task.named_by,
                self.task.field.clone(),
                format!("Task {} does not exist", self.task.name),
                format!("create it, or use one of {}", self.input.objects.task_names().join(", ")),
            );
            return None;
        };
        let steps = task.spec.steps.iter().map(|step| StepText {
            function: step.name.clone(),
            params: step
                .params
                .iter()
                .map(|param| (param.name.clone(), param.value.clone()))
                .collect(),
        });
        Some(TaskText {
            name: self.task.name.clone(),
            steps: steps.collect(),
            volumes: serde_json::to_value(&task.spec.volumes).unwrap_or(Value::Null),
        })
    }

    fn resolution_problem(&mut self, error: &ResolutionError) {
        let (object, field) = match error {
            ResolutionError::Field { object, field, .. }
            | ResolutionError::Type { object, field }
            | ResolutionError::Depth { object, field } => (object, field),
            ResolutionError::UnknownFunction { task, field, .. } => (task, field),
        };
        let object = match object {
            TextObject::Task(name) => cluster_ref("Task", name),
            TextObject::Function(name) => cluster_ref("Function", name),
        };
        let (reason, message, help) = match error {
            ResolutionError::UnknownFunction { function, .. } => (
                Reason::NotFound,
                format!("Function {function} does not exist"),
                format!(
                    "create it, or use one of {}",
                    self.input.objects.function_names().join(", ")
                ),
            ),
            ResolutionError::Field { source, .. } => (
                Reason::Invalid,
                chain_text(source),
                match source {
                    sealift_core::substitution::SubstitutionError::Missing(name) => format!(
                        "give {name} in spec.task.params, or write a default as ${{{name}:=value}}"
                    ),
                    _ => "correct the expression; a literal ${ is written $${".to_owned(),
                },
            ),
            ResolutionError::Type { .. } => {
                (Reason::Invalid, "is not text".to_owned(), "write it in quotes".to_owned())
            }
            ResolutionError::Depth { .. } => (
                Reason::Invalid,
                "is nested too deeply".to_owned(),
                "remove what a component does not need".to_owned(),
            ),
        };
        self.problems.add(reason, &object, field.clone(), message, help);
    }

    /// None only after a problem was added.
    fn step(&mut self, resolved: ResolvedStep) -> Option<Step> {
        let object = cluster_ref("Function", &resolved.function);
        let kind = classify(&resolved.image, resolved.args.first().map(String::as_str));
        let (reference, legacy) = match &kind {
            ImageKind::Alias(alias) => (alias.component.to_owned(), Some(&alias.flags)),
            _ => (resolved.image.clone(), None),
        };
        let known = self.input.components.find(&reference);
        let in_pod = self.input.options.environment == Environment::Pod;
        if known.is_none() || (in_pod && matches!(kind, ImageKind::File(_))) {
            self.image_problem(&object, &kind, &resolved.image);
            return None;
        }
        let component = known?;
        if legacy.is_some() {
            self.notes.push(format!(
                "Function {}: image {} is not used, {reference} takes its place",
                resolved.function, resolved.image
            ));
        } else if resolved.spec.get("command").is_some() {
            self.problems.add(
                Reason::Invalid,
                &object,
                "spec.command",
                "a component has no command",
                "remove it; parameters stand in spec.args",
            );
        }
        let mut params = resolved.params.clone();
        for param in &self.task.params {
            params.insert(param.name.clone(), param.value.clone());
        }
        let read =
            parameters::from_arguments(&resolved.args, &component.parameters, legacy, &params);
        match read {
            Ok(read) => {
                for flag in read.without_effect {
                    self.notes.push(format!(
                        "Function {}: {flag} has no effect in {reference}",
                        resolved.function
                    ));
                }
                Some(Step { resolved, reference, component, parameters: read.values })
            }
            Err(errors) => {
                for error in errors {
                    self.problems.add(
                        Reason::Invalid,
                        &object,
                        "spec.args",
                        chain_text(&error),
                        "correct the argument, or the param it is made of",
                    );
                }
                None
            }
        }
    }

    fn image_problem(&mut self, object: &ObjectRef, kind: &ImageKind, image: &str) {
        let known = self.input.components.references().join(", ");
        let (reason, message, help) = match kind {
            ImageKind::File(_) if self.input.options.environment == Environment::Pod => (
                Reason::Invalid,
                format!("{image} is a file of one machine"),
                format!("use one of {known}"),
            ),
            ImageKind::Builtin(_) | ImageKind::File(_) | ImageKind::Alias(_) => (
                Reason::NotFound,
                format!("component {image} does not exist"),
                format!("use one of {known}"),
            ),
            ImageKind::Other if image.is_empty() => {
                (Reason::Invalid, "no component is named".to_owned(), format!("use one of {known}"))
            }
            ImageKind::Other => (
                Reason::Invalid,
                format!(
                    "{image} is a container image; a Function is a WebAssembly component, and nothing was pulled"
                ),
                format!(
                    "use one of {known}; images of the original's Vault addon are known by their name and first argument"
                ),
            ),
        };
        self.problems.add(reason, object, "spec.image", message, help);
    }

    fn chain_problem(&mut self, invoker: &Invoker<'_>, error: &chain::ChainError) {
        let help = match invoker.flow {
            Flow::Backup => {
                "a backup has one source, transforms, a sink and observers, in this order; sink and observer may be left out"
            }
            Flow::Restore => {
                "a restore has a source, transforms, one sink and observers, in this order; source and observer may be left out"
            }
        };
        let task = cluster_ref("Task", &self.task.name);
        self.problems.add(Reason::Invalid, &task, "spec.steps", error.to_string(), help);
    }

    /// None only after a problem was added.
    fn slot(&mut self, slot: Slot<Step>, position: usize) -> Option<StagePlan> {
        let step = match slot {
            Slot::Step(step) => step,
            Slot::Missing(function) => self.filler(function, position)?,
        };
        let object = cluster_ref("Function", &step.resolved.function);
        let (function, from) = self.input.objects.function(&step.resolved.function)?;
        let before = self.problems_len();
        let (grants, grants_from) = self.grants(&object, function, from, &step);
        let limits = self.limits(&object, function, &step.reference);
        if self.problems_len() > before {
            return None;
        }
        Some(StagePlan {
            name: names::stage_name(&step.resolved.function, position),
            function: step.resolved.function,
            kind: step.component.kind,
            component: ComponentRef { reference: step.reference, digest: step.component.digest },
            parameters: step.parameters,
            grants,
            grants_from,
            limits,
        })
    }

    fn problems_len(&self) -> usize {
        self.problems.len()
    }

    fn filler(&mut self, function: &'static str, position: usize) -> Option<Step> {
        let Some(spec) = self.specs.get(function) else {
            self.problems.add(
                Reason::NotFound,
                &cluster_ref("Task", &self.task.name),
                "spec.steps",
                format!("Function {function}, which belongs into this Task, does not exist"),
                "name a Function for it in the Task",
            );
            return None;
        };
        match resolve_step(function, position, spec, Variables::new(), self.variables) {
            Ok(resolved) => self.step(resolved),
            Err(errors) => {
                errors.iter().for_each(|error| self.resolution_problem(error));
                None
            }
        }
    }

    fn grants(
        &mut self,
        object: &ObjectRef,
        function: &Function,
        from: From,
        step: &Step,
    ) -> (Grants, GrantsFrom) {
        let shipped = Catalog::built_in()
            .function_of(&step.reference)
            .and_then(|function| function.spec.permissions.as_ref());
        let (permissions, grants_from) = match (&function.spec.permissions, shipped, from) {
            (Some(own), _, From::User) => (own, GrantsFrom::Function),
            (Some(own), _, From::Catalog) => (own, GrantsFrom::Catalog),
            (None, Some(shipped), _) => (shipped, GrantsFrom::Catalog),
            (None, None, _) => return (Grants::default(), GrantsFrom::None),
        };
        match Grants::parse(permissions) {
            Ok(allowed) => (step.component.requests.intersection(&allowed), grants_from),
            Err(errors) => {
                for error in errors {
                    self.problems.add(
                        Reason::Invalid,
                        object,
                        below("spec.permissions", error.field()),
                        error.to_string(),
                        "correct it; a permission that is not understood is not granted",
                    );
                }
                (Grants::default(), grants_from)
            }
        }
    }

    fn limits(&mut self, object: &ObjectRef, function: &Function, reference: &str) -> Limits {
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
                    self.problems.add(
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

    /// Without a Pushgateway there is nobody to push to: such an observer is left out.
    fn reachable(&mut self, observers: Vec<StagePlan>) -> Vec<StagePlan> {
        if self.input.options.pushgateway.is_some() {
            return observers;
        }
        let (left_out, kept): (Vec<_>, Vec<_>) =
            observers.into_iter().partition(|stage| stage.grants.reaches("pushgateway"));
        for stage in left_out {
            self.notes.push(format!(
                "Function {}: left out, because no Pushgateway is known here",
                stage.function
            ));
        }
        kept
    }
}

/// A backup whose sink may not write, or a restore whose source may not read, cannot do its work.
pub(super) fn check_repository_grants(
    invoker: &Invoker<'_>,
    task: &ChosenTask,
    stages: &Stages,
    problems: &mut Problems,
) {
    let (kind, wanted) = match invoker.flow {
        Flow::Backup => (Kind::Sink, "write"),
        Flow::Restore => (Kind::Source, "read-selected"),
    };
    let Some(stage) = stages.stages.iter().find(|stage| stage.kind == kind) else { return };
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

fn cluster_ref(kind: &str, name: &str) -> ObjectRef {
    ObjectRef {
        group: STASH_GROUP.to_owned(),
        kind: kind.to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    }
}
