//! `cargo xtask`: the automation of this repository, in one language.
//!
//! This file parses arguments and hands over; each command has its module. Nothing in the
//! workspace depends on this crate, and nothing here is shipped.

mod bench;
mod codegen;
mod examples;
mod functions;
mod image;
mod manifests;
mod quickstart;
mod servers;
mod talk;
mod test;
mod tidy;
mod toolchain;
mod toolchains;
mod wit;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::functions::Extent;

/// The automation of Sealift's repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays the whole story on this machine: back up a Vault, destroy it, restore it.
    Quickstart,
    /// Runs all tests, and says at the end how many passed and how many failed.
    Test(test::Arguments),
    /// Builds the Functions and compiles them ahead of time.
    Functions {
        /// Build the components of the tests as well.
        #[arg(long)]
        guests: bool,
        /// Build those, and the Functions of `examples/functions` in every language.
        #[arg(long)]
        examples: bool,
    },
    /// Builds the image of Sealift: one static program, in a tar for registries and nodes.
    Image(image::Arguments),
    /// Builds the real servers of the tests into the cache of this user.
    Servers {
        /// Folders of `tests/servers`; none = all.
        names: Vec<String>,
    },
    /// Installs what builds Functions in other languages into the cache of this user.
    Toolchains,
    /// Measures: the chain against rustic_core and restic, and what backups of a Vault add.
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
    },
    /// Writes the files that are made from the types: the CustomResourceDefinitions.
    Codegen {
        /// Write nothing; fail with the names of the files that differ.
        #[arg(long)]
        check: bool,
    },
    /// Writes what in `deploy` follows from other files in it: the rendered chart, and copies.
    Manifests {
        /// Write nothing; fail with the names of the files that differ.
        #[arg(long)]
        check: bool,
    },
    /// Checks the rules of the repository that no compiler checks.
    Tidy,
    /// Work on `wit/`.
    Wit {
        #[command(subcommand)]
        command: wit::Command,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Quickstart => quickstart::run(),
        Command::Test(arguments) => test::run(&arguments),
        Command::Functions { examples: true, .. } => functions::run(Extent::Everything),
        Command::Functions { guests: true, .. } => functions::run(Extent::Guests),
        Command::Functions { .. } => functions::run(Extent::BuiltIn),
        Command::Image(arguments) => image::run(&arguments),
        Command::Servers { names } => servers::run(&names),
        Command::Toolchains => toolchains::run(),
        Command::Bench { bench } => bench::run(&bench),
        Command::Codegen { check } => codegen::run(check),
        Command::Manifests { check } => manifests::run(check),
        Command::Tidy => tidy::run(),
        Command::Wit { command } => wit::run(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            talk::error(&error);
            ExitCode::FAILURE
        }
    }
}
