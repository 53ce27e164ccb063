//! Writing a status beside others who write it too.
//!
//! Flow: read, change, write with the `resourceVersion` that was read; on a conflict, begin
//! again. Guarantees: a change is applied to what is there, never to something older; what is
//! unchanged is not written. Assumptions: `change` is a function of what it is given.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Failure, Result};
use crate::request::{call, reference};

/// The Job and the operator write the same sessions; more than a handful of conflicts in a row
/// means that something else is wrong.
const TRIES: u32 = 8;

/// Changes the status of an object. `change` gets the whole object; only its status is written.
/// The result is the object as it is afterwards.
///
/// # Errors
/// The object is gone, or the API server refuses or cannot be reached.
pub async fn update<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    change: impl FnMut(&mut K),
) -> Result<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + PartialEq,
{
    write(client, namespace, name, None, change).await
}

/// As [`update`], beginning with an object that is known already: if it is current, a read is
/// saved, and if the change changes nothing, nothing is asked at all.
///
/// # Errors
/// As [`update`].
pub async fn update_known<K>(client: &Client, known: &K, change: impl FnMut(&mut K)) -> Result<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + PartialEq,
{
    let namespace = known.namespace().unwrap_or_default();
    write(client, &namespace, &known.name_any(), Some(known.clone()), change).await
}

async fn write<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    mut known: Option<K>,
    mut change: impl FnMut(&mut K),
) -> Result<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + PartialEq,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let failed = |source| Error::Status { object: reference::<K>(Some(namespace), name), source };
    for _ in 0..TRIES {
        let current = match known.take() {
            Some(known) => known,
            None => call(api.get(name)).await.map_err(failed)?,
        };
        let mut changed = current.clone();
        change(&mut changed);
        if changed == current {
            return Ok(current);
        }
        match call(api.replace_status(name, &PostParams::default(), &changed)).await {
            Ok(written) => return Ok(written),
            Err(failure) if failure.is_conflict() => {}
            Err(failure) => return Err(failed(failure)),
        }
    }
    Err(failed(Failure::Conflict { tries: TRIES }))
}
