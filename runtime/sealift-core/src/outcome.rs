//! What a Job leaves behind when it ends: one JSON object, its termination message.
//!
//! The Job writes session and Repository status itself; this record is for the case that it
//! could not, and for whoever watches the Job. It is also what observers are run from again
//! when a push failed. Kubernetes keeps 4096 bytes of a termination message, so texts are cut.
//! No secrets: every text in it stands in the session's status, too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plan::{ObjectRef, Plan};

/// The format of the record; a reader refuses any other.
pub const OUTCOME_VERSION: &str = "sealift.outcome/v1";
/// What a kubelet keeps of a termination message.
pub const MOST_BYTES: usize = 4096;
/// Characters of the message: with everything else it stays below [`MOST_BYTES`], also when
/// each of them becomes two bytes in JSON.
const MESSAGE_CHARACTERS: usize = 1200;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// All that was asked for is done.
    Succeeded,
    /// The snapshot is safe, but retention, the check or a hook after it failed.
    SnapshotSafe,
    /// Nothing was committed, or the restore is not known to be applied.
    Failed,
    /// It was interrupted; nothing was committed.
    Cancelled,
    /// Nothing was touched: the plan, its objects or a permission were not as they should be.
    Refused,
}

/// What a Job leaves behind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobOutcome {
    /// [`OUTCOME_VERSION`].
    pub version: String,
    /// The session; none = the plan could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<ObjectRef>,
    /// How it ended.
    pub ending: Ending,
    /// A stable word for machines, such as `PlanOutdated`; empty after a success.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What happened, for people; empty after a success.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The snapshot that was committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Begin and end in unix seconds.
    pub started_seconds: i64,
    /// Likewise.
    pub finished_seconds: i64,
    /// What observers see as `outcomes.statistics`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statistics: BTreeMap<String, f64>,
    /// Whether the observers did their work; false = a push is due again.
    pub observed: bool,
    /// Whether the status of session and Repository was written; false = only this record tells.
    pub status_written: bool,
}

/// A record that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OutcomeError {
    /// It is no record.
    #[error("the outcome is not the JSON of a Job's termination message")]
    Parse(#[source] serde_json::Error),
    /// It is of another format.
    #[error("the outcome has version {found:?}, and {OUTCOME_VERSION} is understood")]
    Version {
        /// What it says.
        found: String,
    },
    /// It tells of another session.
    #[error("the outcome is of {found}, and the plan of {planned}")]
    Session {
        /// What it says.
        found: String,
        /// The plan's.
        planned: String,
    },
}

impl JobOutcome {
    /// A record without result.
    #[must_use]
    pub fn new(ending: Ending, started_seconds: i64, finished_seconds: i64) -> Self {
        Self {
            version: OUTCOME_VERSION.to_owned(),
            session: None,
            ending,
            reason: String::new(),
            message: String::new(),
            snapshot: None,
            started_seconds,
            finished_seconds,
            statistics: BTreeMap::new(),
            observed: false,
            status_written: false,
        }
    }

    /// Sets reason and message; a message that is too long is cut and says so.
    #[must_use]
    pub fn because(mut self, reason: &str, message: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self.message = match message.char_indices().nth(MESSAGE_CHARACTERS) {
            None => message.to_owned(),
            Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        };
        self
    }

    /// Whether a snapshot of a backup is safe, or a restore is done.
    #[must_use]
    pub fn data_is_safe(&self) -> bool {
        matches!(self.ending, Ending::Succeeded | Ending::SnapshotSafe)
    }

    /// The record as one line of JSON, at most [`MOST_BYTES`] long.
    #[must_use]
    pub fn to_line(&self) -> String {
        let line = |record: &Self| serde_json::to_string(record).unwrap_or_default();
        let whole = line(self);
        if whole.len() <= MOST_BYTES {
            return whole;
        }
        // Whatever made it so long, how it ended must be told.
        line(&Self {
            message: self.message.chars().take(MESSAGE_CHARACTERS / 4).collect(),
            statistics: BTreeMap::new(),
            ..self.clone()
        })
    }

    /// Reads a record and checks that it is of this plan's session.
    ///
    /// # Errors
    /// It is none, of another format, or of another session.
    pub fn read(text: &str, plan: &Plan) -> Result<Self, OutcomeError> {
        let record: Self = serde_json::from_str(text).map_err(OutcomeError::Parse)?;
        if record.version != OUTCOME_VERSION {
            return Err(OutcomeError::Version { found: record.version });
        }
        match &record.session {
            Some(session) if *session != plan.session => Err(OutcomeError::Session {
                found: session.to_string(),
                planned: plan.session.to_string(),
            }),
            _ => Ok(record),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_record_fits_into_a_termination_message_whatever_went_wrong() {
        let long = "ä\"\n".repeat(5000);
        let mut record = JobOutcome::new(Ending::Failed, 1, 2).because("ChainFailed", &long);
        record.statistics = (0..500).map(|n| (format!("statistic-{n}"), 1.5)).collect();
        let line = record.to_line();
        assert!(line.len() <= MOST_BYTES, "{}", line.len());
        let read: JobOutcome = serde_json::from_str(&line).unwrap();
        assert_eq!(read.reason, "ChainFailed");
        assert!(read.message.starts_with("ä\"\n"));
    }

    #[test]
    fn a_short_record_is_told_whole() {
        let record = JobOutcome::new(Ending::Succeeded, 1, 2);
        assert_eq!(
            record.to_line(),
            r#"{"version":"sealift.outcome/v1","ending":"Succeeded","startedSeconds":1,"finishedSeconds":2,"observed":false,"statusWritten":false}"#
        );
    }
}
