//! Whose turn it is: the order of those who wait, and who runs. Pure.
//!
//! Fair: namespaces take turns. One whose sessions run already waits longer; of those alike, the one
//! that has waited longest for its turn goes first, however many of its sessions wait; within a
//! namespace it is the older session. Thousands may wait, so nobody's place is found by sorting
//! all: each namespace keeps its own in order, and a place follows from one look at each namespace.
//!
//! Turns alone do not help whoever comes last: a place is given back only when a session ends. So
//! where namespaces share the places, one gets another place only while more are free than it
//! holds: a namespace alone takes half of them, two take a third each, and the last free place is
//! for one that holds none. The order begins with those that hold least, so nobody is passed over.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::admission::Session;

/// Whether the places are for several namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sharing {
    /// One namespace may have them all.
    #[default]
    Nobody,
    /// Each gets another place only while more are free than it holds.
    Namespaces,
}

impl Sharing {
    /// Whether one of `free` places is for a session before which `ahead` others take theirs, and
    /// of whose namespace `rank` will run by then.
    fn lets(self, ahead: usize, rank: usize, free: usize) -> bool {
        let left = free.saturating_sub(ahead);
        match self {
            Self::Nobody => left > 0,
            Self::Namespaces => rank < left,
        }
    }
}

/// Who runs and who waits.
#[derive(Debug, Default)]
pub(crate) struct Line {
    running: BTreeSet<Session>,
    /// How many run, by namespace.
    running_in: BTreeMap<String, usize>,
    waiting: BTreeMap<Session, Timestamp>,
    /// Those who wait, by namespace, the older first.
    waiting_in: BTreeMap<String, Vec<(Timestamp, Session)>>,
    /// When each namespace last had its turn, counted in turns, as long as it has sessions here.
    turns: BTreeMap<String, u64>,
    turn: u64,
}

impl Line {
    /// How many run.
    pub(crate) fn running(&self) -> usize {
        self.running.len()
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a session runs.
    pub(crate) fn runs(&self, session: &Session) -> bool {
        self.running.contains(session)
    }

    /// A session runs, and waits no longer.
    pub(crate) fn run(&mut self, session: &Session) {
        self.give_up(session);
        if self.running.insert(session.clone()) {
            *self.running_in.entry(session.key.namespace.clone()).or_default() += 1;
            self.turn += 1;
            self.turns.insert(session.key.namespace.clone(), self.turn);
        }
    }

    /// A session waits.
    pub(crate) fn wait(&mut self, session: &Session, created: Timestamp) {
        if self.waiting.get(session) == Some(&created) {
            return;
        }
        self.give_up(session);
        self.waiting.insert(session.clone(), created);
        let entry = (created, session.clone());
        let line = self.waiting_in.entry(session.key.namespace.clone()).or_default();
        let place = line.partition_point(|other| *other < entry);
        line.insert(place, entry);
    }

    /// A session neither runs nor waits any more. True = it did.
    pub(crate) fn leave(&mut self, session: &Session) -> bool {
        let ran = self.running.remove(session);
        if ran && let Some(count) = self.running_in.get_mut(&session.key.namespace) {
            *count -= 1;
            if *count == 0 {
                self.running_in.remove(&session.key.namespace);
            }
        }
        let waited = self.give_up(session);
        let namespace = &session.key.namespace;
        if !self.running_in.contains_key(namespace) && !self.waiting_in.contains_key(namespace) {
            self.turns.remove(namespace);
        }
        waited || ran
    }

    fn give_up(&mut self, session: &Session) -> bool {
        let Some(created) = self.waiting.remove(session) else { return false };
        let namespace = &session.key.namespace;
        if let Some(line) = self.waiting_in.get_mut(namespace) {
            line.retain(|(at, other)| (*at, other) != (created, session));
            if line.is_empty() {
                self.waiting_in.remove(namespace);
            }
        }
        true
    }

    /// The place of one who waits, from 1. None = it does not.
    pub(crate) fn place(&self, session: &Session) -> Option<usize> {
        let entry = (*self.waiting.get(session)?, session.clone());
        let rank = self.rank(session)?;
        let turn = (self.turn_of(&session.key.namespace), &entry);
        let ahead = self.waiting_in.iter().map(|(namespace, line)| {
            // Those of lower rank are first; of the same rank, whose turn is longer ago.
            let lower = rank.saturating_sub(self.running_of(namespace)).min(line.len());
            let ranks_alike = self.running_of(namespace) + lower == rank;
            let before = |other| ranks_alike && (self.turn_of(namespace), other) < turn;
            lower + usize::from(line.get(lower).is_some_and(before))
        });
        Some(ahead.sum::<usize>() + 1)
    }

    /// Of those who wait, the first that many places are for.
    pub(crate) fn first(&self, free: usize, sharing: Sharing) -> Vec<Session> {
        let ranked = self.ranked(free).into_iter().enumerate();
        ranked
            .take_while(|(ahead, (rank, _))| sharing.lets(*ahead, *rank, free))
            .map(|(_, (_, session))| session)
            .collect()
    }

    /// Whether one who waits is among the first that many places are for.
    pub(crate) fn is_first(&self, session: &Session, free: usize, sharing: Sharing) -> bool {
        let found = self.place(session).zip(self.rank(session));
        found.is_some_and(|(place, rank)| sharing.lets(place - 1, rank, free))
    }

    /// The first of those who wait, at most so many, each with its rank.
    fn ranked(&self, count: usize) -> Vec<(usize, Session)> {
        let mut ranked: Vec<_> = self
            .waiting_in
            .iter()
            .flat_map(|(namespace, line)| {
                let (running, turn) = (self.running_of(namespace), self.turn_of(namespace));
                let ranked = move |(at, entry): (usize, _)| ((running + at, turn), entry);
                line.iter().take(count).enumerate().map(ranked)
            })
            .collect();
        ranked.sort();
        let ranked = ranked.into_iter().take(count);
        ranked.map(|((rank, _), (_, session))| (rank, session.clone())).collect()
    }

    /// How many of its namespace run or wait before one who waits.
    fn rank(&self, session: &Session) -> Option<usize> {
        let entry = (*self.waiting.get(session)?, session.clone());
        let own = &session.key.namespace;
        let line = self.waiting_in.get(own)?;
        Some(self.running_of(own) + line.partition_point(|other| *other < entry))
    }

    fn turn_of(&self, namespace: &str) -> u64 {
        self.turns.get(namespace).copied().unwrap_or_default()
    }

    fn running_of(&self, namespace: &str) -> usize {
        self.running_in.get(namespace).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use sealift_kube::watch::Key;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn backup(namespace: &str, name: &str) -> Session {
        Session::backup(Key::new(namespace, name))
    }

    fn restore(namespace: &str, name: &str) -> Session {
        Session::restore(Key::new(namespace, name))
    }

    /// Numbers below the one that is given, the same ones in each run.
    fn numbers() -> impl FnMut(u32) -> u32 {
        let mut state: u32 = 7;
        move |below| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        }
    }

    fn names(line: &Line) -> Vec<String> {
        line.first(usize::MAX, Sharing::Nobody)
            .iter()
            .map(|session| session.key.to_string())
            .collect()
    }

    #[test]
    fn namespaces_take_turns_and_the_older_goes_first() {
        let mut line = Line::default();
        for (session, second) in [
            (backup("big", "3"), 3),
            (backup("big", "1"), 1),
            (restore("small", "1"), 9),
            (restore("big", "2"), 2),
        ] {
            line.wait(&session, at(second));
        }
        assert_eq!(names(&line), ["big/1", "small/1", "big/2", "big/3"]);
        // Who runs already waits longer.
        line.run(&restore("big", "0"));
        assert_eq!(names(&line), ["small/1", "big/1", "big/2", "big/3"]);
        line.run(&restore("small", "1"));
        assert_eq!(names(&line), ["big/1", "big/2", "big/3"]);
        assert!(line.leave(&restore("big", "0")) && !line.leave(&restore("big", "0")));
        assert_eq!((line.running(), line.waiting()), (1, 3));
    }

    #[test]
    fn who_has_many_gets_no_more_turns_than_who_has_few() {
        let mut line = Line::default();
        for number in 0..20 {
            line.wait(&backup("big", &format!("{number:02}")), at(number));
        }
        for number in 0..4 {
            line.wait(&backup("small", &number.to_string()), at(100 + number));
            line.wait(&backup("late", &number.to_string()), at(200 + number));
        }
        let mut turns = Vec::new();
        for _ in 0..9 {
            let [next] = line.first(1, Sharing::Namespaces).try_into().unwrap();
            line.run(&next);
            assert!(line.leave(&next));
            turns.push(next.key.namespace);
        }
        assert_eq!(turns, ["big", "small", "late"].repeat(3));
        assert_eq!(line.turns.len(), 3);
    }

    #[test]
    fn everybodys_place_is_where_the_order_has_it() {
        let mut draw = numbers();
        for _ in 0..200 {
            let mut line = Line::default();
            for number in 0..40 {
                let session = backup(&format!("team-{}", draw(5)), &number.to_string());
                match draw(4) {
                    0 => line.run(&session),
                    1 => {
                        line.wait(&session, at(1));
                        line.leave(&session);
                    }
                    // Of the same second, of which there are many, the name decides.
                    _ => line.wait(&session, at(draw(6).into())),
                }
            }
            let order = line.first(usize::MAX, Sharing::Nobody);
            assert_eq!(order.len(), line.waiting());
            for (index, session) in order.iter().enumerate() {
                assert_eq!(line.place(session), Some(index + 1), "{session} in {line:?}");
                assert_eq!(line.first(index, Sharing::Nobody), order.get(..index).unwrap());
            }
            assert_eq!(line.place(&backup("a", "nobody")), None);
        }
    }

    #[test]
    fn a_namespace_gets_no_more_places_than_it_leaves_free_and_nobody_is_passed_over() {
        let mut draw = numbers();
        let mut shared_out = 0;
        for _ in 0..200 {
            let mut line = Line::default();
            for number in 0..40 {
                let session = backup(&format!("team-{}", draw(5)), &number.to_string());
                match draw(4) {
                    0 => line.run(&session),
                    _ => line.wait(&session, at(draw(6).into())),
                }
            }
            let mut free = usize::try_from(draw(30)).unwrap();
            let wanted = line.first(free, Sharing::Namespaces);
            for session in line.first(usize::MAX, Sharing::Nobody) {
                let is_first = line.is_first(&session, free, Sharing::Namespaces);
                assert_eq!(is_first, wanted.contains(&session), "{session} in {line:?}");
            }
            // One place after the other, by the rule's own words. Whose turn was last changes with
            // each, so it may be another one of those who hold as many.
            let mut given = 0;
            while let Some(next) = line.first(1, Sharing::Nobody).pop() {
                if line.running_of(&next.key.namespace) >= free {
                    // It holds least of all who wait: nobody else may either.
                    let mut holders = line.waiting_in.keys().map(|name| line.running_of(name));
                    assert!(holders.all(|holds| holds >= free));
                    break;
                }
                line.run(&next);
                given += 1;
                free -= 1;
            }
            assert_eq!(given, wanted.len());
            shared_out += usize::from(free > 0 && line.waiting() > 0);
        }
        assert!(shared_out > 20, "the rule was hardly asked: {shared_out}");
    }

    #[test]
    fn one_namespace_takes_half_of_the_places_and_leaves_the_last_to_another() {
        for (places, taken) in [(1, 1), (2, 1), (3, 2), (4, 2), (10, 5), (20, 10)] {
            let mut line = Line::default();
            for number in 0..40 {
                line.wait(&backup("hog", &format!("{number:02}")), at(number));
            }
            assert_eq!(line.first(places, Sharing::Nobody).len(), places);
            let first = line.first(places, Sharing::Namespaces);
            assert_eq!(first.len(), taken, "of {places}");
            for session in &first {
                line.run(session);
            }
            line.wait(&backup("late", "1"), at(99));
            let next = line.first(places - taken, Sharing::Namespaces);
            let late = next.iter().filter(|session| session.key.namespace == "late");
            assert_eq!(late.count(), usize::from(places > 1), "of {places}");
        }
    }

    #[test]
    fn whoever_waits_again_has_one_place() {
        let mut line = Line::default();
        line.wait(&backup("a", "1"), at(5));
        line.wait(&backup("a", "1"), at(5));
        line.wait(&backup("a", "1"), at(4));
        assert_eq!((names(&line), line.waiting()), (vec!["a/1".to_owned()], 1));
    }
}
