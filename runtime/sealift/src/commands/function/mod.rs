//! `sealift function`: for whoever writes a Function, and for whoever is to allow one.
//!
//! One file a verb. What they find is `sealift-component`'s, what they make `sealift-author`'s; here
//! it is read from files, put in words and judged by an exit code. None of them runs a component.
//! What only an author needs is behind the feature `author`, which the image goes without.

#[cfg(feature = "author")]
mod build;
mod check;
mod diff;
mod inspect;
#[cfg(feature = "author")]
mod new;
mod page;
#[cfg(test)]
mod samples;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use clap::Subcommand;
use sealift_component::Inspected;
use sealift_component::bounds::Bounds;

use crate::exit::{Exit, Failure};
use crate::output::Output;

/// What can be done with a component.
#[derive(Debug, Subcommand)]
pub(crate) enum FunctionCommand {
    /// Make a project: a Function that builds and runs as it is, in one of six languages.
    #[cfg(feature = "author")]
    New(new::NewArgs),
    /// Build the component of a project, and say what is missing to build it.
    #[cfg(feature = "author")]
    Build(build::BuildArgs),
    /// Show what a component is, takes, asks for and imports.
    Inspect(inspect::InspectArgs),
    /// Check whether a component would be taken and started, and what it would be refused for.
    Check(check::CheckArgs),
    /// Show what changes between two components, first of all what the new one asks for.
    Diff(diff::DiffArgs),
}

pub(crate) fn run(command: &FunctionCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        #[cfg(feature = "author")]
        FunctionCommand::New(args) => new::run(args, output),
        #[cfg(feature = "author")]
        FunctionCommand::Build(args) => build::run(args, output),
        FunctionCommand::Inspect(args) => inspect::run(args, output),
        FunctionCommand::Check(args) => check::run(args, output),
        FunctionCommand::Diff(args) => diff::run(args, output),
    }
}

/// The bytes of a file, and of one that is too large one more than it may have.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |source: std::io::Error| {
        Failure::new(Exit::Invalid, format!("failed to read {path:?}: {source}"))
    };
    let mut wasm = Vec::new();
    let most = Bounds::default().bytes + 1;
    File::open(path).map_err(failed)?.take(most).read_to_end(&mut wasm).map_err(failed)?;
    Ok(wasm)
}

/// What the component of a file says of itself.
fn inspected(path: &Path, wasm: &[u8]) -> Result<Inspected, Failure> {
    sealift_component::inspect(wasm).map_err(|error| {
        let causes = sealift_job::chain_of_causes(&error);
        Failure::new(Exit::Invalid, format!("{path:?} is no component of a Function: {causes}"))
    })
}
