//! What Functions tell while they run: lines of the Job's log, and warnings for its end.

use std::sync::{Mutex, PoisonError};

use sealift_host::ports::{Events, LogLevel};

/// Logs everything, and keeps what Functions warn of.
#[derive(Debug, Default)]
pub struct LogEvents {
    warnings: Mutex<Vec<String>>,
}

impl LogEvents {
    /// The warnings, each once.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Events for LogEvents {
    fn log(&self, stage: &str, level: LogLevel, message: &str) {
        match level {
            LogLevel::Debug => tracing::debug!(stage, "{message}"),
            LogLevel::Info => tracing::info!(stage, "{message}"),
            LogLevel::Warn => {
                tracing::warn!(stage, "{message}");
                let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
                warnings.push(format!("{stage}: {message}"));
            }
        }
    }

    fn phase(&self, stage: &str, text: &str) {
        tracing::info!(stage, phase = text);
    }

    fn progress(&self, stage: &str, total: Option<u64>, done: u64) {
        tracing::debug!(stage, total, done, "progress");
    }
}
