//! What can be wrong with a snapshot.

use std::io;

use sealift_function::Error as FunctionError;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A snapshot that must be neither stored nor restored, or a stream that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream ended, or its bytes are not gzip, or a checksum of gzip differs.
    #[error("the snapshot is cut short or damaged")]
    Read(#[source] io::Error),
    /// What is behind the end of the gzip file.
    #[error("there are bytes behind the end of the snapshot")]
    Trailing,
    /// The stream was empty.
    #[error("the snapshot is empty")]
    Empty,
    /// The stream is something else.
    #[error("the snapshot does not begin like a gzip file")]
    NotGzip,
    /// A block that should be a tar header is none.
    #[error("tar header {number} is damaged")]
    TarHeader {
        /// Which one, counted from 1.
        number: usize,
        /// What tar says.
        #[source]
        source: io::Error,
    },
    /// A member is missing, superfluous or in the wrong place.
    #[error("expected {expected} in the snapshot, found {found}")]
    UnexpectedMember {
        /// What should be here.
        expected: &'static str,
        /// What is here.
        found: String,
    },
    /// A member is not a plain file.
    #[error("{name} is not a regular file")]
    NotAFile {
        /// The member.
        name: String,
    },
    /// A member that is small by definition is not.
    #[error("{name} has {size} bytes, more than the {limit} that are allowed")]
    TooLarge {
        /// The member.
        name: &'static str,
        /// Bytes.
        size: u64,
        /// Bytes.
        limit: u64,
    },
    /// A member has no bytes.
    #[error("{name} is empty")]
    EmptyMember {
        /// The member.
        name: &'static str,
    },
    /// The space between two members, or behind the last, is not zero.
    #[error("there are bytes between or behind the members of the snapshot")]
    Padding,
    /// `meta.json` cannot be read.
    #[error("meta.json is damaged")]
    Meta(#[source] serde_json::Error),
    /// The state is not as long as `meta.json` says.
    #[error("state.bin has {size} bytes, meta.json says {stated}")]
    StateSize {
        /// Bytes, by `meta.json`.
        stated: u64,
        /// Bytes.
        size: u64,
    },
    /// `SHA256SUMS` cannot be read.
    #[error("SHA256SUMS is damaged: line {line:?}")]
    Sums {
        /// The line.
        line: String,
    },
    /// `SHA256SUMS` does not name a member.
    #[error("SHA256SUMS does not name {name}")]
    SumMissing {
        /// The member.
        name: &'static str,
    },
    /// A member is not what `SHA256SUMS` says.
    #[error("the checksum of {name} is not that of SHA256SUMS")]
    SumDiffers {
        /// The member.
        name: &'static str,
    },
    /// The place the snapshot goes to failed.
    #[error("failed to pass the snapshot on")]
    Write(#[source] io::Error),
}

/// Damage is a risk for data; what the stream or its receiver failed with stays what it is.
impl From<Error> for FunctionError {
    fn from(error: Error) -> Self {
        match error {
            Error::Read(cause) if is_function_error(&cause) => {
                Self::from(cause).context("reading the snapshot")
            }
            Error::Write(cause) => Self::from(cause).context("passing the snapshot on"),
            damage => Self::DataLossRisk(chain(&damage)),
        }
    }
}

fn is_function_error(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<FunctionError>())
}

/// The error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_a_risk_for_data_with_its_cause() {
        let end = Error::Read(io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected end"));
        assert_eq!(
            FunctionError::from(end),
            FunctionError::DataLossRisk(
                "the snapshot is cut short or damaged: unexpected end".to_owned()
            )
        );
    }

    #[test]
    fn an_error_of_the_host_keeps_its_kind() {
        let lost = FunctionError::retryable("the connection was closed");
        assert_eq!(
            FunctionError::from(Error::Read(lost.into())),
            FunctionError::retryable("reading the snapshot: the connection was closed")
        );
    }
}
