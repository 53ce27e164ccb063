//! How the session went; for observers.

use crate::bindings::sealift::function::outcomes as raw;
use crate::error::Error;

/// How a stage or the session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// All well.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped because of something else.
    Cancelled,
    /// It never ran.
    Skipped,
}

impl From<raw::Status> for Status {
    fn from(status: raw::Status) -> Self {
        match status {
            raw::Status::Succeeded => Self::Succeeded,
            raw::Status::Failed => Self::Failed,
            raw::Status::Cancelled => Self::Cancelled,
            raw::Status::Skipped => Self::Skipped,
        }
    }
}

/// How the session went.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Of the whole session.
    pub status: Status,
    /// Why it failed.
    pub cause: Option<Error>,
    /// Every stage, in order.
    pub stages: Vec<Stage>,
    /// Figures of the session.
    pub statistics: Vec<(String, f64)>,
    /// The snapshot that was committed.
    pub committed: Option<String>,
}

/// How one stage went.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// `stage`, `retention`, `integrity` or `hook`.
    pub kind: String,
    /// How it ended.
    pub status: Status,
    /// Why it failed.
    pub error: Option<Error>,
    /// Its figures.
    pub statistics: Vec<(String, f64)>,
}

impl Outcome {
    /// Asks the host for everything.
    pub(crate) fn read() -> Self {
        Self {
            status: raw::overall().into(),
            cause: raw::cause().map(Into::into),
            stages: raw::stages()
                .into_iter()
                .map(|stage| Stage {
                    name: stage.name(),
                    kind: stage.kind(),
                    status: stage.status().into(),
                    error: stage.error().map(Into::into),
                    statistics: stage.statistics(),
                })
                .collect(),
            statistics: raw::statistics(),
            committed: raw::committed(),
        }
    }

    /// A figure of the session by its name.
    #[must_use]
    pub fn statistic(&self, name: &str) -> Option<f64> {
        self.statistics.iter().find(|(own, _)| own == name).map(|(_, value)| *value)
    }
}
