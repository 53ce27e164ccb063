//! How far the operator has come, for `/readyz` and the log.

use std::sync::{Arc, PoisonError, RwLock};

/// How far the operator has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// It has just begun.
    Starting,
    /// The original's operator runs; nothing is written.
    StandingBack(String),
    /// Another one is the leader; nothing is written.
    Waiting,
    /// It reads what is there.
    Reading,
    /// It works.
    Working,
}

impl Stage {
    /// Whether the process does what it should just now. One that waits for another leader does;
    /// one that stands back does not, and shall be seen.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Waiting | Self::Working)
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Starting => "starting".to_owned(),
            Self::StandingBack(why) => format!("standing back: {why}"),
            Self::Waiting => "waiting for the leader's Lease".to_owned(),
            Self::Reading => "reading what is in the cluster".to_owned(),
            Self::Working => "working".to_owned(),
        }
    }
}

/// The stage, shared.
#[derive(Debug, Clone)]
pub struct StageCell {
    stage: Arc<RwLock<Stage>>,
}

impl Default for StageCell {
    fn default() -> Self {
        Self { stage: Arc::new(RwLock::new(Stage::Starting)) }
    }
}

impl StageCell {
    /// The stage now.
    #[must_use]
    pub fn get(&self) -> Stage {
        self.stage.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on to another stage.
    pub fn set(&self, stage: Stage) {
        let mut now = self.stage.write().unwrap_or_else(PoisonError::into_inner);
        if *now != stage {
            tracing::info!(stage = %stage.text(), "the operator goes on");
            *now = stage;
        }
    }
}
