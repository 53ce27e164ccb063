//! Why a session did not do what it should.

use std::fmt;
use std::path::PathBuf;

use sealift_core::pins::Outdated;
use sealift_core::plan::SecretRef;
use sealift_host::{ChainFailure, StageOutcome};
use sealift_repository::ErrorClass;

use crate::components::ComponentError;
use crate::locks::LocksError;
use crate::slot::CommitError;
use crate::storage::StorageError;

/// Why a session did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The repository's Secret is missing or incomplete.
    #[error(transparent)]
    Storage(Box<StorageError>),
    /// Others hold the repository, or took it.
    #[error("failed to lock Repository {namespace}/{name}")]
    Locked {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The cause.
        #[source]
        source: LocksError,
    },
    /// The repository cannot be used.
    #[error(
        "failed to open Repository {namespace}/{name} with Secret {}/{}",
        secret.namespace,
        secret.name
    )]
    Repository {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// The Secret of its storage, which holds the password, too.
        secret: SecretRef,
        /// The cause.
        #[source]
        source: Box<sealift_repository::Error>,
    },
    /// There is no place for artifacts of unknown size.
    #[error("failed to make a private folder for the interim volume in {folder:?}")]
    Interim {
        /// Where it was to be.
        folder: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
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
    /// A stage failed, or the session's time was up.
    #[error("{failure}{last_words}")]
    Chain {
        /// The first cause.
        failure: Box<ChainFailure>,
        /// What stages that were stopped still had to say.
        last_words: LastWords,
    },
    /// The chain was fine, the snapshot is not.
    #[error("failed to store the snapshot")]
    Commit(#[source] Box<CommitError>),
    /// Something is no longer what the plan was made for; nothing was touched.
    #[error(transparent)]
    Outdated(Outdated),
    /// The hook before the work failed; nothing was touched.
    #[error("the {hook} hook failed, so nothing else was done: {error}")]
    BeforeHook {
        /// Its field in the manifest.
        hook: &'static str,
        /// Why.
        error: String,
    },
    /// The work is done, but the hook after it failed.
    #[error("the work is done and stays, but the {hook} hook failed: {error}")]
    AfterHook {
        /// Its field in the manifest.
        hook: &'static str,
        /// Why.
        error: String,
    },
    /// The snapshot is safe.
    #[error("the snapshot is safe, but {0}")]
    Maintenance(String),
    /// Interrupted from outside.
    #[error("the session was interrupted{0}")]
    Cancelled(LastWords),
    /// A thread of the repository died.
    #[error("the repository's work was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl SessionError {
    /// What is damaged in the repository, if that is why.
    pub(crate) fn damage(&self) -> Option<&sealift_repository::Error> {
        match self {
            Self::Repository { source, .. } => {
                let damaged = matches!(**source, sealift_repository::Error::Damaged { .. });
                damaged.then_some(&**source)
            }
            _ => None,
        }
    }

    /// A stable word for machines.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Storage(_) => "BackendSecretUnusable",
            Self::Locked { source: LocksError::Lost, .. } => "RepositoryLockLost",
            Self::Locked { .. } => "RepositoryLocked",
            Self::Repository { .. } => "RepositoryUnusable",
            Self::Interim { .. } => "InterimVolumeUnusable",
            Self::Select { .. } => "SnapshotNotFound",
            Self::Component { .. } => "FunctionUnusable",
            Self::Chain { .. } => "ChainFailed",
            Self::Commit(_) => "CommitFailed",
            Self::Outdated(_) => Outdated::REASON,
            Self::BeforeHook { .. } | Self::AfterHook { .. } => "HookFailed",
            Self::Maintenance(_) => "MaintenanceFailed",
            Self::Cancelled(_) | Self::Interrupted(_) => "SessionInterrupted",
        }
    }

    /// Whether there is no repository where one should be.
    #[must_use]
    pub fn is_no_repository(&self) -> bool {
        matches!(self, Self::Repository { source, .. } if source.class() == ErrorClass::NoRepository)
    }
}

/// What stages had to say that were stopped from outside, such as that a Vault may have been
/// replaced. Empty for a failure that began in a stage: the others only repeat it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastWords(Vec<String>);

impl LastWords {
    /// Of the stages of a chain that ended with this failure.
    #[must_use]
    pub fn of(stages: &[StageOutcome], failure: &ChainFailure) -> Self {
        if !failure.stage.is_empty() {
            return Self::default();
        }
        let words = stages.iter().filter_map(|stage| {
            let error = stage.error.as_ref()?;
            (*error != failure.error).then(|| format!("stage {}: {error}", stage.name))
        });
        Self(words.collect())
    }
}

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|words| write!(f, "; {words}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sealift_host::{FunctionError, Kind, Status};

    use super::*;

    fn stage(name: &str, error: &str) -> StageOutcome {
        StageOutcome {
            name: name.to_owned(),
            kind: Kind::Sink,
            status: Status::Cancelled,
            error: Some(FunctionError::Cancelled(error.to_owned())),
            statistics: Vec::new(),
            cpu: Duration::ZERO,
            wall: Duration::ZERO,
            peak_memory: 0,
            first_byte: None,
            log_dropped: 0,
            stderr_tail: String::new(),
        }
    }

    fn failure(stage: &str) -> ChainFailure {
        ChainFailure {
            stage: stage.to_owned(),
            function: "sink vault-restore".to_owned(),
            artifact: None,
            error: FunctionError::Cancelled("the session was cancelled".to_owned()),
        }
    }

    #[test]
    fn an_interruption_repeats_what_a_stage_still_had_to_say() {
        let stages = [
            stage("download-0", "the session was cancelled"),
            stage("restore-1", "Vault accepted the snapshot"),
        ];
        let words = LastWords::of(&stages, &failure(""));
        assert_eq!(
            SessionError::Cancelled(words).to_string(),
            "the session was interrupted; stage restore-1: cancelled: Vault accepted the snapshot"
        );
        assert_eq!(LastWords::of(&stages, &failure("download-0")), LastWords::default());
    }
}
