//! Keeps the repository in order after a backup: retention, check, statistics.
//!
//! It runs only once the snapshot is committed, alone on the repository, and its failure never
//! takes the snapshot back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sealift_core::plan::Plan;
use sealift_repository::{LockError, Repository, RepositoryLock};

use crate::chain_of_causes;
use crate::report::Maintenance;
use crate::surroundings::Surroundings;

/// How long the end of other backups is waited for: longer than most backups of a Vault take.
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// A file lock tells nobody when it is released.
const LOCK_POLL: Duration = Duration::from_millis(250);

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
    let done = tokio::task::spawn_blocking(move || {
        let mut maintenance = Maintenance::default();
        if let Some(retention) = &retention {
            match repository.forget_keeping(retention, Timestamp::now(), &committed) {
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
        drop(lock);
        maintenance
    })
    .await;
    done.unwrap_or_else(|error| Maintenance {
        retention_error: Some(format!("the maintenance was interrupted: {error}")),
        ..Maintenance::default()
    })
}

/// The repository alone. Another backup may still be running, which is no fault of this one: it
/// is waited for, but not longer than the session may take.
async fn alone(plan: &Plan, around: &Surroundings) -> Result<RepositoryLock, LockError> {
    let location = &plan.repository.location;
    let wait = Duration::from_secs(plan.timeout_seconds).min(LONGEST_WAIT);
    let end = tokio::time::Instant::now() + wait;
    loop {
        match RepositoryLock::exclusive(&around.lock_dir, location, &plan.session.name) {
            Err(LockError::Held { .. })
                if tokio::time::Instant::now() < end && !around.cancel.is_cancelled() =>
            {
                tokio::time::sleep(LOCK_POLL).await;
            }
            result => return result,
        }
    }
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
