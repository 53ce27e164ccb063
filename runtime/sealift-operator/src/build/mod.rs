//! The objects of one session, made of its plan: pure, complete, with nothing left to decide.
//!
//! `job` puts together what the other rooms make: `pod` the pod, `access` the ServiceAccount and
//! its Roles, `plan_map` the ConfigMap, `interim` the volume. `cron_job` makes what starts
//! sessions, `wipe` what removes a Repository's data. Nothing is sent to an API server here.

pub mod access;
pub mod cron_job;
pub mod interim;
pub mod job;
pub mod plan_map;
pub mod pod;
pub mod wipe;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use sealift_api::reference::TempDir;
use sealift_api::repository::Repository;
use sealift_api::runtime_settings::RuntimeSettings;
use sealift_core::plan::Plan;

use crate::labels::{self, Labels, Purpose};
use crate::options::Options;

/// Why the objects of a session cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The plan cannot be written as JSON.
    #[error("failed to write the plan of {session}")]
    Plan {
        /// The session.
        session: String,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// A local backend is no volume.
    #[error("Repository {repository}: spec.backend.local is no volume a pod can mount")]
    Volume {
        /// Namespace and name.
        repository: String,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
}

/// What the objects of a session are made of.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// What the Job does.
    pub plan: &'a Plan,
    /// Backup or restore.
    pub purpose: Purpose,
    /// Metadata of the BackupConfiguration or RestoreSession.
    pub invoker: &'a ObjectMeta,
    /// The BackupConfiguration or RestoreSession, as owner.
    pub invoker_owner: &'a OwnerReference,
    /// The BackupSession or RestoreSession, as owner.
    pub session_owner: &'a OwnerReference,
    /// `runtimeSettings`.
    pub runtime: Option<&'a RuntimeSettings>,
    /// `tempDir`.
    pub temp_dir: Option<&'a TempDir>,
    /// `interimVolumeTemplate`.
    pub interim: Option<&'a PersistentVolumeClaim>,
    /// The Repository.
    pub repository: &'a Repository,
    /// Seconds until the session's deadline.
    pub seconds_left: i64,
    /// What the operator was told.
    pub options: &'a Options,
}

impl Work<'_> {
    fn namespace(&self) -> &str {
        &self.plan.session.namespace
    }

    fn labels(&self) -> Labels {
        let mut found = labels::of_invoker(self.purpose, self.invoker);
        found.extend(labels::of_session(&self.plan.invoker, Some(&self.plan.target.reference)));
        found
    }

    /// The name of the user's own ServiceAccount.
    fn own_service_account(&self) -> Option<&str> {
        own_service_account(self.runtime)
    }

    fn metadata(&self, name: String, owner: &OwnerReference) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace().to_owned()),
            labels: Some(self.labels()),
            owner_references: Some(vec![owner.clone()]),
            ..ObjectMeta::default()
        }
    }
}

/// `runtimeSettings.pod.serviceAccountName`; an empty text means: not set.
#[must_use]
pub fn own_service_account(runtime: Option<&RuntimeSettings>) -> Option<&str> {
    let pod = runtime.and_then(|runtime| runtime.pod.as_ref());
    pod.and_then(|pod| pod.service_account_name.as_deref()).filter(|name| !name.is_empty())
}

/// Everything a session needs, in the order in which it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Who works in the repository.
    pub lease: Lease,
    /// What the Job may do; none = the user's ServiceAccount does it.
    pub access: Option<Access>,
    /// What it may do in the Repository's namespace, if that is another one.
    pub repository_access: Option<(Role, RoleBinding)>,
    /// The volume of `interimVolumeTemplate`.
    pub interim: Option<PersistentVolumeClaim>,
    /// The plan.
    pub plan: ConfigMap,
    /// The Job.
    pub job: Job,
}

/// ServiceAccount, Role and RoleBinding of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Who.
    pub service_account: ServiceAccount,
    /// What.
    pub role: Role,
    /// That who may do what.
    pub binding: RoleBinding,
}

/// Makes them.
///
/// # Errors
/// The plan or the Repository's volume cannot be expressed.
pub fn desired(work: &Work<'_>) -> Result<Desired, Error> {
    let (plan, digest) = plan_map::config_map(work)?;
    Ok(Desired {
        lease: access::lease(work),
        access: access::of_job(work),
        repository_access: access::of_repository(work),
        interim: interim::claim(work),
        plan,
        job: job::job(work, &digest)?,
    })
}
