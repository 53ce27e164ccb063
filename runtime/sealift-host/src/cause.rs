//! The first cause: which of the many errors of a dying chain is the one to report.
//!
//! When a stage fails, its neighbours fail too, because they are cancelled. The first to record
//! its error here wins, and recording it is what cancels the others, so that a consequence can
//! never come before its cause. How a stage ends is not decided here.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::error::FunctionError;

/// Why a chain is stopped.
#[derive(Debug, Clone)]
pub(crate) struct FirstCause {
    /// The stage that failed; none = it was stopped from outside.
    pub(crate) stage: Option<String>,
    /// The artifact it was at.
    pub(crate) artifact: Option<String>,
    /// Its error.
    pub(crate) error: FunctionError,
}

/// Shared by all stages of a chain: the cause, and the signal that it is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    cause: Arc<OnceLock<FirstCause>>,
    completed: Arc<OnceLock<FirstCause>>,
    signal: CancellationToken,
}

impl Stop {
    /// Records a cause and stops the chain. Returns whether it was the first; an earlier one stays.
    pub(crate) fn because(&self, cause: FirstCause) -> bool {
        let first = self.cause.set(cause).is_ok();
        self.signal.cancel();
        first
    }

    /// The same cause with what only its end showed: for the stage that recorded it while it was
    /// still running, and for one that fell over where a neighbour noticed first.
    pub(crate) fn complete(&self, cause: FirstCause) {
        // Once: a stage has one end.
        let _ = self.completed.set(cause);
    }

    /// The cause, once there is one.
    pub(crate) fn cause(&self) -> Option<&FirstCause> {
        self.completed.get().or_else(|| self.cause.get())
    }

    /// Whether the chain is being stopped.
    pub(crate) fn is_set(&self) -> bool {
        self.signal.is_cancelled()
    }

    /// Waits until the chain is stopped.
    pub(crate) async fn wait(&self) {
        self.signal.cancelled().await;
    }

    /// What a stage is told that runs into the stop.
    pub(crate) fn error(&self) -> FunctionError {
        FunctionError::Cancelled(match self.cause.get() {
            Some(FirstCause { stage: Some(stage), error, .. }) => format!("stage {stage}: {error}"),
            Some(FirstCause { stage: None, error: FunctionError::Cancelled(text), .. }) => {
                text.clone()
            }
            Some(FirstCause { stage: None, error, .. }) => error.to_string(),
            None => "the neighbouring stage ended without a result".to_owned(),
        })
    }

    /// Runs a future unless the chain is stopped first.
    pub(crate) async fn unless<T>(
        &self,
        future: impl Future<Output = Result<T, FunctionError>>,
    ) -> Result<T, FunctionError> {
        tokio::select! {
            biased;
            () = self.signal.cancelled() => Err(self.error()),
            result = future => result,
        }
    }
}
