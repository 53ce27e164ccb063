//! Wraps a tar whose size is only known after its first members.

use std::io::{self, Write};

use super::{Rewrap, announced_size};
use crate::error::{Error, Result};
use crate::meta::Meta;
use crate::verify::TarSink;

/// Collects the tar's start (some KiB) until its size is known, then opens the place it goes to
/// and wraps it.
#[derive(Debug)]
pub struct LazyRewrap<W, F> {
    open: F,
    start: Vec<u8>,
    rewrap: Option<Rewrap<W>>,
}

impl<W: Write, F: FnMut(u64) -> io::Result<W>> LazyRewrap<W, F> {
    /// `open` is called once, with the exact size of what will be written.
    pub fn new(open: F) -> Self {
        Self { open, start: Vec::new(), rewrap: None }
    }

    /// Ends the file. Call it only when the snapshot was found good.
    ///
    /// # Errors
    /// As [`Rewrap::finish`]; or nothing was announced.
    pub fn finish(self) -> Result<W> {
        self.rewrap.ok_or(Error::Empty)?.finish()
    }
}

impl<W: Write, F: FnMut(u64) -> io::Result<W>> Write for LazyRewrap<W, F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.rewrap {
            Some(rewrap) => rewrap.write(bytes),
            None => self.start.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write, F: FnMut(u64) -> io::Result<W>> TarSink for LazyRewrap<W, F> {
    fn announce(&mut self, _: &Meta, _: u64, tar_at_most: u64) -> io::Result<()> {
        let size = announced_size(tar_at_most);
        let mut rewrap = Rewrap::new((self.open)(size)?, size)?;
        rewrap.write_all(&std::mem::take(&mut self.start))?;
        self.rewrap = Some(rewrap);
        Ok(())
    }
}
