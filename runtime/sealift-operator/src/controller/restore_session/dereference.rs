//! What a RestoreSession names: Repository, its Secret, the target; and the plan of them.

use std::sync::Arc;

use sealift_api::restore_session::RestoreSession;

use crate::cluster::Cluster;
use crate::controller::references::{self, Named};
use crate::planning;

/// Everything a RestoreSession names.
pub(super) type Dereferenced = references::Dereferenced<RestoreSession>;

pub(super) async fn dereference(cluster: &Cluster, session: &Arc<RestoreSession>) -> Dereferenced {
    let spec = &session.spec;
    let named = Named {
        namespace: session.namespace(),
        repository: spec.repository.as_ref(),
        target: spec.target.as_ref().and_then(|target| target.reference.as_ref()),
    };
    let plan = planning::restore(&cluster.stores, &cluster.options, session);
    Dereferenced::read(cluster, session, &named, plan).await
}
