//! Whether Secrets and their keys are there. Values are not looked at.
//!
//! Only on a machine without a cluster, where they are among the objects: the operator reads
//! no Secrets to plan.

use sealift_core::plan::{ObjectRef, SecretRef};

use super::Environment;
use super::problem::{Problems, Reason};
use crate::objects::Objects;

/// Where Secrets are looked for.
#[derive(Clone, Copy)]
pub(super) struct Secrets<'a> {
    pub(super) objects: &'a Objects,
    pub(super) environment: Environment,
}

/// Adds a problem if the Secret, or this key of it, is missing.
pub(super) fn has_key(
    secrets: Secrets<'_>,
    named_by: &ObjectRef,
    field: &str,
    secret: &SecretRef,
    key: &str,
    problems: &mut Problems,
) {
    let Some(keys) = keys(secrets, named_by, field, secret, problems) else { return };
    if !keys.iter().any(|found| found == key) {
        problems.add(
            Reason::Invalid,
            named_by,
            field,
            format!("Secret {}/{} has no key {key}", secret.namespace, secret.name),
            format!("add {key} to the Secret"),
        );
    }
}

/// The Secret's keys; none in a pod, or after a problem was added.
pub(super) fn keys(
    secrets: Secrets<'_>,
    named_by: &ObjectRef,
    field: &str,
    secret: &SecretRef,
    problems: &mut Problems,
) -> Option<Vec<String>> {
    if secrets.environment == Environment::Pod {
        return None;
    }
    match secrets.objects.secret(&secret.namespace, &secret.name) {
        Some(found) => Some(found.keys().map(str::to_owned).collect()),
        None => {
            problems.add(
                Reason::NotFound,
                named_by,
                field,
                format!("Secret {}/{} does not exist", secret.namespace, secret.name),
                "add the Secret to the objects",
            );
            None
        }
    }
}
