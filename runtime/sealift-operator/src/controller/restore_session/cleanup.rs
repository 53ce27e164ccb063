//! A RestoreSession goes: its rights in the namespace of a Repository are removed by hand, the rest
//! goes with it. Never validates anything; what is already gone is success.

use sealift_api::restore_session::RestoreSession;

use crate::cluster::Cluster;
use crate::controller::backup_configuration::repository_access;
use crate::controller::finalizer;
use crate::error::Result;
use crate::labels;

pub(super) async fn cleanup(cluster: &Cluster, session: &RestoreSession) -> Result<()> {
    let meta = &session.metadata;
    if !labels::has_finalizer(meta, labels::FINALIZER) {
        return Ok(());
    }
    repository_access(cluster, &session.reference(), None).await?;
    finalizer::remove::<RestoreSession>(cluster, meta, labels::FINALIZER).await
}
