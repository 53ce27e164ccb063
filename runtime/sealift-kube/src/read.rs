//! Single objects, read live. Where a watch has them, read them there instead.

use std::fmt::Debug;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::api::{Api, ListParams};
use kube::core::PartialObjectMeta;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::request::{call, reference};

/// An object, if it is there.
///
/// # Errors
/// The API server refuses or cannot be reached.
pub async fn find<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    call(api.get_opt(name))
        .await
        .map_err(|source| Error::Read { object: reference::<K>(Some(namespace), name), source })
}

/// An object's metadata, if it is there. Nothing else of it is sent: this is how a Secret is
/// looked for.
///
/// # Errors
/// The API server refuses or cannot be reached.
pub async fn find_metadata<K>(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<ObjectMeta>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    call(api.get_metadata_opt(name))
        .await
        .map(|found| found.map(|found| found.metadata))
        .map_err(|source| Error::Read { object: reference::<K>(Some(namespace), name), source })
}

/// All objects that match a label selector, in one namespace or in all.
///
/// # Errors
/// The API server refuses or cannot be reached.
pub async fn list<K>(client: &Client, namespace: Option<&str>, labels: &str) -> Result<Vec<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let api: Api<K> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    call(api.list(&ListParams::default().labels(labels)))
        .await
        .map(|list| list.items)
        .map_err(|source| Error::List { kind: K::kind(&()).into_owned(), source })
}

/// Metadata of all objects of a cluster-scoped kind.
///
/// # Errors
/// The API server refuses or cannot be reached.
pub async fn list_cluster_metadata<K>(client: &Client) -> Result<Vec<PartialObjectMeta<K>>>
where
    K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Clone + Debug,
{
    let api: Api<PartialObjectMeta<K>> = Api::all(client.clone());
    call(api.list(&ListParams::default()))
        .await
        .map(|list| list.items)
        .map_err(|source| Error::List { kind: K::kind(&()).into_owned(), source })
}
