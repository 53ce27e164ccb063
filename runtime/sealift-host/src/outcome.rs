//! What became of a chain and of a session.
//!
//! Plain data, serialisable, so that observers can be run later from a recorded outcome. Judging
//! is done in `stage` and `chain`; the outcome of a session is put together by the caller.

use std::fmt;
use std::time::Duration;

use sealift_core::plan::Kind;
use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactRecord;
use crate::error::FunctionError;

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It returned ok and everything it promised holds.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped because something else failed, or from outside.
    Cancelled,
    /// It was never started.
    Skipped,
}

/// One stage of a chain, or one observer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StageOutcome {
    /// Its name in the plan.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// How it ended.
    pub status: Status,
    /// Why it did not succeed.
    pub error: Option<FunctionError>,
    /// What it told by `statistic`, in order.
    pub statistics: Vec<(String, f64)>,
    /// CPU time it was charged.
    pub cpu: Duration,
    /// From its start to its end.
    pub wall: Duration,
    /// Most bytes of linear memory at once.
    pub peak_memory: u64,
    /// From its start to the first byte it sent.
    pub first_byte: Option<Duration>,
    /// Log messages that went over `limits.logBytes`.
    pub log_dropped: u64,
    /// The end of its standard error.
    pub stderr_tail: String,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainOutcome {
    /// Its stages, in order.
    pub stages: Vec<StageOutcome>,
    /// The artifacts that were finished, by stage, in order; of a flood of them only the first 4 MiB of records.
    pub artifacts: Vec<ArtifactRecord>,
    /// The first cause; none = every stage succeeded.
    pub failure: Option<ChainFailure>,
}

/// The first cause of a chain's failure, not what followed from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChainFailure {
    /// The stage that failed; empty = the chain was stopped from outside.
    pub stage: String,
    /// Kind and name of its component, such as `source vault-snapshot`.
    pub function: String,
    /// The artifact it was at.
    pub artifact: Option<String>,
    /// The cause.
    pub error: FunctionError,
}

impl fmt::Display for ChainFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.stage.is_empty() {
            write!(f, "stage {} ({})", self.stage, self.function)?;
            if let Some(artifact) = &self.artifact {
                write!(f, ", artifact {artifact}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}", self.error)
    }
}

/// A session, as observers see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionOutcome {
    /// How the session ended.
    pub overall: Status,
    /// Why it did not succeed.
    pub cause: Option<FunctionError>,
    /// Everything that was done, in order.
    pub stages: Vec<OutcomeStage>,
    /// Figures of the whole session; the names stand in `wit/README.md`.
    pub statistics: Vec<(String, f64)>,
    /// Identifier of the snapshot that was committed.
    pub committed: Option<String>,
}

/// One thing a session did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutcomeStage {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: OutcomeKind,
    /// How it ended.
    pub status: Status,
    /// Why it did not succeed.
    pub error: Option<FunctionError>,
    /// Figures of it.
    pub statistics: Vec<(String, f64)>,
}

/// What a part of a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    /// A Function of the chain.
    Stage,
    /// Forgetting and pruning.
    Retention,
    /// The check of the repository.
    Integrity,
    /// A hook.
    Hook,
}

impl OutcomeKind {
    /// The name in the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Retention => "retention",
            Self::Integrity => "integrity",
            Self::Hook => "hook",
        }
    }
}

impl From<&StageOutcome> for OutcomeStage {
    fn from(stage: &StageOutcome) -> Self {
        Self {
            name: stage.name.clone(),
            kind: OutcomeKind::Stage,
            status: stage.status,
            error: stage.error.clone(),
            statistics: stage.statistics.clone(),
        }
    }
}
