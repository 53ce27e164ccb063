//! Objects that are there and cannot be read. They are left alone, and named.
//!
//! One that is being deleted is let go: a finalizer that nobody takes off keeps its whole namespace.
//! What it made in other namespaces goes before; the data of a Repository stays, since what such a
//! one says of `wipeOut` is not known.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use sealift_core::plan::ObjectRef;
use sealift_kube::kube::Resource;
use sealift_kube::read;
use sealift_kube::watch::{Key, Store};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::controller::backup_configuration::repository_access;
use crate::controller::finalizer;
use crate::error::Result;
use crate::labels;

/// Looks at one, if it is one.
pub(crate) async fn reconcile<K>(
    cluster: &Cluster,
    component: &'static str,
    store: &Store<K>,
    key: &Key,
    finalizer: &str,
) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    if store.unreadable(key).is_none() {
        return Ok(());
    }
    let Key { namespace, name } = key;
    // The store keeps nothing of it.
    let Some(meta) = read::find_metadata::<K>(&cluster.client, namespace, name).await? else {
        return Ok(());
    };
    if !labels::is_going(&meta) {
        cluster.tell_unreadable(component, store, key).await;
        return Ok(());
    }
    if !labels::has_finalizer(&meta, finalizer) {
        return Ok(());
    }
    let kind = K::kind(&()).into_owned();
    tracing::warn!(%kind, object = %key, "an object that cannot be read is let go");
    let itself = ObjectRef {
        group: K::group(&()).into_owned(),
        kind,
        namespace: namespace.clone(),
        name: name.clone(),
    };
    repository_access(cluster, &itself, None).await?;
    finalizer::remove::<K>(cluster, &meta, finalizer).await
}
