//! `status.observedGeneration` as it is found: old releases of the original wrote text.
//!
//! They wrote `"3"` or `"3$5124095577148911"`, generation and hash; objects they left behind
//! still carry it. We read both and write the number.

use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(i64),
    Text(String),
}

/// Reads a generation; text that holds none counts as none, for a status is only a memory.
///
/// # Errors
/// It is neither a number nor text.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Option::<Written>::deserialize(deserializer)? {
        Some(Written::Number(generation)) => Some(generation),
        Some(Written::Text(text)) => {
            text.split('$').next().and_then(|generation| generation.parse().ok())
        }
        None => None,
    })
}
