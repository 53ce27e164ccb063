//! Where blocks end: by content, so that an insertion moves the ends only near itself.
//!
//! A gear hash over the last 64 bytes (Xia et al., "Ddelta", 2014). The ends are part of the
//! stored form: with other constants the first backup after an update stores everything anew,
//! so a test pins them.

/// Least bytes of a block, but for the last. It bounds the wrapper's size at 0.06 %.
pub(super) const LEAST: usize = 8 * 1024;
/// Most bytes of a block: what a stored block can hold.
pub(super) const MOST: usize = 65_535;
/// Mean number of bytes behind [`LEAST`] at which a block ends: blocks have 16 KiB on average.
const BEYOND: u64 = 8 * 1024;
/// A block ends where the hash is below this.
const THRESHOLD: u64 = u64::MAX / BEYOND;
/// The bytes the hash depends on.
const WINDOW: usize = 64;

/// One random number per byte value.
const GEAR: [u64; 256] = gear();

/// Numbers from SplitMix64 with seed 0.
#[expect(clippy::indexing_slicing, reason = "evaluated when this is compiled")]
const fn gear() -> [u64; 256] {
    let mut table = [0; 256];
    let mut state: u64 = 0;
    let mut at = 0;
    while at < table.len() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[at] = mixed ^ (mixed >> 31);
        at += 1;
    }
    table
}

/// Collects bytes until a block is full.
#[derive(Debug)]
pub(super) struct Cutter {
    block: Vec<u8>,
    hash: u64,
    taken: u64,
}

impl Cutter {
    pub(super) fn new() -> Self {
        Self { block: Vec::with_capacity(MOST), hash: 0, taken: 0 }
    }

    /// All bytes ever pushed.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes bytes, at most to the end of the block. Returns how many, and whether the block is
    /// full; then it must be taken.
    pub(super) fn push(&mut self, bytes: &[u8]) -> (usize, bool) {
        // What lies before the window of the first possible end does not matter.
        let skip = (LEAST - WINDOW).saturating_sub(self.block.len()).min(bytes.len());
        let mut count = skip;
        let mut full = false;
        for byte in bytes.iter().skip(skip) {
            count += 1;
            let length = self.block.len() + count;
            self.hash = (self.hash << 1).wrapping_add(gear_of(*byte));
            if (length >= LEAST && self.hash < THRESHOLD) || length >= MOST {
                full = true;
                break;
            }
        }
        self.block.extend_from_slice(bytes.get(..count).unwrap_or_default());
        self.taken = self.taken.saturating_add(count as u64);
        (count, full)
    }

    /// The block so far; a new one begins.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.hash = 0;
        std::mem::take(&mut self.block)
    }

    /// Gives the memory of a taken block back.
    pub(super) fn reuse(&mut self, mut block: Vec<u8>) {
        block.clear();
        if self.block.is_empty() {
            self.block = block;
        }
    }
}

#[expect(clippy::indexing_slicing, reason = "the table has an entry for every byte")]
fn gear_of(byte: u8) -> u64 {
    GEAR[byte as usize]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]

    use super::*;
    use crate::sample::noise;

    fn blocks(mut bytes: &[u8], piece: usize) -> Vec<Vec<u8>> {
        let mut cutter = Cutter::new();
        let mut blocks = Vec::new();
        while !bytes.is_empty() {
            let (count, full) = cutter.push(&bytes[..piece.min(bytes.len())]);
            bytes = &bytes[count..];
            if full {
                blocks.push(cutter.take());
            }
        }
        blocks.push(cutter.take());
        blocks
    }

    #[test]
    fn the_ends_do_not_depend_on_how_the_bytes_arrive() {
        let bytes = noise(1, 500_000);
        let whole = blocks(&bytes, usize::MAX);
        assert_eq!(blocks(&bytes, 1), whole);
        assert_eq!(blocks(&bytes, 4099), whole);
        assert_eq!(whole.concat(), bytes);
    }

    #[test]
    fn blocks_have_sixteen_kibibytes_on_average() {
        let blocks = blocks(&noise(2, 16 << 20), usize::MAX);
        let mean = (16 << 20) / blocks.len();
        assert!((15_000..18_000).contains(&mean), "{mean}");
        let inner = &blocks[..blocks.len() - 1];
        assert!(inner.iter().all(|block| (LEAST..=MOST).contains(&block.len())));
    }

    #[test]
    fn bytes_that_are_all_equal_are_cut_at_the_most() {
        let blocks = blocks(&vec![0; 200_000], usize::MAX);
        assert!(blocks.iter().all(|block| block.len() <= MOST));
        assert_eq!(blocks.concat().len(), 200_000);
    }

    #[test]
    fn an_insertion_changes_the_blocks_near_it_only() {
        let old = noise(3, 1 << 20);
        let mut new = old.clone();
        new.splice(300_000..300_000, *b"inserted");
        let old_blocks = blocks(&old, usize::MAX);
        let changed =
            blocks(&new, usize::MAX).iter().filter(|block| !old_blocks.contains(block)).count();
        assert!((1..=4).contains(&changed), "{changed}");
    }

    #[test]
    fn the_ends_are_those_of_the_first_release() {
        let lengths: Vec<usize> =
            blocks(&noise(4, 100_000), usize::MAX).iter().map(Vec::len).collect();
        assert_eq!(lengths, [9644, 8933, 11259, 16145, 16946, 16843, 10106, 10124]);
    }
}
