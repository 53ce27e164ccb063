//! What a session tells as events: the original's reasons, literally, and ours.
//!
//! Pure: a report goes in, events come out. Writing them is the recorder's.

use sealift_core::plan::Direction;

use crate::chain_of_causes;
use crate::report::SessionReport;

/// The component events come from, as the original names it.
pub const SOURCE: &str = "Status Updater";

/// An event, before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whether a person should look at it.
    pub warning: bool,
    /// The reason; five of the original's contain blanks.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// The events of a session that has ended.
#[must_use]
pub fn told(report: &SessionReport) -> Vec<Told> {
    let mut events = vec![host(report)];
    let mut warn = |reason, message: String| events.push(Told { warning: true, reason, message });
    if let Some(error) = &report.maintenance.retention_error {
        let message = format!("Failed to apply retention policy. Reason: {error}");
        warn("FailedToApplyRetentionPolicy", message);
    }
    if let Some([first, ..]) = report.maintenance.findings.as_deref() {
        let message = format!("Repository integrity verification failed. Reason: {first}");
        warn("FailedToVerifyRepositoryIntegrity", message);
    }
    if let Some((hook, error)) = report.hooks.failure(&report.plan.direction) {
        let reason = match hook {
            "preBackup" => "FailedToExecutePreBackupHook",
            "postBackup" => "FailedToExecutePostBackupHook",
            "preRestore" => "FailedToExecutePreRestoreHook",
            _ => "FailedToExecutePostRestoreHook",
        };
        warn(reason, format!("Failed to execute {hook} hook. Reason: {error}"));
    }
    for error in &report.observer_warnings {
        warn("FailedToPushMetrics", format!("Failed to push metrics. Reason: {error}"));
    }
    if let Some(error) = &report.maintenance.postponed {
        let message = format!(
            "What needs the repository for itself is left to a later session; if that is said of every session, move the schedules apart. Reason: {error}"
        );
        warn("MaintenancePostponed", message);
    }
    for warning in &report.warnings {
        warn("SessionWarning", warning.clone());
    }
    let mut say = |reason, message: &String| {
        events.push(Told { warning: false, reason, message: message.clone() });
    };
    report.secrets_written.iter().for_each(|message| say("UnsealKeysReplaced", message));
    // A BackupConfiguration says them once, and not with every session.
    if let Direction::Restore(_) = report.plan.direction {
        report.plan.notes.iter().for_each(|note| say("PlanNote", note));
    }
    events
}

/// The event of the original.
fn host(report: &SessionReport) -> Told {
    let plan = &report.plan;
    let host = &plan.target.hostname;
    let (kind, name) = (&plan.target.reference.kind, &plan.target.reference.name);
    let error = || report.failure.as_ref().map(|error| chain_of_causes(error)).unwrap_or_default();
    let (warning, reason, message) = match (&plan.direction, report.data_is_safe()) {
        (Direction::Backup(_), true) => (
            false,
            "Host Backup Succeeded",
            format!("backup succeeded for host {host} of {kind:?}/{name:?}."),
        ),
        (Direction::Backup(_), false) => (
            true,
            "Host Backup Failed",
            format!("backup failed for host {host:?} of {kind:?}/{name:?}. Reason: {}", error()),
        ),
        (Direction::Restore(_), true) => {
            (false, "Host Restore Succeeded", format!("restore succeeded for host {host:?}"))
        }
        (Direction::Restore(_), false) => (
            true,
            "Host Restore Failed",
            format!("restore failed for host {host:?}. Reason: {}", error()),
        ),
    };
    Told { warning, reason, message }
}
