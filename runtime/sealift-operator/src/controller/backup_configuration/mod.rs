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
use crate::labels;

pub(crate) use cleanup::repository_access;
pub(crate) use validate::{Judgement, Words};

/// The name in Events.
pub(crate) const COMPONENT: &str = "BackupConfiguration Controller";

/// Looks at one BackupConfiguration.
///
/// # Errors
/// A call to the API server failed.
pub async fn reconcile(cluster: Arc<Cluster>, key: Key) -> Result<Next> {
    let Some(configuration) = cluster.stores.configurations.find(&key) else {
        return Ok(Next::Wait);
    };
    if labels::is_going(&configuration.metadata) {
        cleanup::cleanup(&cluster, &configuration).await?;
        return Ok(Next::Wait);
    }
    if cluster.is_ending(&key.namespace) {
        return Ok(Next::Wait);
    }
    apply::finalizer(&cluster, &configuration).await?;
    let found = dereference::dereference(&cluster, &configuration).await;
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
