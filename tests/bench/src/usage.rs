//! What a process costs, by the kernel's accounting.
//!
//! A process in between starts exactly one program and waits for it, so that the accounting of
//! its children is that program's, peak memory included, whichever program it is.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Usage as Accounting, UsageWho, getrusage};
use nix::time::ClockId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Tells a measured program when it was started: nanoseconds of the monotonic clock.
const STARTED: &str = "SEALIFT_BENCH_STARTED";

/// What one program cost.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu_seconds: f64,
    /// From its start to its end.
    pub(crate) wall_seconds: f64,
    /// Most memory that was resident at once.
    pub(crate) peak_rss_bytes: u64,
    /// What it printed.
    said: String,
}

impl Usage {
    /// What it printed, as JSON.
    pub(crate) fn said<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.said).with_context(|| {
            format!("failed to parse what a measured program printed: {}", self.said)
        })
    }
}

/// Runs `program` by itself, with what it costs and says.
pub(crate) fn measure(
    program: &Path,
    arguments: &[&OsStr],
    environment: &[(&str, &OsStr)],
    input: Option<&Path>,
) -> Result<Usage> {
    let mut command = ourselves()?;
    command.arg("measure").arg("--").arg(program).args(arguments).envs(environment.iter().copied());
    command.stdin(match input {
        Some(path) => Stdio::from(
            File::open(path).with_context(|| format!("failed to open {}", path.display()))?,
        ),
        None => Stdio::null(),
    });
    let said = run(&mut command)?;
    serde_json::from_slice(&said).context("failed to parse what was measured")
}

/// This program with another command.
pub(crate) fn ourselves() -> Result<Command> {
    Ok(Command::new(std::env::current_exe().context("failed to find the running program")?))
}

/// Runs a command to its good end and returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("failed to run {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{command:?} ended with {}", output.status);
    }
    Ok(output.stdout)
}

/// The process in between: runs the command as its only child.
pub(crate) fn measure_here(command: &[OsString]) -> Result<Usage> {
    let (program, arguments) = command.split_first().context("no program is given")?;
    let start = Instant::now();
    let said = run(Command::new(program)
        .args(arguments)
        .env(STARTED, monotonic()?.as_nanos().to_string())
        .stdin(Stdio::inherit()))?;
    let wall = start.elapsed();
    let usage = accounting(UsageWho::RUSAGE_CHILDREN)?;
    Ok(Usage {
        cpu_seconds: cpu_of(&usage).as_secs_f64(),
        wall_seconds: wall.as_secs_f64(),
        // Linux counts it in KiB.
        peak_rss_bytes: u64::try_from(usage.max_rss()).unwrap_or_default() << 10,
        said: String::from_utf8(said).context("a measured program printed no text")?,
    })
}

/// CPU time of this process so far.
pub(crate) fn cpu_here() -> Result<Duration> {
    Ok(cpu_of(&accounting(UsageWho::RUSAGE_SELF)?))
}

/// Since the process in between started this one.
pub(crate) fn since_start() -> Result<Duration> {
    let started = std::env::var(STARTED).context("this command is run by `measure` only")?;
    let started: u64 = started.parse().context("the time of the start is no number")?;
    Ok(monotonic()?.saturating_sub(Duration::from_nanos(started)))
}

fn monotonic() -> Result<Duration> {
    Ok(ClockId::CLOCK_MONOTONIC.now().context("failed to read the monotonic clock")?.into())
}

fn accounting(who: UsageWho) -> Result<Accounting> {
    getrusage(who).context("failed to read what the kernel accounted")
}

fn cpu_of(usage: &Accounting) -> Duration {
    let micros = |value: nix::sys::time::TimeVal| {
        let micros = value.tv_sec() * 1_000_000 + value.tv_usec();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    };
    micros(usage.user_time()) + micros(usage.system_time())
}
