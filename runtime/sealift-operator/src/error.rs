//! Why a reconciliation stopped, and what follows from it.

use std::fmt;

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
    /// Something that is not this session's has the name of what is to be made for it.
    #[error("{kind} {key} has the name that this session needs, and {holder}")]
    NameTaken {
        /// Kind of the object.
        kind: String,
        /// Its namespace and name.
        key: Key,
        /// Whose it is.
        holder: Holder,
    },
    /// The reconciler panicked.
    #[error("the reconciler panicked at {key}")]
    Panic {
        /// Namespace and name of the object.
        key: String,
    },
}

/// Who has a name that a session needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// An earlier session of the same name left it; it was just removed.
    Leftover,
    /// It was to go some time ago.
    Going,
    /// Another object owns it: its kind and name.
    Of(String),
    /// Nobody owns it, and it was not made for a session.
    Nobody,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leftover => f.write_str("is left of an earlier session; it is being removed"),
            Self::Going => f.write_str(
                "is being deleted; the session begins once it is gone, which its finalizers or a pod on a lost node may hold up",
            ),
            Self::Of(owner) => write!(
                f,
                "belongs to {owner}; the session begins once it is gone: wait for its end and delete it, or make a session of another name"
            ),
            Self::Nobody => f.write_str(
                "was made by somebody else; the session begins once it is gone: delete it, or make a session of another name",
            ),
        }
    }
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
