//! Sessions that were made by hand get the labels and the owner those of the CronJob have, so
//! that they are found, counted, and removed with their invoker.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealift_api::backup_session::BackupSession;

use super::dereference::{configuration_of, target_of};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::labels::{self, Purpose};

/// The result has them.
pub(super) async fn adopt(
    cluster: &Cluster,
    session: &Arc<BackupSession>,
) -> Result<Arc<BackupSession>> {
    let as_it_is = Arc::clone(session);
    let Some(invoker) = configuration_of(cluster, session) else { return Ok(as_it_is) };
    let target = target_of(&invoker);
    let mut wanted = labels::of_invoker(Purpose::Backup, &invoker.metadata);
    wanted.extend(labels::of_session(&invoker.reference(), target.as_ref()));
    let meta = &session.metadata;
    let has = |key: &String| meta.labels.as_ref().is_some_and(|labels| labels.contains_key(key));
    let missing: BTreeMap<&String, &String> = wanted.iter().filter(|(key, _)| !has(key)).collect();
    let mut owners = meta.owner_references.clone().unwrap_or_default();
    let owned = owners.iter().any(|owner| Some(&owner.uid) == invoker.metadata.uid.as_ref());
    if missing.is_empty() && owned {
        return Ok(as_it_is);
    }
    if !owned {
        let mut owner = labels::owner(&invoker);
        // At most one owner controls an object.
        if owners.iter().any(|other| other.controller == Some(true)) {
            owner = labels::member(&invoker);
        }
        owners.push(owner);
    }
    let patch = serde_json::json!({
        "labels": missing,
        "ownerReferences": owners,
        "resourceVersion": meta.resource_version,
    });
    let (namespace, name) = (session.namespace(), session.name());
    let client = &cluster.client;
    let metadata =
        sealift_kube::apply::patch_metadata::<BackupSession>(client, namespace, name, &patch)
            .await?;
    Ok(Arc::new(BackupSession { metadata, ..(**session).clone() }))
}
