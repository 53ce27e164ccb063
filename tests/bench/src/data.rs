//! The bytes that are stored: half random, half text, the same in every run.
//!
//! Segments of both kinds alternate, each from a seed of its own, so that a file can be grown
//! and no two parts of it are equal.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};

const SEGMENT: u64 = 16 << 20;
const SEED: u64 = 0x5ea1_1f70_2026_0001;

/// Words of about the length English has; 64 of them and small numbers compress as logs do.
const WORDS: [&str; 64] = [
    "a",
    "and",
    "the",
    "of",
    "to",
    "in",
    "is",
    "it",
    "for",
    "was",
    "on",
    "as",
    "with",
    "at",
    "by",
    "from",
    "harbour",
    "ship",
    "cargo",
    "crane",
    "quay",
    "tide",
    "anchor",
    "captain",
    "crew",
    "manifest",
    "container",
    "weight",
    "loaded",
    "unloaded",
    "stored",
    "moved",
    "lost",
    "found",
    "counted",
    "sealed",
    "opened",
    "checked",
    "signed",
    "delayed",
    "morning",
    "evening",
    "north",
    "south",
    "rope",
    "deck",
    "hull",
    "pilot",
    "fog",
    "lamp",
    "signal",
    "radio",
    "ledger",
    "number",
    "ticket",
    "depot",
    "truck",
    "driver",
    "gate",
    "guard",
    "paper",
    "stamp",
    "order",
    "letter",
];

/// Makes the file at `path` exactly `size` bytes long, keeping what it has.
pub(crate) fn grow(path: &Path, size: u64) -> Result<()> {
    let attempt = || -> std::io::Result<()> {
        let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
        let mut index = file.metadata()?.len() / SEGMENT;
        file.seek(SeekFrom::Start(index * SEGMENT))?;
        let mut out = BufWriter::with_capacity(1 << 20, file);
        while index * SEGMENT < size {
            let length = SEGMENT.min(size - index * SEGMENT);
            segment(index, usize::try_from(length).unwrap_or(usize::MAX), &mut out)?;
            index += 1;
        }
        out.flush()?;
        out.get_ref().set_len(size)
    };
    attempt().with_context(|| format!("failed to write {}", path.display()))
}

fn segment(index: u64, length: usize, out: &mut impl Write) -> std::io::Result<()> {
    let mut random = Random(SEED ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut left = length;
    let mut line = Vec::with_capacity(1 << 16);
    while left > 0 {
        line.clear();
        while line.len() < 1 << 15 {
            let bits = random.next();
            if index.is_multiple_of(2) {
                line.extend_from_slice(&bits.to_le_bytes());
                continue;
            }
            for step in 0..8_u32 {
                let word = usize::try_from(bits >> (6 * step) & 63).unwrap_or_default();
                line.extend_from_slice(WORDS.get(word).copied().unwrap_or_default().as_bytes());
                line.push(b' ');
            }
            line.extend_from_slice(format!("{}\n", bits >> 52).as_bytes());
        }
        let part = line.get(..left.min(line.len())).unwrap_or_default();
        out.write_all(part)?;
        left -= part.len();
    }
    Ok(())
}

/// Vigna's splitmix64: quick, and its output does not compress.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_grown_file_is_the_same_as_one_written_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let (once, grown) = (folder.path().join("once"), folder.path().join("grown"));
        let size = SEGMENT * 2 + 12_345;
        grow(&once, size).unwrap();
        grow(&grown, SEGMENT + 777).unwrap();
        grow(&grown, size).unwrap();
        let bytes = std::fs::read(&once).unwrap();
        assert_eq!(bytes.len() as u64, size);
        assert!(bytes == std::fs::read(&grown).unwrap());
        // Neither the random nor the text segments repeat one another.
        let segment = usize::try_from(SEGMENT).unwrap();
        assert!(bytes[..12_345] != bytes[2 * segment..]);
    }
}
