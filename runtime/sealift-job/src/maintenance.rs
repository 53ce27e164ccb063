//! Keeps the repository in order after a backup: retention, check, statistics.
//!
//! It runs only once the snapshot is committed, and its failure never takes the snapshot back.
//! Retention needs the repository alone. Where others do not end in time it is left to a later
//! session, which is no failure: this backup is as good as with it. What is left can be done beside
//! them: the check, since whoever shares a repository only adds to it, and the statistics.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sealift_core::plan::{Plan, Retention};
use sealift_repository::{Repository, Statistics};

use crate::chain_of_causes;
use crate::locks::{Hold, Lock, LocksError, end_when_lost};
use crate::report::Maintenance;
use crate::surroundings::Surroundings;

/// How long the end of others is waited for: longer than most backups of a Vault take, and shorter
/// than they wait at their begin, since whoever waits to be alone keeps them out.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// No more than this part of the session's time that is left: the work itself needs the others.
const WAITING_PART: u32 = 4;

/// Applies the plan's retention, then checks, then counts.
///
/// `committed` is this session's snapshot: whatever the policy says, it stays. `left` is what is
/// left of the session's time.
pub(crate) async fn run(
    plan: &Plan,
    repository: &Arc<Repository>,
    committed: &str,
    left: Duration,
    around: &Surroundings,
) -> Maintenance {
    let wait = LONGEST_WAIT.min(left / WAITING_PART);
    let mut postponed = None;
    if let Some(retention) = &plan.retention {
        match hold(plan, Hold::Alone, wait, around).await {
            Ok(lock) => {
                let (retention, committed) = (retention.clone(), committed.to_owned());
                return holding(lock, repository, move |repository| {
                    maintain(repository, &retention, &[committed])
                })
                .await;
            }
            Err(error) if is_busy(&error, around) => postponed = Some(chain_of_causes(&error)),
            Err(error) => return failed(chain_of_causes(&error)),
        }
    }
    match hold(plan, Hold::Shared, wait, around).await {
        Ok(lock) => Maintenance { postponed, ..holding(lock, repository, beside_others).await },
        Err(error) if is_busy(&error, around) => {
            let postponed = postponed.or_else(|| Some(chain_of_causes(&error)));
            Maintenance { postponed, ..Maintenance::default() }
        }
        Err(error) => failed(chain_of_causes(&error)),
    }
}

/// Whether others are in the way, and nothing else.
fn is_busy(error: &LocksError, around: &Surroundings) -> bool {
    error.is_held() && !around.cancel.is_cancelled()
}

fn failed(error: String) -> Maintenance {
    Maintenance { retention_error: Some(error), ..Maintenance::default() }
}

/// Does the work on a thread of its own, and gives the repository back.
async fn holding(
    lock: Box<dyn Lock>,
    repository: &Arc<Repository>,
    work: impl FnOnce(&Repository) -> Maintenance + Send + 'static,
) -> Maintenance {
    let repository = Arc::clone(repository);
    let done = tokio::task::spawn_blocking(move || work(&repository)).await;
    lock.release().await;
    done.unwrap_or_else(|error| failed(format!("the maintenance was interrupted: {error}")))
}

/// Retention, check, statistics; the caller holds the repository alone.
fn maintain(repository: &Repository, retention: &Retention, committed: &[String]) -> Maintenance {
    let mut maintenance = Maintenance::default();
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
    maintenance.findings = Some(findings(repository));
    maintenance.statistics = statistics(repository);
    maintenance
}

/// Check and statistics; the caller shares the repository.
fn beside_others(repository: &Repository) -> Maintenance {
    Maintenance {
        findings: Some(lasting(|| findings(repository))),
        statistics: statistics(repository),
        ..Maintenance::default()
    }
}

/// In a folder, a file that another session is just writing looks damaged until it is whole: what is
/// found is looked for again.
fn lasting(mut look: impl FnMut() -> Vec<String>) -> Vec<String> {
    let found = look();
    if found.is_empty() { found } else { look() }
}

/// What is damaged.
fn findings(repository: &Repository) -> Vec<String> {
    match repository.check(false) {
        Ok(report) => report
            .findings
            .into_iter()
            .filter(|finding| finding.error)
            .map(|finding| finding.text)
            .collect(),
        Err(error) => vec![chain_of_causes(&error)],
    }
}

/// The backup is as good without them.
fn statistics(repository: &Repository) -> Option<Statistics> {
    let counted = repository.statistics();
    if let Err(error) = &counted {
        tracing::warn!("the repository's figures are not known: {}", chain_of_causes(error));
    }
    counted.ok()
}

/// Another backup may still be running, which is no fault of this one: it is waited for.
async fn hold(
    plan: &Plan,
    hold: Hold,
    wait: Duration,
    around: &Surroundings,
) -> Result<Box<dyn Lock>, LocksError> {
    let (repository, holder) = (&plan.repository, plan.session.name.as_str());
    let lock = around.locks.lock(repository, holder, hold, wait, &around.cancel).await?;
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
        let done = maintain(&repository, &one, std::slice::from_ref(&mine));
        verdict(&done).unwrap();
        assert_eq!(repository.snapshots().unwrap().len(), 2);

        let unused = || repository.prune(Timestamp::now(), true).unwrap().packs_marked;
        let dry = Retention { dry_run: true, ..one.clone() };
        let done = maintain(&repository, &dry, std::slice::from_ref(&newer));
        assert_eq!(done.retention.unwrap().removed, [mine]);
        assert_eq!(repository.snapshots().unwrap().len(), 2);

        let forget = Retention { prune: false, ..one.clone() };
        verdict(&maintain(&repository, &forget, std::slice::from_ref(&newer))).unwrap();
        assert!(unused() > 0);
        // A dry run marks nothing, nor does a policy that would keep no snapshot.
        maintain(&repository, &dry, &[]);
        assert!(unused() > 0);
        let none = Retention { keep_tags: vec!["other".into()], keep_last: 0, ..one.clone() };
        let done = maintain(&repository, &none, &[]);
        assert!(verdict(&done).unwrap_err().contains("would keep no snapshot"));
        assert_eq!(repository.snapshots().unwrap().len(), 1);
        assert!(unused() > 0);
        verdict(&maintain(&repository, &one, &[])).unwrap();
        assert_eq!(unused(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn others_are_waited_for_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let around = sample::around(folder.path());
        let place = folder.path().join("r");
        let (mut plan, repository) = (sample::plan(&place), sample::repository(&place));
        plan.retention = Some(Retention { keep_last: 1, ..Retention::default() });
        snapshot(&repository, 0, &[1; 2 << 20]);
        let mine = snapshot(&repository, 60, &[2; 2 << 20]);
        let minute = Duration::from_secs(60);
        let other = around.locks.try_lock(&plan.repository, "other", Hold::Shared).await.unwrap();
        // A part of the session's time, and no longer than the longest wait.
        for (left, waits) in [(4 * minute, minute), (10_000 * minute, LONGEST_WAIT)] {
            let begun = tokio::time::Instant::now();
            let done = run(&plan, &repository, &mine, left, &around).await;
            let waited = begun.elapsed();
            assert!(waited >= waits && waited < waits + Duration::from_secs(2), "{waited:?}");
            // The other one shares it: nothing is removed, the rest is done.
            verdict(&done).unwrap();
            assert!(done.postponed.as_ref().unwrap().contains("other"), "{done:?}");
            assert!(done.retention.is_none() && done.findings == Some(Vec::new()), "{done:?}");
            assert_eq!(done.statistics.unwrap().snapshots, 2);
        }
        other.release().await;
        let done = run(&plan, &repository, &mine, minute, &around).await;
        assert!(done.postponed.is_none() && done.retention.is_some(), "{done:?}");
        assert_eq!(done.statistics.unwrap().snapshots, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn beside_one_that_is_alone_nothing_is_done_and_an_interruption_is_no_postponement() {
        let folder = tempfile::tempdir().unwrap();
        let around = sample::around(folder.path());
        let place = folder.path().join("r");
        let (mut plan, repository) = (sample::plan(&place), sample::repository(&place));
        let minute = Duration::from_secs(60);
        let other = around.locks.try_lock(&plan.repository, "other", Hold::Alone).await.unwrap();
        for retention in [None, Some(Retention { keep_last: 1, ..Retention::default() })] {
            plan.retention = retention;
            let done = run(&plan, &repository, "x", minute, &around).await;
            verdict(&done).unwrap();
            assert!(done.postponed.is_some() && done.findings.is_none(), "{done:?}");
        }
        around.cancel.cancel();
        let done = run(&plan, &repository, "x", minute, &around).await;
        assert!(done.postponed.is_none() && verdict(&done).is_err(), "{done:?}");
        other.release().await;
    }

    #[tokio::test]
    async fn a_lock_that_cannot_be_used_is_a_failure_and_no_postponement() {
        let folder = tempfile::tempdir().unwrap();
        let around = sample::around(folder.path());
        let place = folder.path().join("r");
        let (mut plan, repository) = (sample::plan(&place), sample::repository(&place));
        // Where the folder of the locks belongs lies a file.
        std::fs::write(folder.path().join("locks"), "").unwrap();
        for retention in [None, Some(Retention { keep_last: 1, ..Retention::default() })] {
            plan.retention = retention;
            let done = run(&plan, &repository, "x", Duration::from_secs(60), &around).await;
            assert!(done.postponed.is_none() && verdict(&done).is_err(), "{done:?}");
        }
    }

    #[tokio::test]
    async fn retention_is_done_alone() {
        let folder = tempfile::tempdir().unwrap();
        let around = sample::around(folder.path());
        let plan = sample::plan(&folder.path().join("r"));
        let held = hold(&plan, Hold::Alone, Duration::ZERO, &around).await.unwrap();
        let shared = around.locks.try_lock(&plan.repository, "other", Hold::Shared).await;
        assert!(shared.is_err_and(|error| error.is_held()), "the maintenance is not alone");
        held.release().await;
    }

    #[test]
    fn what_another_session_was_just_writing_is_no_damage_and_what_stays_is() {
        let damage = || vec!["a file is damaged".to_owned()];
        let mut looks = [damage(), Vec::new()].into_iter();
        assert_eq!(lasting(|| looks.next().unwrap()), Vec::<String>::new());
        assert_eq!(lasting(damage), damage());
        let mut looks = [Vec::new()].into_iter();
        assert_eq!(lasting(|| looks.next().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn a_repository_that_is_damaged_or_cannot_be_checked_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("r");
        let repository = sample::repository(&place);
        snapshot(&repository, 0, &[1; 2 << 20]);
        verdict(&beside_others(&repository)).unwrap();
        for pack in std::fs::read_dir(place.join("data")).unwrap() {
            for file in std::fs::read_dir(pack.unwrap().path()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        let told = verdict(&beside_others(&repository)).unwrap_err();
        assert!(told.contains("the check found"), "{told}");
        std::fs::remove_dir_all(place.join("data")).unwrap();
        let told = verdict(&beside_others(&repository)).unwrap_err();
        assert!(told.contains("the check found"), "{told}");
    }
}
