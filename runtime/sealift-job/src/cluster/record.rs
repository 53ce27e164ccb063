//! A session's report as changes of the status of live objects.
//!
//! Pure: the status that is there goes in and is changed. What others wrote stays: the operator's
//! conditions, the references of a Repository. The final phase and the duration of the session
//! are never written here; the operator computes them from what stands here.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use sealift_api::backup_session::{BackupSessionStatus, BackupTargetStatus, TargetPhase};
use sealift_api::condition::Condition;
use sealift_api::repository::RepositoryStatus;
use sealift_api::restore_session::RestoreSessionStatus;
use sealift_core::plan::Plan;

use crate::report::SessionReport;
use crate::status;

/// Says that a backup is under way.
pub(super) fn begin_backup(of: &mut BackupSessionStatus, plan: &Plan) {
    let target = target_of(of, plan);
    target.total_hosts = Some(1);
    target.phase = Some(TargetPhase::Running);
    target.pre_backup_actions = pre_backup_actions();
}

/// Says how a backup ended.
pub(super) fn finish_backup(of: &mut BackupSessionStatus, report: &SessionReport) {
    let target = target_of(of, &report.plan);
    let ended = status::target(report);
    let before = std::mem::take(&mut target.conditions);
    *target = BackupTargetStatus { conditions: merged(before, ended.conditions), ..ended };
    let before = std::mem::take(&mut of.conditions);
    of.conditions = merged(before, status::backup_conditions(report));
}

/// Says how a restore ended.
pub(super) fn finish_restore(of: &mut RestoreSessionStatus, report: &SessionReport) {
    of.total_hosts = Some(1);
    of.stats = vec![status::restore_stats(report)];
    let before = std::mem::take(&mut of.conditions);
    of.conditions = merged(before, status::restore_conditions(report));
}

/// Only the condition about metrics, after they were pushed again.
pub(super) fn pushed_again(conditions: &mut Vec<Condition>, report: &SessionReport) {
    let before = std::mem::take(conditions);
    *conditions = merged(before, status::metrics_conditions(report));
}

/// What is known of a repository after a backup. `session_created` is the time the BackupSession
/// was made, which is what the original calls the time of the backup.
pub(super) fn finish_repository(
    of: &mut RepositoryStatus,
    report: &SessionReport,
    session_created: &Time,
) {
    if report.committed.is_none() {
        return;
    }
    let known = of.last_backup_time.as_ref().is_some_and(|last| last.0 > session_created.0);
    if !known {
        of.last_backup_time = Some(session_created.clone());
    }
    if of.first_backup_time.is_none() {
        of.first_backup_time = Some(session_created.clone());
    }
    let maintenance = &report.maintenance;
    if let Some(findings) = &maintenance.findings {
        of.integrity = Some(findings.is_empty());
    }
    if let Some(statistics) = &maintenance.statistics {
        of.total_size = Some(status::size(statistics.stored_bytes));
        of.snapshot_count = i64::try_from(statistics.snapshots).ok();
    }
    if let Some(retention) = &maintenance.retention {
        of.snapshots_removed_on_last_cleanup = i64::try_from(retention.removed.len()).ok();
    }
}

/// A Repository in which no backup was made, since it was found damaged.
pub(super) fn damaged_repository(of: &mut RepositoryStatus) {
    of.integrity = Some(false);
}

fn pre_backup_actions() -> Vec<String> {
    vec!["InitializeBackendRepository".to_owned()]
}

/// The entry of the plan's target, made if it is missing.
fn target_of<'a>(of: &'a mut BackupSessionStatus, plan: &Plan) -> &'a mut BackupTargetStatus {
    let wanted = status::target_ref(&plan.target.reference);
    let names = |target: &BackupTargetStatus| {
        target.reference.as_ref().is_some_and(|reference| {
            reference.kind == wanted.kind
                && reference.name == wanted.name
                // The operator may have repeated the manifest, which need not name it.
                && (reference.namespace.is_none() || reference.namespace == wanted.namespace)
        })
    };
    let at = of.targets.iter().position(names).unwrap_or(of.targets.len());
    if at == of.targets.len() {
        of.targets.push(BackupTargetStatus::default());
    }
    // Just made sure of: it is there.
    #[expect(clippy::indexing_slicing, reason = "the entry was found or pushed above")]
    let target = &mut of.targets[at];
    target.reference = Some(wanted);
    target
}

/// New conditions into old ones: each type once, in its old place, with the old time where the
/// status did not change.
fn merged(mut old: Vec<Condition>, new: Vec<Condition>) -> Vec<Condition> {
    for mut condition in new {
        match old.iter_mut().find(|known| known.type_ == condition.type_) {
            Some(known) => {
                if known.status == condition.status {
                    condition.last_transition_time = known.last_transition_time.clone();
                }
                *known = condition;
            }
            None => old.push(condition),
        }
    }
    old
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::Timestamp;

    use super::*;

    fn condition(type_: &str, status: &str, second: i64) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: status.to_owned(),
            last_transition_time: Time(Timestamp::from_second(second).unwrap()),
            reason: None,
            message: None,
            severity: None,
            observed_generation: None,
        }
    }

    #[test]
    fn conditions_of_others_stay_and_times_move_only_with_the_status() {
        let old = vec![
            condition("BackupExecutorEnsured", "True", 1),
            condition("MetricsPushed", "True", 2),
            condition("RetentionPolicyApplied", "False", 3),
        ];
        let new = vec![
            condition("MetricsPushed", "True", 9),
            condition("RetentionPolicyApplied", "True", 9),
            condition("RepositoryIntegrityVerified", "True", 9),
        ];
        assert_eq!(
            merged(old, new),
            [
                condition("BackupExecutorEnsured", "True", 1),
                condition("MetricsPushed", "True", 2),
                condition("RetentionPolicyApplied", "True", 9),
                condition("RepositoryIntegrityVerified", "True", 9),
            ]
        );
    }
}
