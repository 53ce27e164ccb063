//! Who the Job is and what it may do: a ServiceAccount, a Role, a RoleBinding; in the
//! Repository's namespace, if that is another one, a second Role. And the Lease it needs.
//!
//! With a ServiceAccount of the user nothing is made.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_kube::lease;

use super::{Access, Work};
use crate::{labels, names, rules};

pub(super) fn of_job(work: &Work<'_>) -> Option<Access> {
    if work.own_service_account().is_some() {
        return None;
    }
    let name = service_account_name(work);
    let metadata = work.metadata(name.clone(), work.invoker_owner);
    let pod = work.runtime.and_then(|runtime| runtime.pod.as_ref());
    let annotations = pod
        .map(|pod| pod.service_account_annotations.clone())
        .filter(|annotations| !annotations.is_empty());
    Some(Access {
        service_account: ServiceAccount {
            metadata: ObjectMeta { annotations, ..metadata.clone() },
            ..ServiceAccount::default()
        },
        role: Role { metadata: metadata.clone(), rules: Some(rules::rules(work.plan)) },
        binding: binding(metadata, &name, work.namespace(), &name),
    })
}

/// What the Job that repeats a push may do, as the ServiceAccount of its invoker; it goes with the
/// session. None = the user's own ServiceAccount does it.
#[must_use]
pub fn of_push(work: &Work<'_>) -> Option<(Role, RoleBinding)> {
    if work.own_service_account().is_some() {
        return None;
    }
    let name = names::push_job(&work.plan.session);
    let metadata = work.metadata(name.clone(), work.session_owner);
    let role = Role { metadata: metadata.clone(), rules: Some(rules::push_rules(work.plan)) };
    Some((role, binding(metadata, &name, work.namespace(), &service_account_name(work))))
}

pub(super) fn of_repository(work: &Work<'_>) -> Option<(Role, RoleBinding)> {
    let namespace = &work.plan.repository.reference.namespace;
    if work.own_service_account().is_some() || namespace == work.namespace() {
        return None;
    }
    let invoker = &work.plan.invoker;
    let name = names::repository_access(&invoker.namespace, &invoker.kind, &invoker.name);
    // An owner must be of the same namespace: these two are removed with the invoker by hand.
    let metadata = ObjectMeta {
        name: Some(name.clone()),
        namespace: Some(namespace.clone()),
        labels: Some(work.labels()),
        ..ObjectMeta::default()
    };
    let role = Role { metadata: metadata.clone(), rules: Some(rules::repository_rules(work.plan)) };
    let service_account = service_account_name(work);
    Some((role, binding(metadata, &name, work.namespace(), &service_account)))
}

/// The name of the ServiceAccount the Job runs as.
pub(super) fn service_account_name(work: &Work<'_>) -> String {
    let invoker = &work.plan.invoker;
    work.own_service_account()
        .map_or_else(|| names::service_account(&invoker.kind, &invoker.name), str::to_owned)
}

pub(super) fn lease(work: &Work<'_>) -> Lease {
    let repository = work.repository;
    let uid = repository.metadata.uid.as_deref().unwrap_or_default();
    let mut lease = lease::empty(repository.namespace(), uid);
    let (key, value) = labels::MANAGED_BY;
    lease.metadata.labels = Some([(key.to_owned(), value.to_owned())].into());
    lease.metadata.owner_references = Some(vec![labels::member(repository)]);
    lease
}

/// Binds a Role to a ServiceAccount.
pub(super) fn binding(
    metadata: ObjectMeta,
    role: &str,
    namespace: &str,
    service_account: &str,
) -> RoleBinding {
    RoleBinding {
        metadata,
        role_ref: RoleRef {
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
            kind: "Role".to_owned(),
            name: role.to_owned(),
        },
        subjects: Some(vec![Subject {
            api_group: None,
            kind: "ServiceAccount".to_owned(),
            name: service_account.to_owned(),
            namespace: Some(namespace.to_owned()),
        }]),
    }
}
