//! One pass over a snapshot that proves it complete, as far as that is possible without Vault.
//!
//! *Flow*: gzip → tar → four members in order → sums → end of tar → end of gzip → end of stream.
//! *Guarantee*: `Ok` means every byte was read and every checksum agrees. *Caveat*: what the
//! sealed sums say only Vault knows; here they must be there. The bytes go to the [`TarSink`]
//! before the verdict: it must not complete what it makes of them unless the verdict is good.

use std::io::{self, BufRead, Write};

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::gzip::{GzipReader, Trailer};
use crate::members::{BLOCK, Member, Members, padded};
use crate::meta::Meta;
use crate::sums;
use crate::tee::Tee;

/// Most bytes of `meta.json`, `SHA256SUMS` and `SHA256SUMS.sealed`. Vault's own reader has the
/// same limit for the first.
const SMALL: u64 = 8 * 1024;

/// Most bytes of zeros at the end of a tar: Go writes 1 KiB, others fill up to 10 KiB.
const END: u64 = 20 * BLOCK;

const META: &str = "meta.json";
const STATE: &str = "state.bin";
const SUMS: &str = "SHA256SUMS";
const SEALED: &str = "SHA256SUMS.sealed";

/// Takes the tar inside the snapshot, byte for byte.
pub trait TarSink: Write {
    /// Called once, when the header of `state.bin` was read: from here on nearly all sizes are
    /// known. `tar_at_most` bounds the length of the whole tar.
    ///
    /// # Errors
    /// Fails the verification.
    fn announce(&mut self, meta: &Meta, state_size: u64, tar_at_most: u64) -> io::Result<()>;
}

/// Nobody wants the tar.
impl TarSink for io::Sink {
    fn announce(&mut self, _: &Meta, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// What a good snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What it says of itself.
    pub meta: Meta,
    /// Bytes of `meta.json`.
    pub meta_size: u64,
    /// Bytes of `state.bin`.
    pub state_size: u64,
    /// SHA-256 of `state.bin`, hexadecimal.
    pub state_sha256: String,
    /// Bytes of `SHA256SUMS`.
    pub sums_size: u64,
    /// Bytes of `SHA256SUMS.sealed`.
    pub sealed_size: u64,
}

/// Reads a snapshot to the end of the stream and gives the tar in it to `sink`.
///
/// # Errors
/// The first defect, or what the stream or the sink failed with.
pub fn verify<R: BufRead, S: TarSink>(
    snapshot: R,
    trailer: Trailer,
    sink: &mut S,
) -> Result<Summary> {
    let mut members = Members::new(Tee::new(GzipReader::new(snapshot)?, sink));
    let summary = match contents(&mut members) {
        Err(Error::Read(error)) if members.reader.write_failed => return Err(Error::Write(error)),
        other => other?,
    };
    members.reader.into_reader().conclude(trailer)?;
    Ok(summary)
}

fn contents<R: io::Read, S: TarSink>(members: &mut Members<Tee<R, &mut S>>) -> Result<Summary> {
    let (meta_json, meta_digest) = small(members, META)?;
    let meta = Meta::parse(&meta_json)?;

    let state = expect(members, STATE)?;
    // Vault writes the tar's header from this very field.
    if meta.size != 0 && meta.size != state.size {
        return Err(Error::StateSize { stated: meta.size, size: state.size });
    }
    let tar_at_most = at_most(meta_json.len() as u64, state.size);
    members.reader.writer.announce(&meta, state.size, tar_at_most).map_err(Error::Write)?;
    let mut hasher = Sha256::new();
    members.content(state.size, |bytes| hasher.update(bytes))?;
    let state_digest: sums::Digest = hasher.finalize().into();

    let (list, _) = small(members, SUMS)?;
    let (sealed, _) = small(members, SEALED)?;
    if let Some(extra) = members.next()? {
        return Err(Error::UnexpectedMember { expected: "the end", found: extra.name });
    }
    sums::check(&list, &[(META, meta_digest), (STATE, state_digest)])?;
    Ok(Summary {
        meta,
        meta_size: meta_json.len() as u64,
        state_size: state.size,
        state_sha256: hex::encode(state_digest),
        sums_size: list.len() as u64,
        sealed_size: sealed.len() as u64,
    })
}

/// The next member, which must be this one and not empty.
fn expect<R: io::Read>(members: &mut Members<R>, name: &'static str) -> Result<Member> {
    let found = members.next()?;
    match found {
        Some(member) if member.name == name && member.size == 0 => Err(Error::EmptyMember { name }),
        Some(member) if member.name == name => Ok(member),
        Some(member) => Err(Error::UnexpectedMember { expected: name, found: member.name }),
        None => Err(Error::UnexpectedMember { expected: name, found: "the end".to_owned() }),
    }
}

/// Content and digest of a member that is small by definition.
fn small<R: io::Read>(
    members: &mut Members<R>,
    name: &'static str,
) -> Result<(Vec<u8>, sums::Digest)> {
    let member = expect(members, name)?;
    if member.size > SMALL {
        return Err(Error::TooLarge { name, size: member.size, limit: SMALL });
    }
    let mut content = Vec::new();
    members.content(member.size, |bytes| content.extend_from_slice(bytes))?;
    let digest = Sha256::digest(&content).into();
    Ok((content, digest))
}

/// The longest tar that can still follow. An extended header before `state.bin` counts as well:
/// it is there for files of 8 GiB or more, one block and one of content.
fn at_most(meta_size: u64, state_size: u64) -> u64 {
    let header = BLOCK;
    let extended = 2 * BLOCK;
    [
        header,
        padded(meta_size),
        extended,
        header,
        padded(state_size),
        header,
        padded(SMALL),
        header,
        padded(SMALL),
        END,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
