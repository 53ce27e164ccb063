//! The phase of a session, from what happened in it.
//!
//! The data decides (a session whose snapshot is safe does not fail for its metrics); failed
//! retention, integrity check or hook does fail it. [`SessionParts`] judges a session by what
//! one process did, [`TargetFacts`], [`BackupFacts`] and [`RestoreFacts`] by what stands in its
//! status, with the rules of the original. Conditions, events and statistics are written
//! elsewhere from the same facts.

use serde::{Deserialize, Serialize};

/// Phase of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Not begun.
    Pending,
    /// Not begun and never will be.
    Skipped,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Ended without its purpose reached.
    Failed,
    /// Nothing is known.
    Unknown,
}

/// How one part of a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartOutcome {
    /// It was not asked for, or not reached.
    #[default]
    NotRun,
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
}

/// The parts of a session that decide its phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionParts {
    /// The chain, including the commit of the snapshot.
    pub data: PartOutcome,
    /// Retention.
    pub retention: PartOutcome,
    /// The integrity check.
    pub integrity: PartOutcome,
    /// Hooks.
    pub hooks: PartOutcome,
    /// The push of metrics: never changes the phase.
    pub metrics: PartOutcome,
    /// Whether the deadline passed.
    pub deadline_exceeded: bool,
}

impl SessionParts {
    /// The phase of the session at its end.
    #[must_use]
    pub fn final_phase(&self) -> Phase {
        let Self { data, retention, integrity, hooks, metrics: _, deadline_exceeded } = *self;
        let broken = [retention, integrity, hooks].contains(&PartOutcome::Failed);
        match data {
            PartOutcome::Succeeded if !broken && !deadline_exceeded => Phase::Succeeded,
            _ => Phase::Failed,
        }
    }
}

impl Phase {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Skipped | Self::Succeeded | Self::Failed => true,
            Self::Pending | Self::Running | Self::Unknown => false,
        }
    }
}

/// What the status of a session says of one target. `None` = nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TargetFacts<'a> {
    /// Whether the Job could be made.
    pub executor_ensured: Option<bool>,
    /// The hooks before and after.
    pub hooks: [Option<bool>; 2],
    /// Whether it was disturbed from outside.
    pub disrupted: bool,
    /// How many hosts there are.
    pub hosts: Option<usize>,
    /// How each host that has ended did so: true = it succeeded.
    pub ended: &'a [bool],
}

impl TargetFacts<'_> {
    /// The phase of the target.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let Self { executor_ensured, hooks, disrupted, hosts, ended } = *self;
        let failed = executor_ensured == Some(false) || hooks.contains(&Some(false)) || disrupted;
        match hosts {
            _ if failed => Phase::Failed,
            None => Phase::Pending,
            Some(hosts) if ended.len() < hosts => Phase::Running,
            Some(_) if ended.contains(&false) => Phase::Failed,
            Some(_) => Phase::Succeeded,
        }
    }
}

/// What the status of a BackupSession says. `None` = nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupFacts<'a> {
    /// It was skipped.
    pub skipped: bool,
    /// Its deadline passed, and its Job was ended.
    pub deadline_exceeded: bool,
    /// Whether old sessions could be removed.
    pub history_cleaned: Option<bool>,
    /// Hooks of a batch, before and after.
    pub global_hooks: [Option<bool>; 2],
    /// Phases of the targets.
    pub targets: &'a [Phase],
    /// Retention.
    pub retention: Option<bool>,
    /// The integrity check.
    pub integrity: Option<bool>,
    /// Whether nothing more will be reported: the push of metrics, the last thing a Job does,
    /// was done or failed, or the Job has ended without it.
    pub reported: bool,
}

impl BackupFacts<'_> {
    /// The phase of the session.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let Self { skipped, deadline_exceeded, targets, reported, .. } = *self;
        let over = targets.iter().all(|target| target.is_final());
        let waiting = targets.iter().all(|target| *target == Phase::Pending);
        let parts = [self.history_cleaned, self.retention, self.integrity];
        let broken = parts.contains(&Some(false)) || self.global_hooks.contains(&Some(false));
        match () {
            () if skipped => Phase::Skipped,
            () if deadline_exceeded => Phase::Failed,
            () if waiting => Phase::Pending,
            () if !over || !reported => Phase::Running,
            () if broken || targets.contains(&Phase::Failed) => Phase::Failed,
            () => Phase::Succeeded,
        }
    }
}

/// What the status of a RestoreSession says. `None` = nothing yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RestoreFacts<'a> {
    /// Its deadline passed, and its Job was ended.
    pub deadline_exceeded: bool,
    /// The target; its executor is the restore's Job.
    pub target: TargetFacts<'a>,
    /// As in [`BackupFacts`].
    pub reported: bool,
}

impl RestoreFacts<'_> {
    /// The phase of the session.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.target.phase() {
            _ if self.deadline_exceeded => Phase::Failed,
            Phase::Succeeded if !self.reported => Phase::Running,
            Phase::Failed if self.target.executor_ensured == Some(true) && !self.reported => {
                Phase::Running
            }
            phase => phase,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_what_its_hosts_are_unless_something_around_them_failed() {
        let begun =
            TargetFacts { executor_ensured: Some(true), hosts: Some(2), ..TargetFacts::default() };
        assert_eq!(TargetFacts::default().phase(), Phase::Pending);
        assert_eq!(begun.phase(), Phase::Running);
        assert_eq!(TargetFacts { ended: &[false], ..begun }.phase(), Phase::Running);
        assert_eq!(TargetFacts { ended: &[true, false], ..begun }.phase(), Phase::Failed);
        let good = TargetFacts { ended: &[true, true], hooks: [Some(true), None], ..begun };
        assert_eq!(good.phase(), Phase::Succeeded);
        for bad in [
            TargetFacts { executor_ensured: Some(false), ..TargetFacts::default() },
            TargetFacts { hooks: [Some(false), None], ..begun },
            TargetFacts { hooks: [Some(true), Some(false)], ..good },
            TargetFacts { disrupted: true, ..good },
        ] {
            assert_eq!(bad.phase(), Phase::Failed, "{bad:?}");
        }
    }

    #[test]
    fn a_backup_ends_when_everything_is_reported_and_then_every_part_counts() {
        let good = BackupFacts {
            targets: &[Phase::Succeeded],
            retention: Some(true),
            integrity: Some(true),
            reported: true,
            ..BackupFacts::default()
        };
        assert_eq!(good.phase(), Phase::Succeeded);
        let cleaned = BackupFacts { history_cleaned: Some(true), ..good };
        assert_eq!(cleaned.phase(), Phase::Succeeded);
        for (facts, phase) in [
            (BackupFacts::default(), Phase::Pending),
            (BackupFacts { targets: &[Phase::Pending], ..good }, Phase::Pending),
            (BackupFacts { targets: &[Phase::Running], ..good }, Phase::Running),
            (BackupFacts { targets: &[Phase::Pending, Phase::Succeeded], ..good }, Phase::Running),
            (BackupFacts { reported: false, ..good }, Phase::Running),
            (BackupFacts { targets: &[Phase::Failed], reported: false, ..good }, Phase::Running),
            (BackupFacts { targets: &[Phase::Succeeded, Phase::Failed], ..good }, Phase::Failed),
            (BackupFacts { retention: Some(false), ..good }, Phase::Failed),
            (BackupFacts { integrity: Some(false), ..good }, Phase::Failed),
            (BackupFacts { history_cleaned: Some(false), ..good }, Phase::Failed),
            (BackupFacts { global_hooks: [None, Some(false)], ..good }, Phase::Failed),
            (BackupFacts { deadline_exceeded: true, ..good }, Phase::Failed),
            (BackupFacts { skipped: true, ..BackupFacts::default() }, Phase::Skipped),
        ] {
            assert_eq!(facts.phase(), phase, "{facts:?}");
        }
    }

    #[test]
    fn a_restore_ends_with_its_report() {
        let target = TargetFacts {
            executor_ensured: Some(true),
            hosts: Some(1),
            ended: &[true],
            ..TargetFacts::default()
        };
        let good = RestoreFacts { target, reported: true, deadline_exceeded: false };
        assert_eq!(good.phase(), Phase::Succeeded);
        assert_eq!(RestoreFacts { reported: false, ..good }.phase(), Phase::Running);
        assert_eq!(RestoreFacts { deadline_exceeded: true, ..good }.phase(), Phase::Failed);
        let failed = TargetFacts { ended: &[false], ..target };
        assert_eq!(RestoreFacts { target: failed, ..good }.phase(), Phase::Failed);
        let begun = RestoreFacts { target: failed, reported: false, deadline_exceeded: false };
        assert_eq!(begun.phase(), Phase::Running);
        assert_eq!(RestoreFacts::default().phase(), Phase::Pending);
        let refused = TargetFacts { executor_ensured: Some(false), ..TargetFacts::default() };
        assert_eq!(RestoreFacts { target: refused, ..begun }.phase(), Phase::Failed);
    }

    #[test]
    fn the_data_decides_and_metrics_do_not() {
        let good = SessionParts { data: PartOutcome::Succeeded, ..SessionParts::default() };
        let failed = PartOutcome::Failed;
        assert_eq!(good.final_phase(), Phase::Succeeded);
        assert_eq!(SessionParts { metrics: failed, ..good }.final_phase(), Phase::Succeeded);
        for bad in [
            SessionParts { retention: failed, ..good },
            SessionParts { integrity: failed, ..good },
            SessionParts { hooks: failed, ..good },
            SessionParts { data: failed, ..good },
            SessionParts { data: PartOutcome::NotRun, ..good },
            SessionParts { deadline_exceeded: true, ..good },
        ] {
            assert_eq!(bad.final_phase(), Phase::Failed, "{bad:?}");
        }
    }
}
