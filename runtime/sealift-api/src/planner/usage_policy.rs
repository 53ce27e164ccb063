//! Whether a Repository may be used from another namespace.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::PlanInput;
use super::invoker::Invoker;
use super::problem::{Problems, Reason};
use crate::object::Namespace;
use crate::repository::{FromNamespaces, Repository};

/// What a Repository's usage policy says of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It may use the Repository.
    Allowed,
    /// It may not.
    Refused,
    /// The policy selects by labels, and those of the namespace are not known.
    Unknown,
}

/// Whether objects of `namespace`, which has these labels, may use a Repository. Its own namespace
/// always may; without a policy no other one may.
#[must_use]
pub fn usage(
    repository: &Repository,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> Use {
    if repository.namespace() == namespace {
        return Use::Allowed;
    }
    let policy = repository.spec.usage_policy.as_ref();
    let allowed = policy.and_then(|policy| policy.allowed_namespaces.as_ref());
    let selector = allowed.and_then(|allowed| allowed.selector.as_ref());
    let permitted = match allowed.and_then(|allowed| allowed.from).unwrap_or_default() {
        FromNamespaces::All => true,
        FromNamespaces::Same => false,
        FromNamespaces::Selector => match labels {
            Some(labels) => selector.is_some_and(|selector| matches(selector, labels)),
            None => return Use::Unknown,
        },
    };
    if permitted { Use::Allowed } else { Use::Refused }
}

pub(super) fn check(
    input: &PlanInput<'_>,
    invoker: &Invoker<'_>,
    repository: &Repository,
    problems: &mut Problems,
) {
    let namespace = input.objects.namespace(invoker.namespace());
    match usage(repository, invoker.namespace(), namespace.map(Namespace::labels)) {
        Use::Allowed => {}
        Use::Unknown => problems.add(
            Reason::NotFound,
            &invoker.reference,
            "spec.repository.namespace",
            format!(
                "Namespace {} is needed for its labels, which the usagePolicy of Repository {}/{} selects by",
                invoker.namespace(),
                repository.namespace(),
                repository.name()
            ),
            "add the Namespace to the objects",
        ),
        Use::Refused => problems.add(
            Reason::NotAllowed,
            &invoker.reference,
            "spec.repository.namespace",
            format!(
                "namespace \"{}\" is not allowed to refer Repository \"{}\" of \"{}\" namespace. Please, check the `usagePolicy` of the Repository",
                invoker.namespace(),
                repository.name(),
                repository.namespace()
            ),
            "allow the namespace in spec.usagePolicy.allowedNamespaces of the Repository",
        ),
    }
}

/// As the API server does it; an empty selector matches everything, an unknown operator nothing.
fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let equal = selector.match_labels.iter().flatten();
    let expressions = selector.match_expressions.iter().flatten();
    equal.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.into_iter().all(|expression| {
            let found = labels.get(&expression.key);
            let values = expression.values.as_deref().unwrap_or_default();
            match expression.operator.as_str() {
                "In" => found.is_some_and(|found| values.contains(found)),
                "NotIn" => found.is_none_or(|found| !values.contains(found)),
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                _ => false,
            }
        })
}
