//! `bench chain`: the same bytes into the same kind of repository, four ways, in turns.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sealift_e2e::binaries;
use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::PASSWORD;
use crate::backup::Said;
use crate::figures::{Spread, gib, mib, rounded};
use crate::report::talk;
use crate::usage::{self, Usage, ourselves};
use crate::{data, native};

/// Sizes between which memory must not grow.
const MEMORY_SIZES: [u64; 2] = [256 << 20, 4 << 30];
/// How often the chain is started to see how long that takes.
const STARTS: u32 = 21;

/// The figures of `bench chain`.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    size_mib: f64,
    rounds: u32,
    ratios: Ratios,
    /// Greatest of the processes of the chain with `forward`, whatever the size.
    peak_rss_mib: f64,
    peak_rss_by_size: Vec<Peak>,
    /// From the start of the process to the first byte of the source, the password's key
    /// derivation included; what went before it stands in `first_byte_parts`.
    first_byte_ms: f64,
    first_byte_parts: FirstByte,
    /// From handing loaded components to the host to the source's first call.
    start_ms: Start,
    ways: Vec<WayFigures>,
}

/// Medians over medians.
#[derive(Debug, Serialize)]
struct Ratios {
    forward_cpu_over_rustic: f64,
    copy_cpu_over_rustic: f64,
    forward_wall_over_rustic: f64,
    copy_wall_over_rustic: f64,
    restic_wall_over_forward: f64,
    restic_cpu_over_forward: f64,
}

#[derive(Debug, Serialize)]
struct Peak {
    size_mib: f64,
    peak_rss_mib: f64,
}

/// Milliseconds from the start of the process; medians.
#[derive(Debug, Serialize)]
struct FirstByte {
    engine_ms: f64,
    components_loaded_ms: f64,
    repository_open_ms: f64,
}

#[derive(Debug, Serialize)]
struct Start {
    first: f64,
    later: Spread,
}

#[derive(Debug, Serialize)]
struct WayFigures {
    way: &'static str,
    cpu_seconds: Spread,
    wall_seconds: Spread,
    cpu_seconds_per_gib: f64,
    peak_rss_mib: Spread,
    stored_mib: f64,
}

/// A way to store the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Forward,
    Copy,
    Rustic,
    Restic,
}

impl Way {
    const ALL: [Self; 4] = [Self::Forward, Self::Copy, Self::Rustic, Self::Restic];

    fn name(self) -> &'static str {
        match self {
            Self::Forward => "chain, forward",
            Self::Copy => "chain, guest copy",
            Self::Rustic => "rustic_core",
            Self::Restic => "restic --stdin",
        }
    }
}

/// Everything the ways need.
struct Field {
    folder: TempDir,
    file: PathBuf,
    copies: PathBuf,
    restic: PathBuf,
}

/// Something the kernel accounted.
type Figure = fn(&Usage) -> f64;

/// One measured backup.
struct Run {
    way: Way,
    usage: Usage,
    stored: u64,
}

/// Runs the bench.
pub(crate) fn run(rounds: u32, size: u64) -> Result<Figures> {
    let field = Field::prepare(size)?;
    let mut runs = Vec::new();
    for round in 0..rounds {
        // Another one begins in each round: what a round leaves behind hurts all alike.
        let mut ways = Way::ALL;
        ways.rotate_left(round as usize % Way::ALL.len());
        for way in ways {
            let run = field.measure(way, size)?;
            talk(&format!(
                "round {}/{rounds} {:18} {:7.2} CPU s {:7.2} s {:6.1} MiB",
                round + 1,
                way.name(),
                run.usage.cpu_seconds,
                run.usage.wall_seconds,
                mib(run.usage.peak_rss_bytes)
            ));
            runs.push(run);
        }
    }
    let starts = field.starts()?;
    let mut peaks = vec![Peak { size_mib: mib(size), peak_rss_mib: peak(&runs)? }];
    for size in MEMORY_SIZES {
        data::grow(&field.file, size)?;
        let run = field.measure(Way::Forward, size)?;
        peaks.push(Peak { size_mib: mib(size), peak_rss_mib: mib(run.usage.peak_rss_bytes) });
    }
    figures(rounds, size, &runs, peaks, starts)
}

fn figures(
    rounds: u32,
    size: u64,
    runs: &[Run],
    peaks: Vec<Peak>,
    start_ms: Start,
) -> Result<Figures> {
    let spread = |way, of: Figure| {
        Spread::of(runs.iter().filter(|run| run.way == way).map(|run| of(&run.usage)))
    };
    let ratio = |of: Figure, upper, lower| -> Result<f64> {
        Ok(spread(upper, of)?.over(&spread(lower, of)?))
    };
    let cpu: Figure = |usage| usage.cpu_seconds;
    let wall: Figure = |usage| usage.wall_seconds;
    let said = runs
        .iter()
        .filter(|run| run.way == Way::Forward)
        .map(|run| run.usage.said::<Said>())
        .collect::<Result<Vec<_>>>()?;
    let median =
        |of: fn(&Said) -> f64| Ok::<_, anyhow::Error>(Spread::of(said.iter().map(of))?.median);
    let ways = Way::ALL.into_iter().map(|way| {
        let cpu_seconds = spread(way, cpu)?;
        Ok(WayFigures {
            way: way.name(),
            cpu_seconds,
            wall_seconds: spread(way, wall)?,
            cpu_seconds_per_gib: rounded(cpu_seconds.median / gib(size)),
            peak_rss_mib: spread(way, |usage| mib(usage.peak_rss_bytes))?,
            stored_mib: runs.iter().find(|run| run.way == way).map_or(0.0, |run| mib(run.stored)),
        })
    });
    Ok(Figures {
        size_mib: mib(size),
        rounds,
        ratios: Ratios {
            forward_cpu_over_rustic: ratio(cpu, Way::Forward, Way::Rustic)?,
            copy_cpu_over_rustic: ratio(cpu, Way::Copy, Way::Rustic)?,
            forward_wall_over_rustic: ratio(wall, Way::Forward, Way::Rustic)?,
            copy_wall_over_rustic: ratio(wall, Way::Copy, Way::Rustic)?,
            restic_wall_over_forward: ratio(wall, Way::Restic, Way::Forward)?,
            restic_cpu_over_forward: ratio(cpu, Way::Restic, Way::Forward)?,
        },
        peak_rss_mib: peaks.iter().map(|peak| peak.peak_rss_mib).fold(0.0, f64::max),
        peak_rss_by_size: peaks,
        first_byte_ms: median(|said| said.first_byte_ms)?,
        first_byte_parts: FirstByte {
            engine_ms: median(|said| said.engine_ms)?,
            components_loaded_ms: median(|said| said.components_loaded_ms)?,
            repository_open_ms: median(|said| said.repository_open_ms)?,
        },
        start_ms,
        ways: ways.collect::<Result<_>>()?,
    })
}

/// The greatest memory of the chain with `forward`.
fn peak(runs: &[Run]) -> Result<f64> {
    let forward = runs.iter().filter(|run| run.way == Way::Forward);
    Ok(Spread::of(forward.map(|run| mib(run.usage.peak_rss_bytes)))?.max)
}

impl Field {
    fn prepare(size: u64) -> Result<Self> {
        let restic = match std::env::var_os("SEALIFT_RESTIC") {
            Some(path) => PathBuf::from(path),
            None => binaries::server("restic", "restic")?,
        };
        let most = MEMORY_SIZES.into_iter().max().unwrap_or_default().max(size);
        // The data, and its repository, which is about half as large.
        let folder = working_folder(most.saturating_mul(2))?;
        let copies = folder.path().join("copies");
        let guest = binaries::guest("copies-bytes")?;
        fs::copy(&guest, copies.with_extension("wasm"))
            .with_context(|| format!("failed to copy {}", guest.display()))?;
        usage::run(
            ourselves()?
                .arg("compile")
                .arg(copies.with_extension("wasm"))
                .arg(copies.with_extension("cwasm")),
        )?;
        talk(&format!("writing {} MiB into {}", size >> 20, folder.path().display()));
        let file = folder.path().join("data.bin");
        data::grow(&file, size)?;
        Ok(Self { folder, file, copies, restic })
    }

    /// One backup into a repository of its own, which is gone afterwards.
    fn measure(&self, way: Way, size: u64) -> Result<Run> {
        let repository = self.fresh_repository()?;
        let repository = repository.path().join("repository");
        let us = std::env::current_exe().context("failed to find the running program")?;
        let length = size.to_string();
        let tail = [repository.as_os_str(), self.file.as_os_str(), OsStr::new(&length)];
        let run = |command: &'static str, more: &[&OsStr]| {
            let arguments = [&[OsStr::new(command)], tail.as_slice(), more].concat();
            usage::measure(&us, &arguments, &[], None)
        };
        let usage = match way {
            Way::Forward => run("backup", &[])?,
            Way::Copy => run("backup", &[self.copies.as_os_str()])?,
            Way::Rustic => run("native", &[])?,
            Way::Restic => self.restic(&repository, size)?,
        };
        let uploaded = match way {
            Way::Forward | Way::Copy => Some(usage.said::<Said>()?.uploaded_bytes),
            Way::Rustic => Some(usage.said::<native::Stored>()?.uploaded_bytes),
            Way::Restic => None,
        };
        let stored = bytes_below(&repository.join("data"))?;
        // Half of it is random: less than that in the packs is not all of it.
        ensure!(
            stored >= size / 2 && uploaded.is_none_or(|bytes| bytes >= size / 2),
            "{} stored {stored} bytes in packs for {size}",
            way.name()
        );
        Ok(Run { way, usage, stored })
    }

    fn restic(&self, repository: &Path, size: u64) -> Result<Usage> {
        let file = fs::metadata(&self.file).context("failed to read the size of the data")?;
        ensure!(file.len() == size, "restic reads the whole file, which has {} bytes", file.len());
        let arguments = ["backup", "--stdin", "--stdin-filename", "data.bin", "--host", "bench"];
        let mut arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        arguments.extend(["--no-cache", "--quiet"].map(OsStr::new));
        let environment = [
            ("RESTIC_REPOSITORY", repository.as_os_str()),
            ("RESTIC_PASSWORD", OsStr::new(PASSWORD)),
        ];
        usage::measure(&self.restic, &arguments, &environment, Some(&self.file))
    }

    fn starts(&self) -> Result<Start> {
        let repository = self.fresh_repository()?;
        let mut command = ourselves()?;
        command
            .arg("start")
            .args([repository.path().join("repository").as_os_str(), self.file.as_os_str()])
            .arg(STARTS.to_string());
        let said: Value = serde_json::from_slice(&usage::run(&mut command)?)
            .context("failed to parse what was measured")?;
        let all: Vec<f64> = serde_json::from_value(said).context("expected numbers")?;
        let (first, later) = all.split_first().context("nothing was started")?;
        Ok(Start { first: *first, later: Spread::of(later.iter().copied())? })
    }

    fn fresh_repository(&self) -> Result<TempDir> {
        let folder = tempfile::tempdir_in(self.folder.path())
            .context("failed to create a folder for a repository")?;
        usage::run(ourselves()?.arg("init").arg(folder.path().join("repository")))?;
        Ok(folder)
    }
}

/// A folder in memory if there is room for `bytes`, else in the usual place.
fn working_folder(bytes: u64) -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let roomy = nix::sys::statvfs::statvfs(memory)
        .is_ok_and(|room| room.blocks_available().saturating_mul(room.fragment_size()) > bytes);
    let folder = if roomy { memory.to_path_buf() } else { std::env::temp_dir() };
    tempfile::Builder::new()
        .prefix("sealift-bench-")
        .tempdir_in(&folder)
        .with_context(|| format!("failed to create a folder in {}", folder.display()))
}

/// Bytes of all files below a folder.
pub(crate) fn bytes_below(folder: &Path) -> Result<u64> {
    let failed = || format!("failed to look into {}", folder.display());
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let metadata = entry.metadata().with_context(failed)?;
        bytes += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
