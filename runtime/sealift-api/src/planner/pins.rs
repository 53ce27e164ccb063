//! The pins of a plan: which objects it was made from, and in which state they were.
//!
//! The same function makes them for the plan and, from the objects as they are later, for the
//! comparison (`sealift_core::pins`).

use sealift_core::pins::{ObjectPin, Pins};
use sealift_core::plan::ObjectRef;
use sha2::{Digest, Sha256};

use super::PlanInput;
use super::stages::Stages;
use super::target::Found;
use crate::app_binding::AppBinding;
use crate::function::Function;
use crate::manifest::Manifest;
use crate::repository::Repository;

/// The pins of these objects, each as it is now. Objects without uid, such as those from files and
/// those of the catalogue, are left out; so is what is not given.
#[must_use]
pub fn pins<'a>(
    app_binding: Option<&AppBinding>,
    repository: Option<&Repository>,
    functions: impl IntoIterator<Item = &'a Function>,
) -> Pins {
    let mut functions: Vec<ObjectPin> = functions.into_iter().filter_map(pin).collect();
    // Two steps may use the same Function.
    functions.sort_by(|one, two| one.object.cmp(&two.object));
    functions.dedup();
    let objects = app_binding.and_then(pin).into_iter().chain(repository.and_then(pin));
    Pins { objects: objects.chain(functions).collect(), ca_digest: app_binding.and_then(ca_digest) }
}

/// The pins of a plan.
pub(super) fn plan(
    input: &PlanInput<'_>,
    target: &Found<'_>,
    repository: &ObjectRef,
    stages: &Stages,
) -> Pins {
    let functions =
        stages.all().filter_map(|stage| Some(input.objects.function(&stage.function)?.0));
    let repository = input.objects.repository(&repository.namespace, &repository.name);
    pins(Some(target.app_binding), repository, functions)
}

fn pin<Spec, Status>(object: &Manifest<Spec, Status>) -> Option<ObjectPin> {
    let uid = object.metadata.uid.clone().filter(|uid| !uid.is_empty())?;
    Some(ObjectPin { object: object.reference(), uid, generation: object.metadata.generation })
}

fn ca_digest(app_binding: &AppBinding) -> Option<String> {
    let bundle = app_binding.spec.client_config.ca_bundle.as_ref();
    let bundle = bundle.filter(|bundle| !bundle.0.is_empty())?;
    Some(format!("sha256:{}", hex::encode(Sha256::digest(&bundle.0))))
}
