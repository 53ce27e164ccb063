//! The port through which a session reads and writes Kubernetes objects.
//!
//! Two adapters: `files` (manifests on this machine, `sealift run`) and, in the Job, the API
//! server. Only what is read *live* goes through here; everything else stands in the plan.

use async_trait::async_trait;
use sealift_core::plan::{Credential, ObjectRef, SecretRef, SecretTransform};
use zeroize::Zeroizing;

use crate::secrets::{SecretData, SecretError};

/// Why an object cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such Secret.
    #[error("Secret {}/{} was not found", .0.namespace, .0.name)]
    SecretNotFound(SecretRef),
    /// The Secret is there, but not what is needed of it.
    #[error("Secret {}/{} cannot be used", secret.namespace, secret.name)]
    UseSecret {
        /// The Secret.
        secret: SecretRef,
        /// What is wrong.
        #[source]
        source: SecretError,
    },
    /// A transform of the AppBinding names a key it does not carry.
    #[error("AppBinding {}/{}: spec.secretTransforms adds no key {key:?}", binding.namespace, binding.name)]
    AddedKeyNotFound {
        /// The AppBinding.
        binding: ObjectRef,
        /// The key.
        key: String,
    },
    /// The API server refused, or could not be asked.
    #[error(transparent)]
    Ask(Box<crate::cluster::AskError>),
    /// Secrets may not be written here.
    #[error("Secret {}/{} cannot be written: {reason}", secret.namespace, secret.name)]
    WriteRefused {
        /// The Secret.
        secret: SecretRef,
        /// Why, and what to do.
        reason: String,
    },
    /// Writing failed.
    #[error("failed to write Secret {}/{}", secret.namespace, secret.name)]
    WriteSecret {
        /// The Secret.
        secret: SecretRef,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// Reads and writes objects while a session runs.
#[async_trait]
pub trait Objects: Send + Sync {
    /// The data of a Secret.
    ///
    /// # Errors
    /// It does not exist or cannot be read.
    async fn secret(&self, secret: &SecretRef) -> Result<SecretData, ObjectError>;

    /// The value of an `addKey` transform of this AppBinding.
    ///
    /// # Errors
    /// The AppBinding carries no such transform.
    async fn added_key(
        &self,
        binding: &ObjectRef,
        key: &str,
    ) -> Result<Zeroizing<Vec<u8>>, ObjectError>;

    /// Whether this Secret may be written, asked before anything is changed.
    ///
    /// # Errors
    /// It may not; the message says what to do.
    async fn check_writable(&self, secret: &SecretRef) -> Result<(), ObjectError>;

    /// Writes a Secret as a whole. What was there before is kept beside it.
    ///
    /// # Errors
    /// Nothing was written, or the cause says what was.
    async fn write_secret(&self, secret: &SecretRef, data: SecretData) -> Result<(), ObjectError>;

    /// Sets these keys of a Secret, which is made if it is missing where that is possible; its
    /// other keys stay. What was there before is kept beside it.
    ///
    /// # Errors
    /// As of [`secret`](Self::secret) and [`write_secret`](Self::write_secret).
    async fn set_keys(&self, secret: &SecretRef, keys: SecretData) -> Result<(), ObjectError> {
        let mut data = match self.secret(secret).await {
            Err(ObjectError::SecretNotFound(_)) => SecretData::default(),
            found => found?,
        };
        data.extend(keys);
        self.write_secret(secret, data).await
    }
}

/// Reads a credential: the Secret, the AppBinding's transforms in order, then the key.
///
/// Values made by `kubectl create secret --from-file` often end with a newline, which no
/// header may carry: white space at the end is dropped.
///
/// # Errors
/// The Secret, a transform or the key is missing.
pub async fn read_credential(
    objects: &dyn Objects,
    binding: &ObjectRef,
    credential: &Credential,
) -> Result<Zeroizing<String>, ObjectError> {
    let unusable = |source| ObjectError::UseSecret { secret: credential.secret.clone(), source };
    let mut data = objects.secret(&credential.secret).await?;
    for transform in &credential.transforms {
        match transform {
            SecretTransform::RenameKey { from, to } => data.rename(from, to).map_err(unusable)?,
            SecretTransform::AddKey { key } => {
                data.insert(key, objects.added_key(binding, key).await?);
            }
            SecretTransform::AddKeysFrom { secret } => data.extend(objects.secret(secret).await?),
            SecretTransform::RemoveKey { key } => {
                data.remove(key);
            }
        }
    }
    let value = data.require_text(&credential.key).map_err(unusable)?;
    Ok(Zeroizing::new(value.trim_end().to_owned()))
}
