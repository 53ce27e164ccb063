//! A RestoreSession goes: its rights in the namespace of a Repository are removed by hand, the rest
//! goes with it. Never validates anything; what is already gone is success.

use sealift_api::restore_session::RestoreSession;

use super::patch;
use crate::cluster::Cluster;
use crate::controller::backup_configuration::repository_access;
use crate::error::{Error, Result};
use crate::labels;

pub(super) async fn cleanup(cluster: &Cluster, session: &RestoreSession) -> Result<()> {
    let meta = &session.metadata;
    if !labels::has_finalizer(meta, labels::FINALIZER) {
        return Ok(());
    }
    repository_access(cluster, &session.reference(), None).await?;
    let finalizers = meta.finalizers.iter().flatten();
    let rest: Vec<String> =
        finalizers.filter(|finalizer| *finalizer != labels::FINALIZER).cloned().collect();
    match patch(cluster, session, &rest).await {
        Err(Error::Call(error)) if error.is_not_found() => Ok(()),
        done => done,
    }
}
