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
        let mut data = self.present().await?;
        for (name, value) in staged.iter() {
            data.insert(name, value.clone());
        }
        self.objects
            .write_secret(&self.plan.secret, data)
            .await
            .map_err(|error| PortError::DataLossRisk(chain_of_causes(&error)))?;
        staged.clear();
        Ok(())
    }
}
