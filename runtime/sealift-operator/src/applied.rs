//! Bringing the objects we make into the form we want, and writing only what differs.
//!
//! What we want carries a hash of itself as an annotation, and the watches see metadata only:
//! same hash and no foreign change since we last looked = nothing to do. A CronJob's own changes
//! of status are told from changes of its spec by `metadata.generation`.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sealift_kube::apply;
use sealift_kube::kube::core::PartialObjectMeta;
use sealift_kube::kube::{Client, Resource};
use sealift_kube::watch::{Key, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::labels::DESIRED;

/// What we applied, by kind and key: uid and version.
#[derive(Debug, Default)]
pub struct Applied {
    versions: Mutex<HashMap<(&'static str, Key), Version>>,
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
            && live
                .metadata
                .annotations
                .iter()
                .flatten()
                .any(|(key, value)| key == DESIRED && *value == hash)
            && self.is_untouched(&id, &live.metadata)
        {
            return Ok(false);
        }
        let written = apply::apply(client, &desired).await?;
        self.versions().insert(id, Version::of(written.meta()));
        Ok(true)
    }

    /// Whether nobody else has written an object since we did. After a start nothing is
    /// remembered: then a CronJob, which starts the backups, is written once to be sure, and the
    /// others are believed.
    fn is_untouched(&self, id: &(&'static str, Key), live: &ObjectMeta) -> bool {
        let mut versions = self.versions();
        match versions.get(id) {
            Some(version) => *version == Version::of(live),
            None if id.0 == "CronJob" => false,
            None => {
                versions.insert(id.clone(), Version::of(live));
                true
            }
        }
    }

    /// Forgets an object.
    pub fn forget<K: k8s_openapi::Resource>(&self, key: &Key) {
        self.versions().remove(&(K::KIND, key.clone()));
    }

    fn versions(&self) -> std::sync::MutexGuard<'_, HashMap<(&'static str, Key), Version>> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash<K: Resource + Serialize>(object: &K) -> Result<String> {
    let text = serde_json::to_vec(object)
        .map_err(|source| Error::Serialise { object: Key::of(object).to_string(), source })?;
    Ok(hex::encode(Sha256::digest(text)).chars().take(16).collect())
}
