//! `cargo xtask bench`: builds what the benches need, with optimisation, and runs one.
//!
//! The measuring is done by `sealift-bench` in `tests/bench`, a program of its own because it
//! links the host and the repository. `SEALIFT_RESTIC` and `SEALIFT_VAULT` name binaries to
//! use instead of the pinned ones.

use std::env;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use crate::talk::Steps;
use crate::workspace::{self, Workspace, cargo};
use crate::{functions, servers};

/// Which bench.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// The chain against rustic_core and restic: CPU, time, memory.
    Chain {
        /// How often each competitor runs.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// MiB that are stored each time.
        #[arg(long, default_value_t = 2048)]
        size: u64,
        /// How the result is printed.
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// What the second of two backups of a Vault adds, by form and size of chunks.
    Vault {
        /// How often each figure is taken.
        #[arg(long, default_value_t = 7)]
        rounds: u32,
        /// How the result is printed.
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
}

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// One figure a line.
    Text,
    /// One object, and nothing else on standard output.
    Json,
}

/// Builds and runs it.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    let workspace = Workspace::load()?;
    let (name, rounds, size, output) = match bench {
        Bench::Chain { rounds, size, output } => ("chain", rounds, Some(size), *output),
        Bench::Vault { rounds, output } => ("vault", rounds, None, *output),
    };
    let (server, variable) = match bench {
        Bench::Chain { .. } => ("restic", "SEALIFT_RESTIC"),
        Bench::Vault { .. } => ("vault", "SEALIFT_VAULT"),
    };
    // Standard output belongs to the result: with JSON the steps are not told.
    let mut steps = (output == Output::Text).then(|| Steps::new(3));
    let mut step = |what: &str, long: Option<&str>, work: &dyn Fn() -> Result<()>| {
        if let Some(steps) = &mut steps {
            steps.begin(what, long);
        }
        work()?;
        if let Some(steps) = &steps {
            steps.done("ready");
        }
        Ok::<_, anyhow::Error>(())
    };
    step("Functions and guests", Some("about 6 min with empty caches"), &|| {
        functions::ensure(&workspace, true).map(drop)
    })?;
    step(&format!("Server {server}"), Some(servers::duration(server)), &|| {
        if env::var_os(variable).is_some() {
            return Ok(());
        }
        servers::ensure(&workspace, server).map(drop)
    })?;
    step("The bench, optimised", Some("about 10 min with empty caches"), &|| {
        let package = ["build", "--quiet", "--locked", "--package", "sealift-bench"];
        workspace::run(cargo().args(package).args(["--profile", "bench-release"]))
    })?;
    let mut command =
        std::process::Command::new(workspace.target.join("bench-release").join("sealift-bench"));
    command.args([name, "--rounds"]).arg(rounds.to_string());
    if let Some(size) = size {
        command.arg("--size").arg(size.to_string());
    }
    command.args(["--output", if output == Output::Json { "json" } else { "text" }]);
    workspace::run(&mut command)
}
