//! The phase of a finished session, from what happened in it.
//!
//! The data decides (a session whose snapshot is safe does not fail for its metrics); failed
//! retention, integrity check or hook does fail it. Conditions, events and statistics are
//! written elsewhere from the same facts.

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

#[cfg(test)]
mod tests {
    use super::*;

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
