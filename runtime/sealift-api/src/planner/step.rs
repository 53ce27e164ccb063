//! One step's component and parameters, or what stands in their way.

use std::collections::BTreeMap;

use sealift_core::causes::chain_of_causes;
use sealift_core::component::{ImageKind, classify};
use sealift_core::parameters::{self, Legacy};
use sealift_core::plan::ObjectRef;
use sealift_core::resolution::ResolvedStep;

use super::problem::{Problems, Reason, cluster_ref};
use super::target::ChosenTask;
use super::{ComponentInfo, Components, Environment, PlanInput};

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
    let place = (input.components, input.options.environment);
    let first = resolved.args.first().map(String::as_str);
    let Named { reference, component, legacy } =
        component(place, &object, &resolved.image, first, problems)?;
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
                    chain_of_causes(&error),
                    "correct the argument, or the param it is made of",
                );
            }
            None
        }
    }
}

/// The component an image stands for.
pub(super) struct Named {
    reference: String,
    component: ComponentInfo,
    /// Set if it takes the place of an image of the original.
    legacy: Option<&'static Legacy>,
}

/// None only after a problem was added.
pub(super) fn component(
    (components, environment): (&dyn Components, Environment),
    object: &ObjectRef,
    image: &str,
    first_argument: Option<&str>,
    problems: &mut Problems,
) -> Option<Named> {
    let kind = classify(image, first_argument);
    let (reference, legacy) = match &kind {
        ImageKind::Alias(alias) => (alias.component.to_owned(), Some(&alias.flags)),
        _ => (image.to_owned(), None),
    };
    let refused = environment == Environment::Pod && matches!(kind, ImageKind::File(_));
    match components.find(&reference).filter(|_| !refused) {
        Some(component) => Some(Named { reference, component, legacy }),
        None => {
            image_problem((components, environment), object, &kind, image, problems);
            None
        }
    }
}

fn image_problem(
    (components, environment): (&dyn Components, Environment),
    object: &ObjectRef,
    kind: &ImageKind,
    image: &str,
    problems: &mut Problems,
) {
    let known = components.references().join(", ");
    let (reason, message, help) = match kind {
        ImageKind::File(_) if environment == Environment::Pod => (
            Reason::Invalid,
            format!("{image} is a file of one machine"),
            format!("use one of {known}"),
        ),
        ImageKind::File(_) | ImageKind::Builtin(_) | ImageKind::Alias(_) => {
            let refusal = matches!(kind, ImageKind::File(_)).then(|| components.refusal(image));
            let (reason, message) = match refusal.flatten() {
                Some(why) => (Reason::Invalid, why),
                None => (Reason::NotFound, format!("component {image} does not exist")),
            };
            (reason, message, format!("use one of {known}"))
        }
        ImageKind::Other if image.is_empty() => {
            (Reason::Invalid, "no component is named".to_owned(), format!("use one of {known}"))
        }
        ImageKind::Registry(_) | ImageKind::Other => {
            let refusal = matches!(kind, ImageKind::Registry(_)).then(|| components.refusal(image));
            let (message, help) = match refusal.flatten() {
                Some(why) => (why, format!("mend that, or use one of {known}")),
                None => (
                    format!(
                        "{image} is a container image; a Function is a WebAssembly component, and nothing was pulled"
                    ),
                    format!(
                        "use one of {known}; images of the original's Vault addon are known by their name and first argument"
                    ),
                ),
            };
            (Reason::Invalid, message, help)
        }
    };
    problems.add(reason, object, "spec.image", message, help);
}
