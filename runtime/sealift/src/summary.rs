//! The readable summary of a session.

use std::fmt::Write as _;

use sealift_core::plan::{Direction, Location};
use sealift_host::{StageOutcome, Status};
use sealift_job::report::{Outcome, SessionReport};
use sealift_job::status::size;

/// The summary, several lines, each ended.
pub(crate) fn render(report: &SessionReport) -> String {
    let mut text = Lines(String::new());
    let plan = &report.plan;
    let word = match report.outcome {
        Outcome::Succeeded => "Succeeded",
        Outcome::Failed | Outcome::MaintenanceFailed => "Failed",
        Outcome::Cancelled => "Interrupted",
    };
    text.line(&format!(
        "{} {}/{} {word} after {:.1} s",
        plan.session.kind,
        plan.session.namespace,
        plan.session.name,
        report.seconds()
    ));
    let target = &plan.target.reference;
    text.row("target", &format!("{} {}/{}", target.kind, target.namespace, target.name));
    let repository = &plan.repository.reference;
    text.row(
        "repository",
        &format!(
            "{}/{} in {}{}",
            repository.namespace,
            repository.name,
            place(&plan.repository.location),
            if report.repository_created { ", newly made" } else { "" }
        ),
    );
    match &plan.direction {
        Direction::Backup(_) => backup(report, &mut text),
        Direction::Restore(_) => {
            if let Some(snapshot) = &report.restored {
                text.row(
                    "snapshot",
                    &format!("{} of {}", short(&snapshot.id), snapshot.time.timestamp()),
                );
            }
        }
    }
    for stage in report.stages.iter().chain(&report.observers) {
        text.row(kind(stage), &self::stage(stage));
    }
    let warnings = report.notes.iter().chain(&report.warnings).chain(&report.observer_warnings);
    for warning in warnings {
        text.line(&format!("warning: {warning}"));
    }
    text.0
}

fn backup(report: &SessionReport, text: &mut Lines) {
    match &report.committed {
        Some(committed) => {
            let stored = &committed.statistics;
            text.row(
                "snapshot",
                &format!(
                    "{} with {} files, {}, {} new in the repository",
                    short(&committed.snapshot.id),
                    stored.files_total,
                    size(stored.total_bytes),
                    size(stored.uploaded_bytes)
                ),
            );
        }
        None => text.row("snapshot", "none: nothing was committed"),
    }
    let maintenance = &report.maintenance;
    if let Some(retention) = &maintenance.retention {
        let rule = if retention.no_rule { " (no rule keeps less)" } else { "" };
        text.row(
            "retention",
            &format!("{} kept{rule}, {} forgotten", retention.kept, retention.removed.len()),
        );
    }
    if let Some(why) = &maintenance.postponed {
        text.row("maintenance", &format!("left to a later session: {why}"));
    }
    if let Some(findings) = &maintenance.findings {
        match findings.len() {
            0 => text.row("check", "no errors were found"),
            errors => text.row("check", &format!("{errors} errors were found")),
        }
    }
}

fn stage(stage: &StageOutcome) -> String {
    let status = match stage.status {
        Status::Succeeded => "ok",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
        Status::Skipped => "not run",
    };
    format!(
        "{} {status}, {:.1} s, {:.1} s of CPU, {} of memory",
        stage.name,
        stage.wall.as_secs_f64(),
        stage.cpu.as_secs_f64(),
        size(stage.peak_memory)
    )
}

fn kind(stage: &StageOutcome) -> &'static str {
    stage.kind.as_str()
}

fn place(location: &Location) -> String {
    match location {
        Location::Local { path } => path.clone(),
        Location::S3 { endpoint, bucket, prefix, .. } => {
            format!("{endpoint}/{bucket}/{}", prefix.trim_matches('/'))
        }
        Location::Rest { url } => url.clone(),
    }
}

/// restic's short form of an identifier.
pub(crate) fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

/// Lines with a left column.
struct Lines(String);

impl Lines {
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn row(&mut self, name: &str, value: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "  {name:<11} {value}");
    }
}
