//! What a BackupConfiguration names: Repository, its Secret, the target; and the plan of them.

use std::sync::Arc;

use sealift_api::backup_configuration::BackupConfiguration;

use crate::cluster::Cluster;
use crate::controller::references::{self, Named};
use crate::planning;

/// Everything a BackupConfiguration names.
pub(crate) type Dereferenced = references::Dereferenced<BackupConfiguration>;

pub(super) async fn dereference(
    cluster: &Cluster,
    configuration: &Arc<BackupConfiguration>,
) -> Dereferenced {
    let spec = &configuration.spec;
    let named = Named {
        namespace: configuration.namespace(),
        repository: spec.repository.as_ref(),
        target: spec.target.as_ref().and_then(|target| target.reference.as_ref()),
    };
    // The session's name goes into the plan, and this plan is only looked at.
    let session = format!("{}-0", configuration.name());
    let plan = planning::backup(&cluster.stores, &cluster.options, configuration, &session);
    Dereferenced::read(cluster, configuration, &named, plan).await
}
