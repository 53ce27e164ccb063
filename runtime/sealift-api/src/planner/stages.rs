//! The chosen Task to stages and observers: variables replaced, steps put into a chain.
//!
//! `step` finds a step's component and parameters, `permission` its grants and limits.

use std::collections::{BTreeMap, BTreeSet};

use sealift_core::causes::chain_of_causes;
use sealift_core::chain::{self, Flow, Slot};
use sealift_core::names;
use sealift_core::plan::{ComponentRef, Kind, StagePlan};
use sealift_core::resolution::{
    ResolutionError, ResolvedStep, StepText, TaskText, TextObject, resolve, resolve_step,
};
use sealift_core::substitution::{SubstitutionError, Variables};
use serde_json::Value;

use super::invoker::Invoker;
use super::problem::{Problems, Reason, cluster_ref};
use super::step::{self, Step};
use super::target::ChosenTask;
use super::{Environment, PlanInput, permission};

/// Stages and observers in order.
pub(super) struct Stages {
    pub(super) stages: Vec<StagePlan>,
    pub(super) observers: Vec<StagePlan>,
    /// Names of those whose component sends artifacts whose size it does not know beforehand.
    pub(super) unknown_size: BTreeSet<String>,
}

impl Stages {
    pub(super) fn all(&self) -> impl Iterator<Item = &StagePlan> {
        self.stages.iter().chain(&self.observers)
    }
}

struct Planner<'a, 'p> {
    input: &'a PlanInput<'a>,
    task: &'a ChosenTask,
    variables: &'a Variables,
    /// `spec` of every Function, without what is never substituted.
    specs: BTreeMap<String, Value>,
    unknown_size: BTreeSet<String>,
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
    let unknown_size = BTreeSet::new();
    Planner { input, task, variables, specs, unknown_size, notes, problems }.plan(invoker)
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
            .filter_map(|step| self.identify(step))
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
        let observers = self.reachable(observers);
        Some(Stages { stages, observers, unknown_size: std::mem::take(&mut self.unknown_size) })
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
                chain_of_causes(source),
                match source {
                    SubstitutionError::Missing(name) => format!(
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
    fn identify(&mut self, resolved: ResolvedStep) -> Option<Step> {
        step::identify(self.input, self.task, resolved, self.notes, self.problems)
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
            Slot::Missing { function, kind } => self.filler(function, kind, position)?,
        };
        let object = cluster_ref("Function", &step.resolved.function);
        let (function, from) = self.input.objects.function(&step.resolved.function)?;
        let before = self.problems.len();
        let (grants, grants_from) =
            permission::grants(&object, function, from, &step, self.problems);
        let limits = permission::limits(&object, function, &step.reference, self.problems);
        if self.problems.len() > before {
            return None;
        }
        let name = names::stage_name(&step.resolved.function, position);
        if step.component.unknown_size {
            self.unknown_size.insert(name.clone());
        }
        Some(StagePlan {
            name,
            function: step.resolved.function,
            kind: step.component.kind,
            component: ComponentRef {
                reference: step.component.reference,
                digest: step.component.digest,
            },
            parameters: step.parameters,
            grants,
            grants_from,
            limits,
        })
    }

    fn filler(&mut self, function: &str, kind: Kind, position: usize) -> Option<Step> {
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
        let resolved = resolve_step(function, position, spec, Variables::new(), self.variables);
        let step = match resolved {
            Ok(resolved) => self.identify(resolved)?,
            Err(errors) => {
                errors.iter().for_each(|error| self.resolution_problem(error));
                return None;
            }
        };
        if step.component.kind != kind {
            let (is, should) = (step.component.kind.as_str(), kind.as_str());
            self.problems.add(
                Reason::Invalid,
                &cluster_ref("Function", function),
                "spec.image",
                format!("is of kind {is}, but stands where a {should} belongs"),
                format!("use a component of kind {should}, or name its place in the Task"),
            );
            return None;
        }
        Some(step)
    }

    /// Without a Pushgateway there is nobody to push to: such an observer is left out. In a cluster
    /// one belongs to the installation, and the Job says in a condition that it is missing.
    fn reachable(&mut self, observers: Vec<StagePlan>) -> Vec<StagePlan> {
        let options = &self.input.options;
        if options.pushgateway.is_some() || options.environment == Environment::Pod {
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
