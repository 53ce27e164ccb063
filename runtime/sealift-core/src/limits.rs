//! What a Function may use up, finite by construction.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::duration;

/// The most a manifest may ask for: what a pod of ours can be expected to have.
const MAX_MEMORY_BYTES: u64 = 4 << 30;
/// A week of CPU is no limit any more.
const MAX_CPU_SECONDS: u64 = 7 * 24 * 3600;
/// The longest session: below the time after which rustic's prune deletes unreferenced packs (23 h).
pub const MAX_SESSION_SECONDS: u64 = 20 * 3600;
const KEYS: [&str; 3] = ["cpuSeconds", "memory", "wallTime"];

/// Why `limits` are refused. `field` is relative to `spec.limits`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// A key nobody knows.
    #[error("{field:?} is unknown; valid are {}", KEYS.join(", "))]
    Unknown {
        /// The key.
        field: String,
    },
    /// A value that is none, or out of bounds.
    #[error("expected {expected}")]
    Value {
        /// The key; empty = the whole.
        field: &'static str,
        /// What is expected there.
        expected: &'static str,
    },
}

impl LimitError {
    /// Where, relative to `spec.limits`.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Unknown { field } => field,
            Self::Value { field, .. } => field,
        }
    }
}

/// Limits of one run of one stage. The defaults hold where a Function says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// CPU seconds, counted only while the Function itself runs.
    pub cpu_seconds: u64,
    /// Bytes of linear memory.
    pub memory_bytes: u64,
    /// Seconds from start to end of the stage.
    pub wall_seconds: u64,
    /// Bytes of log messages, standard error and phases together; what is beyond is dropped and counted.
    pub log_bytes: u64,
}

impl Default for Limits {
    /// 600 CPU seconds move about 2 TiB through a guest copy; 128 MiB is ten times what the
    /// largest built-in Function used; 20 h is the longest session (below rustic's keep-delete of 23 h).
    fn default() -> Self {
        Self {
            cpu_seconds: 600,
            memory_bytes: 128 << 20,
            wall_seconds: 20 * 3600,
            log_bytes: 1 << 20,
        }
    }
}

impl Limits {
    /// Reads `spec.limits`; what is not named keeps its default.
    ///
    /// # Errors
    /// Everything that is not known or not well-formed, at least one.
    pub fn parse(limits: &Value) -> Result<Self, Vec<LimitError>> {
        let mut errors = Vec::new();
        let mut found = Self::default();
        let Some(fields) = limits.as_object() else {
            return Err(vec![LimitError::Value { field: "", expected: "an object" }]);
        };
        let mut take = |field, value: Option<u64>, target: &mut u64, expected| match value {
            Some(value) => *target = value,
            None => errors.push(LimitError::Value { field, expected }),
        };
        let mut unknown = Vec::new();
        for (key, value) in fields {
            match key.as_str() {
                "cpuSeconds" => {
                    let seconds =
                        value.as_u64().filter(|seconds| (1..=MAX_CPU_SECONDS).contains(seconds));
                    let expected = "whole seconds from 1 to 604800";
                    take("cpuSeconds", seconds, &mut found.cpu_seconds, expected);
                }
                "memory" => {
                    let bytes = bytes_of(value)
                        .filter(|bytes| (1 << 16..=MAX_MEMORY_BYTES).contains(bytes));
                    let expected = "an amount of memory such as 128Mi, from 64Ki to 4Gi";
                    take("memory", bytes, &mut found.memory_bytes, expected);
                }
                "wallTime" => {
                    let seconds = value
                        .as_str()
                        .and_then(|text| duration::parse_seconds(text).ok())
                        .filter(|seconds| *seconds <= MAX_SESSION_SECONDS);
                    let expected = "a duration such as 2h, at most 20h";
                    take("wallTime", seconds, &mut found.wall_seconds, expected);
                }
                _ => unknown.push(LimitError::Unknown { field: key.chars().take(60).collect() }),
            }
        }
        errors.extend(unknown);
        if errors.is_empty() { Ok(found) } else { Err(errors) }
    }
}

/// Bytes of a quantity: a whole number with one of Kubernetes' suffixes.
fn bytes_of(value: &Value) -> Option<u64> {
    if let Some(bytes) = value.as_u64() {
        return Some(bytes);
    }
    let text = value.as_str()?;
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let unit: u64 = match suffix {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_of_a_manifest_are_read() {
        let limits =
            Limits::parse(&json!({"cpuSeconds": 60, "memory": "64Mi", "wallTime": "2h"})).unwrap();
        assert_eq!(
            (limits.cpu_seconds, limits.memory_bytes, limits.wall_seconds),
            (60, 64 << 20, 7200)
        );
        assert_eq!(Limits::parse(&json!({})).unwrap(), Limits::default());
    }

    #[test]
    fn what_is_no_limit_is_refused_with_its_field() {
        for (limits, field) in [
            (json!({"cpu": 1}), "cpu"),
            (json!({"cpuSeconds": 0}), "cpuSeconds"),
            (json!({"cpuSeconds": "60"}), "cpuSeconds"),
            (json!({"memory": "128MB"}), "memory"),
            (json!({"memory": "1Ti"}), "memory"),
            (json!({"memory": "99999999999999999999Gi"}), "memory"),
            (json!({"memory": -1}), "memory"),
            (json!({"wallTime": "0s"}), "wallTime"),
            (json!({"wallTime": "21h"}), "wallTime"),
            (json!([]), ""),
        ] {
            assert_eq!(Limits::parse(&limits).unwrap_err()[0].field(), field, "{limits}");
        }
    }
}
