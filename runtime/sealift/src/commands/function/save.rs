//! `sealift function save`: components and their signatures into one file, for the other side of
//! an air gap.

use std::path::PathBuf;

use clap::Args;
use sealift_registry::layout::{self, LayoutError, Saved};
use serde::Serialize;

use super::page::{Page, amount};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::registries::{self, RegistryArgs};

#[derive(Debug, Args)]
pub(crate) struct SaveArgs {
    /// What to save: REGISTRY/REPOSITORY with a tag or a digest.
    #[arg(value_name = "REFERENCE", required = true)]
    references: Vec<String>,

    /// File to write, a tar file with an OCI image layout in it; it is replaced.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// What was carried, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    from: String,
    manifest: String,
    signatures: usize,
}

pub(super) async fn run(args: &SaveArgs, output: Output) -> Result<Exit, Failure> {
    let references = args
        .references
        .iter()
        .map(|text| registries::reference(text))
        .collect::<Result<Vec<_>, _>>()?;
    let client = args.registry.client()?;
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("failed to write {}: {error}", args.to.display()))
    };
    let mut file = super::beside(&args.to).map_err(failed)?;
    let saved =
        layout::save(&client, &references, &mut file).await.map_err(|error| not_carried(&error))?;
    file.persist(&args.to).map_err(|error| failed(error.error))?;
    let entries: Vec<Entry> = saved.into_iter().map(Entry::of).collect();
    output.result(|| text(&entries), &entries)?;
    Ok(Exit::Done)
}

/// What was not carried over the gap.
pub(super) fn not_carried(error: &LayoutError) -> Failure {
    let exit = match error {
        LayoutError::Wire { source, .. } => registries::exit_of(source),
        LayoutError::Write(_) => Exit::Failed,
        LayoutError::Artifact { .. }
        | LayoutError::Read { .. }
        | LayoutError::Form { .. }
        | LayoutError::Missing(_)
        | LayoutError::Name { .. } => Exit::Invalid,
    };
    Failure::of(exit, error)
}

impl Entry {
    fn of(saved: Saved) -> Self {
        Self {
            from: saved.reference.to_string(),
            manifest: saved.manifest.to_string(),
            signatures: saved.referrers,
        }
    }
}

fn text(entries: &[Entry]) -> String {
    let mut page = Page::default();
    for Entry { from, manifest, signatures } in entries {
        page.line(from);
        page.rows("manifest", [format!("{manifest}, with {}", signatures_of(*signatures))]);
    }
    page.into_text()
}

/// Whatever refers to a component travels with it; signatures are what does.
pub(super) fn signatures_of(count: usize) -> String {
    match count {
        0 => "no signature".to_owned(),
        count => amount(count as u64, "signature"),
    }
}
