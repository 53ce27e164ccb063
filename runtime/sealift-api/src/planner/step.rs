//! One step's component and parameters, or what stands in their way.

use std::collections::BTreeMap;

use sealift_core::component::{ImageKind, classify};
use sealift_core::parameters;
use sealift_core::plan::ObjectRef;
use sealift_core::resolution::ResolvedStep;

use super::input::ComponentInfo;
use super::problem::{Problems, Reason, chain_text, cluster_ref};
use super::target::ChosenTask;
use super::{Environment, PlanInput};

/// A step whose component is known.
pub(super) struct Step {
    pub(super) resolved: ResolvedStep,
    pub(super) reference: String,
    pub(super) component: ComponentInfo,
    pub(super) parameters: BTreeMap<String, String>,
}

/// None only after a problem was added.
pub(super) fn identify(
    input: &PlanInput<'_>,
    task: &ChosenTask,
    resolved: ResolvedStep,
    notes: &mut Vec<String>,
    problems: &mut Problems,
) -> Option<Step> {
    let object = cluster_ref("Function", &resolved.function);
    let kind = classify(&resolved.image, resolved.args.first().map(String::as_str));
    let (reference, legacy) = match &kind {
        ImageKind::Alias(alias) => (alias.component.to_owned(), Some(&alias.flags)),
        _ => (resolved.image.clone(), None),
    };
    let known = input.components.find(&reference);
    let in_pod = input.options.environment == Environment::Pod;
    if known.is_none() || (in_pod && matches!(kind, ImageKind::File(_))) {
        image_problem(input, &object, &kind, &resolved.image, problems);
        return None;
    }
    let component = known?;
    if legacy.is_some() {
        notes.push(format!(
            "Function {}: image {} is not used, {reference} takes its place",
            resolved.function, resolved.image
        ));
    } else if resolved.spec.get("command").is_some() {
        problems.add(
            Reason::Invalid,
            &object,
            "spec.command",
            "a component has no command",
            "remove it; parameters stand in spec.args",
        );
    }
    let mut params = resolved.params.clone();
    for param in &task.params {
        params.insert(param.name.clone(), param.value.clone());
    }
    let read = parameters::from_arguments(&resolved.args, &component.parameters, legacy, &params);
    match read {
        Ok(read) => {
            for flag in read.without_effect {
                notes.push(format!(
                    "Function {}: {flag} has no effect in {reference}",
                    resolved.function
                ));
            }
            Some(Step { resolved, reference, component, parameters: read.values })
        }
        Err(errors) => {
            for error in errors {
                problems.add(
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

fn image_problem(
    input: &PlanInput<'_>,
    object: &ObjectRef,
    kind: &ImageKind,
    image: &str,
    problems: &mut Problems,
) {
    let known = input.components.references().join(", ");
    let (reason, message, help) = match kind {
        ImageKind::File(_) if input.options.environment == Environment::Pod => (
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
    problems.add(reason, object, "spec.image", message, help);
}
