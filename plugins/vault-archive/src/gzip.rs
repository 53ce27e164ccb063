//! Reads the gzip file around a snapshot, strictly: checksum and length must agree, and what
//! follows must be what is allowed to follow.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

use crate::error::{Error, Result};

/// What may follow the first gzip member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trailer {
    /// Nothing: what Vault serves.
    Nothing,
    /// Members without content: what [`Rewrap`](crate::Rewrap) fills up with.
    EmptyMembers,
}

/// The decoded bytes of the first member.
#[derive(Debug)]
pub(crate) struct GzipReader<R> {
    decoder: GzDecoder<R>,
}

impl<R: BufRead> GzipReader<R> {
    /// Looks at the first bytes, so that something else is told apart from a damaged snapshot.
    pub(crate) fn new(mut reader: R) -> Result<Self> {
        let start = reader.fill_buf().map_err(Error::Read)?;
        match start {
            [] => return Err(Error::Empty),
            [0x1f, 0x8b, ..] | [0x1f] => {}
            _ => return Err(Error::NotGzip),
        }
        Ok(Self { decoder: GzDecoder::new(reader) })
    }

    /// Reads on to the end of the stream: the first member must have been read to its end.
    pub(crate) fn conclude(self, trailer: Trailer) -> Result<()> {
        let mut rest = self.decoder.into_inner();
        loop {
            if rest.fill_buf().map_err(Error::Read)?.is_empty() {
                return Ok(());
            }
            if trailer == Trailer::Nothing {
                return Err(Error::Trailing);
            }
            let mut member = GzDecoder::new(rest);
            let mut content = [0_u8; 1];
            if member.read(&mut content).map_err(Error::Read)? != 0 {
                return Err(Error::Trailing);
            }
            rest = member.into_inner();
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.decoder.read(buffer)
    }
}
