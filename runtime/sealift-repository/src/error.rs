//! What can go wrong with a repository, in words that name the object and what to do.
//!
//! rustic_core's errors are texts of many lines with guesses in them; here they become one line
//! each, without secrets. Errors of the storage keep their type on their way through rustic_core:
//! `gate` remembers the first one.

use std::any::Any;
use std::sync::Arc;

use rustic_core::RusticError;
use sealift_core::causes::chain_of_causes;

/// What a caller does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// There is no repository at this place.
    NoRepository,
    /// The password opens none of its keys.
    WrongPassword,
    /// What the user asked for cannot be; nothing was touched.
    Invalid,
    /// The session was cancelled.
    Cancelled,
    /// The storage failed; trying again may help.
    Storage,
    /// Data is damaged or could not be proven complete; nothing was committed.
    Data,
    /// A defect of this program or of a library.
    Internal,
}

/// A failed call to the storage.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The storage, or the way to it, failed.
    #[error("the storage failed to {operation} {object}: {detail}")]
    Failed {
        /// What was tried: list, read, write, remove, create.
        operation: &'static str,
        /// File type and identifier.
        object: String,
        /// The backend's own words, one line.
        detail: String,
    },
    /// A file was to be created and another one is there.
    #[error("the storage did not {operation} {object}: another one is there already")]
    Exists {
        /// What was tried: write.
        operation: &'static str,
        /// File type and identifier.
        object: String,
    },
    /// The session was cancelled before the call.
    #[error("cancelled before the storage could {operation} {object}")]
    Cancelled {
        /// What would have been tried.
        operation: &'static str,
        /// File type and identifier.
        object: String,
    },
    /// rustic_core tried to write a snapshot by itself.
    #[error("a snapshot was about to be written outside of a commit")]
    SnapshotOutsideCommit,
}

/// What went wrong with a repository.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No `config` at this place.
    #[error("there is no repository at {location}")]
    NoRepository {
        /// Where.
        location: String,
    },
    /// Init found a repository.
    #[error("there is a repository at {location} already")]
    Exists {
        /// Where.
        location: String,
    },
    /// Init found something else.
    #[error(
        "{location} holds no repository but {found}; choose an empty place, or move that away by hand"
    )]
    Foreign {
        /// Where.
        location: String,
        /// What is there.
        found: String,
    },
    /// A repository without keys.
    #[error(
        "the repository at {location} has no key files and cannot be opened; restore its folder keys"
    )]
    NoKeys {
        /// Where.
        location: String,
    },
    /// The password opens no key.
    #[error("RESTIC_PASSWORD is the wrong password for the repository at {location}{hint}")]
    WrongPassword {
        /// Where.
        location: String,
        /// What may be wrong with it, empty or beginning with a semicolon.
        hint: &'static str,
    },
    /// A format this program does not know.
    #[error(
        "the repository at {location} has an unknown format version; versions 1 and 2 can be used"
    )]
    Format {
        /// Where.
        location: String,
    },
    /// What was asked for cannot be done.
    #[error("{subject}: {reason}")]
    Invalid {
        /// What it is about.
        subject: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An artifact of unknown size and nowhere to keep it.
    #[error(
        "artifact {artifact} has no known size and is larger than 1 MiB; give the session an interim volume (interimVolumeTemplate)"
    )]
    UnknownSize {
        /// The artifact.
        artifact: String,
    },
    /// An artifact of unknown size that is larger than the interim volume may be.
    #[error(
        "artifact {artifact} has more than the {limit} bytes that interimVolumeTemplate asks for; raise its spec.resources.requests.storage"
    )]
    InterimFull {
        /// The artifact.
        artifact: String,
        /// Bytes.
        limit: u64,
    },
    /// The storage failed.
    #[error("{operation} failed")]
    Storage {
        /// What was being done.
        operation: &'static str,
        /// The call that failed.
        #[source]
        source: StorageError,
    },
    /// The producer of an artifact failed.
    #[error("artifact {artifact} broke off after {read} bytes")]
    Artifact {
        /// The artifact.
        artifact: String,
        /// Bytes that had come.
        read: u64,
        /// The reader's error.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The commit gate refused; no snapshot appeared.
    #[error("artifact {artifact} is not proven complete, no snapshot was made: {cause}")]
    NotProven {
        /// The artifact.
        artifact: String,
        /// What does not agree.
        cause: String,
    },
    /// The commit gate refused for a reason that no single artifact has.
    #[error("the snapshot is not proven complete and was not made: {cause}")]
    SnapshotNotProven {
        /// What does not agree.
        cause: String,
    },
    /// An earlier error ended the draft.
    #[error("the snapshot was given up after an earlier error: {cause}")]
    GivenUp {
        /// That error.
        cause: String,
    },
    /// The snapshot file was sent but it is not known whether it arrived, or arrived as it was.
    #[error(
        "it is not known whether snapshot {id} was stored whole; look at the list of snapshots and run check"
    )]
    Uncertain {
        /// The snapshot.
        id: String,
        /// Why it could not be found out.
        #[source]
        source: Box<Error>,
    },
    /// Stored data is damaged.
    #[error("the repository is damaged: {what}")]
    Damaged {
        /// What was found, and what to do.
        what: String,
    },
    /// The session was cancelled.
    #[error("cancelled: {operation}")]
    Cancelled {
        /// What was being done.
        operation: &'static str,
    },
    /// rustic_core refused.
    #[error("{operation} failed: {detail}")]
    Engine {
        /// What was being done.
        operation: &'static str,
        /// Its words, one line.
        detail: String,
    },
    /// A worker of rustic_core panicked.
    #[error("{operation} ended in a panic: {detail}")]
    Panicked {
        /// What was being done.
        operation: &'static str,
        /// The panic's message.
        detail: String,
    },
    /// A file of the interim volume or of the machine.
    #[error("{operation} failed")]
    File {
        /// What was being done.
        operation: String,
        /// The system's error.
        #[source]
        source: Arc<std::io::Error>,
    },
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::NoRepository { .. } => ErrorClass::NoRepository,
            Self::WrongPassword { .. } => ErrorClass::WrongPassword,
            Self::Exists { .. }
            | Self::Foreign { .. }
            | Self::Format { .. }
            | Self::Invalid { .. }
            | Self::UnknownSize { .. }
            | Self::InterimFull { .. } => ErrorClass::Invalid,
            Self::Cancelled { .. }
            | Self::Storage { source: StorageError::Cancelled { .. }, .. } => ErrorClass::Cancelled,
            Self::Storage { source: StorageError::SnapshotOutsideCommit, .. }
            | Self::Engine { .. }
            | Self::Panicked { .. } => ErrorClass::Internal,
            Self::Storage { .. } | Self::File { .. } | Self::Uncertain { .. } => {
                ErrorClass::Storage
            }
            Self::NoKeys { .. }
            | Self::Artifact { .. }
            | Self::NotProven { .. }
            | Self::SnapshotNotProven { .. }
            | Self::GivenUp { .. }
            | Self::Damaged { .. } => ErrorClass::Data,
        }
    }

    /// The error and its causes in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain_of_causes(self)
    }
}

/// rustic_core's error in one line.
pub(crate) fn one_line(error: &RusticError) -> String {
    let text = error.display_log();
    let text = text.strip_prefix("Error: ").unwrap_or(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
