//! Errors across the boundary: what a stage can fail with, whoever caused it.
//!
//! A [`FunctionError`] is the contract's error variant plus what only the host can see: traps,
//! limits, and faults of its own. Converting from the ports and to the bindings is here too.
//! Deciding which error of a chain counts is not (`cause`).

use sealift_bindings::v0_1_0::{Failure, errors};
use serde::{Deserialize, Serialize};

use crate::ports::PortError;
use crate::secrets::Secrets;
use crate::text;

/// Bytes of a message a Function hands over that are kept.
const MESSAGE_BYTES: usize = 4096;
/// Bytes of a field or a code a Function hands over that are kept.
const NAME_BYTES: usize = 256;

/// Why a stage failed. `Display` is one line for people; no secrets, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(
    tag = "code",
    content = "detail",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum FunctionError {
    /// A parameter is wrong.
    #[error("invalid parameter {field}: {message}")]
    InvalidParameter {
        /// JSON pointer into the parameters, such as `/keyPrefix`.
        field: String,
        /// What is wrong with it.
        message: String,
    },
    /// Something was not permitted; the text says what to add where.
    #[error("denied: {0}")]
    Denied(String),
    /// Trying again later may help.
    #[error("{message}")]
    Retryable {
        /// What happened.
        message: String,
        /// When to try again, if known.
        after_seconds: Option<u32>,
    },
    /// The outside failed.
    #[error("{0}")]
    External(String),
    /// Data is not complete, or going on could lose some.
    #[error("{0}")]
    DataLossRisk(String),
    /// The stage was told to stop.
    #[error("cancelled: {0}")]
    Cancelled(String),
    /// A call did not fit the state: a mistake in the Function.
    #[error("{0}")]
    InvalidState(String),
    /// A code the contract has no case for.
    #[error("{code}: {message}")]
    Other {
        /// The Function's own code, kebab-case.
        code: String,
        /// What happened.
        message: String,
    },
    /// The Function ended without a result.
    #[error("the function trapped{}: {message}", in_function(function.as_deref()))]
    Trap {
        /// What ended it.
        message: String,
        /// The innermost function of the component, if it has names.
        function: Option<String>,
        /// Functions of the component, innermost first; never frames of the host.
        backtrace: Vec<String>,
        /// The end of its standard error.
        stderr: String,
    },
    /// A limit ended it.
    #[error("the {which} is used up: {message}")]
    Limit {
        /// Which one.
        which: LimitKind,
        /// Its value and where it is set.
        message: String,
    },
    /// The host itself failed; a mistake in Sealift.
    #[error("the host failed: {0}")]
    Internal(String),
}

fn in_function(function: Option<&str>) -> String {
    function.map(|name| format!(" in {name}")).unwrap_or_default()
}

/// A limit of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitKind {
    /// `limits.cpuSeconds`.
    CpuTime,
    /// `limits.wallTime`.
    WallTime,
    /// `limits.memory`.
    Memory,
    /// Elements of tables; fixed.
    Table,
    /// The deadline of the session.
    Deadline,
}

impl std::fmt::Display for LimitKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::CpuTime => "CPU time",
            Self::WallTime => "wall time",
            Self::Memory => "memory",
            Self::Table => "table space",
            Self::Deadline => "time of the session",
        })
    }
}

/// What an error means for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A user must change something first.
    Invalid,
    /// The same again may succeed.
    Transient,
    /// This session failed; retrying is the configuration's decision.
    Failed,
    /// A mistake in the Function or in the host.
    Internal,
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blame {
    /// The Function.
    Function,
    /// Sealift.
    Host,
    /// What the Function talked to.
    Outside,
    /// What the user wrote, or asked for.
    User,
}

impl FunctionError {
    /// What it means for the session.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::InvalidParameter { .. } | Self::Denied(_) => Class::Invalid,
            Self::Retryable { .. } | Self::Cancelled(_) => Class::Transient,
            Self::External(_) | Self::DataLossRisk(_) | Self::Other { .. } | Self::Limit { .. } => {
                Class::Failed
            }
            Self::InvalidState(_) | Self::Trap { .. } | Self::Internal(_) => Class::Internal,
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::InvalidParameter { .. } | Self::Denied(_) | Self::Cancelled(_) => Blame::User,
            Self::Retryable { .. } | Self::External(_) | Self::DataLossRisk(_) => Blame::Outside,
            Self::Other { .. } | Self::InvalidState(_) | Self::Trap { .. } | Self::Limit { .. } => {
                Blame::Function
            }
            Self::Internal(_) => Blame::Host,
        }
    }

    /// The code as the contract spells it; `trap`, `limit` and `internal` are the host's.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::InvalidParameter { .. } => "invalid-parameter",
            Self::Denied(_) => "denied",
            Self::Retryable { .. } => "retryable",
            Self::External(_) => "external-failed",
            Self::DataLossRisk(_) => "data-loss-risk",
            Self::Cancelled(_) => "cancelled",
            Self::InvalidState(_) => "invalid-state",
            Self::Other { code, .. } => code,
            Self::Trap { .. } => "trap",
            Self::Limit { .. } => "limit",
            Self::Internal(_) => "internal",
        }
    }

    /// Adds what the host knows of the error and the Function could not see.
    #[must_use]
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        let message = match &mut self {
            Self::InvalidParameter { message, .. }
            | Self::Retryable { message, .. }
            | Self::Other { message, .. }
            | Self::Trap { message, .. }
            | Self::Limit { message, .. } => message,
            Self::Denied(message)
            | Self::External(message)
            | Self::DataLossRisk(message)
            | Self::Cancelled(message)
            | Self::InvalidState(message)
            | Self::Internal(message) => message,
        };
        message.push_str(" (");
        message.push_str(note);
        message.push(')');
        self
    }
}

impl FunctionError {
    /// The same without credentials in any of its texts.
    #[must_use]
    pub(crate) fn redacted(mut self, secrets: &Secrets) -> Self {
        match &mut self {
            Self::InvalidParameter { field: other, message }
            | Self::Other { code: other, message } => {
                *other = secrets.redact(other);
                *message = secrets.redact(message);
            }
            Self::Trap { message, function, backtrace, stderr } => {
                for text in function.iter_mut().chain(backtrace).chain([message, stderr]) {
                    *text = secrets.redact(text);
                }
            }
            Self::Retryable { message, .. }
            | Self::Limit { message, .. }
            | Self::Denied(message)
            | Self::External(message)
            | Self::DataLossRisk(message)
            | Self::Cancelled(message)
            | Self::InvalidState(message)
            | Self::Internal(message) => *message = secrets.redact(message),
        }
        self
    }
}

impl From<PortError> for FunctionError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Denied(text) => Self::Denied(text),
            PortError::Retryable(message) => Self::Retryable { message, after_seconds: None },
            PortError::External(text) => Self::External(text),
            PortError::DataLossRisk(text) => Self::DataLossRisk(text),
            PortError::Cancelled(text) => Self::Cancelled(text),
            PortError::InvalidState(text) => Self::InvalidState(text),
        }
    }
}

impl From<errors::Error> for FunctionError {
    /// From a Function: cut and freed of control characters.
    fn from(error: errors::Error) -> Self {
        let clean = |text: &str| text::clean(text, MESSAGE_BYTES);
        match error {
            errors::Error::InvalidParameter(inner) => Self::InvalidParameter {
                field: text::clean(&inner.field, NAME_BYTES),
                message: clean(&inner.message),
            },
            errors::Error::Denied(message) => Self::Denied(clean(&message)),
            errors::Error::Retryable(inner) => Self::Retryable {
                message: clean(&inner.message),
                after_seconds: inner.after_seconds,
            },
            errors::Error::ExternalFailed(message) => Self::External(clean(&message)),
            errors::Error::DataLossRisk(message) => Self::DataLossRisk(clean(&message)),
            errors::Error::Cancelled(message) => Self::Cancelled(clean(&message)),
            errors::Error::InvalidState(message) => Self::InvalidState(clean(&message)),
            errors::Error::Other(inner) => Self::Other {
                code: text::clean(&inner.code, NAME_BYTES),
                message: clean(&inner.message),
            },
        }
    }
}

impl From<FunctionError> for errors::Error {
    /// To a Function: what is the host's alone becomes `other` with its code.
    fn from(error: FunctionError) -> Self {
        match error {
            FunctionError::InvalidParameter { field, message } => {
                Self::InvalidParameter(errors::FieldError { field, message })
            }
            FunctionError::Denied(message) => Self::Denied(message),
            FunctionError::Retryable { message, after_seconds } => {
                Self::Retryable(errors::RetryError { message, after_seconds })
            }
            FunctionError::External(message) => Self::ExternalFailed(message),
            FunctionError::DataLossRisk(message) => Self::DataLossRisk(message),
            FunctionError::Cancelled(message) => Self::Cancelled(message),
            FunctionError::InvalidState(message) => Self::InvalidState(message),
            FunctionError::Other { code, message } => {
                Self::Other(errors::OtherError { code, message })
            }
            FunctionError::Trap { .. }
            | FunctionError::Limit { .. }
            | FunctionError::Internal(_) => Self::Other(errors::OtherError {
                code: error.code().to_owned(),
                message: error.to_string(),
            }),
        }
    }
}

impl From<FunctionError> for Failure {
    fn from(error: FunctionError) -> Self {
        Self::Told(error.into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_case_of_the_contract_survives_the_way_out_and_back() {
        let all = [
            FunctionError::InvalidParameter { field: "/a".into(), message: "m".into() },
            FunctionError::Denied("d".into()),
            FunctionError::Retryable { message: "r".into(), after_seconds: Some(3) },
            FunctionError::External("e".into()),
            FunctionError::DataLossRisk("l".into()),
            FunctionError::Cancelled("c".into()),
            FunctionError::InvalidState("s".into()),
            FunctionError::Other { code: "x-y".into(), message: "o".into() },
        ];
        for error in all {
            let back = FunctionError::from(errors::Error::from(error.clone()));
            assert_eq!(back, error);
            let json = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<FunctionError>(&json).unwrap(), error);
        }
    }

    #[test]
    fn text_of_a_function_is_cut_and_freed_of_control_characters() {
        let error = errors::Error::ExternalFailed(format!("a\u{1b}[31m\n{}", "x".repeat(9000)));
        let text = FunctionError::from(error).to_string();
        assert!(text.len() <= MESSAGE_BYTES && !text.chars().any(char::is_control), "{text}");
    }

    #[test]
    fn no_text_of_an_error_keeps_a_credential() {
        let secrets = Secrets::default();
        secrets.remember("hvs.the-token");
        let text = || "with hvs.the-token".to_owned();
        for error in [
            FunctionError::InvalidParameter { field: text(), message: text() },
            FunctionError::Other { code: text(), message: text() },
            FunctionError::Trap {
                message: text(),
                function: Some(text()),
                backtrace: vec![text()],
                stderr: text(),
            },
            FunctionError::Limit { which: LimitKind::Memory, message: text() },
            FunctionError::Retryable { message: text(), after_seconds: None },
            FunctionError::Denied(text()),
            FunctionError::External(text()),
            FunctionError::DataLossRisk(text()),
            FunctionError::Cancelled(text()),
            FunctionError::InvalidState(text()),
            FunctionError::Internal(text()),
        ] {
            let told = format!("{:?}", error.redacted(&secrets));
            assert!(told.contains("with [redacted]") && !told.contains("hvs"), "{told}");
        }
    }
}
