//! Bringing the objects we make into the form we want, and writing only what differs.
//!
//! What we want carries a hash of itself as an annotation, and the watches see metadata only:
//! same hash and no foreign change since we last looked = nothing to do. A CronJob's own changes
//! of status are told from changes of its spec by `metadata.generation`. After a start nothing is
//! remembered: then the API server's own books say whether everything we wrote is still ours.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_kube::kube::core::PartialObjectMeta;
use sealift_kube::kube::{Client, Resource};
use sealift_kube::watch::{Key, Store};
use sealift_kube::{Class, apply, delete, ownership};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::labels::{self, DESIRED};

/// What we applied, and what we applied in an earlier life.
#[derive(Debug, Default)]
pub struct Applied {
    books: Mutex<Books>,
}

/// Kind and key.
type Id = (&'static str, Key);

#[derive(Debug, Default)]
struct Books {
    /// What we know to be as we want it: uid and version.
    versions: HashMap<Id, Version>,
    /// What of an object was ours when it was first seen, until it is first looked at.
    owned: HashMap<Id, Arc<str>>,
    /// The same for most objects of a kind, so each is held once.
    texts: HashSet<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    uid: String,
    /// Generation where the server counts one, else `resourceVersion`.
    version: String,
}

impl Version {
    fn of(meta: &ObjectMeta) -> Self {
        let version = match meta.generation {
            Some(generation) => generation.to_string(),
            None => meta.resource_version.clone().unwrap_or_default(),
        };
        Self { uid: meta.uid.clone().unwrap_or_default(), version }
    }
}

impl Applied {
    /// An object as the watch shows it, with its managed fields, which are not kept.
    pub fn sees<K>(&self, found: &PartialObjectMeta<K>)
    where
        K: k8s_openapi::Resource + Resource<DynamicType = ()>,
    {
        let meta = &found.metadata;
        if labels::annotation(meta, DESIRED).is_none() {
            return;
        }
        let id = (<K as k8s_openapi::Resource>::KIND, Key::of(found));
        let mut books = self.books();
        if books.versions.contains_key(&id) {
            return;
        }
        let Some(text) = ownership::of(meta) else { return };
        let text = match books.texts.get(text.as_str()) {
            Some(text) => Arc::clone(text),
            None => Arc::from(text),
        };
        books.texts.insert(Arc::clone(&text));
        books.owned.insert(id, text);
    }

    /// Applies an object if it is not there, is not what we want, or was changed by others.
    /// True = it was written.
    ///
    /// # Errors
    /// The API server refuses or cannot be reached.
    pub async fn ensure<K>(
        &self,
        client: &Client,
        mut desired: K,
        store: &Store<PartialObjectMeta<K>>,
    ) -> Result<bool>
    where
        K: k8s_openapi::Resource
            + Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Serialize
            + DeserializeOwned
            + Clone
            + Debug,
    {
        let key = Key::of(&desired);
        let hash = hash(&desired)?;
        desired
            .meta_mut()
            .annotations
            .get_or_insert_default()
            .insert(DESIRED.to_owned(), hash.clone());
        let id = (<K as k8s_openapi::Resource>::KIND, key.clone());
        if let Some(live) = store.find(&key)
            && live.metadata.deletion_timestamp.is_none()
            && labels::annotation(&live.metadata, DESIRED) == Some(&hash)
            && self.is_untouched(&id, &live.metadata, &desired)?
        {
            return Ok(false);
        }
        let written = match apply::apply(client, &desired).await {
            Err(error) if id.0 == "RoleBinding" && error.class() == Class::Invalid => {
                let known = store.find(&key);
                make_anew(client, &desired, known.as_ref().map(|it| &it.metadata), error).await?
            }
            written => written?,
        };
        self.remember(id, Version::of(written.meta()));
        Ok(true)
    }

    /// Whether nobody else has written an object since we did.
    fn is_untouched<K>(&self, id: &Id, live: &ObjectMeta, desired: &K) -> Result<bool>
    where
        K: Resource + Serialize,
    {
        let owned = {
            let books = self.books();
            if let Some(version) = books.versions.get(id) {
                return Ok(*version == Version::of(live));
            }
            books.owned.get(id).cloned()
        };
        let ours = match owned {
            Some(owned) => ownership::is_all(&owned, live, &value(desired)?),
            None => false,
        };
        if ours {
            self.remember(id.clone(), Version::of(live));
        }
        Ok(ours)
    }

    fn remember(&self, id: Id, version: Version) {
        let mut books = self.books();
        books.owned.remove(&id);
        if books.owned.is_empty() {
            books.texts.clear();
        }
        books.versions.insert(id, version);
    }

    /// Forgets an object.
    pub fn forget<K: k8s_openapi::Resource>(&self, key: &Key) {
        let id = (K::KIND, key.clone());
        let mut books = self.books();
        books.versions.remove(&id);
        books.owned.remove(&id);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A RoleBinding cannot be led to another Role: the original's of the same name leads to one of its
/// ClusterRoles. What it made for the same invoker is made anew; what is anybody else's stays. It is
/// judged as the watch shows it (`known`): the operator may not read single RoleBindings.
async fn make_anew<K>(
    client: &Client,
    desired: &K,
    known: Option<&ObjectMeta>,
    error: sealift_kube::Error,
) -> Result<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug,
{
    let key = Key::of(desired);
    let owners = desired.meta().owner_references.as_deref().unwrap_or_default();
    let ours = |known: &&ObjectMeta| {
        let mut found = known.owner_references.iter().flatten();
        found.any(|found| owners.iter().any(|owner| owner.uid == found.uid))
    };
    let Some(known) = known.filter(ours) else { return Err(error.into()) };
    tracing::info!(object = %key, "a RoleBinding that leads to another Role is made anew");
    delete::delete::<K>(client, &key.namespace, &key.name, known.uid.as_deref()).await?;
    Ok(apply::apply(client, desired).await?)
}

fn hash<K: Resource + Serialize>(object: &K) -> Result<String> {
    let text = serde_json::to_vec(object).map_err(|source| failed(object, source))?;
    Ok(hex::encode(Sha256::digest(text)).chars().take(16).collect())
}

fn value<K: Resource + Serialize>(object: &K) -> Result<serde_json::Value> {
    serde_json::to_value(object).map_err(|source| failed(object, source))
}

fn failed<K: Resource>(object: &K, source: serde_json::Error) -> Error {
    Error::Serialise { object: Key::of(object).to_string(), source }
}
