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

/// Bytes of a quantity, which YAML may write as a number.
fn bytes_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| quantity(value.as_str()?))
}

/// Bytes of an amount of storage or memory as Kubernetes writes it, such as `128Mi` or `1.5Gi`;
/// a fraction of a byte is rounded up, as Kubernetes does. None = it is no such amount.
#[must_use]
pub fn quantity(text: &str) -> Option<u64> {
    let is_suffix = |character: char| !character.is_ascii_digit() && character != '.';
    let (number, suffix) = text.split_at(text.find(is_suffix).unwrap_or(text.len()));
    let unit: u128 = match suffix {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // More digits would say less than a byte, and could not be multiplied.
    if whole.len() + fraction.len() > 18 || whole.len() + fraction.len() == 0 {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    u64::try_from((digits * unit).div_ceil(scale)).ok()
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
            (json!({"memory": "4194305Ki"}), "memory"),
            (json!({"memory": 65535}), "memory"),
            (json!({"memory": "99999999999999999999Gi"}), "memory"),
            (json!({"memory": -1}), "memory"),
            (json!({"wallTime": "0s"}), "wallTime"),
            (json!({"wallTime": "21h"}), "wallTime"),
            (json!([]), ""),
        ] {
            assert_eq!(Limits::parse(&limits).unwrap_err()[0].field(), field, "{limits}");
        }
    }

    #[test]
    fn amounts_are_read_as_kubernetes_writes_them() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1024", Some(1024)),
            ("1.5Gi", Some(3 << 29)),
            (".5Ki", Some(512)),
            ("0.0001Ki", Some(1)),
            ("2T", Some(2_000_000_000_000)),
            ("1Pi", Some(1 << 50)),
            ("", None),
            (".", None),
            ("Gi", None),
            ("1..5Gi", None),
            ("1.5.5", None),
            ("-1", None),
            ("1 Gi", None),
            ("1gi", None),
            ("99999999999999999999", None),
            ("999999999999999999Pi", None),
        ] {
            assert_eq!(quantity(text), bytes, "{text:?}");
        }
    }
}
