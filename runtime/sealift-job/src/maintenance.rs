//! Keeps the repository in order after a backup: retention, check, statistics.
//!
//! It runs only once the snapshot is committed, alone on the repository, and its failure never
//! takes the snapshot back.

use std::sync::Arc;

use jiff::Timestamp;
use sealift_core::plan::Plan;
use sealift_repository::{Repository, RepositoryLock};

use crate::chain_of_causes;
use crate::report::Maintenance;
use crate::session::Surroundings;

/// Applies the plan's retention, then checks, then counts.
pub(crate) async fn run(
    plan: &Plan,
    repository: &Arc<Repository>,
    around: &Surroundings,
) -> Maintenance {
    let repository = Arc::clone(repository);
    let folder = around.lock_dir.clone();
    let location = plan.repository.location.clone();
    let holder = plan.session.name.clone();
    let retention = plan.retention.clone();
    let done = tokio::task::spawn_blocking(move || {
        let mut maintenance = Maintenance::default();
        let lock = match RepositoryLock::exclusive(&folder, &location, &holder) {
            Ok(lock) => lock,
            Err(error) => {
                maintenance.retention_error = Some(chain_of_causes(&error));
                return maintenance;
            }
        };
        if let Some(retention) = &retention {
            match repository.forget(retention, Timestamp::now()) {
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
