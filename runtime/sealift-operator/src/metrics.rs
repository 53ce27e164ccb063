//! What the operator counts, and how it is told: the text format of Prometheus.
//!
//! Labels are kinds, reasons and phases: the number of series is bounded. Names stand only in the
//! two series a BackupConfiguration has. Metrics of single backups are pushed by their Jobs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sealift_kube::Class;

/// Upper bounds of the buckets for durations, in seconds.
const BUCKETS: [f64; 8] = [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// How a reconciliation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It worked.
    Done,
    /// It did not.
    Failed {
        /// The error's word.
        reason: &'static str,
        /// Whose fault it is.
        class: Class,
    },
}

/// What is counted of one kind.
#[derive(Debug)]
pub struct KindMetrics {
    kind: &'static str,
    running: AtomicUsize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    outcomes: BTreeMap<Outcome, u64>,
    buckets: [u64; BUCKETS.len()],
    seconds: f64,
    total: u64,
}

impl KindMetrics {
    /// Nothing yet.
    #[must_use]
    pub fn new(kind: &'static str) -> Self {
        Self { kind, running: AtomicUsize::new(0), counts: Mutex::default() }
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// How many are worked on.
    pub fn set_running(&self, running: usize) {
        self.running.store(running, Ordering::Relaxed);
    }

    /// One more has ended.
    pub fn finished(&self, outcome: Outcome, took: Duration) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.outcomes.entry(outcome).or_default() += 1;
        let seconds = took.as_secs_f64();
        for (bucket, bound) in counts.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
        counts.seconds += seconds;
        counts.total += 1;
    }
}

/// A number that is read when it is asked for.
#[derive(Debug, Clone)]
pub struct Gauge {
    /// The series' name.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Labels in their text form, without braces; empty = none.
    pub labels: String,
    /// The number.
    pub value: f64,
}

/// All of it as text.
#[must_use]
pub fn render(kinds: &[Arc<KindMetrics>], gauges: &[Gauge]) -> String {
    let mut text = String::new();
    let head = |text: &mut String, name: &str, help: &str, type_: &str| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {type_}");
    };
    head(&mut text, "sealift_reconcile_total", "Reconciliations by result.", "counter");
    for kind in kinds {
        let counts = kind.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (outcome, count) in &counts.outcomes {
            let (reason, class) = match outcome {
                Outcome::Done => ("", ""),
                Outcome::Failed { reason, class } => (*reason, class.as_str()),
            };
            let _ = writeln!(
                text,
                "sealift_reconcile_total{{kind=\"{}\",reason=\"{reason}\",class=\"{class}\"}} {count}",
                kind.kind
            );
        }
    }
    let name = "sealift_reconcile_duration_seconds";
    head(&mut text, name, "How long reconciliations take.", "histogram");
    for kind in kinds {
        let counts = kind.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kind.kind;
        for (bucket, bound) in counts.buckets.iter().zip(BUCKETS) {
            let _ = writeln!(text, "{name}_bucket{{kind=\"{kind}\",le=\"{bound}\"}} {bucket}");
        }
        let _ = writeln!(text, "{name}_bucket{{kind=\"{kind}\",le=\"+Inf\"}} {}", counts.total);
        let _ = writeln!(text, "{name}_sum{{kind=\"{kind}\"}} {}", counts.seconds);
        let _ = writeln!(text, "{name}_count{{kind=\"{kind}\"}} {}", counts.total);
    }
    head(&mut text, "sealift_reconcile_running", "Reconciliations under way.", "gauge");
    for kind in kinds {
        let running = kind.running.load(Ordering::Relaxed);
        let _ = writeln!(text, "sealift_reconcile_running{{kind=\"{}\"}} {running}", kind.kind);
    }
    let mut last = "";
    for gauge in gauges {
        if gauge.name != last {
            head(&mut text, gauge.name, gauge.help, "gauge");
            last = gauge.name;
        }
        let labels = match gauge.labels.as_str() {
            "" => String::new(),
            labels => format!("{{{labels}}}"),
        };
        let _ = writeln!(text, "{}{labels} {}", gauge.name, gauge.value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_told_in_the_text_format() {
        let kind = Arc::new(KindMetrics::new("BackupSession"));
        kind.finished(Outcome::Done, Duration::from_millis(20));
        kind.finished(
            Outcome::Failed { reason: "FailedToApply", class: Class::Transient },
            Duration::from_secs(2),
        );
        kind.set_running(3);
        let gauges = [
            Gauge {
                name: "sealift_sessions",
                help: "Sessions by phase.",
                labels: "kind=\"BackupSession\",phase=\"Running\"".to_owned(),
                value: 2.0,
            },
            Gauge {
                name: "sealift_ready",
                help: "Whether all watches work.",
                labels: String::new(),
                value: 1.0,
            },
        ];
        insta::assert_snapshot!(render(&[kind], &gauges));
    }
}
