//! Fingerprints, by which two parts of one process agree that they saw the same bytes.
//!
//! The host takes one where a Function hands an artifact on, the repository takes one where it
//! stores it, and the commit gate compares them: a sink that stores other bytes than it was
//! handed is found out. It is no digest: it means nothing outside of this process and is never
//! shown or stored. The seed is drawn per process, so that a Function cannot prepare two
//! contents with one fingerprint without knowing it.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use twox_hash::XxHash3_128;

static SEED: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("fingerprint"));

/// 128 bits that stand for a run of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// That of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(XxHash3_128::oneshot_with_seed(*SEED, bytes))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(..)")
    }
}

/// Takes a fingerprint of bytes as they pass by.
#[derive(Clone)]
pub struct Fingerprinter(XxHash3_128);

impl Fingerprinter {
    /// Nothing has passed by yet.
    #[must_use]
    pub fn new() -> Self {
        Self(XxHash3_128::with_seed(*SEED))
    }

    /// These bytes pass by; how they are cut makes no difference.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// The fingerprint of all that has passed by.
    #[must_use]
    pub fn finish(&self) -> Fingerprint {
        Fingerprint(self.0.finish_128())
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Fingerprinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprinter(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_have_one_fingerprint_however_they_are_cut() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
        for cut in [1, 7, 240, 4096, 65_536] {
            let mut passing = Fingerprinter::new();
            bytes.chunks(cut).for_each(|run| passing.update(run));
            assert_eq!(passing.finish(), Fingerprint::of(&bytes), "cut at {cut}");
        }
        assert_eq!(Fingerprinter::new().finish(), Fingerprint::of(b""));
    }

    #[test]
    fn one_other_bit_is_another_fingerprint() {
        let mut bytes = vec![7_u8; 1 << 20];
        let before = Fingerprint::of(&bytes);
        for at in [0, 1000, (1 << 20) - 1] {
            bytes[at] ^= 1;
            assert_ne!(Fingerprint::of(&bytes), before, "byte {at}");
            bytes[at] ^= 1;
        }
        assert_ne!(Fingerprint::of(&bytes[1..]), before);
    }

    #[test]
    fn a_fingerprint_is_never_shown() {
        assert_eq!(format!("{:?}", Fingerprint::of(b"a")), "Fingerprint(..)");
    }
}
