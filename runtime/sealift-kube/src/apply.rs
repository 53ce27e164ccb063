//! Server-side apply: an object is brought into the form we want, whatever is there.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Failure, Result};
use crate::request::{call, reference};

/// The name under which our fields are managed.
pub const FIELD_MANAGER: &str = "sealift";

/// Makes the object, or changes the fields it names; fields we named before and no longer do are
/// removed, fields of others stay. Conflicts are decided for us: the objects are ours.
///
/// # Errors
/// The API server refuses it or cannot be reached.
pub async fn apply<K>(client: &Client, object: &K) -> Result<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug,
{
    let (namespace, name) = place(object);
    let api: Api<K> = Api::namespaced(client.clone(), &namespace);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    call(api.patch(&name, &parameters, &Patch::Apply(object)))
        .await
        .map_err(|source| Error::Apply { object: reference::<K>(Some(&namespace), &name), source })
}

/// What became of an object that was to be created.
#[derive(Debug)]
pub enum Created<K> {
    /// It is new.
    New(K),
    /// One of this name was there; nothing was changed.
    Exists,
}

/// Makes the object if there is none of its name.
///
/// # Errors
/// The API server refuses it or cannot be reached.
pub async fn create<K>(client: &Client, object: &K) -> Result<Created<K>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug,
{
    let (namespace, name) = place(object);
    let api: Api<K> = Api::namespaced(client.clone(), &namespace);
    let parameters =
        PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match call(api.create(&parameters, object)).await {
        Ok(created) => Ok(Created::New(created)),
        Err(source) if already_exists(&source) => Ok(Created::Exists),
        Err(source) => {
            Err(Error::Apply { object: reference::<K>(Some(&namespace), &name), source })
        }
    }
}

/// Changes an object's metadata by a JSON merge patch, such as labels or finalizers. A
/// `resourceVersion` in the patch makes it fail if the object was changed since. The result is the
/// metadata as it is then: who goes on to write the status needs its version.
///
/// # Errors
/// The API server refuses it or cannot be reached.
pub async fn patch_metadata<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    metadata: &serde_json::Value,
) -> Result<ObjectMeta>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let parameters =
        PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    let patch = serde_json::json!({ "metadata": metadata });
    call(api.patch_metadata(name, &parameters, &Patch::Merge(patch)))
        .await
        .map(|patched| ObjectMeta { managed_fields: None, ..patched.metadata })
        .map_err(|source| Error::Apply { object: reference::<K>(Some(namespace), name), source })
}

fn place<K: Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// 409 also means that a namespace goes away, or that a write met another one.
fn already_exists(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(refusal) if refusal.reason == "AlreadyExists")
}
