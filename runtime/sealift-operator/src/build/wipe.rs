//! The Job that removes the data of a Repository, and what it needs: pure.
//!
//! Nothing here is owned by the Repository: who deletes that with `--cascade=foreground` would have
//! the garbage collector take the Job away before its work is done. The ServiceAccount owns the
//! rest, so that removing it removes all.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{PodTemplateSpec, ServiceAccount};
use k8s_openapi::api::rbac::v1::{PolicyRule, Role};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use sealift_api::repository::Repository;
use sealift_core::plan::RepositoryPlan;
use sealift_kube::lease;

use super::{Access, access, pod};
use crate::labels::{self, Labels, WIPE_ATTEMPT, WIPE_GENERATION, WIPE_OF, WIPE_UID};
use crate::names;
use crate::options::Options;
use crate::rules;

/// The container's name.
const CONTAINER: &str = "sealift-wipe";
/// What these objects are for, as a label says it.
const COMPONENT: &str = "sealift-wipe";
/// Millions of objects are gone by then; what is left is the next attempt's.
const ACTIVE_DEADLINE_SECONDS: i64 = 2 * 3600;

/// A Repository whose data is to be removed.
#[derive(Debug, Clone, Copy)]
pub struct Wipe<'a> {
    /// The Repository, which is being deleted.
    pub repository: &'a Repository,
    /// Where it points.
    pub plan: &'a RepositoryPlan,
    /// What the operator was told.
    pub options: &'a Options,
}

impl Wipe<'_> {
    fn uid(&self) -> &str {
        self.repository.metadata.uid.as_deref().unwrap_or_default()
    }

    fn generation(&self) -> i64 {
        self.repository.metadata.generation.unwrap_or_default()
    }

    fn metadata(&self, name: String, owner: Option<&OwnerReference>) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.repository.namespace().to_owned()),
            labels: Some(of(self.repository.name())),
            annotations: Some([(WIPE_OF.to_owned(), self.repository.name().to_owned())].into()),
            owner_references: owner.map(|owner| vec![owner.clone()]),
            ..ObjectMeta::default()
        }
    }

    fn name(&self) -> String {
        names::wipe(self.repository.name(), self.uid())
    }

    /// Who the Job is.
    #[must_use]
    pub fn service_account(&self) -> ServiceAccount {
        ServiceAccount { metadata: self.metadata(self.name(), None), ..ServiceAccount::default() }
    }

    /// What it may do: this Repository, its Secret and its Lease, by name.
    #[must_use]
    pub fn access(&self, service_account: ServiceAccount) -> Access {
        let owner = owner(&service_account);
        let name = self.name();
        let metadata = self.metadata(name.clone(), Some(&owner));
        let role = Role { metadata: metadata.clone(), rules: Some(self.rules()) };
        let namespace = self.repository.namespace();
        let binding = access::binding(metadata, &name, namespace, &name);
        Access { service_account, role, binding }
    }

    fn rules(&self) -> Vec<PolicyRule> {
        let lease = lease::name(self.uid());
        vec![
            // sealift-job's wipe looks whether the data is still to be removed.
            rules::named("stash.appscode.com", "repositories", &["get"], &[self.repository.name()]),
            // The storage's keys.
            rules::named("", "secrets", &["get"], &[&self.plan.secret.name]),
            // No session holds the repository meanwhile.
            rules::named("coordination.k8s.io", "leases", &["get", "update"], &[&lease]),
        ]
    }

    /// The Repository's Lease, for one that no session has made yet.
    #[must_use]
    pub fn lease(&self, service_account: &ServiceAccount) -> Lease {
        let mut lease = lease::empty(self.repository.namespace(), self.uid());
        lease.metadata.labels = Some(of(self.repository.name()));
        lease.metadata.owner_references = Some(vec![owner(service_account)]);
        lease
    }

    /// The Job of an attempt, the first being number 1.
    #[must_use]
    pub fn job(&self, service_account: &ServiceAccount, attempt: u32) -> Job {
        let name = self.name();
        let mut metadata =
            self.metadata(names::wipe_job(&name, attempt), Some(&owner(service_account)));
        metadata.annotations.get_or_insert_default().extend([
            (WIPE_UID.to_owned(), self.uid().to_owned()),
            (WIPE_GENERATION.to_owned(), self.generation().to_string()),
            (WIPE_ATTEMPT.to_owned(), attempt.to_string()),
        ]);
        let mut spec = pod::settings(None, self.options);
        spec.service_account_name = Some(name);
        // It reads the Secret from the API server.
        spec.automount_service_account_token = Some(true);
        let mut container = pod::container(CONTAINER.to_owned(), None, self.options);
        container.args = Some(vec![
            "wipe".to_owned(),
            format!("--namespace={}", self.repository.namespace()),
            format!("--name={}", self.repository.name()),
            format!("--uid={}", self.uid()),
            format!("--generation={}", self.generation()),
        ]);
        container.env = Some(vec![pod::pod_name()]);
        spec.containers = vec![container];
        let labels = of(self.repository.name());
        Job {
            metadata,
            spec: Some(JobSpec {
                active_deadline_seconds: Some(ACTIVE_DEADLINE_SECONDS),
                // The operator tries again, and says why.
                backoff_limit: Some(0),
                template: PodTemplateSpec {
                    metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                    spec: Some(spec),
                },
                ..JobSpec::default()
            }),
            status: None,
        }
    }
}

/// Labels of everything that is made to remove the data of a Repository of this name.
fn of(repository: &str) -> Labels {
    BTreeMap::from([
        (labels::MANAGED_BY.0.to_owned(), labels::MANAGED_BY.1.to_owned()),
        (labels::COMPONENT.to_owned(), COMPONENT.to_owned()),
        (WIPE_OF.to_owned(), names::label_value(repository)),
    ])
}

fn owner(service_account: &ServiceAccount) -> OwnerReference {
    OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ServiceAccount".to_owned(),
        name: service_account.metadata.name.clone().unwrap_or_default(),
        uid: service_account.metadata.uid.clone().unwrap_or_default(),
        controller: None,
        block_owner_deletion: None,
    }
}
