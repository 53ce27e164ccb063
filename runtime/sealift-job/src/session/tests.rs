//! What decides the outcome of a session, step by step and without components.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
use std::path::Path;
use std::time::Duration;

use sealift_core::fingerprint::Fingerprint;
use sealift_core::plan::StagePlan;
use sealift_host::ports::RepositoryWriter;
use serde_json::json;

use super::*;
use crate::sample;

const BYTES: &[u8] = &[7; 2 << 20];

fn restore(place: &Path) -> Plan {
    let mut plan = sample::plan(place);
    plan.direction = Direction::Restore(SnapshotSelection {
        snapshot: "latest".into(),
        hostname: None,
        target_tag: "t".into(),
        of_another: false,
        paths: vec!["/data".into()],
    });
    plan
}

/// A backup of which the chain has just ended: artifact `a` is staged, nothing is committed.
async fn staged(repository: &Arc<Repository>, place: &Path) -> (SessionReport, SnapshotSlot) {
    let stage = |name: &str, kind: &str| {
        serde_json::from_value(json!({
            "name": name, "function": name, "kind": kind, "parameters": {}, "grants": {},
            "component": {"reference": "builtin:x", "digest": "sha256:0"},
            "grantsFrom": "catalog", "limits": sealift_core::limits::Limits::default(),
        }))
        .unwrap()
    };
    let mut plan = sample::plan(place);
    plan.stages = vec![stage("source-0", "source"), stage("sink-1", "sink")];
    let Direction::Backup(identity) = plan.direction.clone() else { panic!("no backup") };
    let mut report = SessionReport::new(plan, Timestamp::now());
    report.artifacts = vec![ArtifactRecord {
        stage: "source-0".into(),
        name: "a".into(),
        size: BYTES.len() as u64,
        attributes: Vec::new(),
        checksum: None,
        fingerprint: Some(Fingerprint::of(BYTES)),
    }];
    let slot = SnapshotSlot::new(Arc::clone(repository), identity, report.started);
    let mut snapshot = slot.begin().await.unwrap();
    let mut file = snapshot.create("a", Some(BYTES.len() as u64)).await.unwrap();
    file.write(bytes::Bytes::from_static(BYTES)).await.unwrap();
    file.finish().await.unwrap();
    snapshot.stage().await.unwrap();
    (report, slot)
}

#[tokio::test]
async fn a_session_that_was_interrupted_at_the_end_of_its_chain_commits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("r");
    let (repository, around) = (sample::repository(&place), sample::around(folder.path()));
    let (report, slot) = staged(&repository, &place).await;
    around.cancel.cancel();
    let error = commit(&report, &slot, &around).await.unwrap_err();
    assert!(matches!(error, SessionError::Cancelled(_)), "{error:?}");
    assert!(repository.snapshots().unwrap().is_empty());
}

#[tokio::test]
async fn a_failed_maintenance_fails_the_session_and_keeps_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("r");
    let (repository, around) = (sample::repository(&place), sample::around(folder.path()));
    for damaged in [false, true] {
        let (mut report, slot) = staged(&repository, &place).await;
        let committed = commit(&report, &slot, &around).await.unwrap();
        if damaged {
            std::fs::remove_dir_all(place.join("data")).unwrap();
        }
        let verdict = maintain(&mut report, &repository, committed, &around).await;
        judge(&mut report, verdict);
        assert!(report.data_is_safe(), "{report:?}");
        match damaged {
            false => assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}"),
            true => {
                assert_eq!(report.outcome, Outcome::MaintenanceFailed, "{report:?}");
                let told = chain_of_causes(report.failure.as_ref().unwrap());
                assert!(told.contains("the check found"), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn the_chain_has_what_is_left_of_the_sessions_time() {
    let around = sample::around(Path::new("/nowhere"));
    let plan = sample::plan(Path::new("/nowhere"));
    assert_eq!(plan.timeout_seconds, 60);
    let now = Timestamp::now();
    for (used, left) in [(0, 60), (30, 30), (61, 0)] {
        let started = now - jiff::SignedDuration::from_secs(used);
        let report = SessionReport::new(plan.clone(), started);
        let ports = ports(&report.plan, started, &around);
        let chain = chain(&report, Vec::new(), ports, &around);
        let deadline = chain.deadline.unwrap();
        assert!(deadline <= Duration::from_secs(left), "{used}: {deadline:?}");
        assert!(used > 60 || !deadline.is_zero(), "{used}: {deadline:?}");
        assert!(!chain.cancel.is_cancelled());
    }
    let report = SessionReport::new(plan, now);
    let chain = chain(&report, Vec::new(), ports(&report.plan, now, &around), &around);
    around.cancel.cancel();
    assert!(chain.cancel.is_cancelled());
}

#[tokio::test]
async fn a_restore_whose_chain_failed_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("r");
    let (repository, around) = (sample::repository(&place), sample::around(folder.path()));
    let (report, slot) = staged(&repository, &place).await;
    commit(&report, &slot, &around).await.unwrap();
    // No stage is no chain: it is refused.
    let report = run(restore(&place), Timestamp::now(), &around).await;
    assert!(report.restored.is_some(), "{report:?}");
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    assert!(matches!(report.failure, Some(SessionError::Chain { .. })), "{report:?}");
    assert!(!report.data_is_safe());
}

#[tokio::test]
async fn a_restore_makes_no_repository() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("r");
    let report = run(restore(&place), Timestamp::now(), &sample::around(folder.path())).await;
    assert_eq!(report.outcome, Outcome::Failed, "{report:?}");
    assert!(report.failure.as_ref().unwrap().is_no_repository(), "{report:?}");
    assert!(!report.repository_created && !place.try_exists().unwrap());
}

#[tokio::test]
async fn what_counts_is_what_reached_the_sink_and_nothing_a_transform_took() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("r");
    let (repository, around) = (sample::repository(&place), sample::around(folder.path()));
    let (mut report, slot) = staged(&repository, &place).await;
    let transform = StagePlan { name: "transform-1".into(), ..report.plan.stages[0].clone() };
    report.plan.stages.insert(1, transform);
    report.artifacts[0].stage = "transform-1".into();
    let raw = ArtifactRecord { stage: "source-0".into(), ..report.artifacts[0].clone() };
    report.artifacts.insert(0, ArtifactRecord { name: "raw".into(), ..raw });
    commit(&report, &slot, &around).await.unwrap();
    assert_eq!(repository.snapshots().unwrap().len(), 1);
}
