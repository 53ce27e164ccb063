//! The only place of this crate that prints: numbered steps with their durations.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this module is the printer of a command-line tool"
)]

use std::time::{Duration, Instant};

/// Numbered steps of one command.
#[derive(Debug)]
pub(crate) struct Steps {
    total: usize,
    current: usize,
    start: Instant,
    step: Instant,
}

impl Steps {
    /// `total` steps will follow.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, current: 0, start: Instant::now(), step: Instant::now() }
    }

    /// Says what comes now; `long` says how long it takes where that is worth knowing.
    pub(crate) fn begin(&mut self, what: &str, long: Option<&str>) {
        self.current += 1;
        self.step = Instant::now();
        let long = long.map(|long| format!(" ({long})")).unwrap_or_default();
        println!("[{:>2}/{}] {what}{long}", self.current, self.total);
    }

    /// Says what came of it and how long it took.
    pub(crate) fn done(&self, result: &str) {
        println!("        {result} · {}", seconds(self.step.elapsed()));
    }

    /// From the first step until now.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// One line.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Output of another program, set off from our own lines.
pub(crate) fn quote(text: &str) {
    for line in text.lines() {
        println!("        │ {line}");
    }
}

/// The end of a command that failed: what was tried, then each cause.
pub(crate) fn error(error: &anyhow::Error) {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// `4.2 s` or `3 min 05 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    let whole = duration.as_secs();
    if whole < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}
