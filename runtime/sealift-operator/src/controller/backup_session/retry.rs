//! A failed session is repeated by a new one, if its invoker asked for that.

use std::sync::Arc;
use std::time::Duration;

use sealift_api::backup_session::{BackupSession, BackupSessionPhase, BackupSessionSpec};
use sealift_kube::apply::create;
use sealift_kube::status;

use super::dereference::configuration_of;
use crate::cluster::Cluster;
use crate::engine::Next;
use crate::error::Result;

pub(super) async fn retry(cluster: &Cluster, session: &Arc<BackupSession>) -> Result<Next> {
    let Some(status) = &session.status else { return Ok(Next::Wait) };
    let left = session.spec.retry_left.unwrap_or(0);
    let due = status.next_retry.as_ref().map(|time| time.0);
    let failed = status.phase == Some(BackupSessionPhase::Failed);
    let Some(due) = due.filter(|_| failed && left > 0 && status.retried != Some(true)) else {
        return Ok(Next::Wait);
    };
    let Some(invoker) = configuration_of(cluster, session) else { return Ok(Next::Wait) };
    cluster.time.settle(&cluster.client).await;
    let wait = due.as_second() - cluster.now().as_second();
    if wait > 0 {
        return Ok(Next::After(Duration::from_secs(wait.unsigned_abs())));
    }
    // The name follows from the time it is due: a second attempt makes the same one.
    let mut again = BackupSession::new(
        k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
            name: Some(format!("{}-{}", invoker.name(), due.as_second())),
            namespace: Some(session.namespace().to_owned()),
            labels: session.metadata.labels.clone(),
            owner_references: session.metadata.owner_references.clone(),
            ..Default::default()
        },
        BackupSessionSpec { retry_left: Some(left - 1), ..session.spec.clone() },
    );
    again.status = None;
    create(&cluster.client, &again).await?;
    tracing::info!(session = %session.name(), retry = %again.name(), "a failed session is tried again");
    status::update_known(&cluster.client, &**session, |found: &mut BackupSession| {
        found.status.get_or_insert_default().retried = Some(true);
    })
    .await?;
    Ok(Next::Wait)
}
