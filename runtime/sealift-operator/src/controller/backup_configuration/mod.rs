//! BackupConfigurations: their conditions, their phase, their CronJob.

mod apply;
mod cleanup;
mod dereference;
mod status;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use sealift_kube::backoff::spread;
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::engine::Next;
use crate::error::Result;
use crate::{build, labels, planning};

pub(crate) use cleanup::repository_access;
pub(crate) use validate::{Judgement, Words};

/// The name in Events.
pub(crate) const COMPONENT: &str = "BackupConfiguration Controller";

/// Looks at one BackupConfiguration.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let configurations = &cluster.stores.configurations;
    let Some(configuration) = configurations.find(&key) else {
        cluster.tell_unreadable(COMPONENT, configurations, &key).await;
        return Ok(Next::Wait);
    };
    if labels::is_going(&configuration.metadata) {
        cleanup::cleanup(&cluster, &configuration).await?;
        return Ok(Next::Wait);
    }
    if cluster.is_ending(&key.namespace) {
        return Ok(Next::Wait);
    }
    let configuration = apply::finalizer(&cluster, configuration).await?;
    let found = dereference::dereference(&cluster, &configuration).await;
    withdraw(&cluster, &found).await?;
    let valid = validate::validate(&found);
    let mut statements = valid.statements;
    let mut failure = None;
    if valid.sound {
        match apply::apply(&cluster, &found).await {
            Ok(statement) => statements.push(statement),
            Err(error) => {
                statements.push(status::cron_job_failed(&error));
                failure = Some(error);
            }
        }
    }
    status::update(&cluster, &configuration, &statements).await?;
    match (failure, &found.secret) {
        (Some(error), _) => Err(error),
        // A little later than what is known of the Secret expires.
        (None, Some(secret)) => Ok(Next::After(secret.again + spread(Duration::from_secs(1)))),
        (None, None) => Ok(Next::Wait),
    }
}

/// Rights in another namespace end when the Repository there is no longer the one that is used,
/// or may no longer be used, and not only with the invoker.
async fn withdraw(cluster: &Cluster, found: &dereference::Dereferenced) -> Result<()> {
    let object = &found.object;
    let observed = object.status.as_ref().and_then(|status| status.observed_generation);
    let edited = observed.is_some() && observed != object.metadata.generation;
    if !edited && !planning::is_forbidden(&found.plan) {
        return Ok(());
    }
    let own = build::own_service_account(object.spec.runtime_settings.as_ref());
    let plan = found.plan.as_ref().ok().filter(|_| own.is_none());
    let keep = plan.map(|plan| plan.repository.reference.namespace.as_str());
    cleanup::repository_access(cluster, &object.reference(), keep).await
}
