//! What a Function may use up, finite by construction.

use serde::{Deserialize, Serialize};

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
