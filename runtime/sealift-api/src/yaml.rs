//! The only place that knows the YAML crate: text to JSON values and back.
//!
//! Input is untrusted: size, depth, number of nodes, aliases and documents are bounded, keys
//! must not appear twice, and messages never repeat the text, which may hold a secret.

use serde::Serialize;
use serde_json::Value;
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};

/// The largest file; a whole cluster's worth of manifests is smaller.
pub const MAX_BYTES: usize = 8 << 20;

/// One document of a file; empty ones are left out.
#[derive(Debug)]
pub(crate) struct YamlDocument {
    /// Line it begins at, from 1.
    pub(crate) line: u64,
    /// Its content.
    pub(crate) value: Value,
}

/// Why a text is not read.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// More than [`MAX_BYTES`].
    #[error("it has {0} bytes, more than {MAX_BYTES}")]
    Large(usize),
    /// Not YAML, or beyond the bounds.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong, without the text itself.
        message: String,
    },
}

/// A value that cannot be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("failed to write YAML")]
pub struct WriteError(#[source] serde_saphyr::SerializeError);

pub(crate) fn read(text: &str) -> Result<Vec<YamlDocument>, YamlError> {
    if text.len() > MAX_BYTES {
        return Err(YamlError::Large(text.len()));
    }
    let documents: Vec<Spanned<Value>> = serde_saphyr::from_multiple_with_options(text, options())
        .map_err(|error| {
            let place = error.location();
            YamlError::Syntax {
                line: place.as_ref().map_or(1, |place| place.line()),
                column: place.as_ref().map_or(1, |place| place.column()),
                message: reason(&error),
            }
        })?;
    Ok(documents
        .into_iter()
        .map(|document| YamlDocument { line: document.referenced.line(), value: document.value })
        .collect())
}

/// Writes a value as one YAML document.
///
/// # Errors
/// The value has no YAML form, such as a map with keys that are not text.
pub fn write<T: Serialize>(value: &T) -> Result<String, WriteError> {
    serde_saphyr::to_string(value).map_err(WriteError)
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 64,
            max_documents: 1024,
            max_nodes: 250_000,
            max_aliases: 1000,
            max_anchors: 1000,
            // Manifests are often half commented out.
            max_buffered_comment_events: 100_000,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        emit_comments: false,
    }
}

/// The parser's own words, cut before anything it quotes.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let end = first.find(['"', '`', '\'', '“']).unwrap_or(first.len());
    let plain = first.get(..end).unwrap_or(first);
    // The place is told on its own, and hints for users of the parser are none for ours.
    let plain = plain.split(" at line ").next().unwrap_or_default();
    let plain = plain.split(", set ").next().unwrap_or_default().trim().trim_end_matches(':');
    match plain.is_empty() {
        true => "not valid YAML".to_owned(),
        false => plain.to_owned(),
    }
}
