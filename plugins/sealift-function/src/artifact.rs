//! Artifacts that come from the stage before: [`Upstream`], [`Artifact`] and [`Body`].

use std::fmt;
use std::io;

use crate::bindings::sealift::function::{artifacts as raw, upstream};
use crate::error::{Error, Result};

/// The most bytes one call to the host returns.
pub const MAX_READ: u32 = 1 << 20;

/// Name, size and attributes of an artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// Its name, such as `backup.snap`.
    pub name: String,
    /// Its exact size in bytes; none = unknown.
    pub size: Option<u64>,
    /// What its producer says of it at the start.
    pub attributes: Vec<(String, String)>,
}

impl Header {
    /// An artifact of unknown size.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// States the exact size. The host fails the chain if it turns out to be wrong.
    #[must_use]
    pub fn with_size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with_attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }
}

impl From<raw::Header> for Header {
    fn from(header: raw::Header) -> Self {
        Self { name: header.name, size: header.size, attributes: header.attributes }
    }
}

impl From<Header> for raw::Header {
    fn from(header: Header) -> Self {
        Self { name: header.name, size: header.size, attributes: header.attributes }
    }
}

/// An artifact from the stage before.
#[derive(Debug)]
pub struct Artifact {
    /// What is known of it from the start.
    pub header: Header,
    /// Its bytes. Read them to the end, forward them or discard them before the next artifact.
    pub body: Body,
}

/// The stage before: an iterator over its artifacts that ends when it has succeeded.
///
/// If it fails, the next item (or the next read of a body) is [`Error::Cancelled`].
#[derive(Debug)]
pub struct Upstream {
    _private: (),
}

impl Upstream {
    pub(crate) fn new() -> Self {
        Self { _private: () }
    }
}

impl Iterator for Upstream {
    type Item = Result<Artifact>;

    fn next(&mut self) -> Option<Self::Item> {
        match upstream::receive() {
            Ok(Some(artifact)) => Some(Ok(Artifact {
                header: artifact.header.into(),
                body: Body::from_raw(artifact.body),
            })),
            Ok(None) => None,
            Err(error) => Some(Err(error.into())),
        }
    }
}

/// A run of bytes on the host's side: of an artifact, a file of the repository, an HTTP answer,
/// a key.
///
/// Handing it on whole (`forward`, [`keys::put`](crate::keys::put)) is the fast way: the bytes
/// never enter the Function. To read it, use [`io::Read`] (behind an [`io::BufReader`] for
/// small reads) or [`Body::chunk`]. Its end is seen only when its producer has finished it; a
/// broken-off body is an error.
pub struct Body {
    raw: raw::Body,
    /// What must live as long as the bytes, such as the HTTP answer they belong to.
    /// Declared last: it is dropped last.
    _owner: Option<Box<dyn std::any::Any>>,
}

impl Body {
    pub(crate) fn from_raw(raw: raw::Body) -> Self {
        Self { raw, _owner: None }
    }

    pub(crate) fn owned_by(raw: raw::Body, owner: impl std::any::Any) -> Self {
        Self { raw, _owner: Some(Box::new(owner)) }
    }

    /// Gives the host's handle to `take` while its owner lives.
    pub(crate) fn hand_over<T>(self, take: impl FnOnce(raw::Body) -> T) -> T {
        let Self { raw, _owner, .. } = self;
        take(raw)
    }

    /// The exact size in bytes, where it is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.raw.size()
    }

    /// The next bytes, at least one and at most `max` (at most [`MAX_READ`]); none = complete.
    ///
    /// # Errors
    /// The body broke off, or its size or digest is not what was declared.
    pub fn chunk(&mut self, max: u32) -> Result<Option<Vec<u8>>> {
        // The host bounds what it hands out, and remembers the end.
        Ok(self.raw.read(max)?)
    }

    /// Throws the rest away and returns how many bytes that were.
    ///
    /// # Errors
    /// The body broke off.
    pub fn discard(self) -> Result<u64> {
        Ok(self.raw.discard()?)
    }

    /// What the producer said of it, complete once all bytes were read.
    #[must_use]
    pub fn attributes(&self) -> Vec<(String, String)> {
        self.raw.attributes()
    }

    /// Reads everything, if that is at most `limit` bytes.
    ///
    /// # Errors
    /// It is larger, or it broke off.
    pub fn read_all(mut self, limit: usize) -> Result<Vec<u8>> {
        collect(limit, || self.chunk(MAX_READ))
    }

    /// From now on the standard input of this Function is this body.
    ///
    /// # Errors
    /// The body was read already, or another one is the standard input.
    pub fn as_stdin(self) -> Result<()> {
        // The owner must outlive the reading, which ends with the Function.
        let Self { raw, _owner, .. } = self;
        std::mem::forget(_owner);
        Ok(raw::as_stdin(raw)?)
    }
}

impl io::Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        fill(buffer, |max| self.chunk(max))
    }
}

/// All chunks, if they are at most `limit` bytes.
fn collect(limit: usize, mut chunk: impl FnMut() -> Result<Option<Vec<u8>>>) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(chunk) = chunk()? {
        if all.len().saturating_add(chunk.len()) > limit {
            return Err(Error::ExternalFailed(format!("more than {limit} bytes")));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// The next chunk into this room. Without room nothing is asked for: the host hands out one byte
/// at least.
fn fill(
    buffer: &mut [u8],
    chunk: impl FnOnce(u32) -> Result<Option<Vec<u8>>>,
) -> io::Result<usize> {
    if buffer.is_empty() {
        return Ok(0);
    }
    let max = u32::try_from(buffer.len()).unwrap_or(MAX_READ);
    let Some(chunk) = chunk(max)? else { return Ok(0) };
    let Some(space) = buffer.get_mut(..chunk.len()) else {
        return Err(
            Error::InvalidState("the host returned more than was asked for".to_owned()).into()
        );
    };
    space.copy_from_slice(&chunk);
    Ok(chunk.len())
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn everything_is_read_up_to_the_limit_and_nothing_is_cut_off() {
        let read = |limit| {
            let mut chunks = vec![b"abc".to_vec(), b"de".to_vec()].into_iter();
            collect(limit, || Ok(chunks.next()))
        };
        assert_eq!(read(5).unwrap(), b"abcde");
        assert_eq!(read(4), Err(Error::ExternalFailed("more than 4 bytes".to_owned())));
        let lost = collect(5, || Err(Error::DataLossRisk("it broke off".to_owned())));
        assert!(matches!(lost, Err(Error::DataLossRisk(_))), "{lost:?}");
    }

    #[test]
    fn a_chunk_fills_the_room_there_is() {
        let mut room = [0_u8; 4];
        let two = |max| {
            assert_eq!(max, 4);
            Ok(Some(b"ab".to_vec()))
        };
        assert_eq!(fill(&mut room, two).unwrap(), 2);
        assert_eq!(&room, b"ab\0\0");
        assert_eq!(fill(&mut room, |_| Ok(None)).unwrap(), 0);
        fill(&mut room, |_| Ok(Some(vec![0; 5]))).unwrap_err();
        // What is not asked for is not lost.
        assert_eq!(fill(&mut [], |_| Ok(Some(b"a".to_vec()))).unwrap(), 0);
    }
}
