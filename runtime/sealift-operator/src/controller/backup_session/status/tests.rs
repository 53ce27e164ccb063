#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::json;

use super::*;

const NOW: i64 = 1_767_225_700;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn session(status: serde_json::Value) -> BackupSession {
    serde_json::from_value(json!({
        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
        "metadata": {"name": "demo-backup-1", "namespace": "demo",
            "creationTimestamp": "2026-01-01T00:01:01Z"},
        "spec": {"retryLeft": 1}, "status": status
    }))
    .unwrap()
}

fn running() -> BackupSession {
    session(json!({
        "phase": "Running",
        "targets": [{
            "ref": {"kind": "AppBinding", "name": "vault", "namespace": "demo"},
            "totalHosts": 1, "phase": "Running",
            "conditions": [{"type": "BackupExecutorEnsured", "status": "True",
                "lastTransitionTime": "2026-01-01T00:01:02Z"}]
        }]
    }))
}

/// As the Job leaves it.
fn reported(host: &str, conditions: &[(&str, &str)]) -> BackupSession {
    let mut session = running();
    let status = session.status.as_mut().unwrap();
    let stats = json!([{"hostname": "host-0", "phase": host}]);
    status.targets.first_mut().unwrap().stats = serde_json::from_value(stats).unwrap();
    for (type_, truth) in conditions {
        let said =
            json!({"type": type_, "status": truth, "lastTransitionTime": "2026-01-01T00:02:00Z"});
        status.conditions.push(serde_json::from_value(said).unwrap());
    }
    session
}

fn target() -> ObjectRef {
    ObjectRef {
        group: "appcatalog.appscode.com".into(),
        kind: "AppBinding".into(),
        namespace: "demo".into(),
        name: "vault".into(),
    }
}

fn end<'a>(conclusion: &'a Conclusion, target: &'a ObjectRef) -> End<'a> {
    End {
        conclusion,
        target: Some(target),
        hostname: "host-0",
        time_out: "20s",
        retry_delay: 5,
        history_cleaned: Some(Ok(())),
        now: at(NOW),
    }
}

fn ended_with(session: &BackupSession, conclusion: &Conclusion) -> BackupSessionStatus {
    ended(session, &end(conclusion, &target()))
}

fn phase(session: &BackupSession, conclusion: &Conclusion) -> BackupSessionPhase {
    ended_with(session, conclusion).phase.unwrap()
}

const ALL_WELL: [(&str, &str); 4] = [
    ("BackendRepositoryInitialized", "True"),
    ("RetentionPolicyApplied", "True"),
    ("RepositoryIntegrityVerified", "True"),
    ("MetricsPushed", "True"),
];

#[test]
fn the_data_decides_and_metrics_do_not() {
    use BackupSessionPhase::{Failed, Succeeded};
    let good = reported("Succeeded", &ALL_WELL);
    assert!(is_reported(&good));
    assert_eq!(phase(&good, &Conclusion::Reported), Succeeded);
    let no_metrics =
        reported("Succeeded", &[("MetricsPushed", "False"), ("RepositoryMetricsPushed", "False")]);
    assert!(is_reported(&no_metrics));
    assert_eq!(phase(&no_metrics, &Conclusion::Reported), Succeeded);
    for broken in ["RetentionPolicyApplied", "RepositoryIntegrityVerified"] {
        let session = reported("Succeeded", &[(broken, "False"), ("MetricsPushed", "True")]);
        assert_eq!(phase(&session, &Conclusion::Reported), Failed, "{broken}");
    }
    let failed = reported("Failed", &[("MetricsPushed", "True")]);
    assert_eq!(phase(&failed, &Conclusion::Reported), Failed);
    assert!(!is_reported(&running()));
    assert!(is_reported(&reported("Failed", &[])));
    assert!(!is_reported(&session(json!({}))));
}

#[test]
fn a_job_that_died_leaves_a_failed_session_that_says_why_and_when_it_is_tried_again() {
    let death = Death::new("OOMKilled", "the container used more memory than its limit");
    let status = ended_with(&running(), &Conclusion::Lost(death));
    insta::assert_yaml_snapshot!(status);
}

#[test]
fn a_passed_deadline_fails_the_session_with_the_originals_words() {
    let status = ended_with(&running(), &Conclusion::Deadline);
    assert_eq!(status.phase, Some(BackupSessionPhase::Failed));
    let said = condition::find(&status.conditions, Type::DeadlineExceeded).unwrap();
    assert_eq!(said.reason.as_deref(), Some("FailedToCompleteWithinDeadline"));
    assert_eq!(said.message.as_deref(), Some("Failed to complete backup within 20s."));
}

#[test]
fn what_the_job_said_counts_even_if_it_died_afterwards() {
    let session = reported("Succeeded", &[("RetentionPolicyApplied", "True")]);
    let death = Death::new("Evicted", "evicted");
    assert_eq!(phase(&session, &Conclusion::Lost(death)), BackupSessionPhase::Succeeded);
}

#[test]
fn a_record_takes_the_place_of_a_status_that_could_not_be_written() {
    let mut record = JobOutcome::new(sealift_core::outcome::Ending::Succeeded, 1, 2);
    record.snapshot = Some("0123456789abcdef".to_owned());
    let status = ended_with(&running(), &Conclusion::Recorded(Box::new(record)));
    assert_eq!(status.phase, Some(BackupSessionPhase::Succeeded));
    let host = status.targets.first().unwrap().stats.first().unwrap();
    assert_eq!(host.snapshots.first().unwrap().name.as_deref(), Some("01234567"));
}

#[test]
fn a_record_of_what_failed_after_the_snapshot_fails_the_session() {
    use sealift_core::outcome::Ending::SnapshotSafe;
    let mut record =
        JobOutcome::new(SnapshotSafe, 1, 2).because("MaintenanceFailed", "a pack is gone");
    record.snapshot = Some("0123456789abcdef".to_owned());
    let failed = Some(BackupSessionPhase::Failed);
    // Whether or not it is known what it was.
    let said = ended_with(&running(), &Conclusion::Recorded(Box::new(record.clone())));
    assert_eq!(said.phase, failed);
    let host = said.targets.first().unwrap().stats.first().unwrap();
    assert_eq!(host.error.as_deref(), Some("a pack is gone"));
    record.statistics.insert("repository-integrity".to_owned(), 0.0);
    let said = ended_with(&running(), &Conclusion::Recorded(Box::new(record)));
    assert_eq!(said.phase, failed);
    let broken = condition::find(&said.conditions, Type::RepositoryIntegrityVerified).unwrap();
    assert!(broken.message.as_ref().unwrap().ends_with("Reason: a pack is gone"), "{broken:?}");
}

#[test]
fn a_session_that_never_began_is_skipped_or_refused() {
    let reason = "Skipped taking new backup. Reason: Previous BackupSession: a is \"Running\".";
    let skipped = Statement::yes(Type::BackupSkipped, "SkippedTakingNewBackup", reason);
    let status = ended_with(&session(json!({})), &Conclusion::Skipped(skipped));
    assert_eq!(status.phase, Some(BackupSessionPhase::Skipped));
    assert_eq!(status.next_retry, None);
    assert_eq!(status.session_duration, None);
    let refused = Statement::no(
        Type::BackupExecutorEnsured,
        "FailedToEnsureBackupExecutor",
        "Failed to ensure backup executor. Reason: Secret demo/gcs-secret does not exist",
    );
    let status = ended_with(&session(json!({})), &Conclusion::Refused(refused));
    insta::assert_yaml_snapshot!(status);
    // A refusal that says nothing of the Job is an end, too.
    let other = Statement::no(Type::ValidationPassed, "ResourceValidationFailed", "no target");
    assert_eq!(phase(&session(json!({})), &Conclusion::Refused(other)), BackupSessionPhase::Failed);
}

#[test]
fn history_that_could_not_be_cleaned_fails_the_session_as_in_the_original() {
    let target = target();
    let status = ended(
        &reported("Succeeded", &ALL_WELL),
        &End {
            conclusion: &Conclusion::Reported,
            target: Some(&target),
            hostname: "host-0",
            time_out: "2h",
            retry_delay: 0,
            history_cleaned: Some(Err("forbidden".to_owned())),
            now: at(NOW),
        },
    );
    assert_eq!(status.phase, Some(BackupSessionPhase::Failed));
    let said = condition::find(&status.conditions, Type::BackupHistoryCleaned).unwrap();
    assert_eq!(
        said.message.as_deref(),
        Some("Failed to cleanup old BackupSessions. Reason: forbidden")
    );
}

#[test]
fn an_end_that_is_written_stays() {
    let target = target();
    let end = end(&Conclusion::Reported, &target);
    let mut open = reported("Succeeded", &ALL_WELL);
    end_once(&mut open, &end);
    assert_eq!(phase_of(&open), Phase::Succeeded);
    for over in ["Succeeded", "Failed", "Skipped"] {
        let known = json!({"phase": over, "sessionDuration": "7s"});
        let mut session = session(known.clone());
        end_once(&mut session, &end);
        assert_eq!(serde_json::to_value(&session.status).unwrap(), known);
    }
}
