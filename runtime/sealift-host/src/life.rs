//! Whether a stage is alive: what keeps a killed stage from completing anything.
//!
//! A request body of `wasi:http` whose store is dropped looks like one that was ended properly,
//! and the server would take half an upload for a whole one. So everything that can outlive a
//! stage for a moment asks [`Life`] before it passes an end on, and [`LifeGuard`], which the
//! stage's store drops before all else it holds, marks the stage dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shared with what may outlive the stage.
#[derive(Debug, Clone)]
pub(crate) struct Life(Arc<AtomicBool>);

impl Life {
    /// Whether the stage's ends still count.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Ends the life when it is dropped.
#[derive(Debug)]
pub(crate) struct LifeGuard(Life);

impl LifeGuard {
    /// A new life.
    pub(crate) fn new() -> Self {
        Self(Life(Arc::new(AtomicBool::new(true))))
    }

    /// To ask later.
    pub(crate) fn life(&self) -> Life {
        self.0.clone()
    }
}

impl Drop for LifeGuard {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::SeqCst);
    }
}
