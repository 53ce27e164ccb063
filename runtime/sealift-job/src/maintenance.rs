//! Keeps the repository in order after a backup: retention, check, statistics.
//!
//! It runs only once the snapshot is committed, alone on the repository, and its failure never
//! takes the snapshot back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sealift_core::plan::{Plan, Retention};
use sealift_repository::Repository;

use crate::chain_of_causes;
use crate::locks::{Hold, Lock, LocksError, end_when_lost};
use crate::report::Maintenance;
use crate::surroundings::Surroundings;

/// How long the end of other backups is waited for: longer than most backups of a Vault take.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Applies the plan's retention, then checks, then counts.
///
/// `committed` is this session's snapshot: whatever the policy says, it stays.
pub(crate) async fn run(
    plan: &Plan,
    repository: &Arc<Repository>,
    committed: &str,
    around: &Surroundings,
) -> Maintenance {
    let repository = Arc::clone(repository);
    let retention = plan.retention.clone();
    let committed = [committed.to_owned()];
    let lock = match alone(plan, around).await {
        Ok(lock) => lock,
        Err(error) => {
            return Maintenance {
                retention_error: Some(chain_of_causes(&error)),
                ..Maintenance::default()
            };
        }
    };
    let work = move || maintain(&repository, retention.as_ref(), &committed);
    let done = tokio::task::spawn_blocking(work).await;
    lock.release().await;
    done.unwrap_or_else(|error| Maintenance {
        retention_error: Some(format!("the maintenance was interrupted: {error}")),
        ..Maintenance::default()
    })
}

/// Retention, check, statistics; the caller holds the repository alone.
fn maintain(
    repository: &Repository,
    retention: Option<&Retention>,
    committed: &[String],
) -> Maintenance {
    let mut maintenance = Maintenance::default();
    if let Some(retention) = retention {
        match repository.forget_keeping(retention, Timestamp::now(), committed) {
            Ok(report) => maintenance.retention = Some(report),
            Err(error) => maintenance.retention_error = Some(chain_of_causes(&error)),
        }
        if retention.prune
            && !retention.dry_run
            && maintenance.retention_error.is_none()
            && let Err(error) = repository.prune(Timestamp::now(), false)
        {
            maintenance.retention_error = Some(chain_of_causes(&error));
        }
    }
    maintenance.findings = Some(match repository.check(false) {
        Ok(report) => report
            .findings
            .into_iter()
            .filter(|finding| finding.error)
            .map(|finding| finding.text)
            .collect(),
        Err(error) => vec![chain_of_causes(&error)],
    });
    maintenance.statistics = repository.statistics().ok();
    maintenance
}

/// The repository alone. Another backup may still be running, which is no fault of this one: it
/// is waited for, but not longer than the session may take.
async fn alone(plan: &Plan, around: &Surroundings) -> Result<Box<dyn Lock>, LocksError> {
    let wait = Duration::from_secs(plan.timeout_seconds).min(LONGEST_WAIT);
    let (repository, holder) = (&plan.repository, plan.session.name.as_str());
    let lock = around.locks.lock(repository, holder, Hold::Alone, wait, &around.cancel).await?;
    end_when_lost(&*lock, &around.cancel);
    Ok(lock)
}

/// What failed, in one sentence.
pub(crate) fn verdict(maintenance: &Maintenance) -> Result<(), String> {
    let mut failures = Vec::new();
    if let Some(error) = &maintenance.retention_error {
        failures.push(format!("the retention policy could not be applied: {error}"));
    }
    if let Some([first, rest @ ..]) = maintenance.findings.as_deref() {
        failures.push(format!("the check found {} errors, first: {first}", rest.len() + 1));
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    use sealift_core::plan::SnapshotIdentity;
    use sealift_repository::FileExpectation;

    use crate::sample;

    /// Stores one file in a snapshot of its own; says the snapshot's identifier.
    fn snapshot(repository: &Repository, second: i64, bytes: &[u8]) -> String {
        let identity = SnapshotIdentity {
            hostname: "host-0".into(),
            path: "/data".into(),
            tags: vec!["user".into()],
            description: String::new(),
        };
        let started = Timestamp::from_second(1_700_000_000 + second).unwrap();
        let mut draft = repository.draft(&identity, started).unwrap();
        let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
        let file = draft.add("a", Some(bytes.len() as u64), reader).unwrap();
        let (path, size, fingerprint) = (file.path, file.size, file.fingerprint);
        draft.commit(&[FileExpectation { path, size, fingerprint }]).unwrap().snapshot.id
    }

    #[test]
    fn what_the_session_made_stays_and_a_dry_run_or_a_failed_policy_removes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let repository = sample::repository(&folder.path().join("r"));
        let newer = snapshot(&repository, 60, &[1; 2 << 20]);
        // The clock went back between the two.
        let mine = snapshot(&repository, 0, &[2; 2 << 20]);
        let one = Retention { keep_last: 1, prune: true, ..Retention::default() };
        let done = maintain(&repository, Some(&one), std::slice::from_ref(&mine));
        verdict(&done).unwrap();
        assert_eq!(repository.snapshots().unwrap().len(), 2);

        let unused = || repository.prune(Timestamp::now(), true).unwrap().packs_marked;
        let dry = Retention { dry_run: true, ..one.clone() };
        let done = maintain(&repository, Some(&dry), std::slice::from_ref(&newer));
        assert_eq!(done.retention.unwrap().removed, [mine]);
        assert_eq!(repository.snapshots().unwrap().len(), 2);

        let forget = Retention { prune: false, ..one.clone() };
        verdict(&maintain(&repository, Some(&forget), std::slice::from_ref(&newer))).unwrap();
        assert!(unused() > 0);
        // A dry run marks nothing, nor does a policy that would keep no snapshot.
        maintain(&repository, Some(&dry), &[]);
        assert!(unused() > 0);
        let none = Retention { keep_tags: vec!["other".into()], keep_last: 0, ..one.clone() };
        let done = maintain(&repository, Some(&none), &[]);
        assert!(verdict(&done).unwrap_err().contains("would keep no snapshot"));
        assert_eq!(repository.snapshots().unwrap().len(), 1);
        assert!(unused() > 0);
        verdict(&maintain(&repository, Some(&one), &[])).unwrap();
        assert_eq!(unused(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn maintenance_waits_until_it_is_alone_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let around = sample::around(folder.path());
        let mut plan = sample::plan(&folder.path().join("r"));
        let other = around.locks.try_lock(&plan.repository, "other", Hold::Shared).await.unwrap();
        // Not longer than the session may take, nor than the longest wait.
        for (timeout, waits) in [(60, Duration::from_secs(60)), (1_000_000, LONGEST_WAIT)] {
            plan.timeout_seconds = timeout;
            let begun = tokio::time::Instant::now();
            let error = alone(&plan, &around).await.err().unwrap();
            assert!(error.is_held(), "{error:?}");
            let waited = begun.elapsed();
            assert!(waited >= waits && waited < waits + Duration::from_secs(2), "{waited:?}");
        }
        // It is told, and fails the session; the snapshot stays.
        plan.timeout_seconds = 1;
        let repository = sample::repository(&folder.path().join("r"));
        let told = run(&plan, &repository, "x", &around).await;
        assert!(told.retention_error.unwrap().contains("other"));
        other.release().await;
        let held = alone(&plan, &around).await.unwrap();
        let shared = around.locks.try_lock(&plan.repository, "other", Hold::Shared).await;
        assert!(shared.is_err_and(|error| error.is_held()), "the maintenance is not alone");
        held.release().await;
    }

    #[test]
    fn a_repository_that_is_damaged_or_cannot_be_checked_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("r");
        let repository = sample::repository(&place);
        snapshot(&repository, 0, &[1; 2 << 20]);
        verdict(&maintain(&repository, None, &[])).unwrap();
        for pack in std::fs::read_dir(place.join("data")).unwrap() {
            for file in std::fs::read_dir(pack.unwrap().path()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        let told = verdict(&maintain(&repository, None, &[])).unwrap_err();
        assert!(told.contains("the check found"), "{told}");
        std::fs::remove_dir_all(place.join("data")).unwrap();
        let told = verdict(&maintain(&repository, None, &[])).unwrap_err();
        assert!(told.contains("the check found"), "{told}");
    }
}
