//! Why a session did not do what it should.

use sealift_host::ChainFailure;
use sealift_repository::LockError;

use crate::components::ComponentError;
use crate::slot::CommitError;
use crate::storage::StorageError;

/// Why a session did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The repository's Secret is missing or incomplete.
    #[error(transparent)]
    Storage(Box<StorageError>),
    /// Another run on this machine holds the repository.
    #[error("failed to lock Repository {namespace}/{name}")]
    Locked {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The cause.
        #[source]
        source: LockError,
    },
    /// The repository cannot be used.
    #[error("failed to open Repository {namespace}/{name}")]
    Repository {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The cause.
        #[source]
        source: Box<sealift_repository::Error>,
    },
    /// No snapshot fits.
    #[error("failed to select the snapshot to restore from Repository {namespace}/{name}")]
    Select {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The cause.
        #[source]
        source: Box<sealift_repository::Error>,
    },
    /// A component cannot be run.
    #[error("failed to load Function {function}")]
    Component {
        /// The Function.
        function: String,
        /// The cause.
        #[source]
        source: Box<ComponentError>,
    },
    /// A stage failed.
    #[error("{0}")]
    Chain(Box<ChainFailure>),
    /// The chain was fine, the snapshot is not.
    #[error("failed to store the snapshot")]
    Commit(#[source] Box<CommitError>),
    /// The snapshot is safe.
    #[error("the snapshot is safe, but {0}")]
    Maintenance(String),
    /// Interrupted from outside; the stage that was at work may have had something to say.
    #[error("the session was interrupted{}", .0.as_ref().map(|failure| format!(": {failure}")).unwrap_or_default())]
    Cancelled(Option<Box<ChainFailure>>),
    /// A thread of the repository died.
    #[error("the repository's work was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}
