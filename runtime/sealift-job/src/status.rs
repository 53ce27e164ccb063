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
    let safe = report.committed.is_some();
    let status = BackupSessionStatus {
        phase: Some(if succeeded {
            BackupSessionPhase::Succeeded
        } else {
            BackupSessionPhase::Failed
        }),
        session_duration: Some(duration(report)),
        targets: vec![BackupTargetStatus {
            reference: Some(target_ref(&plan.target.reference)),
            total_hosts: Some(1),
            phase: Some(if safe { TargetPhase::Succeeded } else { TargetPhase::Failed }),
            stats: vec![host_stats(report)],
            ..BackupTargetStatus::default()
        }],
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
        conditions: metrics_condition(report).into_iter().collect(),
        stats: vec![HostRestoreStats {
            hostname: Some(report.plan.target.hostname.clone()),
            phase: Some(if succeeded { HostPhase::Succeeded } else { HostPhase::Failed }),
            duration: Some(duration(report)),
            error: report.failure.as_ref().map(|error| chain_of_causes(error)),
        }],
    };
    RestoreSession {
        api_version: STASH_V1BETA1.to_owned(),
        kind: "RestoreSession".to_owned(),
        metadata: metadata(&report.plan),
        spec: RestoreSessionSpec::default(),
        status: Some(status),
    }
}

fn metadata(plan: &Plan) -> ObjectMeta {
    ObjectMeta {
        name: Some(plan.session.name.clone()),
        namespace: Some(plan.session.namespace.clone()),
        ..ObjectMeta::default()
    }
}

fn target_ref(target: &ObjectRef) -> TargetRef {
    TargetRef {
        api_version: Some(sealift_api::manifest::APP_CATALOG_V1ALPHA1.to_owned()),
        kind: Some(target.kind.clone()),
        name: Some(target.name.clone()),
        namespace: Some(target.namespace.clone()),
    }
}

fn host_stats(report: &SessionReport) -> HostBackupStats {
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
        snapshots: report.committed.iter().map(snapshot_stats).collect(),
    }
}

fn snapshot_stats(committed: &sealift_repository::Committed) -> SnapshotStats {
    let stored = &committed.statistics;
    let count = |number: u64| i64::try_from(number).ok();
    SnapshotStats {
        // The original shows restic's short form.
        name: Some(committed.snapshot.id.chars().take(8).collect()),
        path: committed.snapshot.paths.first().cloned(),
        total_size: Some(size(stored.total_bytes)),
        uploaded: Some(size(stored.uploaded_bytes)),
        processing_time: None,
        file_stats: Some(FileStats {
            total_files: count(stored.files_total),
            new_files: count(stored.files_new),
            modified_files: count(stored.files_modified),
            unmodified_files: count(stored.files_unmodified),
        }),
    }
}

fn backup_conditions(report: &SessionReport) -> Vec<Condition> {
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
    conditions.extend(metrics_condition(report));
    conditions
}

/// `MetricsPushed`, once an observer has run.
fn metrics_condition(report: &SessionReport) -> Option<Condition> {
    let failed = report.observers.iter().find(|observer| observer.status != Status::Succeeded);
    match (report.observers.is_empty(), failed) {
        (true, _) => None,
        (false, None) => Some(condition(
            report,
            "MetricsPushed",
            true,
            "SuccessfullyPushedMetrics",
            "Successfully pushed metrics.".to_owned(),
        )),
        (false, Some(observer)) => {
            let error = observer.error.as_ref().map(|error| chain_of_causes(error));
            Some(condition(
                report,
                "MetricsPushed",
                false,
                "FailedToPushMetrics",
                format!("Failed to push metrics. Reason: {}", error.unwrap_or_default()),
            ))
        }
    }
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
    fn sizes_read_as_the_original_writes_them() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(77_688), "75.867 KiB");
        assert_eq!(size(1 << 20), "1.000 MiB");
        assert_eq!(size(5 << 30), "5.000 GiB");
        assert_eq!(size(3 << 40), "3.000 TiB");
    }
}
