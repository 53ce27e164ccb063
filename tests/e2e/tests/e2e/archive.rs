//! A Vault snapshot taken apart and put together wrongly.

use std::io::{Read, Write};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// The members of a snapshot, in order.
#[derive(Clone)]
pub struct Archive {
    pub members: Vec<(String, Vec<u8>)>,
}

impl Archive {
    /// Takes a served snapshot apart.
    pub fn read(snapshot: &[u8]) -> Result<Self> {
        let mut members = Vec::new();
        let mut archive = tar::Archive::new(GzDecoder::new(snapshot));
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = entry.path()?.to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            members.push((name, bytes));
        }
        Ok(Self { members })
    }

    /// The member of this name.
    pub fn member(&mut self, name: &str) -> Result<&mut Vec<u8>> {
        let found = self.members.iter_mut().find(|(member, _)| member == name);
        Ok(&mut found.with_context(|| format!("the snapshot has no {name}"))?.1)
    }

    /// The tar, with its end.
    pub fn tar(&self) -> Result<Vec<u8>> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in &self.members {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o600);
            builder.append_data(&mut header, name, bytes.as_slice())?;
        }
        Ok(builder.into_inner()?)
    }

    /// Where the content of a member begins in the tar, and its length.
    pub fn place(&self, name: &str) -> Result<(usize, usize)> {
        let mut offset = 0;
        for (member, bytes) in &self.members {
            offset += 512;
            if member == name {
                return Ok((offset, bytes.len()));
            }
            offset += bytes.len().div_ceil(512) * 512;
        }
        anyhow::bail!("the snapshot has no {name}")
    }
}

/// A whole gzip stream.
pub fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?)
}

/// The beginning of a gzip stream that a reader can open up to the last of `bytes`.
pub fn gzip_without_end(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    encoder.flush()?;
    Ok(encoder.get_ref().clone())
}
