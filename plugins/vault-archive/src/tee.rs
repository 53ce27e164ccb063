//! Readers that pass on what is read through them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

/// Gives every byte that is read to a writer as well. A failed write fails the read.
#[derive(Debug)]
pub(crate) struct Tee<R, W> {
    reader: R,
    pub(crate) writer: W,
    /// Set when it was the writer that failed.
    pub(crate) write_failed: bool,
}

impl<R: Read, W: Write> Tee<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self { reader, writer, write_failed: false }
    }

    pub(crate) fn into_reader(self) -> R {
        self.reader
    }
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some(bytes) = buffer.get(..count) {
            self.writer.write_all(bytes).inspect_err(|_| self.write_failed = true)?;
        }
        Ok(count)
    }
}

/// Passes on what is read through it, but never the last [`HoldBack::HELD`] bytes of it.
///
/// So the receiver does not have the end of what was read before [`release`](Self::release): if
/// it turns out to be damaged, [`withhold`](Self::withhold) and break off. One read behind would
/// not do: Vault applies a snapshot as soon as it has the tar's end, without waiting for the end
/// of the request, and a verifier's buffers run ahead of its verdict.
#[derive(Debug)]
pub struct HoldBack<R, W> {
    reader: R,
    writer: W,
    held: VecDeque<u8>,
    write_failed: bool,
}

impl<R, W> HoldBack<R, W> {
    /// Most bytes a verifier may have read ahead when it gives its verdict on the tar: its
    /// buffer (at most half of this), the inflater's window (32 KiB), the blocks behind the last
    /// member (10 KiB).
    pub const HELD: usize = 256 * 1024;
}

impl<R: Read, W: Write> HoldBack<R, W> {
    /// Reads from `reader` and passes on to `writer`.
    pub fn new(reader: R, writer: W) -> Self {
        Self { reader, writer, held: VecDeque::new(), write_failed: false }
    }

    /// Passes the last bytes on and gives the writer back.
    ///
    /// # Errors
    /// The writer failed; it is given back with the error, because it may know more.
    pub fn release(mut self) -> Result<W, (io::Error, W)> {
        match self.pass_on(self.held.len()) {
            Ok(()) => Ok(self.writer),
            Err(error) => Err((error, self.writer)),
        }
    }

    /// Whether it was the writer that failed, which then does not speak against what was read.
    /// A receiver that succeeds without having got everything has the tar's end, and got it only
    /// after the verdict on the tar.
    #[must_use]
    pub fn write_failed(&self) -> bool {
        self.write_failed
    }

    /// Gives reader and writer back without passing the last bytes on.
    pub fn withhold(self) -> (R, W) {
        (self.reader, self.writer)
    }

    fn pass_on(&mut self, count: usize) -> io::Result<()> {
        let (first, second) = self.held.as_slices();
        let from_first = count.min(first.len());
        self.writer.write_all(first.get(..from_first).unwrap_or_default())?;
        self.writer.write_all(second.get(..count - from_first).unwrap_or_default())?;
        self.held.drain(..count);
        Ok(())
    }
}

impl<R: Read, W: Write> Read for HoldBack<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.held.extend(buffer.get(..count).unwrap_or_default());
        let surplus = self.held.len().saturating_sub(Self::HELD);
        if surplus > 0 {
            self.pass_on(surplus).inspect_err(|_| self.write_failed = true)?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::BufReader;

    use super::*;
    use crate::rewrap::{Rewrap, announced_size};
    use crate::sample::{members, noise, tar};
    use crate::{Trailer, verify};

    const HELD: usize = HoldBack::<(), ()>::HELD;

    #[test]
    fn the_last_bytes_are_held_back_until_they_are_released() {
        let bytes = noise(1, 3 * HELD + 5);
        let mut held = HoldBack::new(bytes.as_slice(), Vec::new());
        io::copy(&mut held, &mut io::sink()).unwrap();
        assert!(held.writer == bytes[..2 * HELD + 5]);
        assert!(held.release().unwrap() == bytes);
    }

    #[test]
    fn a_receiver_that_closes_is_told_apart_from_a_defect() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let bytes = noise(3, HELD + 1);
        let mut held = HoldBack::new(bytes.as_slice(), Closed);
        assert!(io::copy(&mut held, &mut io::sink()).is_err());
        assert!(held.write_failed());
    }

    /// Where the receiver would be when the verifier has given its verdict.
    #[test]
    fn a_receiver_never_has_the_tar_s_end_before_the_verdict() {
        let tar = tar(&members(&noise(2, 1_000_000)));
        // So much filler that one read's delay would have let the whole tar pass.
        let mut rewrap = Rewrap::new(Vec::new(), announced_size(3_000_000)).unwrap();
        rewrap.write_all(&tar).unwrap();
        let good = rewrap.finish().unwrap();
        let start = 1_000_000 + 10;
        for at in [start + 512, start + 3_000, good.len() - 2_000_000 + 200_000] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let mut held = HoldBack::new(bad.as_slice(), Vec::new());
            let verdict = verify(
                BufReader::with_capacity(HELD / 2, &mut held),
                Trailer::EmptyMembers,
                &mut io::sink(),
            );
            let (_, passed) = held.withhold();
            if verdict.is_err() {
                assert!(passed.len() < tar.len(), "{at}: {} of {}", passed.len(), tar.len());
            }
        }
        let mut held = HoldBack::new(good.as_slice(), Vec::new());
        let reader = BufReader::with_capacity(HELD / 2, &mut held);
        verify(reader, Trailer::EmptyMembers, &mut io::sink()).unwrap();
        assert!(held.release().unwrap() == good);
    }
}
