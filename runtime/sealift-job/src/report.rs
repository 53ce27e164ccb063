//! What a session did, for people and for status.
//!
//! The report is data; `status` turns it into the objects the API defines, the command line
//! prints it, observers see it as their outcome.

use jiff::Timestamp;
use sealift_core::plan::Plan;
use sealift_host::{ArtifactRecord, StageOutcome};
use sealift_repository::{Committed, ForgetReport, SnapshotInfo, Statistics};

use crate::failure::SessionError;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All that was asked for is done.
    Succeeded,
    /// Nothing was committed, or the restore is not known to be applied.
    Failed,
    /// The snapshot is safe, but retention or the check failed.
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
    /// Whether the repository was made by this session.
    pub repository_created: bool,
    /// What chunks or format of an existing repository cost a backup of this target; also among
    /// the warnings.
    pub repository_note: Option<String>,
    /// The new snapshot of a backup.
    pub committed: Option<Committed>,
    /// The snapshot a restore read.
    pub restored: Option<SnapshotInfo>,
    /// What was done for the repository after a backup.
    pub maintenance: Maintenance,
    /// What a person should know although nothing failed.
    pub warnings: Vec<String>,
}

/// What was done for the repository after a backup.
#[derive(Debug, Default)]
pub struct Maintenance {
    /// What the retention policy removed and kept; none = not reached or failed.
    pub retention: Option<ForgetReport>,
    /// Why retention failed.
    pub retention_error: Option<String>,
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
    /// Seconds from begin to end.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.finished.duration_since(self.started).as_secs_f64()
    }
}
