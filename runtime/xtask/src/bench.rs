//! `cargo xtask bench`: builds what the benches need, with optimisation, and runs one.
//!
//! The measuring is done by `sealift-bench` in `tests/bench`, a program of its own because it
//! links the host and the repository. `SEALIFT_RESTIC` and `SEALIFT_VAULT` name binaries to
//! use instead of the pinned ones, `SEALIFT_PROGRAM` an operator instead of the image's.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use clap::{Subcommand, ValueEnum};

use crate::talk::Steps;
use crate::workspace::{self, Workspace, cargo};
use crate::{functions, image, servers};

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
    /// The operator with thousands of BackupConfigurations: memory, requests, time, and what
    /// becomes of many sessions at once.
    Operator {
        #[command(flatten)]
        size: Size,
        /// How the result is printed.
        #[arg(long, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
}

/// How much the operator has to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Size {
    /// BackupConfigurations, each with a Repository and a target of its own.
    #[arg(long, default_value_t = 5000)]
    objects: usize,
    /// Namespaces they are in; the first has half of them.
    #[arg(long, default_value_t = 50)]
    namespaces: usize,
    /// How many of them get a session at once.
    #[arg(long, default_value_t = 500)]
    sessions: usize,
    /// How many of these sessions are played to their end.
    #[arg(long, default_value_t = 200)]
    played: usize,
    /// Seconds of rest in which nobody changes anything.
    #[arg(long, default_value_t = 180)]
    rest: usize,
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
    let output = match bench {
        Bench::Chain { output, .. }
        | Bench::Vault { output, .. }
        | Bench::Operator { output, .. } => *output,
    };
    let mut command = match bench {
        Bench::Chain { rounds, size, .. } => {
            let mut command = optimised(&workspace, output, "restic", "SEALIFT_RESTIC")?;
            command.args(["chain", "--rounds", &rounds.to_string(), "--size", &size.to_string()]);
            command
        }
        Bench::Vault { rounds, .. } => {
            let mut command = optimised(&workspace, output, "vault", "SEALIFT_VAULT")?;
            command.args(["vault", "--rounds", &rounds.to_string()]);
            command
        }
        Bench::Operator { size, .. } => {
            let mut command = with_cluster(&workspace, output)?;
            for (name, value) in [
                ("--objects", size.objects),
                ("--namespaces", size.namespaces),
                ("--sessions", size.sessions),
                ("--played", size.played),
                ("--rest", size.rest),
            ] {
                command.arg(name).arg(value.to_string());
            }
            command
        }
    };
    command.args(["--output", if output == Output::Json { "json" } else { "text" }]);
    workspace::run(&mut command)
}

/// Tells a step and does it. Standard output belongs to the result: with JSON nothing is told.
struct Told(Option<Steps>);

impl Told {
    fn new(output: Output) -> Self {
        Self((output == Output::Text).then(|| Steps::new(3)))
    }

    fn step<T>(
        &mut self,
        what: &str,
        long: Option<&str>,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if let Some(steps) = &mut self.0 {
            steps.begin(what, long);
        }
        let done = work()?;
        if let Some(steps) = &self.0 {
            steps.done("ready");
        }
        Ok(done)
    }
}

/// The measuring program with optimisation: it links what it measures.
fn optimised(
    workspace: &Workspace,
    output: Output,
    server: &str,
    variable: &str,
) -> Result<Command> {
    let mut told = Told::new(output);
    told.step("Functions and guests", Some("about 10 min with empty caches"), || {
        functions::ensure(workspace, functions::Extent::Guests).map(drop)
    })?;
    told.step(&format!("Server {server}"), Some(servers::duration(server)), || {
        if env::var_os(variable).is_some() {
            return Ok(());
        }
        servers::ensure(workspace, server).map(drop)
    })?;
    told.step("The bench, optimised", Some("about 10 min with empty caches"), || {
        let package = ["build", "--quiet", "--locked", "--package", "sealift-bench"];
        workspace::run(cargo().args(package).args(["--profile", "bench-release"]))
    })?;
    Ok(Command::new(workspace.target.join("bench-release").join("sealift-bench")))
}

/// The measuring program beside what it measures from outside: the operator as the image has it.
fn with_cluster(workspace: &Workspace, output: Output) -> Result<Command> {
    let mut told = Told::new(output);
    told.step("Server kubernetes", Some(servers::duration("kubernetes")), || {
        servers::ensure(workspace, "kubernetes").map(drop)
    })?;
    let program =
        told.step("sealift as the image has it", Some("about 25 min with empty caches"), || {
            match env::var_os("SEALIFT_PROGRAM") {
                Some(program) => Ok(PathBuf::from(program)),
                None => {
                    functions::ensure(workspace, functions::Extent::BuiltIn)?;
                    image::built_program(workspace)
                }
            }
        })?;
    let bench = told.step("The bench", Some("about 6 min with empty caches"), || {
        workspace::build_program(workspace, "sealift-bench")
    })?;
    let mut command = Command::new(bench);
    command.arg("operator").env("SEALIFT_PROGRAM", program);
    Ok(command)
}
