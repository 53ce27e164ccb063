//! What a session tells as events: the original's reasons, literally, and ours.
//!
//! Pure: a report goes in, events come out. Writing them is the recorder's.

use sealift_core::plan::{Direction, Plan};

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
    if let Some(message) = keys_beside(&report.plan).filter(|_| report.committed.is_some()) {
        warn("UnsealKeysInRepository", message);
    }
    for warning in &report.warnings {
        warn("SessionWarning", warning.clone());
    }
    events.extend(report.secrets_written.iter().map(|message| Told {
        warning: false,
        reason: "UnsealKeysReplaced",
        message: message.clone(),
    }));
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

/// Who can read the repository can rebuild the Vault: that must be known.
fn keys_beside(plan: &Plan) -> Option<String> {
    let keys = plan.keys.as_ref()?;
    if !matches!(plan.direction, Direction::Backup(_)) {
        return None;
    }
    Some(format!(
        "the root token and {} unseal keys of {} lie in {} beside the snapshot, protected by RESTIC_PASSWORD of Secret {}/{} alone; parameter unsealKeys: omit leaves them out",
        keys.shares,
        plan.target.reference,
        plan.repository.reference,
        plan.repository.secret.namespace,
        plan.repository.secret.name
    ))
}
