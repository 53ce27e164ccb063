//! `sealift function load`: out of a file, into a registry on this side of an air gap.
//!
//! Digests and signatures are the same on both sides. Who is believed is asked by whoever uses
//! them, of the new place.

use std::path::PathBuf;

use clap::Args;
use sealift_registry::Reference;
use sealift_registry::layout::{self, Loaded};
use serde::Serialize;

use super::page::Page;
use super::save::{not_carried, signatures_of};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::registries::RegistryArgs;

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// A file that `sealift function save` has written, or a folder with an OCI image layout.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where to: REGISTRY, or REGISTRY/PREFIX, which is put before the repositories.
    #[arg(long, value_name = "REGISTRY")]
    to: String,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// What was carried, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    from: String,
    to: String,
    manifest: String,
    signatures: usize,
}

pub(super) async fn run(args: &LoadArgs, output: Output) -> Result<Exit, Failure> {
    // Its words would be about the first entry of the file.
    if format!("{}/x", args.to.trim_end_matches('/')).parse::<Reference>().is_err() {
        let wrong = format!("--to {:?} is neither a registry nor a part of one", args.to);
        return Err(Failure::new(Exit::Invalid, wrong)
            .help("write REGISTRY or REGISTRY/PREFIX, such as registry.local:5000/carried"));
    }
    let client = args.registry.client()?;
    let loaded =
        layout::load(&client, &args.file, &args.to).await.map_err(|error| not_carried(&error))?;
    let entries: Vec<Entry> = loaded.into_iter().map(Entry::of).collect();
    output.result(|| text(&entries), &entries)?;
    Ok(Exit::Done)
}

impl Entry {
    fn of(loaded: Loaded) -> Self {
        Self {
            from: loaded.from.to_string(),
            to: loaded.to.to_string(),
            manifest: loaded.manifest.to_string(),
            signatures: loaded.referrers,
        }
    }
}

fn text(entries: &[Entry]) -> String {
    let mut page = Page::default();
    for Entry { from, to, manifest, signatures } in entries {
        page.line(to);
        page.rows("from", [from.clone()]);
        page.rows("manifest", [format!("{manifest}, with {}", signatures_of(*signatures))]);
    }
    page.into_text()
}
