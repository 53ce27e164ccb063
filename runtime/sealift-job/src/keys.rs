//! Connects the host's key store to the Secret of the Kubernetes-Secret unsealer.
//!
//! In the store a value is what Vault's unsealer wrote. On its way through a chain and in a
//! snapshot it is a JSON string, because the original writes its files so
//! (`<prefix>-unseal-key-0` holds `"…"`). New values are staged and written together.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use sealift_core::plan::KeyStorePlan;
use sealift_host::ports::{KeyStore, PortError, PortResult};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::chain_of_causes;
use crate::objects::{ObjectError, Objects};
use crate::secrets::SecretData;

/// The unseal keys and the root token of a plan's target.
pub struct SecretKeyStore {
    objects: Arc<dyn Objects>,
    plan: KeyStorePlan,
    staged: Mutex<BTreeMap<String, Zeroizing<Vec<u8>>>>,
}

impl SecretKeyStore {
    /// Binds the store of this plan.
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>, plan: KeyStorePlan) -> Self {
        Self { objects, plan, staged: Mutex::default() }
    }

    fn where_it_is(&self) -> String {
        format!("Secret {}/{}", self.plan.secret.namespace, self.plan.secret.name)
    }

    /// The Secret may hold the keys of other Vaults, too: those are nobody's business here.
    fn check_name(&self, name: &str) -> PortResult<()> {
        if self.plan.names_under(&self.plan.prefix).iter().any(|known| known == name) {
            return Ok(());
        }
        Err(PortError::Denied(format!(
            "{name:?} is none of the {} unseal keys nor the root token under prefix {:?}",
            self.plan.shares, self.plan.prefix
        )))
    }

    /// The Secret as it is; empty when it does not exist, as on a rebuilt cluster.
    async fn present(&self) -> PortResult<SecretData> {
        match self.objects.secret(&self.plan.secret).await {
            Ok(data) => Ok(data),
            Err(ObjectError::SecretNotFound(_)) => Ok(SecretData::default()),
            Err(error) => Err(PortError::External(chain_of_causes(&error))),
        }
    }
}

#[async_trait]
impl KeyStore for SecretKeyStore {
    async fn names(&self) -> PortResult<Vec<String>> {
        Ok(self.plan.names_under(&self.plan.prefix))
    }

    async fn read(&self, name: &str) -> PortResult<Zeroizing<Vec<u8>>> {
        self.check_name(name)?;
        let data = self
            .objects
            .secret(&self.plan.secret)
            .await
            .map_err(|error| PortError::External(chain_of_causes(&error)))?;
        let value = data.require_text(name).map_err(|error| {
            PortError::External(format!(
                "{}: {error}; check keyPrefix and unsealer.secretShares of the AppBinding, or set parameter unsealKeys: omit",
                self.where_it_is()
            ))
        })?;
        let json = serde_json::to_vec(value.as_str())
            .map_err(|error| PortError::External(error.to_string()))?;
        Ok(Zeroizing::new(json))
    }

    async fn put(&self, name: &str, value: Zeroizing<Vec<u8>>) -> PortResult<()> {
        self.check_name(name)?;
        self.objects
            .check_writable(&self.plan.secret)
            .await
            .map_err(|error| PortError::Denied(chain_of_causes(&error)))?;
        // The parser's own message quotes what it read: it must not leave this function.
        let text: String = serde_json::from_slice(&value).map_err(|_| {
            PortError::DataLossRisk(format!(
                "the snapshot's value of {name:?} is not the JSON string the original writes"
            ))
        })?;
        let text = Zeroizing::new(text);
        self.staged.lock().await.insert(name.to_owned(), Zeroizing::new(text.as_bytes().to_vec()));
        Ok(())
    }

    async fn commit(&self) -> PortResult<()> {
        let mut staged = self.staged.lock().await;
        if staged.is_empty() {
            return Err(PortError::InvalidState("no key was put before the commit".to_owned()));
        }
        // A store that cannot be read is not written either.
        self.present().await?;
        let keys = SecretData::new(staged.clone());
        self.objects
            .set_keys(&self.plan.secret, keys)
            .await
            .map_err(|error| PortError::DataLossRisk(chain_of_causes(&error)))?;
        staged.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    use crate::sample::{Answer, Fake, data, plan};

    fn value(text: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    fn store(objects: Fake) -> (Arc<Fake>, SecretKeyStore) {
        let objects = Arc::new(objects);
        let keys = plan(std::path::Path::new("/data")).keys.unwrap();
        (Arc::clone(&objects), SecretKeyStore::new(objects, keys))
    }

    #[tokio::test]
    async fn nothing_but_the_keys_of_the_plan_is_read_or_put() {
        let secret = data(&[("k8s-root-token", "t"), ("other", "o"), ("k8s-unseal-key-2", "x")]);
        let (objects, store) = store(Fake::new(Answer::Found, secret));
        assert_eq!(*store.read("k8s-root-token").await.unwrap(), b"\"t\"");
        for name in ["other", "k8s-unseal-key-2", "root-token", ""] {
            let error = store.read(name).await.unwrap_err();
            assert!(matches!(error, PortError::Denied(_)), "{name}: {error:?}");
            let error = store.put(name, value("\"v\"")).await.unwrap_err();
            assert!(matches!(error, PortError::Denied(_)), "{name}: {error:?}");
        }
        let error = store.commit().await.unwrap_err();
        assert!(matches!(error, PortError::InvalidState(_)), "{error:?}");
        assert!(objects.written.lock().unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_key_is_refused_without_being_repeated() {
        let (_, store) = store(Fake::new(Answer::Found, SecretData::default()));
        for wrong in ["hidden-word", "{\"hidden-word\": 1}", "[\"hidden-word\"]", ""] {
            let error = store.put("k8s-root-token", value(wrong)).await.unwrap_err();
            assert!(matches!(error, PortError::DataLossRisk(_)), "{wrong}: {error:?}");
            assert!(!error.to_string().contains("hidden-word"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_written_is_found_out_with_the_first_key() {
        let fake = Fake::new(Answer::Found, SecretData::default());
        let (_, store) = store(Fake { writable: false, ..fake });
        let error = store.put("k8s-root-token", value("\"t\"")).await.unwrap_err();
        assert!(matches!(error, PortError::Denied(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_commit_keeps_the_other_keys_and_never_replaces_what_it_cannot_read() {
        let secret = data(&[("k8s-root-token", "old"), ("other", "o")]);
        let (objects, found) = store(Fake::new(Answer::Found, secret));
        found.put("k8s-root-token", value("\"new\"")).await.unwrap();
        found.commit().await.unwrap();
        let written = objects.written.lock().unwrap().take().unwrap();
        assert_eq!(written.require_text("other").unwrap().as_str(), "o");
        assert_eq!(written.require_text("k8s-root-token").unwrap().as_str(), "new");

        let (objects, missing) = store(Fake::new(Answer::Missing, SecretData::default()));
        missing.put("k8s-root-token", value("\"new\"")).await.unwrap();
        missing.commit().await.unwrap();
        assert!(objects.written.lock().unwrap().is_some());

        let (objects, broken) = store(Fake::new(Answer::Broken, SecretData::default()));
        broken.put("k8s-root-token", value("\"new\"")).await.unwrap();
        let error = broken.commit().await.unwrap_err();
        assert!(matches!(error, PortError::External(_)), "{error:?}");
        assert!(objects.written.lock().unwrap().is_none());
    }
}
