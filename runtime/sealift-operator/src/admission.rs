//! Which sessions may run: at most so many at once, and in a fair order, which is `line`'s, as is
//! what one namespace may take of the places. Backups and restores stand in one queue.
//!
//! Also here: the claims on an invoker and on a target, which only one session holds at a time. All
//! of it is in memory, entered anew from the status of running sessions when the operator starts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sealift_core::plan::ObjectRef;
use sealift_kube::watch::Key;

use crate::line::{Line, Sharing};

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
        /// Places are free, but for other namespaces.
        kept: bool,
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
    line: Line,
    /// As it was when somebody last asked.
    sharing: Sharing,
    /// The session that holds an invoker. A restore is its own.
    invokers: BTreeMap<Key, Session>,
    /// The session that holds a target.
    targets: BTreeMap<ObjectRef, Session>,
    /// What each session holds.
    held: BTreeMap<Session, Held>,
    /// Who wanted what another session holds, and that session.
    refused: BTreeMap<Session, Session>,
}

/// What a session has claimed. Another may have taken it since.
#[derive(Default)]
struct Held {
    invokers: BTreeSet<Key>,
    targets: BTreeSet<ObjectRef>,
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
        let held = state.held.entry(session.clone()).or_default();
        held.invokers.extend(invoker.cloned());
        held.targets.insert(target.clone());
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
        state.line.run(session);
        if let Some(target) = target {
            state.held.entry(session.clone()).or_default().targets.insert(target.clone());
            let at_home = |session: &Session| session.key.namespace == target.namespace;
            let kept = state
                .targets
                .get(&target)
                .is_some_and(|holder| at_home(holder) || !at_home(session));
            if !kept {
                state.targets.insert(target, session.clone());
            }
        }
    }

    /// Asks for a session's turn. Where the places are `shared`, because more than one namespace may
    /// want them, none takes those it would leave nobody else.
    pub fn ask(&self, session: &Session, created: Timestamp, shared: bool) -> Turn {
        let mut state = self.state();
        if state.line.runs(session) {
            return Turn::Now;
        }
        state.sharing = if shared { Sharing::Namespaces } else { Sharing::Nobody };
        state.line.wait(session, created);
        let free = self.free(&state);
        if state.line.is_first(session, free, state.sharing) {
            state.line.run(session);
            return Turn::Now;
        }
        let position = state.line.place(session).unwrap_or(1);
        Turn::Wait {
            position,
            waiting: state.line.waiting(),
            running: state.line.running(),
            kept: position <= free,
        }
    }

    /// A session has ended, or does not want to run any more. The result are those whose turn
    /// has come and those who wanted what it held, to be looked at by the caller.
    pub fn leave(&self, session: &Session) -> Vec<Session> {
        let mut state = self.state();
        let was_in_line = state.line.leave(session);
        let held = state.held.remove(session).unwrap_or_default();
        for invoker in &held.invokers {
            if state.invokers.get(invoker) == Some(session) {
                state.invokers.remove(invoker);
            }
        }
        for target in &held.targets {
            if state.targets.get(target) == Some(session) {
                state.targets.remove(target);
            }
        }
        state.refused.remove(session);
        let mut next: Vec<Session> = state
            .refused
            .extract_if(.., |_, holder| *holder == *session)
            .map(|(refused, _)| refused)
            .collect();
        if was_in_line && state.line.waiting() > 0 {
            next.extend(state.line.first(self.free(&state), state.sharing));
        }
        next
    }

    /// How many places are free.
    fn free(&self, state: &State) -> usize {
        match self.limit {
            0 => usize::MAX,
            limit => limit.saturating_sub(state.line.running()),
        }
    }

    /// How many run and how many wait.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        (state.line.running(), state.line.waiting())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    fn no_more_run_than_may_and_an_end_calls_the_next() {
        let admission = Admission::new(2);
        let [a, b, d] = ["a", "b", "d"].map(|name| backup("demo", name));
        let c = restore("demo", "c");
        assert_eq!(admission.ask(&a, at(1), false), Turn::Now);
        assert_eq!(admission.ask(&b, at(2), false), Turn::Now);
        let waits = |position, waiting| Turn::Wait { position, waiting, running: 2, kept: false };
        assert_eq!(admission.ask(&d, at(4), false), waits(1, 1));
        assert_eq!(admission.ask(&c, at(3), false), waits(1, 2));
        assert_eq!(admission.leave(&a), std::slice::from_ref(&c));
        // The one that was not called does not slip in.
        assert!(matches!(admission.ask(&d, at(4), false), Turn::Wait { position: 2, .. }));
        assert_eq!(admission.ask(&c, at(3), false), Turn::Now);
        assert_eq!(admission.ask(&c, at(3), false), Turn::Now);
        assert_eq!(admission.counts(), (2, 1));
        assert!(admission.leave(&backup("demo", "unknown")).is_empty());
        // A backup of the same name is another session.
        assert!(admission.leave(&backup("demo", "c")).is_empty());
        assert_eq!(admission.counts(), (2, 1));
    }

    #[test]
    fn the_last_place_is_for_a_namespace_that_holds_none() {
        let admission = Admission::new(3);
        let [a, b, c] = ["a", "b", "c"].map(|name| backup("hog", name));
        let late = backup("late", "one");
        assert_eq!(admission.ask(&a, at(1), true), Turn::Now);
        assert_eq!(admission.ask(&b, at(2), true), Turn::Now);
        let kept = Turn::Wait { position: 1, waiting: 1, running: 2, kept: true };
        assert_eq!(admission.ask(&c, at(3), true), kept);
        assert_eq!(admission.ask(&late, at(9), true), Turn::Now);
        // Nobody is called for a place that is kept from them.
        assert_eq!(admission.leave(&late), []);
        assert_eq!(admission.leave(&a), std::slice::from_ref(&c));
        let behind = Turn::Wait { position: 2, waiting: 2, running: 1, kept: true };
        assert_eq!(admission.ask(&a, at(10), true), behind);
        assert_eq!(admission.ask(&c, at(3), true), Turn::Now);
        // Alone, a namespace may have them all.
        assert_eq!(admission.ask(&a, at(10), false), Turn::Now);
    }

    #[test]
    fn one_session_holds_an_invoker_and_a_target() {
        let admission = Admission::new(0);
        let [s1, s2, s3] = ["s1", "s2", "s3"].map(|name| backup("demo", name));
        let key = |name: &str| Key::new("demo", name);
        assert_eq!(admission.claim(&s1, Some(&key("a")), &vault()), Ok(()));
        assert_eq!(admission.claim(&s1, Some(&key("a")), &vault()), Ok(()));
        let other = ObjectRef { name: "other".into(), ..vault() };
        assert_eq!(admission.claim(&s2, Some(&key("a")), &other), Err(s1.clone()));
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
    fn after_a_start_a_foreign_session_that_runs_takes_no_target_from_its_home() {
        let (own, foreign) = (backup("demo", "own"), backup("evil", "one"));
        for order in [[&own, &foreign], [&foreign, &own]] {
            let admission = Admission::new(0);
            for session in order {
                admission.runs(session, Some(vault()));
            }
            let late = restore("demo", "r");
            assert_eq!(admission.claim(&late, None, &vault()), Err(own.clone()));
            admission.leave(&foreign);
            assert_eq!(admission.claim(&late, None, &vault()), Err(own.clone()));
            assert_eq!(admission.leave(&own), std::slice::from_ref(&late));
            assert_eq!(admission.claim(&late, None, &vault()), Ok(()));
        }
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
