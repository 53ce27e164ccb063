//! Remembers the last success of a BackupConfiguration at the BackupConfiguration: the session is
//! removed, perhaps already by the next one, which fails; a Repository may have other users; and the
//! operator may be another one by then.

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;
use sealift_api::backup_session::BackupSession;
use sealift_core::session::Phase;
use sealift_kube::apply::patch_metadata;
use sealift_kube::watch::Key;

use super::dereference::configuration_of;
use super::{of_invoker, status};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::{expectation, labels};

/// Does so, if the session is the newest that succeeded.
pub(super) async fn remember(cluster: &Cluster, session: &Arc<BackupSession>) -> Result<()> {
    let succeeded = |session: &BackupSession| status::phase_of(session) == Phase::Succeeded;
    let began =
        |session: &BackupSession| session.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let (Some(invoker), Some(own)) = (configuration_of(cluster, session), began(session)) else {
        return Ok(());
    };
    let known = expectation::remembered(&invoker.metadata, cluster.now());
    if !succeeded(session)
        || known.is_some_and(|known| known >= own)
        || labels::is_going(&invoker.metadata)
    {
        return Ok(());
    }
    let newer = |other: &Arc<BackupSession>| succeeded(other) && began(other) > Some(own);
    if of_invoker(&cluster.stores, &Key::of(&*invoker)).iter().any(newer) {
        return Ok(());
    }
    // An older version might have forgotten a newer success.
    let patch = serde_json::json!({
        "annotations": { labels::LAST_SUCCESS: own.to_string() },
        "resourceVersion": invoker.metadata.resource_version,
    });
    let (namespace, name) = (invoker.namespace(), invoker.name());
    let client = &cluster.client;
    match patch_metadata::<BackupConfiguration>(client, namespace, name, &patch).await {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}
