//! Starts the Job of a session: what it needs is made in order, the Job last.
//!
//! Idempotent: what is there is left alone, or brought into form; a session is never given a
//! second Job. What is wrong with the session itself is a `Refusal`, and ends it; everything else
//! is an error and is tried again.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::{Direction, Plan};
use sealift_kube::apply::{Created, apply, create};
use sealift_kube::watch::Key;
use sealift_kube::{Class, delete, read};

use crate::build::{self, Access, Desired, Work};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::rules;

/// Why a session cannot be started, and never will be as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// For people.
    pub(crate) message: String,
}

/// Whether every Secret the plan reads is there just now.
pub(crate) async fn check_secrets(cluster: &Cluster, plan: &Plan) -> Result<Result<(), Refusal>> {
    // A restore writes the keys; their Secret need not exist yet.
    let written = match plan.direction {
        Direction::Restore(_) => plan.keys.as_ref().map(|keys| &keys.secret),
        Direction::Backup(_) => None,
    };
    for secret in rules::secrets(plan) {
        if Some(secret) == written && *secret != plan.repository.secret {
            continue;
        }
        let key = Key::new(&secret.namespace, &secret.name);
        if !cluster.secrets.ask(&key).await?.there {
            let message = format!("Secret {key} does not exist; create it, or name another one");
            return Ok(Err(Refusal { message }));
        }
    }
    Ok(Ok(()))
}

/// Makes everything, the Job last.
pub(crate) async fn launch(cluster: &Cluster, work: &Work<'_>) -> Result<Result<(), Refusal>> {
    let desired = build::desired(work)
        .map_err(|source| Error::Build { session: Box::new(work.plan.session.clone()), source });
    let launched = match desired {
        Ok(desired) => make(cluster, desired).await,
        Err(error) => Err(error),
    };
    match launched {
        Ok(()) => Ok(Ok(())),
        // The API server will refuse it tomorrow, too.
        Err(error) => match error.class() {
            Class::Invalid => Ok(Err(Refusal { message: chain_of_causes(&error) })),
            Class::Blocked | Class::Transient | Class::Internal => Err(error),
        },
    }
}

async fn make(cluster: &Cluster, desired: Desired) -> Result<()> {
    let Desired { lease, access, repository_access, interim, plan, job } = desired;
    let client = &cluster.client;
    let key = Key::of(&job);
    if read::find::<Job>(client, &key.namespace, &key.name).await?.is_some() {
        // Made before the operator was interrupted; its plan is the one it runs.
        return Ok(());
    }
    create(client, &lease).await?;
    let stores = &cluster.stores;
    if let Some(Access { service_account, role, binding }) = access {
        cluster.applied.ensure(client, service_account, &stores.service_accounts).await?;
        cluster.applied.ensure(client, role, &stores.roles).await?;
        cluster.applied.ensure(client, binding, &stores.role_bindings).await?;
    }
    if let Some((role, binding)) = repository_access {
        cluster.applied.ensure(client, role, &stores.roles).await?;
        cluster.applied.ensure(client, binding, &stores.role_bindings).await?;
    }
    if let Some(interim) = interim {
        create(client, &interim).await?;
    }
    plan_map(cluster, &plan).await?;
    // The annotation of what is wanted has no use here: a Job is never changed.
    match create(client, &job).await? {
        Created::New(_) => tracing::info!(object = %key, "a Job is made"),
        Created::Exists => {}
    }
    Ok(())
}

/// An immutable ConfigMap cannot be corrected. One that is left of an attempt that got no
/// further has no Job, so nobody reads it.
async fn plan_map(cluster: &Cluster, plan: &ConfigMap) -> Result<()> {
    let client = &cluster.client;
    if let Created::New(_) = create(client, plan).await? {
        return Ok(());
    }
    let key = Key::of(plan);
    let found = read::find::<ConfigMap>(client, &key.namespace, &key.name).await?;
    if found.as_ref().is_some_and(|found| found.data == plan.data) {
        return Ok(());
    }
    let uid = found.and_then(|found| found.metadata.uid);
    delete::delete::<ConfigMap>(client, &key.namespace, &key.name, uid.as_deref()).await?;
    // Whoever is still faster is seen at the next attempt.
    apply(client, plan).await?;
    Ok(())
}

/// Ends the Job of a session.
pub(crate) async fn end(cluster: &Cluster, job: &Key) -> Result<()> {
    delete::delete::<Job>(&cluster.client, &job.namespace, &job.name, None).await?;
    Ok(())
}
