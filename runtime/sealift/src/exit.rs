//! Exit codes, and how a failure is told.
//!
//! The codes are restic's where it has one (its manual, "Exit codes"), so that scripts written
//! for restic understand Sealift.

use std::process::ExitCode;

use sealift_job::failure::SessionError;
use sealift_job::report::{Outcome, SessionReport};
use sealift_repository::ErrorClass;

/// What the process tells its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; a failed push of metrics is only a warning.
    Done = 0,
    /// Failed, nothing was committed.
    Failed = 1,
    /// The input is wrong, nothing was touched.
    Invalid = 2,
    /// The snapshot is safe, retention, check or a hook after it failed.
    Maintenance = 3,
    /// A Function would be refused for what it asks for or is made of.
    Refused = 4,
    /// There is no repository.
    NoRepository = 10,
    /// The repository is locked.
    Locked = 11,
    /// The password is wrong.
    WrongPassword = 12,
    /// Interrupted by a signal.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The code of an error of the repository.
    pub(crate) fn of_repository(error: &sealift_repository::Error) -> Self {
        match error.class() {
            ErrorClass::NoRepository => Self::NoRepository,
            ErrorClass::WrongPassword => Self::WrongPassword,
            ErrorClass::Invalid => Self::Invalid,
            ErrorClass::Cancelled => Self::Interrupted,
            ErrorClass::Storage | ErrorClass::Data | ErrorClass::Internal => Self::Failed,
        }
    }

    /// The code of an ended session.
    pub(crate) fn of_session(report: &SessionReport) -> Self {
        match report.outcome {
            Outcome::Succeeded => Self::Done,
            Outcome::Cancelled => Self::Interrupted,
            Outcome::MaintenanceFailed => Self::Maintenance,
            Outcome::Failed => report.failure.as_ref().map_or(Self::Failed, Self::of_error),
        }
    }

    fn of_error(error: &SessionError) -> Self {
        match error {
            SessionError::Repository { source, .. } | SessionError::Select { source, .. } => {
                Self::of_repository(source)
            }
            SessionError::Locked { .. } => Self::Locked,
            SessionError::Storage(_)
            | SessionError::Component { .. }
            | SessionError::Outdated(_) => Self::Invalid,
            SessionError::Cancelled(_) => Self::Interrupted,
            SessionError::Maintenance(_) | SessionError::AfterHook { .. } => Self::Maintenance,
            SessionError::Interim { .. }
            | SessionError::Chain { .. }
            | SessionError::Commit(_)
            | SessionError::BeforeHook { .. }
            | SessionError::Interrupted(_) => Self::Failed,
        }
    }
}

/// An error that ends the process, with what a person can do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code.
    pub(crate) exit: Exit,
    /// What happened, causes included, one line each.
    pub(crate) lines: Vec<String>,
    /// What to do, if it is known.
    pub(crate) help: Vec<String>,
}

impl Failure {
    /// A failure with one message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, lines: vec![message.into()], help: Vec::new() }
    }

    /// A failure with an error and its causes.
    pub(crate) fn of(exit: Exit, error: &dyn std::error::Error) -> Self {
        Self::new(exit, sealift_job::chain_of_causes(error))
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

impl From<sealift_repository::Error> for Failure {
    fn from(error: sealift_repository::Error) -> Self {
        Self::of(Exit::of_repository(&error), &error)
    }
}

impl From<sealift_repository::LockError> for Failure {
    fn from(error: sealift_repository::LockError) -> Self {
        Self::of(Exit::Locked, &error)
            .help("wait until that run has ended; a lock is released when its process ends")
    }
}
