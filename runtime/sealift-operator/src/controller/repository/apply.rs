//! Makes a Repository be kept until nothing needs it any more: its finalizer is all there is to make.

use std::sync::Arc;

use sealift_api::repository::Repository;

use super::patch;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::labels::{self, REPOSITORY_FINALIZER};

/// Adds the finalizer; the result has it.
pub(super) async fn finalizer(
    cluster: &Cluster,
    repository: Arc<Repository>,
) -> Result<Arc<Repository>> {
    let meta = &repository.metadata;
    if labels::has_finalizer(meta, REPOSITORY_FINALIZER) {
        return Ok(repository);
    }
    let mut finalizers = meta.finalizers.clone().unwrap_or_default();
    finalizers.push(REPOSITORY_FINALIZER.to_owned());
    let metadata = patch(cluster, &repository, &finalizers).await?;
    Ok(Arc::new(Repository { metadata, ..(*repository).clone() }))
}
