//! Deleting objects. One that is already gone is success.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, DeleteParams, Preconditions};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::request::{call, reference};

/// Deletes an object; what it owns follows in the background. With `uid`, only that very object:
/// one that was made anew under the same name stays.
///
/// # Errors
/// The API server refuses or cannot be reached.
pub async fn delete<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    uid: Option<&str>,
) -> Result<()>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let mut parameters = DeleteParams::background();
    if let Some(uid) = uid {
        parameters = parameters
            .preconditions(Preconditions { uid: Some(uid.to_owned()), resource_version: None });
    }
    match call(api.delete(name, &parameters)).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_not_found() => Ok(()),
        // The precondition failed: ours is gone, another one has its name.
        Err(failure) if uid.is_some() && failure.is_conflict() => Ok(()),
        Err(source) => Err(Error::Delete { object: reference::<K>(Some(namespace), name), source }),
    }
}
