//! `sealift function pull`: a component out of a registry, as a file.
//!
//! The file is there when its bytes are the right ones and somebody who was named stands for them,
//! and not before.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use sealift_component::Inspected;
use sealift_component::descriptor::DescriptorProblem;
use sealift_registry::Policy;
use sealift_registry::signature::Signer;
use serde::Serialize;

use super::page::{self, Page, size};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::registries::{self, RegistryArgs, TrustArgs};

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// What to pull: REGISTRY/REPOSITORY with a tag or a digest.
    #[arg(value_name = "REFERENCE")]
    reference: String,

    /// File to write, which is replaced. Default: a new one in this folder, called as the component
    /// calls itself.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    trust: TrustArgs,

    /// Take it whoever signed it, and if nobody did.
    #[arg(long, conflicts_with = "key")]
    insecure_unsigned: bool,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// What was pulled, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    reference: String,
    file: PathBuf,
    component: String,
    size: u64,
    /// None: nobody was asked for.
    signer: Option<Signer>,
    notes: Vec<String>,
}

pub(super) async fn run(args: &PullArgs, output: Output) -> Result<Exit, Failure> {
    let policy = match args.insecure_unsigned {
        true => Policy::of_everything(),
        false => args.trust.required()?,
    };
    let registries = args.registry.registries(policy)?;
    let fetched =
        registries.fetch(&args.reference).await.map_err(|error| registries::not_taken(&error))?;
    let file = write(args.out.as_deref(), &fetched.inspected, fetched.wasm())?;
    let pulled = &fetched.pulled;
    let written = Written {
        reference: pulled.reference.to_string(),
        file,
        component: pulled.component.to_string(),
        size: pulled.size,
        signer: (!args.insecure_unsigned).then(|| pulled.signer.clone()),
        notes: pulled.notes.clone(),
    };
    output.result(|| written.text(), &written)?;
    Ok(Exit::Done)
}

/// Writes a file beside its place and moves it there whole.
fn write(out: Option<&Path>, inspected: &Inspected, wasm: &[u8]) -> Result<PathBuf, Failure> {
    let path = match out {
        Some(path) => path.to_path_buf(),
        None => PathBuf::from(own_name(inspected)?),
    };
    let written = super::beside(&path).and_then(|mut file| {
        file.write_all(wasm)?;
        // What a person names is replaced; a name of a component's own choice is not.
        let kept = match out {
            Some(_) => file.persist(&path),
            None => file.persist_noclobber(&path),
        };
        kept.map(drop).map_err(|error| error.error)
    });
    match written {
        Ok(()) => Ok(path),
        Err(error) => {
            let failure = format!("failed to write {}: {error}", path.display());
            Err(match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    Failure::new(Exit::Invalid, failure).help("name a file with --out")
                }
                _ => Failure::new(Exit::Failed, failure),
            })
        }
    }
}

/// The name of a file, of what the component calls itself: nothing that leads elsewhere.
fn own_name(inspected: &Inspected) -> Result<String, Failure> {
    let problems = inspected.descriptor.problems();
    let name = problems.iter().find(|problem| matches!(problem, DescriptorProblem::Name { .. }));
    match name {
        None => Ok(format!("{}.wasm", inspected.descriptor.name)),
        Some(problem) => Err(Failure::new(Exit::Invalid, problem.to_string())
            .help("it is none for a file either; name one with --out")),
    }
}

impl Written {
    fn text(&self) -> String {
        let mut page = Page::default();
        page.line(&self.reference);
        page.rows("file", [self.file.display().to_string()]);
        page.rows("component", [format!("{}, {}", self.component, size(self.size))]);
        let signer = self.signer.as_ref().map(page::signer);
        page.rows("signed by", [signer.unwrap_or_else(|| "nobody was asked for".to_owned())]);
        page.rows("note", self.notes.clone());
        page.into_text()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::commands::function::samples;

    #[test]
    fn a_file_is_called_as_its_component_if_that_is_a_name() {
        let mut inspected = sealift_component::inspect(&samples::plain()).unwrap();
        assert_eq!(own_name(&inspected).unwrap(), "plain.wasm");
        for name in ["../plain", "/etc/passwd", "", "a b", ".bashrc"] {
            inspected.descriptor.name = name.to_owned();
            assert_eq!(own_name(&inspected).unwrap_err().exit, Exit::Invalid, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_named_is_replaced_and_none_is_left_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        let inspected = sealift_component::inspect(&samples::plain()).unwrap();
        for bytes in [&b"one"[..], b"two"] {
            assert_eq!(write(Some(&path), &inspected, bytes).unwrap(), path);
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        let nowhere = folder.path().join("none/a.wasm");
        assert_eq!(write(Some(&nowhere), &inspected, b"x").unwrap_err().exit, Exit::Failed);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
