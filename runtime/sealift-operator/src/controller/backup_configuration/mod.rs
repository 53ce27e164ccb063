//! BackupConfigurations: their conditions, their phase, their CronJob.

mod apply;
mod cleanup;
mod dereference;
mod remarks;
mod status;
mod validate;

use std::sync::Arc;
use std::time::Duration;

use sealift_kube::backoff::spread;
use sealift_kube::watch::Key;

use crate::cluster::Cluster;
use crate::controller::{finalizer, trigger, unreadable};
use crate::engine::Next;
use crate::error::Result;
use crate::{labels, planning};

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
        unreadable::reconcile(&cluster, COMPONENT, configurations, &key, labels::FINALIZER).await?;
        return Ok(Next::Wait);
    };
    if labels::is_going(&configuration.metadata) {
        cleanup::cleanup(&cluster, &configuration).await?;
        return Ok(Next::Wait);
    }
    if cluster.is_ending(&key.namespace) {
        return Ok(Next::Wait);
    }
    let configuration = finalizer::add(&cluster, configuration, labels::FINALIZER).await?;
    let found = dereference::dereference(&cluster, &configuration).await;
    withdraw(&cluster, &found).await?;
    let valid = validate::validate(&found);
    let mut statements = valid.statements;
    statements.extend(trigger::failure(&cluster.stores, &configuration));
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
    if status::update(&cluster, &configuration, &statements).await?
        && let Ok(plan) = &found.plan
    {
        for remark in remarks::remarks(plan) {
            cluster.tell(COMPONENT, &*configuration, remark).await;
        }
    }
    match (failure, &found.secret) {
        (Some(error), _) => Err(error),
        // A little later than what is known of the Secret expires.
        (None, Some(secret)) => Ok(Next::After(secret.again + spread(Duration::from_secs(1)))),
        (None, None) => Ok(Next::Wait),
    }
}

/// Rights in the namespace of a Repository that may no longer be used end at once, and not only
/// with the invoker. Those of a Repository that is no longer named end when the next session
/// begins: one that runs still needs them.
async fn withdraw(cluster: &Cluster, found: &dereference::Dereferenced) -> Result<()> {
    match planning::is_forbidden(&found.plan) {
        true => cleanup::repository_access(cluster, &found.object.reference(), None).await,
        false => Ok(()),
    }
}
