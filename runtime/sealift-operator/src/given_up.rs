//! What the Jobs were told that were ended because their time was up.
//!
//! The metrics of such a session are pushed by another Job, which carries out the same plan. Which
//! plan that was is known by its digest, and only from the Job: whatever else tells it can be
//! written by others. It is kept in memory alone. An operator that is replaced in the seconds
//! between the two leaves it to the next session to push.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Digests of plans, by the `metadata.uid` of their sessions.
#[derive(Debug, Default)]
pub struct GivenUp {
    digests: Mutex<BTreeMap<String, String>>,
}

impl GivenUp {
    /// The Job of this session had a plan with this digest.
    pub(crate) fn remember(&self, session: &str, digest: &str) {
        self.digests().insert(session.to_owned(), digest.to_owned());
    }

    /// The digest of the plan its Job had.
    pub(crate) fn digest(&self, session: &str) -> Option<String> {
        self.digests().get(session).cloned()
    }

    /// Nothing more is to be done for this session.
    pub(crate) fn forget(&self, session: &str) {
        self.digests().remove(session);
    }

    fn digests(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.digests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
