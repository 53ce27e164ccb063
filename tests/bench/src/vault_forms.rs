//! The two forms of a Vault snapshot in repositories with chunks of several sizes.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rustic_core::CheckOptions;
use serde::Serialize;
use vault_archive::{LazyRewrap, Trailer, verify};

use crate::chain::bytes_below;
use crate::figures::{Spread, mib};
use crate::{native, usage};

/// Average sizes of chunks, with the names they have in the result.
pub(crate) const CHUNKS: [(&str, u64); 4] =
    [("16KiB", 16 << 10), ("64KiB", 64 << 10), ("256KiB", 256 << 10), ("1MiB", 1 << 20)];

/// Two snapshots of one Vault in one form.
pub(crate) struct Pair {
    pub(crate) first: Vec<u8>,
    pub(crate) second: Vec<u8>,
}

impl Pair {
    /// The same snapshots in the form Sealift stores.
    pub(crate) fn rewrapped(&self) -> Result<Self> {
        Ok(Self { first: rewrap(&self.first)?, second: rewrap(&self.second)? })
    }
}

/// Verifies a served snapshot and wraps it anew, as `vault-snapshot` does.
pub(crate) fn rewrap(served: &[u8]) -> Result<Vec<u8>> {
    let mut sink = LazyRewrap::new(|size| {
        Ok(Vec::with_capacity(usize::try_from(size).map_err(std::io::Error::other)?))
    });
    verify(BufReader::with_capacity(128 << 10, served), Trailer::Nothing, &mut sink)
        .context("the snapshot is not good")?;
    sink.finish().context("the snapshot cannot be wrapped")
}

/// What a pair costs in a repository.
#[derive(Debug, Serialize)]
pub(crate) struct Costs {
    /// Bytes of packs and index that each snapshot added.
    first_added_mib: Spread,
    pub(crate) second_added_mib: Spread,
    /// Chunks of the first.
    chunks: Spread,
    /// Bytes of all index files, both snapshots.
    index_kib: Spread,
    /// Storing both.
    cpu_seconds: Spread,
    /// Reading and comparing everything.
    check_seconds: Spread,
    check_cpu_seconds: Spread,
}

/// Both forms at one size of chunks.
#[derive(Debug, Serialize)]
pub(crate) struct Forms {
    gzip: Costs,
    stored: Costs,
    pub(crate) added_over_gzip: f64,
}

/// All sizes; each repository is made anew in each round, as its chunker has a random part.
pub(crate) fn by_chunk_size(
    folder: &Path,
    gzip: &Pair,
    stored: &Pair,
    rounds: u32,
) -> Result<BTreeMap<&'static str, Forms>> {
    CHUNKS
        .into_iter()
        .map(|(name, average)| {
            let gzip = costs(folder, gzip, average, rounds)?;
            let stored = costs(folder, stored, average, rounds)?;
            let added_over_gzip = stored.second_added_mib.over(&gzip.second_added_mib);
            Ok((name, Forms { gzip, stored, added_over_gzip }))
        })
        .collect()
}

/// One round's measurements, in the order of [`Costs`].
type Row = [f64; 7];

fn costs(folder: &Path, pair: &Pair, average: u64, rounds: u32) -> Result<Costs> {
    let rows = (0..rounds).map(|_| round(folder, pair, average)).collect::<Result<Vec<Row>>>()?;
    let column = |of: fn(&Row) -> f64| Spread::of(rows.iter().map(of));
    Ok(Costs {
        first_added_mib: column(|[value, ..]| *value)?,
        second_added_mib: column(|[_, value, ..]| *value)?,
        chunks: column(|[_, _, value, ..]| *value)?,
        index_kib: column(|[_, _, _, value, ..]| *value)?,
        cpu_seconds: column(|[_, _, _, _, value, ..]| *value)?,
        check_seconds: column(|[.., value, _]| *value)?,
        check_cpu_seconds: column(|[.., value]| *value)?,
    })
}

fn round(folder: &Path, pair: &Pair, average: u64) -> Result<Row> {
    let folder = tempfile::tempdir_in(folder).context("failed to create a folder")?;
    let folder = folder.path();
    native::init(folder, average)?;
    let size = || Ok::<_, anyhow::Error>((bytes_below(&folder.join("data"))?, index(folder)?));

    let mut cpu = 0.0;
    let mut store = |bytes: &[u8]| {
        let (repository, reader) = (native::open(folder)?, Cursor::new(bytes.to_vec()));
        let before = usage::cpu_here()?;
        let stored = native::store(repository, reader, bytes.len() as u64)?;
        cpu += (usage::cpu_here()? - before).as_secs_f64();
        Ok::<_, anyhow::Error>(stored)
    };
    let chunks = store(&pair.first)?.data_blobs;
    let first = size()?;
    store(&pair.second)?;
    let second = size()?;

    let repository = native::open(folder)?;
    let (start, before) = (Instant::now(), usage::cpu_here()?);
    let findings = repository.check(CheckOptions::default().read_data(true))?;
    let (check, check_cpu) = (start.elapsed(), usage::cpu_here()? - before);
    if findings.is_ok().is_err() {
        bail!("the check of a repository with chunks of {average} bytes found damage");
    }
    let total = |(data, index): (u64, u64)| data + index;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let chunks = chunks as f64;
    Ok([
        mib(total(first)),
        mib(total(second) - total(first)),
        chunks,
        mib(second.1) * 1024.0,
        cpu,
        check.as_secs_f64(),
        check_cpu.as_secs_f64(),
    ])
}

fn index(folder: &Path) -> Result<u64> {
    bytes_below(&folder.join("index"))
}
