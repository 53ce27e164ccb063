//! Waits until Vault has really applied a snapshot it accepted.
//!
//! Vault answers first and applies afterwards, for at least five seconds, during which its
//! leader answers nothing. *What counts*: Vault was seen not to serve, then the log's index has
//! gone beyond both what it was before and the snapshot's (Vault continues it there), and the
//! leader serves requests, seen twice. An index alone proves nothing: any write moves it, and
//! whatever stands before Vault may have answered for it. *What also counts*, with `force`:
//! Vault is sealed, as it is when the snapshot has other unseal keys. A node that fails to apply
//! a snapshot seals itself too, and from outside both look the same (Vault 1.21.1: the whole of
//! `sys/seal-status`, even the number of shares, stays that of the former data until Vault is
//! unsealed or restarted); who reads [`Applied::Sealed`] must keep the former keys. *And*, with
//! `force` and keys that somebody must bring: nobody listens at its address any more, for long.
//! Where a Service leads to the active node only, as KubeVault's does, that is all there is to see
//! of a Vault whose nodes have all sealed themselves.

use std::time::Duration;

use sealift_function::{Error, Result};
use vault_client::Patience;

use crate::look::{Seen, look};

/// How often in a row something must be seen.
const CONFIRMATIONS: u32 = 2;
/// The same for a Vault that is gone: about 20 s, in which one that was only restarted is back.
const CONFIRMATIONS_GONE: u32 = 8;

/// How a restore ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// Vault runs with the restored data.
    Running,
    /// Vault is sealed: it waits for the unseal keys of the snapshot, or failed to apply it and
    /// waits for its former ones.
    Sealed,
    /// Nobody listens at Vault's address, as it is when all nodes behind it are sealed.
    Gone,
}

/// Why it is not known how a restore ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// For people.
    pub(crate) error: Error,
    /// Whether Vault fell silent after it had accepted the snapshot: it is applying it, or has.
    pub(crate) silent: bool,
}

impl From<Error> for Unknown {
    fn from(error: Error) -> Self {
        Self { error, silent: false }
    }
}

/// Watches a Vault after a restore.
#[derive(Debug)]
pub(crate) struct Watch {
    before: Option<u64>,
    snapshot: u64,
    force: bool,
    /// Whether nobody but a person with the keys unseals Vault.
    by_hand: bool,
    /// Whether Vault was seen not to serve, as it does not while it applies a snapshot.
    paused: bool,
    /// What was concluded last, and how often in a row.
    concluded: Option<(Applied, u32)>,
}

impl Watch {
    /// `before` is the log's index before the restore, `snapshot` that of the snapshot.
    pub(crate) fn new(before: Option<u64>, snapshot: u64, force: bool) -> Self {
        Self { before, snapshot, force, by_hand: false, paused: false, concluded: None }
    }

    /// A Vault that stays sealed until somebody brings the keys.
    pub(crate) fn unsealed_by_hand(self, by_hand: bool) -> Self {
        Self { by_hand, ..self }
    }

    /// Waits for that long.
    pub(crate) fn wait(mut self, limit: Duration) -> Result<Applied, Unknown> {
        let mut patience = Patience::of(limit);
        // The pause of Vault is short: until it was seen, there are no long ones here.
        let again = |paused| if paused { patience.again() } else { patience.again_soon() };
        self.attempt(look, again, limit)
    }

    fn attempt(
        &mut self,
        mut look: impl FnMut() -> Seen,
        mut again: impl FnMut(bool) -> Result<bool>,
        limit: Duration,
    ) -> Result<Applied, Unknown> {
        loop {
            let seen = look();
            if let Some(applied) = self.judge(&seen) {
                return Ok(self.accept(applied)?);
            }
            if !again(self.paused)? {
                let silent = !matches!(seen, Seen::Serving { .. });
                return Err(Unknown { error: self.gave_up(&seen, limit), silent });
            }
        }
    }

    /// Concludes, if it is certain enough.
    fn judge(&mut self, seen: &Seen) -> Option<Applied> {
        self.paused |= !matches!(seen, Seen::Serving { .. });
        let now = match seen {
            Seen::Nothing(_) => None,
            Seen::Refused => (self.force && self.by_hand).then_some(Applied::Gone),
            Seen::Sealed => Some(Applied::Sealed),
            Seen::Serving { index } => {
                (self.paused && self.went_on(*index)).then_some(Applied::Running)
            }
        };
        let times = match (self.concluded, now) {
            (Some((last, times)), Some(now)) if last == now => times + 1,
            _ => 1,
        };
        self.concluded = now.map(|now| (now, times));
        let enough = match now {
            Some(Applied::Gone) => CONFIRMATIONS_GONE,
            _ => CONFIRMATIONS,
        };
        now.filter(|_| times >= enough)
    }

    fn went_on(&self, index: Option<u64>) -> bool {
        // Without an index, which only very old Vaults lack, serving requests must do.
        index.is_none_or(|index| {
            index >= self.snapshot && self.before.is_none_or(|before| index > before)
        })
    }

    fn accept(&self, applied: Applied) -> Result<Applied> {
        match applied {
            Applied::Running | Applied::Gone => Ok(applied),
            Applied::Sealed if self.force => Ok(applied),
            Applied::Sealed => Err(Error::ExternalFailed(
                "Vault sealed itself while it applied the snapshot; look into its log. Unseal it \
                 with its present keys; if it refuses them, restore with force set to true"
                    .to_owned(),
            )),
        }
    }

    fn gave_up(&self, seen: &Seen, limit: Duration) -> Error {
        let last = match seen {
            Seen::Nothing(what) => what.clone(),
            Seen::Refused => "connection refused".to_owned(),
            Seen::Sealed => "it is sealed".to_owned(),
            Seen::Serving { .. } if self.paused => {
                "it serves requests, but not yet with the snapshot".to_owned()
            }
            Seen::Serving { .. } => "it serves requests and never paused, as it does to apply a \
                                     snapshot; look into its log, and whether a proxy before it \
                                     keeps the snapshot"
                .to_owned(),
        };
        Error::ExternalFailed(format!(
            "Vault was not seen to have applied the snapshot after {} s (waitTimeout): {last}",
            limit.as_secs()
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn run(force: bool, looks: Vec<Seen>) -> Result<(Applied, usize)> {
        let mut left = looks.len();
        let mut looks = looks.into_iter();
        let mut count = 0;
        Watch::new(Some(2739), 2538, force)
            .unsealed_by_hand(force)
            .attempt(
                || {
                    count += 1;
                    looks.next().unwrap()
                },
                |_| {
                    left -= 1;
                    Ok(left > 0)
                },
                Duration::from_secs(300),
            )
            .map(|applied| (applied, count))
            .map_err(|unknown| unknown.error)
    }

    fn at(index: u64) -> Seen {
        Seen::Serving { index: Some(index) }
    }

    fn nothing() -> Seen {
        Seen::Nothing("no answer in time".to_owned())
    }

    #[test]
    fn the_moment_before_vault_starts_is_not_taken_for_the_end() {
        let looks = vec![at(2739), nothing(), at(2745), at(2745)];
        assert_eq!(run(false, looks).unwrap(), (Applied::Running, 4));
        // Other clients wrote meanwhile, so that the index went on before Vault began.
        let looks = vec![at(2741), nothing(), at(2747), at(2747)];
        assert_eq!(run(false, looks).unwrap(), (Applied::Running, 4));
    }

    #[test]
    fn a_vault_with_other_keys_is_sealed_and_that_is_success_with_force() {
        let looks = vec![nothing(), Seen::Sealed, Seen::Sealed];
        assert_eq!(run(true, looks.clone()).unwrap(), (Applied::Sealed, 3));
        let error = run(false, looks).unwrap_err();
        assert!(error.to_string().starts_with("Vault sealed itself"), "{error}");
    }

    #[test]
    fn a_vault_behind_whose_address_nobody_listens_is_gone_but_one_that_restarts_is_not() {
        let mut looks = vec![nothing()];
        looks.extend(vec![Seen::Refused; 8]);
        assert_eq!(run(true, looks.clone()).unwrap(), (Applied::Gone, 9));
        let error = run(false, looks).unwrap_err();
        assert!(error.to_string().ends_with("connection refused"), "{error}");
        let mut looks = vec![Seen::Refused; 7];
        looks.extend([at(2745), at(2745)]);
        assert_eq!(run(true, looks).unwrap(), (Applied::Running, 9));
        // A KMS unseals it; it comes back.
        let mut watch = Watch::new(Some(1), 2, true);
        assert!((0..20).all(|_| watch.judge(&Seen::Refused).is_none()));
        // Without force Vault keeps its keys, and such an end is a failure.
        let mut watch = Watch::new(Some(1), 2, false).unsealed_by_hand(true);
        assert!((0..20).all(|_| watch.judge(&Seen::Refused).is_none()));
    }

    #[test]
    fn whether_vault_fell_silent_is_known_when_patience_ends() {
        let silent = |seen: Seen| {
            let mut watch = Watch::new(Some(1), 2, true);
            watch.attempt(|| seen.clone(), |_| Ok(false), Duration::ZERO).unwrap_err().silent
        };
        assert!(silent(nothing()) && silent(Seen::Refused));
        assert!(!silent(at(7)));
        let cancelled = Unknown::from(Error::Cancelled("cancelled".to_owned()));
        assert!(!cancelled.silent);
    }

    #[test]
    fn an_index_behind_the_snapshot_s_is_not_the_end() {
        let mut watch = Watch::new(Some(10), 2538, false);
        assert_eq!(watch.judge(&nothing()), None);
        assert_eq!([watch.judge(&at(20)), watch.judge(&at(20))], [None, None]);
        assert_eq!(
            [watch.judge(&at(2540)), watch.judge(&at(2540))],
            [None, Some(Applied::Running)]
        );
    }

    #[test]
    fn an_index_that_did_not_go_on_and_a_single_look_are_not_the_end() {
        let looks = vec![nothing(), at(2739), at(2739), at(2739)];
        run(false, looks).unwrap_err();
        let mut watch = Watch::new(Some(2739), 2538, true);
        let judged = [nothing(), Seen::Sealed, at(2745), Seen::Sealed, at(2745), at(2745)]
            .map(|seen| watch.judge(&seen));
        assert_eq!(judged, [None, None, None, None, None, Some(Applied::Running)]);
    }

    #[test]
    fn what_was_seen_last_is_said_when_patience_ends() {
        for (looks, last) in [
            (vec![at(2739), nothing()], "no answer in time"),
            (vec![nothing(), Seen::Sealed], "it is sealed"),
            (vec![nothing(), at(2739)], "it serves requests, but not yet with the snapshot"),
        ] {
            assert_eq!(
                run(false, looks).unwrap_err().to_string(),
                format!(
                    "Vault was not seen to have applied the snapshot after 300 s (waitTimeout): \
                     {last}"
                )
            );
        }
    }

    #[test]
    fn other_writes_do_not_pass_for_a_snapshot_that_never_reached_vault() {
        // An older snapshot; the log goes on by itself.
        let error = run(false, (2740..2760).map(at).collect()).unwrap_err();
        assert!(error.to_string().contains("it serves requests and never paused"), "{error}");
        let error = run(true, (2740..2760).map(at).collect()).unwrap_err();
        assert!(error.to_string().contains("it serves requests and never paused"), "{error}");
    }

    #[test]
    fn looks_follow_each_other_soon_until_the_pause_was_seen() {
        let mut watch = Watch::new(Some(2739), 2538, false);
        let mut looks = [at(2741), at(2742), nothing(), at(2747), at(2747)].into_iter();
        let mut paused = Vec::new();
        let again = |seen| {
            paused.push(seen);
            Ok(true)
        };
        watch.attempt(|| looks.next().unwrap(), again, Duration::from_secs(300)).unwrap();
        assert_eq!(paused, [false, false, true, true]);
    }
}
