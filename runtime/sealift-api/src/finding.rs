//! What reading a manifest may find: warnings, reasons to refuse it, and the place of each.
//!
//! Every message names the file, the document and the object. `reading` and `documents` make
//! them, `objects` adds the duplicates.

use std::fmt;

use crate::yaml::YamlError;

/// Where an object was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// File, as the caller named it.
    pub file: String,
    /// Document in the file, from 1; empty ones do not count.
    pub document: usize,
    /// Line it begins at, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} document {} (line {})", self.file, self.document, self.line)
    }
}

/// Something a user should know, but no reason to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A field nobody knows.
    UnknownField {
        /// Where.
        place: Place,
        /// `Kind namespace/name`.
        object: String,
        /// JSON path.
        field: String,
    },
    /// An object of a kind that is not used here.
    UnusedKind {
        /// Where.
        place: Place,
        /// `apiVersion/kind name`.
        object: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { place, object, field } => {
                write!(f, "{place}: {object}: {field}: unknown field")
            }
            Self::UnusedKind { place, object } => {
                write!(f, "{place}: {object}: this kind is not used")
            }
        }
    }
}

/// Why a document is not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is no YAML.
    #[error("{file}: cannot be read as YAML")]
    Yaml {
        /// File.
        file: String,
        /// What is wrong.
        #[source]
        source: YamlError,
    },
    /// A document that is no mapping.
    #[error("{place}: not a manifest: expected apiVersion, kind, metadata and spec")]
    Form {
        /// Where.
        place: Place,
    },
    /// `apiVersion`, `kind` or `metadata.name` is missing or no text.
    #[error("{place}: {object}: {field}: missing or not text")]
    Identity {
        /// Where.
        place: Place,
        /// As much of kind and name as is there.
        object: String,
        /// Which.
        field: &'static str,
    },
    /// A kind that is known, in a version that is not.
    #[error(
        "{place}: {object}: apiVersion: {found} is not served; the version of this kind is {expected}"
    )]
    Version {
        /// Where.
        place: Place,
        /// `Kind name`.
        object: String,
        /// What is written there.
        found: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// A name no object can have.
    #[error("{place}: {object}: {field}: no object can be called so")]
    Name {
        /// Where.
        place: Place,
        /// `Kind name`.
        object: String,
        /// Which.
        field: &'static str,
        /// The rule it breaks.
        #[source]
        source: sealift_core::names::NameError,
    },
    /// A value of the wrong type, or a missing field.
    #[error("{place}: {object}: {field}: {message}")]
    Value {
        /// Where.
        place: Place,
        /// `Kind namespace/name`.
        object: String,
        /// JSON path.
        field: String,
        /// What is wrong; never a value of a Secret.
        message: String,
    },
    /// The same object twice.
    #[error("{second}: {object} is already in {first}")]
    Duplicate {
        /// `Kind namespace/name`.
        object: String,
        /// Where it was read first.
        first: Place,
        /// Where it was read again.
        second: Place,
    },
}
