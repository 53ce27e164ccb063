//! What a session did, for people and for status.
//!
//! The report is data; `status` turns it into the objects the API defines, the command line
//! prints it, observers see it as their outcome.

use jiff::Timestamp;
use sealift_core::outcome::{Ending, JobOutcome};
use sealift_core::plan::{Direction, Plan};
use sealift_host::{ArtifactRecord, StageOutcome, Status};
use sealift_repository::{Committed, ForgetReport, SnapshotInfo, Statistics};

use crate::chain_of_causes;
use crate::failure::SessionError;
use crate::hooks::HookResults;
use crate::observers;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All that was asked for is done.
    Succeeded,
    /// Nothing was committed, or the restore is not known to be applied.
    Failed,
    /// The data is safe, but retention, the check or a hook after it failed.
    MaintenanceFailed,
    /// It was interrupted; nothing was committed.
    Cancelled,
}

/// One session, ended.
#[derive(Debug)]
pub struct SessionReport {
    /// What was to be done.
    pub plan: Plan,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not succeed.
    pub failure: Option<SessionError>,
    /// The stages of the chain, in order.
    pub stages: Vec<StageOutcome>,
    /// The artifacts that went through the chain.
    pub artifacts: Vec<ArtifactRecord>,
    /// The observers, in order.
    pub observers: Vec<StageOutcome>,
    /// Why observers were not started.
    pub observers_refused: Option<String>,
    /// What went wrong with observers that were to be run.
    pub observer_warnings: Vec<String>,
    /// Whether the repository was made by this session.
    pub repository_created: bool,
    /// What chunks or format of an existing repository cost a backup of this target; also among
    /// the notes.
    pub repository_note: Option<String>,
    /// The new snapshot of a backup.
    pub committed: Option<Committed>,
    /// The snapshot a restore read.
    pub restored: Option<SnapshotInfo>,
    /// What was done for the repository after a backup.
    pub maintenance: Maintenance,
    /// How the hooks ended.
    pub hooks: HookResults,
    /// What was written into Secrets of the cluster: names, no values.
    pub secrets_written: Vec<String>,
    /// What a person should know although nothing failed, and may have to act upon.
    pub warnings: Vec<String>,
    /// What a person may want to know, and need not act upon.
    pub notes: Vec<String>,
}

/// What was done for the repository after a backup.
#[derive(Debug, Default)]
pub struct Maintenance {
    /// What the retention policy removed and kept; none = not reached or failed.
    pub retention: Option<ForgetReport>,
    /// Why retention failed.
    pub retention_error: Option<String>,
    /// Who kept this session from what needs the repository alone; a later one does it.
    pub postponed: Option<String>,
    /// What the check found: empty = intact; none = not reached.
    pub findings: Option<Vec<String>>,
    /// Size and number of snapshots afterwards.
    pub statistics: Option<Statistics>,
}

impl Maintenance {
    /// Whether every step that was reached went well.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.retention_error.is_none() && self.findings.as_ref().is_none_or(Vec::is_empty)
    }
}

impl SessionReport {
    /// Nothing was done yet.
    #[must_use]
    pub fn new(plan: Plan, started: Timestamp) -> Self {
        Self {
            notes: plan.notes.clone(),
            plan,
            started,
            finished: started,
            outcome: Outcome::Failed,
            failure: None,
            stages: Vec::new(),
            artifacts: Vec::new(),
            observers: Vec::new(),
            observers_refused: None,
            observer_warnings: Vec::new(),
            repository_created: false,
            repository_note: None,
            committed: None,
            restored: None,
            maintenance: Maintenance::default(),
            hooks: HookResults::default(),
            secrets_written: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether the snapshot of a backup is committed, or a restore is done.
    #[must_use]
    pub fn data_is_safe(&self) -> bool {
        match (&self.plan.direction, &self.failure) {
            (Direction::Backup(_), _) => self.committed.is_some(),
            (Direction::Restore(_), None | Some(SessionError::AfterHook { .. })) => true,
            (Direction::Restore(_), Some(_)) => false,
        }
    }

    /// Whether all observers did their work.
    #[must_use]
    pub fn observed(&self) -> bool {
        self.observers.len() == self.plan.observers.len()
            && self.observers.iter().all(|observer| observer.status == Status::Succeeded)
    }

    /// The report as the record a Job leaves behind.
    #[must_use]
    pub fn record(&self) -> JobOutcome {
        let ending = match self.outcome {
            Outcome::Succeeded => Ending::Succeeded,
            Outcome::MaintenanceFailed => Ending::SnapshotSafe,
            Outcome::Failed => Ending::Failed,
            Outcome::Cancelled => Ending::Cancelled,
        };
        let (started, finished) = (self.started.as_second(), self.finished.as_second());
        let mut record = JobOutcome::new(ending, started, finished);
        if let Some(error) = &self.failure {
            record = record.because(error.reason(), &chain_of_causes(error));
        }
        record.session = Some(self.plan.session.clone());
        record.snapshot = self.committed.as_ref().map(|done| done.snapshot.id.clone());
        record.statistics = observers::statistics(self).into_iter().collect();
        record.observed = self.observed();
        record
    }

    /// Seconds from begin to end.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.finished.duration_since(self.started).as_secs_f64()
    }
}
