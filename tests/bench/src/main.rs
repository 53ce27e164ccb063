//! The benches: what a chain of components costs, what snapshots of a Vault add, and what the
//! operator asks of a cluster.
//!
//! `cargo xtask bench` builds this with optimisation and runs it. Two kinds compete side by side
//! in one run, so that a busy machine hurts all of them: read the ratios, not the seconds. Each
//! competitor is a process of its own (this binary again, by a hidden command), measured from
//! its start to its end by the kernel's accounting.

mod backup;
mod chain;
mod data;
mod figures;
mod file_source;
mod native;
mod operator;
mod operator_meter;
mod operator_scene;
mod operator_sessions;
mod report;
mod usage;
mod vault;
mod vault_forms;
mod vault_ports;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

/// The password of every repository of a bench.
const PASSWORD: &str = "correct horse battery staple of the benches";

#[derive(Debug, Parser)]
#[command(
    name = "sealift-bench",
    about = "Measures Sealift; `cargo xtask bench` builds and runs it."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// How the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table.
    Text,
    /// One object.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The chain, with and without guest copy, against rustic_core and restic.
    Chain {
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        /// MiB that are stored in each round.
        #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u64).range(32..))]
        size: u64,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        output: Format,
    },
    /// What the second of two backups of a Vault adds, by form and size of chunks.
    Vault {
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        output: Format,
    },
    /// The operator with many BackupConfigurations: memory, requests, time; `SEALIFT_PROGRAM` is
    /// what is measured.
    Operator {
        #[arg(long, default_value_t = 5000)]
        objects: usize,
        #[arg(long, default_value_t = 50)]
        namespaces: usize,
        #[arg(long, default_value_t = 500)]
        sessions: usize,
        #[arg(long, default_value_t = 200)]
        played: usize,
        #[arg(long, default_value_t = 180)]
        rest: u64,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        output: Format,
    },
    /// Runs one program and prints what the kernel accounted for it.
    #[command(hide = true)]
    Measure {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// Makes the repository of a round.
    #[command(hide = true)]
    Init { repository: PathBuf },
    /// Compiles a component of the tests ahead of time, as the built-in ones are.
    #[command(hide = true)]
    Compile { wasm: PathBuf, compiled: PathBuf },
    /// Stores the first `size` bytes of a file with a chain.
    #[command(hide = true)]
    Backup {
        repository: PathBuf,
        file: PathBuf,
        size: u64,
        /// The component that copies every byte, without `.wasm`; none = all is forwarded.
        copies: Option<PathBuf>,
    },
    /// Stores the first `size` bytes of a file with bare rustic_core.
    #[command(hide = true)]
    Native { repository: PathBuf, file: PathBuf, size: u64 },
    /// Starts the same chain again and again on a small file.
    #[command(hide = true)]
    Start { repository: PathBuf, file: PathBuf, times: u32 },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Chain { rounds, size, output } => {
            let result = chain::run(rounds, size << 20)?;
            report::print(output, "chain", &result)
        }
        Command::Vault { rounds, output } => {
            let result = vault::run(rounds)?;
            report::print(output, "vault", &result)
        }
        Command::Operator { objects, namespaces, sessions, played, rest, output } => {
            let (sessions, rest_seconds) = (sessions.min(objects), rest);
            let played = played.min(sessions);
            let size = operator::Size { objects, namespaces, sessions, played, rest_seconds };
            report::print(output, "operator", &operator::run(size)?)
        }
        Command::Measure { command } => report::value(&usage::measure_here(&command)?),
        Command::Init { repository } => backup::init(&repository),
        Command::Compile { wasm, compiled } => backup::compile(&wasm, &compiled),
        Command::Backup { repository, file, size, copies } => {
            report::value(&backup::run(&repository, &file, size, copies.as_deref())?)
        }
        Command::Native { repository, file, size } => {
            report::value(&native::backup(&repository, &file, size)?)
        }
        Command::Start { repository, file, times } => {
            report::value(&backup::starts(&repository, &file, times)?)
        }
    }
}
