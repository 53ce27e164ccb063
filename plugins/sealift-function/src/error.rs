//! The one error a Function returns, in the shape of the contract's error variant.
//!
//! `?` turns [`std::io::Error`] into it and back without loss: an error of the host that passed
//! through [`std::io::Read`] comes out as what it was. The variant decides what the session
//! does, so choose it with care; the text is what a person reads.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::bindings::sealift::function::errors as raw;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a Function failed, or why the host refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A parameter is wrong; the user must change it.
    #[error("parameter {field}: {message}")]
    InvalidParameter {
        /// JSON pointer of the parameter, such as `/waitTimeout`.
        field: String,
        /// What is wrong and what is expected.
        message: String,
    },
    /// A permission is missing, here or at the other side; the user must grant it.
    #[error("{0}")]
    Denied(String),
    /// Trying the whole session again later may help.
    #[error("{message}")]
    Retryable {
        /// What went wrong.
        message: String,
        /// How long to wait at least, if the other side said.
        after: Option<Duration>,
    },
    /// The other side failed.
    #[error("{0}")]
    ExternalFailed(String),
    /// Going on could store or restore damaged data.
    #[error("{0}")]
    DataLossRisk(String),
    /// The session was cancelled, or another stage failed first.
    #[error("{0}")]
    Cancelled(String),
    /// The call does not fit the state.
    #[error("{0}")]
    InvalidState(String),
    /// Anything newer than this version of the contract.
    #[error("{code}: {message}")]
    Other {
        /// Kebab-case code.
        code: String,
        /// What went wrong.
        message: String,
    },
}

impl Error {
    /// A wrong parameter, by its name in the descriptor.
    #[must_use]
    pub fn invalid_parameter(name: &str, message: impl Into<String>) -> Self {
        Self::InvalidParameter { field: format!("/{name}"), message: message.into() }
    }

    /// An error that another attempt may not meet.
    #[must_use]
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::Retryable { message: message.into(), after: None }
    }

    /// The same error, its text preceded by what was being done.
    #[must_use]
    pub fn context(self, what: impl fmt::Display) -> Self {
        let with = |message: String| format!("{what}: {message}");
        match self {
            Self::InvalidParameter { field, message } => {
                Self::InvalidParameter { field, message: with(message) }
            }
            Self::Denied(message) => Self::Denied(with(message)),
            Self::Retryable { message, after } => Self::Retryable { message: with(message), after },
            Self::ExternalFailed(message) => Self::ExternalFailed(with(message)),
            Self::DataLossRisk(message) => Self::DataLossRisk(with(message)),
            Self::Cancelled(message) => Self::Cancelled(with(message)),
            Self::InvalidState(message) => Self::InvalidState(with(message)),
            Self::Other { code, message } => Self::Other { code, message: with(message) },
        }
    }
}

/// Says what was being done when something failed.
pub trait Context<T> {
    /// Turns the error into an [`Error`] whose text begins with `what`.
    ///
    /// # Errors
    /// The one that was there, with more text.
    fn context(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| error.into().context(what))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let text = error.to_string();
        match error.into_inner().map(|inner| inner.downcast::<Self>()) {
            Some(Ok(own)) => *own,
            Some(Err(_)) | None => Self::ExternalFailed(text),
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        Self::other(error)
    }
}

impl From<raw::Error> for Error {
    fn from(error: raw::Error) -> Self {
        match error {
            raw::Error::InvalidParameter(raw::FieldError { field, message }) => {
                Self::InvalidParameter { field, message }
            }
            raw::Error::Denied(message) => Self::Denied(message),
            raw::Error::Retryable(raw::RetryError { message, after_seconds }) => Self::Retryable {
                message,
                after: after_seconds.map(|seconds| Duration::from_secs(seconds.into())),
            },
            raw::Error::ExternalFailed(message) => Self::ExternalFailed(message),
            raw::Error::DataLossRisk(message) => Self::DataLossRisk(message),
            raw::Error::Cancelled(message) => Self::Cancelled(message),
            raw::Error::InvalidState(message) => Self::InvalidState(message),
            raw::Error::Other(raw::OtherError { code, message }) => Self::Other { code, message },
        }
    }
}

impl From<Error> for raw::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidParameter { field, message } => {
                Self::InvalidParameter(raw::FieldError { field, message })
            }
            Error::Denied(message) => Self::Denied(message),
            Error::Retryable { message, after } => Self::Retryable(raw::RetryError {
                message,
                after_seconds: after.map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
            }),
            Error::ExternalFailed(message) => Self::ExternalFailed(message),
            Error::DataLossRisk(message) => Self::DataLossRisk(message),
            Error::Cancelled(message) => Self::Cancelled(message),
            Error::InvalidState(message) => Self::InvalidState(message),
            Error::Other { code, message } => Self::Other(raw::OtherError { code, message }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_error_survives_the_way_through_std_io() {
        let error =
            Error::Retryable { message: "later".to_owned(), after: Some(Duration::from_secs(7)) };
        assert_eq!(Error::from(io::Error::from(error.clone())), error);
    }

    #[test]
    fn a_time_that_is_too_long_is_as_long_as_can_be() {
        let after = Some(Duration::from_secs(1 << 40));
        let raw = raw::Error::from(Error::Retryable { message: String::new(), after });
        let longest = Some(Duration::from_secs(u32::MAX.into()));
        let told = Error::from(raw);
        assert_eq!(told, Error::Retryable { message: String::new(), after: longest });
    }

    #[test]
    fn an_error_of_std_io_keeps_its_text() {
        let error = Error::from(io::Error::new(io::ErrorKind::UnexpectedEof, "stream broke off"));
        assert_eq!(error, Error::ExternalFailed("stream broke off".to_owned()));
    }

    #[test]
    fn context_comes_before_the_text_and_keeps_the_kind() {
        let result: Result<(), Error> = Err(Error::DataLossRisk("checksum differs".to_owned()));
        let error = result.context("state.bin").unwrap_err();
        assert_eq!(error, Error::DataLossRisk("state.bin: checksum differs".to_owned()));
    }

    #[test]
    fn the_contract_s_error_comes_back_unchanged() {
        for error in [
            Error::invalid_parameter("waitTimeout", "must be positive"),
            Error::Denied("a".to_owned()),
            Error::retryable("b"),
            Error::Retryable { message: "b".to_owned(), after: Some(Duration::from_secs(7)) },
            Error::ExternalFailed("c".to_owned()),
            Error::DataLossRisk("d".to_owned()),
            Error::Cancelled("e".to_owned()),
            Error::InvalidState("f".to_owned()),
            Error::Other { code: "g".to_owned(), message: "h".to_owned() },
        ] {
            assert_eq!(Error::from(raw::Error::from(error.clone())), error);
        }
    }
}
