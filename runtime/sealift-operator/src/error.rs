//! Why a reconciliation stopped, and what follows from it.

use sealift_core::plan::ObjectRef;
use sealift_kube::Class;
use sealift_kube::watch::Key;

use crate::build;

/// Shorthand for this crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a reconciliation stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call to the API server.
    #[error(transparent)]
    Call(#[from] sealift_kube::Error),
    /// The objects of a session cannot be made.
    #[error("failed to make the objects of {session}")]
    Build {
        /// The session.
        session: Box<ObjectRef>,
        /// The cause.
        #[source]
        source: build::Error,
    },
    /// An object cannot be written as JSON.
    #[error("failed to write {object} as JSON")]
    Serialise {
        /// Which.
        object: String,
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// Something of that name belongs to another session.
    #[error(
        "{kind} {key} is not of this session, but of an earlier one of its name or of one whose name differs in a dot; it has to go first"
    )]
    NameTaken {
        /// Kind of the object.
        kind: String,
        /// Its namespace and name.
        key: Key,
    },
    /// The reconciler panicked.
    #[error("the reconciler panicked at {key}")]
    Panic {
        /// Namespace and name of the object.
        key: String,
    },
}

impl Error {
    /// A stable word for metrics and logs.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Call(error) => error.reason(),
            Self::Build { .. } => "FailedToBuild",
            Self::Serialise { .. } => "FailedToSerialise",
            Self::NameTaken { .. } => "NameTaken",
            Self::Panic { .. } => "Panicked",
        }
    }

    /// Who has to do something about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Call(error) => error.class(),
            Self::Build { source, .. } => match source {
                build::Error::Volume { .. } => Class::Invalid,
                build::Error::Plan { .. } => Class::Internal,
            },
            // Its end is not watched by this session.
            Self::NameTaken { .. } => Class::Transient,
            Self::Serialise { .. } | Self::Panic { .. } => Class::Internal,
        }
    }

    /// The object it is about, if it is another one than the one that was reconciled.
    #[must_use]
    pub fn related(&self) -> Option<&ObjectRef> {
        match self {
            Self::Call(error) => error.related(),
            Self::Build { session, .. } => Some(session),
            Self::Serialise { .. } | Self::NameTaken { .. } | Self::Panic { .. } => None,
        }
    }
}
