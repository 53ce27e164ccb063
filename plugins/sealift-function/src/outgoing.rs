//! Artifacts for the stage after: [`Downstream`] and [`Outgoing`].

use std::fmt;
use std::io;

use crate::artifact::{Body, Header};
use crate::bindings::sealift::function::downstream as raw;
use crate::error::Result;

/// The stage after.
#[derive(Debug)]
pub struct Downstream {
    _private: (),
}

impl Downstream {
    pub(crate) fn new() -> Self {
        Self { _private: () }
    }

    /// Begins an artifact. One can be open at a time; finish it before the next.
    ///
    /// # Errors
    /// Another one is open, the name is not allowed, or the chain was cancelled.
    pub fn send(&mut self, header: Header) -> Result<Outgoing> {
        Ok(Outgoing { raw: raw::send(&header.into())? })
    }
}

/// An artifact being produced: write to it, forward bodies into it, then [`finish`](Self::finish).
///
/// Dropped without `finish`, it fails the chain: a reader never mistakes it for complete.
pub struct Outgoing {
    raw: raw::Outgoing,
}

impl Outgoing {
    /// The host moves all of `body` into the artifact; the bytes do not enter the Function.
    /// Returns how many they were.
    ///
    /// # Errors
    /// The body broke off, or the chain was cancelled.
    pub fn forward(&mut self, body: Body) -> Result<u64> {
        Ok(body.hand_over(|body| self.raw.forward(body))?)
    }

    /// From now on the standard output of this Function is the artifact.
    ///
    /// # Errors
    /// Something else is the standard output.
    pub fn as_stdout(&mut self) -> Result<()> {
        Ok(self.raw.as_stdout()?)
    }

    /// Declares the digest of all bytes; the host compares it at `finish`.
    ///
    /// # Errors
    /// The algorithm is unknown, or bytes were written already.
    pub fn expect_digest(&mut self, algorithm: &str, hex: &str) -> Result<()> {
        Ok(self.raw.expect_digest(algorithm, hex)?)
    }

    /// Says something of the artifact; readers see it once they have read everything.
    ///
    /// # Errors
    /// Name or value is not allowed.
    pub fn set_attribute(&mut self, name: &str, value: &str) -> Result<()> {
        Ok(self.raw.set_attribute(name, value)?)
    }

    /// Ends the artifact and returns its size. Only now the reader sees the end.
    ///
    /// # Errors
    /// Size or digest is not what was declared, or the chain was cancelled.
    pub fn finish(self) -> Result<u64> {
        Ok(self.raw.finish()?)
    }
}

impl io::Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.raw.write(bytes).map_err(crate::Error::from)?;
        Ok(bytes.len())
    }

    /// Does nothing: written bytes are on their way.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}
