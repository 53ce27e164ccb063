//! Which sessions may run: at most so many at once, and in a fair order.
//!
//! Fair: namespaces take turns, and one whose sessions run already waits longer; within a
//! namespace the older goes first. Also here: the claims on an invoker and on a target, which
//! only one session holds at a time. All of it is in memory, entered anew from the status of
//! running sessions when the operator starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sealift_core::plan::ObjectRef;
use sealift_kube::watch::Key;

/// What a session is told that asks to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Run.
    Now,
    /// Wait.
    Wait {
        /// From 1.
        position: usize,
        /// How many wait.
        waiting: usize,
        /// How many run.
        running: usize,
    },
}

/// Who may run.
pub struct Admission {
    /// 0 = any number.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeSet<Key>,
    waiting: BTreeMap<Key, Timestamp>,
    /// The session that holds an invoker.
    invokers: BTreeMap<Key, Key>,
    /// The session that holds a target.
    targets: BTreeMap<ObjectRef, Key>,
}

impl Admission {
    /// At most `limit` at once; 0 = any number.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Takes a session's invoker and target for it.
    ///
    /// # Errors
    /// Another session holds one of them: that session.
    pub fn claim(&self, session: &Key, invoker: &Key, target: &ObjectRef) -> Result<(), Key> {
        let mut state = self.state();
        let other = [state.invokers.get(invoker), state.targets.get(target)]
            .into_iter()
            .flatten()
            .find(|holder| *holder != session)
            .cloned();
        if let Some(other) = other {
            return Err(other);
        }
        state.invokers.insert(invoker.clone(), session.clone());
        state.targets.insert(target.clone(), session.clone());
        Ok(())
    }

    /// A session that runs already: it is counted, whatever the limit.
    pub fn runs(&self, session: &Key) {
        let mut state = self.state();
        state.waiting.remove(session);
        state.running.insert(session.clone());
    }

    /// Asks for a session's turn.
    pub fn ask(&self, session: &Key, created: Timestamp) -> Turn {
        let mut state = self.state();
        if state.running.contains(session) {
            return Turn::Now;
        }
        state.waiting.insert(session.clone(), created);
        let order = order(&state.waiting, &state.running);
        let position = order.iter().position(|key| key == session).map_or(1, |index| index + 1);
        let running = state.running.len();
        if self.limit == 0 || position <= self.limit.saturating_sub(running) {
            state.waiting.remove(session);
            state.running.insert(session.clone());
            return Turn::Now;
        }
        Turn::Wait { position, waiting: order.len(), running }
    }

    /// A session has ended, or does not want to run any more. The result are those whose turn
    /// has come, and those who waited for what it held are to be asked again by the caller.
    pub fn leave(&self, session: &Key) -> Vec<Key> {
        let mut state = self.state();
        let ran = state.running.remove(session);
        let waited = state.waiting.remove(session).is_some();
        state.invokers.retain(|_, holder| holder != session);
        state.targets.retain(|_, holder| holder != session);
        if !(ran || waited) || state.waiting.is_empty() {
            return Vec::new();
        }
        let free = match self.limit {
            0 => usize::MAX,
            limit => limit.saturating_sub(state.running.len()),
        };
        order(&state.waiting, &state.running).into_iter().take(free).collect()
    }

    /// How many run and how many wait.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.running.len(), state.waiting.len())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn order(waiting: &BTreeMap<Key, Timestamp>, running: &BTreeSet<Key>) -> Vec<Key> {
    let mut of_namespace: BTreeMap<&str, usize> = BTreeMap::new();
    for key in running {
        *of_namespace.entry(&key.namespace).or_default() += 1;
    }
    let mut by_age: Vec<(&Key, Timestamp)> = waiting.iter().map(|(key, at)| (key, *at)).collect();
    by_age.sort_by(|one, other| (one.1, one.0).cmp(&(other.1, other.0)));
    let mut ranked: Vec<(usize, Timestamp, &Key)> = by_age
        .into_iter()
        .map(|(key, created)| {
            let rank = of_namespace.entry(&key.namespace).or_default();
            *rank += 1;
            (*rank, created, key)
        })
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, _, key)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn names(keys: &[Key]) -> Vec<String> {
        keys.iter().map(Key::to_string).collect()
    }

    #[test]
    fn namespaces_take_turns_and_the_older_goes_first() {
        let waiting: BTreeMap<Key, Timestamp> = [
            (Key::new("big", "1"), at(1)),
            (Key::new("big", "2"), at(2)),
            (Key::new("big", "3"), at(3)),
            (Key::new("small", "1"), at(9)),
        ]
        .into();
        let order_with =
            |running: &[Key]| names(&order(&waiting, &running.iter().cloned().collect()));
        assert_eq!(order_with(&[]), ["big/1", "small/1", "big/2", "big/3"]);
        // Who runs already waits longer.
        assert_eq!(order_with(&[Key::new("big", "0")]), ["small/1", "big/1", "big/2", "big/3"]);
    }

    #[test]
    fn no_more_run_than_may_and_an_end_calls_the_next() {
        let admission = Admission::new(2);
        let key = |name: &str| Key::new("demo", name);
        assert_eq!(admission.ask(&key("a"), at(1)), Turn::Now);
        assert_eq!(admission.ask(&key("b"), at(2)), Turn::Now);
        assert_eq!(
            admission.ask(&key("d"), at(4)),
            Turn::Wait { position: 1, waiting: 1, running: 2 }
        );
        assert_eq!(
            admission.ask(&key("c"), at(3)),
            Turn::Wait { position: 1, waiting: 2, running: 2 }
        );
        assert_eq!(names(&admission.leave(&key("a"))), ["demo/c"]);
        // The one that was not called does not slip in.
        assert!(matches!(admission.ask(&key("d"), at(4)), Turn::Wait { position: 2, .. }));
        assert_eq!(admission.ask(&key("c"), at(3)), Turn::Now);
        assert_eq!(admission.ask(&key("c"), at(3)), Turn::Now);
        assert_eq!(admission.counts(), (2, 1));
        assert!(admission.leave(&key("unknown")).is_empty());
    }

    #[test]
    fn one_session_holds_an_invoker_and_a_target() {
        let admission = Admission::new(0);
        let target = ObjectRef {
            group: String::new(),
            kind: "AppBinding".into(),
            namespace: "demo".into(),
            name: "vault".into(),
        };
        let key = |name: &str| Key::new("demo", name);
        assert_eq!(admission.claim(&key("s1"), &key("a"), &target), Ok(()));
        assert_eq!(admission.claim(&key("s1"), &key("a"), &target), Ok(()));
        assert_eq!(admission.claim(&key("s2"), &key("a"), &target), Err(key("s1")));
        assert_eq!(admission.claim(&key("s3"), &key("b"), &target), Err(key("s1")));
        admission.leave(&key("s1"));
        assert_eq!(admission.claim(&key("s3"), &key("b"), &target), Ok(()));
    }
}
