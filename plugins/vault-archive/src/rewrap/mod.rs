//! Writes a snapshot's tar as an ordinary gzip file that deduplicates.
//!
//! Vault serves compressed gzip, so a small change rewrites every byte behind it. Here the tar
//! goes, byte for byte, into deflate blocks that are *stored* (RFC 1951, 3.2.4) and cut by
//! content: a block's five-byte header depends on nothing but the block, so unchanged regions
//! stay identical and a repository stores them once. Everything that reads a `.snap` reads this.
//!
//! The length must be known before the first byte, because a repository fixes a file's size
//! first. [`announced_size`] is an upper bound from the tar's headers; what is left at the end
//! is filled with empty gzip members.
//!
//! *Guarantee*: [`Rewrap::finish`] succeeds only with exactly that many bytes written. It never
//! cuts anything off.

mod cut;
mod filler;
mod lazy;

use std::io::{self, Write};

use sealift_function::Error as FunctionError;

use crate::error::{Error, Result};
use cut::Cutter;
pub use lazy::LazyRewrap;

/// Header of a gzip member: magic, deflate, no flags, no time, no level, unknown system.
/// The time stays zero so that equal tars give equal files.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// A final stored block without content.
const LAST_BLOCK: [u8; 5] = [1, 0, 0, 0xff, 0xff];
/// Bytes before a stored block: final bit and type, length, its complement.
const BLOCK_HEADER: u64 = 5;
/// Checksum and length.
const TRAILER: u64 = 8;

/// The size to announce for a tar of at most this many bytes.
#[must_use]
pub fn announced_size(tar_at_most: u64) -> u64 {
    // Every block but the last has the least size or more.
    let blocks = (tar_at_most / cut::LEAST as u64).saturating_add(1);
    [
        HEADER.len() as u64,
        tar_at_most,
        blocks.saturating_mul(BLOCK_HEADER),
        LAST_BLOCK.len() as u64,
        TRAILER,
        filler::LEAST,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

/// Takes a tar and writes the file.
#[derive(Debug)]
pub struct Rewrap<W> {
    out: W,
    announced: u64,
    written: u64,
    cutter: Cutter,
    checksum: crc32fast::Hasher,
}

impl<W: Write> Rewrap<W> {
    /// Begins a file of exactly `announced` bytes.
    ///
    /// # Errors
    /// `out` failed.
    pub fn new(out: W, announced: u64) -> io::Result<Self> {
        let mut rewrap = Self {
            out,
            announced,
            written: 0,
            cutter: Cutter::new(),
            checksum: crc32fast::Hasher::new(),
        };
        rewrap.put(&HEADER)?;
        Ok(rewrap)
    }

    /// Ends the file: the last block, checksum and length, and the filler.
    ///
    /// # Errors
    /// `out` failed, or the tar was longer than announced. The file must then be thrown away.
    pub fn finish(mut self) -> Result<W> {
        let rest = self.cutter.take();
        self.block(&rest).map_err(Error::Write)?;
        self.put(&LAST_BLOCK).map_err(Error::Write)?;
        let checksum = self.checksum.clone().finalize();
        self.put(&checksum.to_le_bytes()).map_err(Error::Write)?;
        // RFC 1952: the length modulo 2^32.
        let length = (self.cutter.taken() & u64::from(u32::MAX)) as u32;
        self.put(&length.to_le_bytes()).map_err(Error::Write)?;

        // Too little for a filler makes one that exceeds the size: `put` refuses it.
        for size in filler::sizes(self.announced - self.written) {
            let member = filler::member(size);
            self.put(&member).map_err(Error::Write)?;
        }
        self.out.flush().map_err(Error::Write)?;
        Ok(self.out)
    }

    fn block(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        // The cutter makes no block longer than a stored block can be.
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        let [low, high] = length.to_le_bytes();
        self.put(&[0, low, high, !low, !high])?;
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.announced {
            return Err(FunctionError::DataLossRisk(format!(
                "the snapshot needs more than the {} bytes announced",
                self.announced
            ))
            .into());
        }
        self.out.write_all(bytes)
    }
}

/// Takes the tar.
impl<W: Write> Write for Rewrap<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.checksum.update(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (count, full) = self.cutter.push(rest);
            rest = rest.get(count..).unwrap_or_default();
            if full {
                let block = self.cutter.take();
                self.block(&block)?;
                self.cutter.reuse(block);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests;
