//! `sealift function`: for whoever writes a Function, and for whoever is to allow one.
//!
//! One file a verb. What they find is `sealift-component`'s, what they make `sealift-author`'s, what
//! they do with registries `sealift-registry`'s; here it is read from files, put in words and judged
//! by an exit code. None of them runs a component. `key` reads the private keys of those that sign,
//! `page` is the form of what is printed. What only an author needs is behind the feature `author`,
//! which the image goes without.

#[cfg(feature = "author")]
mod build;
mod check;
mod diff;
mod inspect;
mod key;
mod keys;
mod list;
mod load;
mod manifest;
mod named;
#[cfg(feature = "author")]
mod new;
mod page;
mod pull;
mod push;
#[cfg(test)]
mod samples;
mod save;
mod sign;
mod verify;

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::Subcommand;
use sealift_component::Inspected;
use sealift_component::bounds::Bounds;
use tempfile::NamedTempFile;

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
    /// Print a component as a Function of a cluster, with the permissions it asks for.
    Manifest(manifest::ManifestArgs),
    /// Publish a component in a registry.
    Push(push::PushArgs),
    /// Get a component out of a registry, if somebody who is trusted has signed it.
    Pull(pull::PullArgs),
    /// Sign a component in a registry.
    Sign(sign::SignArgs),
    /// Show who of those who are trusted has signed a component in a registry.
    Verify(verify::VerifyArgs),
    /// Make a key pair to sign with.
    Keys(keys::KeysArgs),
    /// List what a repository of a registry holds.
    List(list::ListArgs),
    /// Write components and their signatures into a file, to carry them over an air gap.
    Save(save::SaveArgs),
    /// Put the components of such a file into a registry.
    Load(load::LoadArgs),
}

pub(crate) async fn run(command: &FunctionCommand, output: Output) -> Result<Exit, Failure> {
    match command {
        #[cfg(feature = "author")]
        FunctionCommand::New(args) => new::run(args, output),
        #[cfg(feature = "author")]
        FunctionCommand::Build(args) => build::run(args, output),
        FunctionCommand::Inspect(args) => inspect::run(args, output).await,
        FunctionCommand::Check(args) => check::run(args, output),
        FunctionCommand::Diff(args) => diff::run(args, output),
        FunctionCommand::Manifest(args) => manifest::run(args, output).await,
        FunctionCommand::Push(args) => push::run(args, output).await,
        FunctionCommand::Pull(args) => pull::run(args, output).await,
        FunctionCommand::Sign(args) => sign::run(args, output).await,
        FunctionCommand::Verify(args) => verify::run(args, output).await,
        FunctionCommand::Keys(args) => keys::run(args, output),
        FunctionCommand::List(args) => list::run(args, output).await,
        FunctionCommand::Save(args) => save::run(args, output).await,
        FunctionCommand::Load(args) => load::run(args, output).await,
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

/// A file that is to be moved to `path` when it is whole: half a one is never found under its name.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// What the component of a file says of itself.
fn inspected(path: &Path, wasm: &[u8]) -> Result<Inspected, Failure> {
    sealift_component::inspect(wasm).map_err(|error| {
        let causes = sealift_job::chain_of_causes(&error);
        Failure::new(Exit::Invalid, format!("{path:?} is no component of a Function: {causes}"))
    })
}
