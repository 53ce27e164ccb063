//! Who holds a repository: alone, or together with others. Pure; `lease` writes it down.
//!
//! Every holder raises its `beat` while it lives. Whether a holder is dead is not judged by
//! clocks, which differ between nodes: an observer calls dead whose beat it has not seen change
//! for longer than a holder may be silent. Somebody who waits to be alone keeps newcomers out,
//! so that a stream of backups cannot keep maintenance away for ever.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a repository is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nobody else may hold it: init, index repair, forget, prune.
    Alone,
    /// Others may hold it so, too: a backup or restore.
    Shared,
}

/// What a holder says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Alone,
    Shared,
    /// Wants to be alone and is not yet.
    Waiting,
}

/// One holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    state: State,
    /// Raised with every renewal.
    beat: u64,
    /// When it was last renewed by the holder's own clock; for people.
    renewed: Timestamp,
}

/// All holders of one repository, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Holders {
    holders: BTreeMap<String, Holder>,
}

/// Somebody else holds it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is held by {}", by.join(", "))]
pub struct Busy {
    /// Who, by name.
    pub by: Vec<String>,
}

impl Holders {
    /// Takes the repository for `holder`, who may hold it already in another mode. Those in
    /// `dead` are removed first.
    ///
    /// # Errors
    /// Others are in the way. Who wanted to be alone is then written down as waiting.
    pub fn enter(
        &mut self,
        holder: &str,
        mode: Mode,
        dead: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<(), Busy> {
        self.holders.retain(|name, _| name == holder || !dead.contains(name));
        let in_the_way = |state: State| match mode {
            // Two that wait to be alone must not wait for each other.
            Mode::Alone => state != State::Waiting,
            Mode::Shared => state != State::Shared,
        };
        let by: Vec<String> = self
            .holders
            .iter()
            .filter(|(name, other)| *name != holder && in_the_way(other.state))
            .map(|(name, _)| name.clone())
            .collect();
        let state = match (by.is_empty(), mode) {
            (true, Mode::Alone) => State::Alone,
            (true, Mode::Shared) => State::Shared,
            // Whoever waits to be alone gives up what it shared: two that share and both want to
            // be alone would otherwise wait for each other.
            (false, Mode::Alone) => State::Waiting,
            (false, Mode::Shared) => return Err(Busy { by }),
        };
        self.write(holder, state, now);
        if by.is_empty() { Ok(()) } else { Err(Busy { by }) }
    }

    /// Says that `holder` lives. False = it is not a holder any more: others called it dead.
    pub fn renew(&mut self, holder: &str, now: Timestamp) -> bool {
        match self.holders.get(holder).map(|found| found.state) {
            Some(state) => {
                self.write(holder, state, now);
                true
            }
            None => false,
        }
    }

    /// Gives it back.
    pub fn leave(&mut self, holder: &str) {
        self.holders.remove(holder);
    }

    /// Names and beats, for observers.
    pub fn beats(&self) -> impl Iterator<Item = (&str, u64)> {
        self.holders.iter().map(|(name, holder)| (name.as_str(), holder.beat))
    }

    /// Whether `holder` really holds it.
    #[must_use]
    pub fn is_held_by(&self, holder: &str) -> bool {
        self.holders.get(holder).is_some_and(|found| found.state != State::Waiting)
    }

    /// Who holds it, for people: one name, or how many.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        let mut names = self.holders.iter().filter(|(_, holder)| holder.state != State::Waiting);
        match (names.next(), names.count()) {
            (None, _) => None,
            (Some((name, _)), 0) => Some(name.clone()),
            (Some((name, _)), more) => Some(format!("{name} and {more} more")),
        }
    }

    fn write(&mut self, holder: &str, state: State, now: Timestamp) {
        let beat = self.holders.get(holder).map_or(0, |found| found.beat.wrapping_add(1));
        self.holders.insert(holder.to_owned(), Holder { state, beat, renewed: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(holders: &mut Holders, name: &str, mode: Mode) -> Result<(), Busy> {
        holders.enter(name, mode, &BTreeSet::new(), Timestamp::UNIX_EPOCH)
    }

    fn busy(names: &[&str]) -> Result<(), Busy> {
        Err(Busy { by: names.iter().map(|name| (*name).to_owned()).collect() })
    }

    #[test]
    fn backups_share_and_maintenance_is_alone() {
        let mut holders = Holders::default();
        assert_eq!(enter(&mut holders, "a", Mode::Shared), Ok(()));
        assert_eq!(enter(&mut holders, "b", Mode::Shared), Ok(()));
        assert_eq!(holders.summary().as_deref(), Some("a and 1 more"));
        assert_eq!(enter(&mut holders, "a", Mode::Alone), busy(&["b"]));
        assert!(!holders.is_held_by("a"));
        holders.leave("b");
        assert_eq!(enter(&mut holders, "a", Mode::Alone), Ok(()));
        assert!(holders.is_held_by("a"));
        assert_eq!(enter(&mut holders, "c", Mode::Shared), busy(&["a"]));
        assert_eq!(enter(&mut holders, "c", Mode::Alone), busy(&["a"]));
        holders.leave("a");
        assert_eq!(enter(&mut holders, "c", Mode::Alone), Ok(()));
        assert_eq!(holders.summary().as_deref(), Some("c"));
    }

    #[test]
    fn who_waits_to_be_alone_keeps_newcomers_out() {
        let mut holders = Holders::default();
        assert_eq!(enter(&mut holders, "long", Mode::Shared), Ok(()));
        assert_eq!(enter(&mut holders, "prune", Mode::Alone), busy(&["long"]));
        assert_eq!(enter(&mut holders, "new", Mode::Shared), busy(&["prune"]));
        // The one that is in stays in.
        assert!(holders.renew("long", Timestamp::UNIX_EPOCH));
        holders.leave("long");
        assert_eq!(enter(&mut holders, "prune", Mode::Alone), Ok(()));
    }

    #[test]
    fn two_that_share_and_both_want_to_be_alone_do_not_wait_for_each_other() {
        let mut holders = Holders::default();
        for name in ["a", "b"] {
            assert_eq!(enter(&mut holders, name, Mode::Shared), Ok(()));
        }
        assert_eq!(enter(&mut holders, "a", Mode::Alone), busy(&["b"]));
        assert_eq!(enter(&mut holders, "b", Mode::Alone), Ok(()));
        assert_eq!(enter(&mut holders, "a", Mode::Alone), busy(&["b"]));
        holders.leave("b");
        assert_eq!(enter(&mut holders, "a", Mode::Alone), Ok(()));
    }

    #[test]
    fn the_dead_are_removed_and_find_out() {
        let mut holders = Holders::default();
        assert_eq!(enter(&mut holders, "dead", Mode::Alone), Ok(()));
        let dead = BTreeSet::from(["dead".to_owned()]);
        assert_eq!(holders.enter("b", Mode::Shared, &dead, Timestamp::UNIX_EPOCH), Ok(()));
        assert!(!holders.renew("dead", Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn every_renewal_raises_the_beat() {
        let mut holders = Holders::default();
        assert_eq!(enter(&mut holders, "a", Mode::Shared), Ok(()));
        assert!(holders.renew("a", Timestamp::UNIX_EPOCH));
        assert_eq!(holders.beats().collect::<Vec<_>>(), [("a", 1)]);
        insta::assert_snapshot!(serde_json::to_string(&holders).unwrap_or_default(), @r#"{"a":{"state":"shared","beat":1,"renewed":"1970-01-01T00:00:00Z"}}"#);
    }
}
