//! Shows on standard error what a chain tells while it runs.
//!
//! On a terminal each stage has a line with what it does and how far it is; elsewhere phases
//! and log lines go to the log. What a Function warns of is kept for the summary.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use sealift_host::ports::{Events, LogLevel};

/// Progress lines by stage; none where standard error is no terminal.
pub(crate) struct Display {
    lines: Option<MultiProgress>,
    stages: Mutex<BTreeMap<String, ProgressBar>>,
    warnings: Mutex<Vec<String>>,
}

impl Display {
    /// A display on standard error.
    pub(crate) fn new() -> Self {
        let lines = std::io::stderr().is_terminal().then(MultiProgress::new);
        Self { lines, stages: Mutex::default(), warnings: Mutex::default() }
    }

    /// Removes all lines, so that results stand alone.
    pub(crate) fn clear(&self) {
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        for line in stages.values() {
            line.finish_and_clear();
        }
        stages.clear();
    }

    /// What the Functions warned of, for the summary; each is taken once.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_line(&self, stage: &str, change: impl FnOnce(&ProgressBar)) {
        let Some(lines) = &self.lines else { return };
        let mut stages = self.stages.lock().unwrap_or_else(PoisonError::into_inner);
        let line = stages.entry(stage.to_owned()).or_insert_with(|| {
            let line = lines.add(ProgressBar::no_length());
            line.set_style(style(false));
            line.set_prefix(stage.to_owned());
            line.enable_steady_tick(Duration::from_millis(200));
            line
        });
        change(line);
    }
}

/// The template is constant; should it ever be wrong, indicatif's own is shown.
fn style(with_total: bool) -> ProgressStyle {
    let template = if with_total {
        "{spinner} {prefix:28} {bar:24} {bytes:>11}/{total_bytes} {msg}"
    } else {
        "{spinner} {prefix:28} {bytes:>11} {msg}"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Events for Display {
    fn log(&self, stage: &str, level: LogLevel, message: &str) {
        match level {
            LogLevel::Debug => tracing::debug!(stage, "{message}"),
            LogLevel::Info => tracing::info!(stage, "{message}"),
            // The summary shows it: a line of the log would be lost among progress lines.
            LogLevel::Warn => self
                .warnings
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(format!("{stage}: {message}")),
        }
    }

    fn phase(&self, stage: &str, text: &str) {
        tracing::info!(stage, phase = text);
        self.with_line(stage, |line| line.set_message(text.to_owned()));
    }

    fn progress(&self, stage: &str, total: Option<u64>, done: u64) {
        self.with_line(stage, |line| {
            if let Some(total) = total
                && line.length() != Some(total)
            {
                line.set_style(style(true));
                line.set_length(total);
            }
            line.set_position(done);
        });
    }
}
