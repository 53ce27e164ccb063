//! What a repository needs besides its location: the Secret's keys, and options.

use sealift_core::plan::RepositoryPlan;
use sealift_repository::{CancelFlag, Chunks, Options, Secrets, SecretsError};
use tokio_util::sync::CancellationToken;

use crate::objects::{ObjectError, Objects};

/// Why the Secret of a Repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// It cannot be read.
    #[error("failed to read the Secret of Repository {namespace}/{name}")]
    Read {
        /// Namespace of the Repository.
        namespace: String,
        /// Name of the Repository.
        name: String,
        /// The cause.
        #[source]
        source: ObjectError,
    },
    /// A key is missing or no text.
    #[error("Secret {namespace}/{name} does not hold what Repository {repository} needs")]
    Content {
        /// Namespace and name of the Repository.
        repository: String,
        /// Namespace of the Secret.
        namespace: String,
        /// Name of the Secret.
        name: String,
        /// The cause.
        #[source]
        source: SecretsError,
    },
}

/// Reads the Secret of a Repository. Its keys are those of the original, named after restic's
/// environment variables.
///
/// # Errors
/// The Secret or its `RESTIC_PASSWORD` is missing, or a value is not text.
pub async fn read_secrets(
    repository: &RepositoryPlan,
    objects: &dyn Objects,
) -> Result<Secrets, StorageError> {
    let data = objects.secret(&repository.secret).await.map_err(|source| StorageError::Read {
        namespace: repository.reference.namespace.clone(),
        name: repository.reference.name.clone(),
        source,
    })?;
    Secrets::from_data(data.iter()).map_err(|source| StorageError::Content {
        repository: format!("{}/{}", repository.reference.namespace, repository.reference.name),
        namespace: repository.secret.namespace.clone(),
        name: repository.secret.name.clone(),
        source,
    })
}

/// Options of a session whose target is a Vault: small chunks where the repository is made,
/// and a flag that follows the session's cancellation.
#[must_use]
pub fn options(cancel: &CancellationToken) -> Options {
    let flag = CancelFlag::new();
    let follower = flag.clone();
    let cancel = cancel.clone();
    tokio::spawn(async move {
        cancel.cancelled().await;
        follower.cancel();
    });
    Options { cancel: flag, chunks: Chunks::Small, ..Options::default() }
}
