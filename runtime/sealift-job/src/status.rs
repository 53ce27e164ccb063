//! A session's report as the object the API defines: `BackupSession` or `RestoreSession`.
//!
//! Phases, condition types, reasons and texts are those of the original, so that scripts which
//! read them go on working. Pure: the report goes in, the object comes out.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use sealift_api::backup_session::{
    BackupSession, BackupSessionPhase, BackupSessionSpec, BackupSessionStatus, BackupTargetStatus,
    FileStats, HostBackupStats, HostPhase, InvokerRef, SnapshotStats, TargetPhase,
};
use sealift_api::condition::Condition;
use sealift_api::manifest::STASH_V1BETA1;
use sealift_api::reference::TargetRef;
use sealift_api::restore_session::{
    HostRestoreStats, RestoreSession, RestoreSessionPhase, RestoreSessionSpec, RestoreSessionStatus,
};
use sealift_core::duration::format_seconds;
use sealift_core::plan::{ObjectRef, Plan};
use sealift_host::Status;

use crate::chain_of_causes;
use crate::failure::SessionError;
use crate::hooks::{HookResult, hook_name};
use crate::report::{Outcome, SessionReport};

/// The BackupSession of a backup.
#[must_use]
pub fn backup_session(report: &SessionReport) -> BackupSession {
    let plan = &report.plan;
    let spec = BackupSessionSpec {
        invoker: Some(InvokerRef {
            api_group: Some(plan.invoker.group.clone()),
            kind: plan.invoker.kind.clone(),
            name: plan.invoker.name.clone(),
        }),
        retry_left: None,
    };
    let succeeded = report.outcome == Outcome::Succeeded;
    let status = BackupSessionStatus {
        phase: Some(if succeeded {
            BackupSessionPhase::Succeeded
        } else {
            BackupSessionPhase::Failed
        }),
        session_duration: Some(duration(report)),
        targets: vec![target(report)],
        conditions: backup_conditions(report),
        ..BackupSessionStatus::default()
    };
    BackupSession {
        api_version: STASH_V1BETA1.to_owned(),
        kind: "BackupSession".to_owned(),
        metadata: metadata(plan),
        spec,
        status: Some(status),
    }
}

/// The RestoreSession of a restore. Its `spec` repeats only what identifies it.
#[must_use]
pub fn restore_session(report: &SessionReport) -> RestoreSession {
    let succeeded = report.outcome == Outcome::Succeeded;
    let status = RestoreSessionStatus {
        phase: Some(if succeeded {
            RestoreSessionPhase::Succeeded
        } else {
            RestoreSessionPhase::Failed
        }),
        total_hosts: Some(1),
        session_duration: Some(duration(report)),
        session_deadline: None,
        conditions: restore_conditions(report),
        stats: vec![restore_stats(report)],
    };
    RestoreSession {
        api_version: STASH_V1BETA1.to_owned(),
        kind: "RestoreSession".to_owned(),
        metadata: metadata(&report.plan),
        spec: RestoreSessionSpec::default(),
        status: Some(status),
    }
}

/// The one target of a backup.
pub(crate) fn target(report: &SessionReport) -> BackupTargetStatus {
    let maintenance = &report.maintenance;
    let maintained = maintenance.retention.is_some() || maintenance.retention_error.is_some();
    let actions = [
        ("ApplyRetentionPolicy", maintained),
        ("VerifyRepositoryIntegrity", maintenance.findings.is_some()),
        ("SendRepositoryMetrics", maintenance.findings.is_some() && report.observed()),
    ];
    let good = report.data_is_safe() && report.hooks.failure(&report.plan.direction).is_none();
    BackupTargetStatus {
        reference: Some(target_ref(&report.plan.target.reference)),
        total_hosts: Some(1),
        phase: Some(if good { TargetPhase::Succeeded } else { TargetPhase::Failed }),
        stats: vec![host_stats(report)],
        pre_backup_actions: vec!["InitializeBackendRepository".to_owned()],
        post_backup_actions: actions
            .into_iter()
            .filter(|(_, done)| *done)
            .map(|(action, _)| action.to_owned())
            .collect(),
        conditions: hook_conditions(report),
    }
}

/// The one host of a restore.
pub(crate) fn restore_stats(report: &SessionReport) -> HostRestoreStats {
    let safe = report.data_is_safe();
    HostRestoreStats {
        hostname: Some(report.plan.target.hostname.clone()),
        phase: Some(if safe { HostPhase::Succeeded } else { HostPhase::Failed }),
        duration: Some(duration(report)),
        error: report.failure.as_ref().map(|error| chain_of_causes(error)),
    }
}

/// The conditions of a restore.
pub(crate) fn restore_conditions(report: &SessionReport) -> Vec<Condition> {
    let mut conditions = hook_conditions(report);
    conditions.extend(metrics_condition(report));
    conditions
}

/// What is said of hooks, where there were any.
fn hook_conditions(report: &SessionReport) -> Vec<Condition> {
    let direction = &report.plan.direction;
    [(true, &report.hooks.before), (false, &report.hooks.after)]
        .into_iter()
        .filter_map(|(before, result)| {
            let name = hook_name(direction, before);
            // Types and reasons of the original begin with the field's name, raised.
            let raised = match name {
                "preBackup" => "PreBackup",
                "postBackup" => "PostBackup",
                "preRestore" => "PreRestore",
                _ => "PostRestore",
            };
            let good = format!("SuccessfullyExecuted{raised}Hook");
            let (holds, reason, message) = match result.as_ref()? {
                HookResult::Succeeded => {
                    (true, good, format!("Successfully executed {name} hook."))
                }
                HookResult::Skipped(why) => (true, good, why.clone()),
                HookResult::Failed(error) => (
                    false,
                    format!("FailedToExecute{raised}Hook"),
                    format!("Failed to execute {name} hook. Reason: {error}"),
                ),
            };
            let type_ = format!("{raised}HookExecutionSucceeded");
            Some(condition(report, &type_, holds, &reason, message))
        })
        .collect()
}

fn metadata(plan: &Plan) -> ObjectMeta {
    ObjectMeta {
        name: Some(plan.session.name.clone()),
        namespace: Some(plan.session.namespace.clone()),
        ..ObjectMeta::default()
    }
}

pub(crate) fn target_ref(target: &ObjectRef) -> TargetRef {
    TargetRef {
        api_version: Some(sealift_api::manifest::APP_CATALOG_V1ALPHA1.to_owned()),
        kind: Some(target.kind.clone()),
        name: Some(target.name.clone()),
        namespace: Some(target.namespace.clone()),
    }
}

fn host_stats(report: &SessionReport) -> HostBackupStats {
    let processing = report.stages.iter().map(|stage| stage.wall.as_secs_f64()).fold(0.0, f64::max);
    HostBackupStats {
        hostname: Some(report.plan.target.hostname.clone()),
        phase: Some(match report.committed {
            Some(_) => HostPhase::Succeeded,
            None => HostPhase::Failed,
        }),
        duration: Some(duration(report)),
        error: match report.committed {
            Some(_) => None,
            None => report.failure.as_ref().map(|error| chain_of_causes(error)),
        },
        snapshots: report.committed.iter().map(|done| snapshot_stats(done, processing)).collect(),
    }
}

fn snapshot_stats(
    committed: &sealift_repository::Committed,
    processing_seconds: f64,
) -> SnapshotStats {
    let stored = &committed.statistics;
    let count = |number: u64| i64::try_from(number).ok();
    SnapshotStats {
        // The original shows restic's short form.
        name: Some(committed.snapshot.id.chars().take(8).collect()),
        path: committed.snapshot.paths.first().cloned(),
        total_size: Some(size(stored.total_bytes)),
        uploaded: Some(size(stored.uploaded_bytes)),
        processing_time: Some(clock_time(processing_seconds)),
        file_stats: Some(FileStats {
            total_files: count(stored.files_total),
            new_files: count(stored.files_new),
            modified_files: count(stored.files_modified),
            unmodified_files: count(stored.files_unmodified),
        }),
    }
}

/// The conditions of a backup, those of its target excepted.
pub(crate) fn backup_conditions(report: &SessionReport) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let mut add = |type_: &str, good: (&str, &str), bad: (&str, &str), error: Option<&str>| {
        conditions.push(match error {
            None => condition(report, type_, true, good.0, good.1.to_owned()),
            Some(error) => {
                condition(report, type_, false, bad.0, format!("{} Reason: {error}", bad.1))
            }
        });
    };
    if !report.stages.is_empty() {
        let mut found = "Repository exist in the backend.".to_owned();
        if let Some(note) = &report.repository_note {
            found.push_str(&format!(" Note: {note}."));
        }
        add(
            "BackendRepositoryInitialized",
            ("BackendRepositoryFound", &found),
            ("FailedToInitializeBackendRepository", "Failed to initialize backend repository."),
            None,
        );
    }
    if let Some(
        error @ (SessionError::Storage(_)
        | SessionError::Locked { .. }
        | SessionError::Repository { .. }),
    ) = &report.failure
        && report.stages.is_empty()
        // It was found, and the condition of its integrity says the rest.
        && error.damage().is_none()
    {
        add(
            "BackendRepositoryInitialized",
            ("", ""),
            ("FailedToInitializeBackendRepository", "Failed to initialize backend repository."),
            Some(&chain_of_causes(error)),
        );
    }
    let maintenance = &report.maintenance;
    if maintenance.retention.is_some() || maintenance.retention_error.is_some() {
        add(
            "RetentionPolicyApplied",
            ("SuccessfullyAppliedRetentionPolicy", "Successfully applied retention policy."),
            ("FailedToApplyRetentionPolicy", "Failed to apply retention policy."),
            maintenance.retention_error.as_deref(),
        );
    }
    if let Some(findings) = &maintenance.findings {
        add(
            "RepositoryIntegrityVerified",
            (
                "SuccessfullyVerifiedRepositoryIntegrity",
                "Repository integrity verification succeeded.",
            ),
            ("FailedToVerifyRepositoryIntegrity", "Repository integrity verification failed."),
            findings.first().map(String::as_str),
        );
    }
    conditions.extend(postponed_conditions(report));
    conditions.extend(metrics_conditions(report));
    conditions
}

/// What is left to a later session, since others are in the repository: neither done nor failed.
fn postponed_conditions(report: &SessionReport) -> Vec<Condition> {
    let maintenance = &report.maintenance;
    let Some(why) = &maintenance.postponed else { return Vec::new() };
    let unknown = |type_: &str, reason: &str, what: &str| Condition {
        status: "Unknown".to_owned(),
        ..condition(report, type_, false, reason, format!("{what} Reason: {why}"))
    };
    let mut conditions = Vec::new();
    if report.plan.retention.is_some() {
        conditions.push(unknown(
            "RetentionPolicyApplied",
            "RetentionPolicyPostponed",
            "Retention policy is left to the next session that is alone in the repository.",
        ));
    }
    if maintenance.findings.is_none() {
        conditions.push(unknown(
            "RepositoryIntegrityVerified",
            "RepositoryIntegrityVerificationPostponed",
            "Repository integrity verification is left to a later session.",
        ));
    }
    conditions
}

/// What is said of metrics. Those of the repository go out together with those of the session.
pub(crate) fn metrics_conditions(report: &SessionReport) -> Vec<Condition> {
    let metrics = metrics_condition(report);
    let of_repository = metrics.as_ref().filter(|_| report.maintenance.findings.is_some());
    let of_repository = of_repository.map(|metrics| {
        let good = metrics.status == "True";
        let said = metrics.message.as_deref().unwrap_or_default();
        let (reason, message) = match good {
            true => (
                "SuccessfullyPushedRepositoryMetrics",
                "Successfully pushed repository metrics.".to_owned(),
            ),
            false => (
                "FailedToPushRepositoryMetrics",
                said.replacen("push metrics", "push repository metrics", 1),
            ),
        };
        condition(report, "RepositoryMetricsPushed", good, reason, message)
    });
    of_repository.into_iter().chain(metrics).collect()
}

/// `MetricsPushed`, once observers have run or could not be.
fn metrics_condition(report: &SessionReport) -> Option<Condition> {
    let failed = report.observers.iter().find(|observer| observer.status != Status::Succeeded);
    let error = match (&report.observers_refused, failed) {
        (Some(refused), _) => Some(refused.clone()),
        (None, Some(observer)) => {
            let error = observer.error.as_ref().map(|error| chain_of_causes(error));
            Some(error.unwrap_or_default())
        }
        (None, None) if report.observers.is_empty() => return None,
        (None, None) => None,
    };
    let (reason, message) = match &error {
        None => ("SuccessfullyPushedMetrics", "Successfully pushed metrics.".to_owned()),
        Some(error) => ("FailedToPushMetrics", format!("Failed to push metrics. Reason: {error}")),
    };
    Some(condition(report, "MetricsPushed", error.is_none(), reason, message))
}

fn condition(
    report: &SessionReport,
    type_: &str,
    holds: bool,
    reason: &str,
    message: String,
) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status: if holds { "True" } else { "False" }.to_owned(),
        last_transition_time: Time(report.finished),
        reason: Some(reason.to_owned()),
        message: Some(message),
        severity: None,
        observed_generation: None,
    }
}

/// Whole seconds, as the original has them; a session shorter than one shows `1s`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a session lasts between 0 and 72 000 s"
)]
fn duration(report: &SessionReport) -> String {
    format_seconds((report.seconds().round() as u64).max(1))
}

/// `m:ss`, or `h:mm:ss` from an hour on, as restic shows it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a stage lasts between 0 and 72 000 s"
)]
fn clock_time(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The original's form of a size: `75.867 KiB`, `12 B`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
#[must_use]
pub fn size(bytes: u64) -> String {
    const KIB: u64 = 1 << 10;
    let (unit, name) = match bytes {
        0..KIB => return format!("{bytes} B"),
        KIB..0x10_0000 => (KIB, "KiB"),
        0x10_0000..0x4000_0000 => (1 << 20, "MiB"),
        0x4000_0000..0x100_0000_0000 => (1 << 30, "GiB"),
        _ => (1 << 40, "TiB"),
    };
    format!("{:.3} {name}", bytes as f64 / unit as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_restic_shows_them() {
        assert_eq!(clock_time(0.4), "0:00");
        assert_eq!(clock_time(61.0), "1:01");
        assert_eq!(clock_time(3600.0 + 62.0), "1:01:02");
    }

    #[test]
    fn sizes_read_as_the_original_writes_them() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(77_688), "75.867 KiB");
        assert_eq!(size(1 << 20), "1.000 MiB");
        assert_eq!(size(5 << 30), "5.000 GiB");
        assert_eq!(size(3 << 40), "3.000 TiB");
    }
}
