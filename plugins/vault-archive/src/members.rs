//! The members of the tar inside a snapshot, strictly in order and to the last block.
//!
//! Headers are parsed and checked by crate `tar`; the walk is our own, because a defect must be
//! an error here where `tar` would read on or end early.

use std::io::{self, Read};

use tar::{EntryType, Header, PaxExtensions};

use crate::error::{Error, Result};

/// Tar's unit.
pub(crate) const BLOCK: u64 = 512;

/// Most bytes of an extended header; a size needs about 30.
const PAX_LIMIT: u64 = 8 * 1024;

/// Name and size of a member.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) size: u64,
}

/// Walks through the members.
#[derive(Debug)]
pub(crate) struct Members<R> {
    pub(crate) reader: R,
    headers: usize,
}

impl<R: Read> Members<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, headers: 0 }
    }

    /// The next member; its content must be read with [`content`](Self::content) before the one
    /// after it. None = the tar is over, which was checked to the end of the stream.
    pub(crate) fn next(&mut self) -> Result<Option<Member>> {
        let mut pax_size = None;
        loop {
            let block = self.block()?;
            if block.iter().all(|byte| *byte == 0) {
                self.end()?;
                return Ok(None);
            }
            self.headers += 1;
            let number = self.headers;
            let damaged = |source| Error::TarHeader { number, source };
            let header = Header::from_byte_slice(&block);
            let stated = header.cksum().map_err(damaged)?;
            if stated != checksum(&block) {
                return Err(damaged(io::Error::other("its checksum differs")));
            }
            let size = header.entry_size().map_err(damaged)?;
            match header.entry_type() {
                EntryType::Regular => {
                    let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
                    return Ok(Some(Member { name, size: pax_size.unwrap_or(size) }));
                }
                // Go writes one before a file of 8 GiB or more.
                EntryType::XHeader if pax_size.is_none() && size <= PAX_LIMIT => {
                    pax_size = Some(self.pax(size, number)?);
                }
                _ => {
                    let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
                    return Err(Error::NotAFile { name });
                }
            }
        }
    }

    /// Reads a member's content into `take`, piece by piece, and the padding behind it.
    pub(crate) fn content(&mut self, size: u64, mut take: impl FnMut(&[u8])) -> Result<()> {
        let mut left = size;
        let mut buffer = vec![0_u8; 64 * 1024];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..most).unwrap_or_default();
            self.reader.read_exact(piece).map_err(Error::Read)?;
            take(piece);
            left -= most as u64;
        }
        let padding = usize::try_from(padded(size) - size).unwrap_or_default();
        let mut zeros = vec![0_u8; padding];
        self.reader.read_exact(&mut zeros).map_err(Error::Read)?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(Error::Padding);
        }
        Ok(())
    }

    fn block(&mut self) -> Result<[u8; BLOCK as usize]> {
        let mut block = [0_u8; BLOCK as usize];
        self.reader.read_exact(&mut block).map_err(Error::Read)?;
        Ok(block)
    }

    /// The size an extended header gives to the file after it.
    fn pax(&mut self, size: u64, number: usize) -> Result<u64> {
        let mut content = Vec::new();
        self.content(size, |bytes| content.extend_from_slice(bytes))?;
        let damaged = |source| Error::TarHeader { number, source };
        let mut found = None;
        for record in PaxExtensions::new(&content) {
            let record = record.map_err(damaged)?;
            if record.key_bytes() == b"size" {
                found = record.value().ok().and_then(|value| value.parse().ok());
            }
        }
        found.ok_or_else(|| damaged(io::Error::other("an extended header without a size")))
    }

    /// Behind the first empty block there must be a second, and then nothing but zeros.
    fn end(&mut self) -> Result<()> {
        let mut zeros = self.block()?.iter().all(|byte| *byte == 0);
        let mut buffer = [0_u8; 4096];
        loop {
            let count = match self.reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::Read(error)),
            };
            zeros &= buffer.iter().take(count).all(|byte| *byte == 0);
        }
        if zeros { Ok(()) } else { Err(Error::Padding) }
    }
}

/// A member's size in the tar, without its header.
pub(crate) fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// The sum of a header's bytes, with the sum itself (bytes 148 to 155) taken as blanks.
fn checksum(block: &[u8]) -> u32 {
    block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum()
}
