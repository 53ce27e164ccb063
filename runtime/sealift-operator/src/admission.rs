//! Which sessions may run: at most so many at once, and in a fair order. Backups and restores
//! stand in one queue.
//!
//! Fair: namespaces take turns, and one whose sessions run already waits longer; within a
//! namespace the older goes first. Also here: the claims on an invoker and on a target, which
//! only one session holds at a time. All of it is in memory, entered anew from the status of
//! running sessions when the operator starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sealift_core::plan::ObjectRef;
use sealift_kube::watch::Key;

/// What a session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A BackupSession.
    Backup,
    /// A RestoreSession.
    Restore,
}

/// A session of either kind: the two may have the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace and name.
    pub key: Key,
}

impl Session {
    /// A BackupSession.
    #[must_use]
    pub fn backup(key: Key) -> Self {
        Self { kind: Kind::Backup, key }
    }

    /// A RestoreSession.
    #[must_use]
    pub fn restore(key: Key) -> Self {
        Self { kind: Kind::Restore, key }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Backup => "BackupSession",
            Kind::Restore => "RestoreSession",
        };
        write!(f, "{kind} {}", self.key)
    }
}

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
    running: BTreeSet<Session>,
    waiting: BTreeMap<Session, Timestamp>,
    /// The session that holds an invoker. A restore is its own.
    invokers: BTreeMap<Key, Session>,
    /// The session that holds a target.
    targets: BTreeMap<ObjectRef, Session>,
    /// Who wanted what another session holds, and that session.
    refused: BTreeMap<Session, Session>,
}

impl Admission {
    /// At most `limit` at once; 0 = any number.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Takes a session's invoker and target for it. A restore has no invoker but itself. In the
    /// target's own namespace, sessions of other namespaces are nobody to wait for.
    ///
    /// # Errors
    /// Another session holds one of them: that session.
    pub fn claim(
        &self,
        session: &Session,
        invoker: Option<&Key>,
        target: &ObjectRef,
    ) -> Result<(), Session> {
        let mut state = self.state();
        let at_home = |session: &Session| session.key.namespace == target.namespace;
        // Whoever can name a target of another namespace must not keep that one from backing it up.
        let in_the_way = |holder: &&Session| at_home(holder) || !at_home(session);
        let holder = state.targets.get(target).filter(in_the_way);
        let other = [invoker.and_then(|key| state.invokers.get(key)), holder]
            .into_iter()
            .flatten()
            .find(|holder| *holder != session)
            .cloned();
        if let Some(other) = other {
            state.refused.insert(session.clone(), other.clone());
            return Err(other);
        }
        state.refused.remove(session);
        if let Some(invoker) = invoker {
            state.invokers.insert(invoker.clone(), session.clone());
        }
        state.targets.insert(target.clone(), session.clone());
        Ok(())
    }

    /// A session that runs already: it is counted, whatever the limit, and holds its target
    /// unless somebody else does.
    pub fn runs(&self, session: &Session, target: Option<ObjectRef>) {
        let mut state = self.state();
        state.waiting.remove(session);
        state.running.insert(session.clone());
        if let Some(target) = target {
            state.targets.entry(target).or_insert_with(|| session.clone());
        }
    }

    /// Asks for a session's turn.
    pub fn ask(&self, session: &Session, created: Timestamp) -> Turn {
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
    /// has come and those who wanted what it held, to be looked at by the caller.
    pub fn leave(&self, session: &Session) -> Vec<Session> {
        let mut state = self.state();
        let ran = state.running.remove(session);
        let waited = state.waiting.remove(session).is_some();
        state.invokers.retain(|_, holder| holder != session);
        state.targets.retain(|_, holder| holder != session);
        state.refused.remove(session);
        let mut next: Vec<Session> = state
            .refused
            .extract_if(.., |_, holder| *holder == *session)
            .map(|(refused, _)| refused)
            .collect();
        if (ran || waited) && !state.waiting.is_empty() {
            let free = match self.limit {
                0 => usize::MAX,
                limit => limit.saturating_sub(state.running.len()),
            };
            next.extend(order(&state.waiting, &state.running).into_iter().take(free));
        }
        next
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

fn order(waiting: &BTreeMap<Session, Timestamp>, running: &BTreeSet<Session>) -> Vec<Session> {
    let mut of_namespace: BTreeMap<&str, usize> = BTreeMap::new();
    for session in running {
        *of_namespace.entry(&session.key.namespace).or_default() += 1;
    }
    let mut by_age: Vec<(Timestamp, &Session)> =
        waiting.iter().map(|(session, at)| (*at, session)).collect();
    by_age.sort();
    let mut ranked: Vec<(usize, Timestamp, &Session)> = by_age
        .into_iter()
        .map(|(created, session)| {
            let rank = of_namespace.entry(&session.key.namespace).or_default();
            *rank += 1;
            (*rank, created, session)
        })
        .collect();
    ranked.sort();
    ranked.into_iter().map(|(_, _, session)| session.clone()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn backup(namespace: &str, name: &str) -> Session {
        Session::backup(Key::new(namespace, name))
    }

    fn restore(namespace: &str, name: &str) -> Session {
        Session::restore(Key::new(namespace, name))
    }

    fn vault() -> ObjectRef {
        ObjectRef {
            group: String::new(),
            kind: "AppBinding".into(),
            namespace: "demo".into(),
            name: "vault".into(),
        }
    }

    #[test]
    fn namespaces_take_turns_and_the_older_goes_first() {
        let waiting: BTreeMap<Session, Timestamp> = [
            (backup("big", "1"), at(1)),
            (restore("big", "2"), at(2)),
            (backup("big", "3"), at(3)),
            (restore("small", "1"), at(9)),
        ]
        .into();
        let order_with = |running: &[Session]| -> Vec<String> {
            let order = order(&waiting, &running.iter().cloned().collect());
            order.iter().map(|session| session.key.to_string()).collect()
        };
        assert_eq!(order_with(&[]), ["big/1", "small/1", "big/2", "big/3"]);
        // Who runs already waits longer.
        assert_eq!(order_with(&[restore("big", "0")]), ["small/1", "big/1", "big/2", "big/3"]);
    }

    #[test]
    fn no_more_run_than_may_and_an_end_calls_the_next() {
        let admission = Admission::new(2);
        let [a, b, d] = ["a", "b", "d"].map(|name| backup("demo", name));
        let c = restore("demo", "c");
        assert_eq!(admission.ask(&a, at(1)), Turn::Now);
        assert_eq!(admission.ask(&b, at(2)), Turn::Now);
        assert_eq!(admission.ask(&d, at(4)), Turn::Wait { position: 1, waiting: 1, running: 2 });
        assert_eq!(admission.ask(&c, at(3)), Turn::Wait { position: 1, waiting: 2, running: 2 });
        assert_eq!(admission.leave(&a), std::slice::from_ref(&c));
        // The one that was not called does not slip in.
        assert!(matches!(admission.ask(&d, at(4)), Turn::Wait { position: 2, .. }));
        assert_eq!(admission.ask(&c, at(3)), Turn::Now);
        assert_eq!(admission.ask(&c, at(3)), Turn::Now);
        assert_eq!(admission.counts(), (2, 1));
        assert!(admission.leave(&backup("demo", "unknown")).is_empty());
        // A backup of the same name is another session.
        assert!(admission.leave(&backup("demo", "c")).is_empty());
        assert_eq!(admission.counts(), (2, 1));
    }

    #[test]
    fn one_session_holds_an_invoker_and_a_target() {
        let admission = Admission::new(0);
        let [s1, s2, s3] = ["s1", "s2", "s3"].map(|name| backup("demo", name));
        let key = |name: &str| Key::new("demo", name);
        assert_eq!(admission.claim(&s1, Some(&key("a")), &vault()), Ok(()));
        assert_eq!(admission.claim(&s1, Some(&key("a")), &vault()), Ok(()));
        assert_eq!(admission.claim(&s2, Some(&key("a")), &vault()), Err(s1.clone()));
        assert_eq!(admission.claim(&s3, Some(&key("b")), &vault()), Err(s1.clone()));
        assert_eq!(admission.leave(&s1), [s2, s3.clone()]);
        assert_eq!(admission.claim(&s3, Some(&key("b")), &vault()), Ok(()));
    }

    #[test]
    fn a_foreign_session_keeps_nobody_from_the_target_of_their_namespace() {
        let admission = Admission::new(0);
        let (foreign, other) = (backup("evil", "one"), backup("evil", "two"));
        let own = backup("demo", "own");
        assert_eq!(admission.claim(&foreign, None, &vault()), Ok(()));
        assert_eq!(admission.claim(&other, None, &vault()), Err(foreign.clone()));
        assert_eq!(admission.claim(&own, None, &vault()), Ok(()));
        assert_eq!(admission.claim(&other, None, &vault()), Err(own.clone()));
        // The end of the one that lost the target does not free it.
        admission.leave(&foreign);
        assert_eq!(admission.claim(&restore("demo", "r"), None, &vault()), Err(own));
    }

    #[test]
    fn a_vault_is_not_backed_up_while_it_is_restored() {
        let admission = Admission::new(0);
        let (restore, backup) = (restore("demo", "one"), backup("demo", "one"));
        // As after a start of the operator.
        admission.runs(&restore, Some(vault()));
        let invoker = Key::new("demo", "demo-backup");
        let refused = admission.claim(&backup, Some(&invoker), &vault());
        assert_eq!(refused, Err(restore.clone()));
        assert_eq!(restore.to_string(), "RestoreSession demo/one");
        assert_eq!(admission.leave(&restore), std::slice::from_ref(&backup));
        assert_eq!(admission.claim(&backup, Some(&invoker), &vault()), Ok(()));
        assert_eq!(admission.claim(&restore, None, &vault()), Err(backup));
    }
}
