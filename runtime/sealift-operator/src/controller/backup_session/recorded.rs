//! What the record of a Job tells of the parts of a backup that came after its snapshot, where the
//! Job could not say so itself. Pure. Words are those the Job would have used.

use sealift_core::outcome::JobOutcome;

use crate::condition::{Statement, Type};

/// Always among a record's figures; without it they were left out, since the record was too long.
const FIGURES: &str = "duration-seconds";
const INTEGRITY: &str = "repository-integrity";

/// What failed although the snapshot is safe. Nothing, if all went well or nobody can tell: then the
/// record's message is all there is.
pub(super) fn failed(record: &JobOutcome) -> Option<Statement> {
    let figure = |name| record.statistics.get(name).copied();
    let said = |type_, reason, what: &str| {
        Some(Statement::no(type_, reason, format!("{what} Reason: {}", record.message)))
    };
    match record.reason.as_str() {
        "HookFailed" => said(
            Type::PostBackupHookExecutionSucceeded,
            "FailedToExecutePostBackupHook",
            "Failed to execute postBackup hook.",
        ),
        "MaintenanceFailed" if figure(INTEGRITY) == Some(0.0) => said(
            Type::RepositoryIntegrityVerified,
            "FailedToVerifyRepositoryIntegrity",
            "Repository integrity verification failed.",
        ),
        "MaintenanceFailed" if figure(FIGURES).is_some() => said(
            Type::RetentionPolicyApplied,
            "FailedToApplyRetentionPolicy",
            "Failed to apply retention policy.",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sealift_core::outcome::Ending;

    use super::*;

    fn failed_by(reason: &str, figures: &[(&str, f64)]) -> Option<Type> {
        let mut record = JobOutcome::new(Ending::SnapshotSafe, 1, 2).because(reason, "m");
        record.statistics =
            figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        failed(&record).map(|said| said.type_)
    }

    #[test]
    fn the_part_that_failed_is_named_and_none_where_nobody_can_tell() {
        let all = |integrity| [(FIGURES, 3.0), (INTEGRITY, integrity)];
        let (integrity, retention) =
            (Type::RepositoryIntegrityVerified, Type::RetentionPolicyApplied);
        assert_eq!(failed_by("MaintenanceFailed", &all(0.0)), Some(integrity));
        assert_eq!(failed_by("MaintenanceFailed", &all(1.0)), Some(retention));
        assert_eq!(failed_by("MaintenanceFailed", &[(FIGURES, 3.0)]), Some(retention));
        assert_eq!(failed_by("MaintenanceFailed", &[]), None);
        let hook = Type::PostBackupHookExecutionSucceeded;
        assert_eq!(failed_by("HookFailed", &all(1.0)), Some(hook));
        assert_eq!(failed_by("", &all(1.0)), None);
    }
}
