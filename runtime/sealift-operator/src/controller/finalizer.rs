//! Finalizers of the objects people write: put on before anything is made that does not go with the
//! object, and taken off once that is gone. What is to be done in between is each kind's own.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_kube::apply as server;
use sealift_kube::kube::Resource;
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::labels;

/// Adds it, unless it is there; the result has it.
pub(crate) async fn add<K>(cluster: &Cluster, object: Arc<K>, finalizer: &str) -> Result<Arc<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let meta = object.meta();
    if labels::has_finalizer(meta, finalizer) {
        return Ok(object);
    }
    let mut all = meta.finalizers.clone().unwrap_or_default();
    all.push(finalizer.to_owned());
    let metadata = write::<K>(cluster, meta, &all).await?;
    let mut kept = (*object).clone();
    *kept.meta_mut() = metadata;
    Ok(Arc::new(kept))
}

/// Takes it off; an object that is gone already is success.
pub(crate) async fn remove<K>(cluster: &Cluster, meta: &ObjectMeta, finalizer: &str) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let mut rest = meta.finalizers.clone().unwrap_or_default();
    rest.retain(|found| found != finalizer);
    match write::<K>(cluster, meta, &rest).await {
        Err(Error::Call(error)) if error.is_not_found() => Ok(()),
        done => done.map(drop),
    }
}

/// Fails if somebody changed the object since: theirs may have come in between.
async fn write<K>(cluster: &Cluster, meta: &ObjectMeta, all: &[String]) -> Result<ObjectMeta>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let patch = serde_json::json!({
        "finalizers": all, "resourceVersion": meta.resource_version
    });
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let name = meta.name.as_deref().unwrap_or_default();
    Ok(server::patch_metadata::<K>(&cluster.client, namespace, name, &patch).await?)
}
