//! `sealift function inspect`: what a component is, takes, asks for and imports.
//!
//! Of one in a registry it tells who signed it, too. Nobody has to be trusted for looking: it is
//! read within bounds and never run.

use std::path::PathBuf;

use clap::Args;
use sealift_component::{Inspected, words};
use serde::Serialize;
use serde_json::Value;

use super::named::{Named, Published};
use super::page::{self, Page, size};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::registries::{RegistryArgs, TrustArgs};

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The component: a file, or REGISTRY/REPOSITORY with a tag or a digest.
    #[arg(value_name = "FILE|REFERENCE")]
    component: PathBuf,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// A component, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(flatten)]
    descriptor: &'a sealift_component::Descriptor,
    digest: &'a str,
    size: u64,
    export: &'a str,
    imports: &'a [String],
    #[serde(flatten)]
    published: Option<&'a Published>,
}

pub(super) async fn run(args: &InspectArgs, output: Output) -> Result<Exit, Failure> {
    let Named { inspected, published } =
        Named::find(&args.component, &args.trust, &args.registry).await?;
    let shown = Shown {
        descriptor: &inspected.descriptor,
        digest: &inspected.digest,
        size: inspected.size,
        export: &inspected.export,
        imports: &inspected.imports,
        published: published.as_ref(),
    };
    output.result(|| text(&inspected, published.as_ref()), &shown)?;
    Ok(Exit::Done)
}

fn text(inspected: &Inspected, published: Option<&Published>) -> String {
    let descriptor = &inspected.descriptor;
    let mut page = Page::default();
    page.line(&format!(
        "{} {} · {} · contract {} · {}",
        descriptor.name,
        descriptor.version,
        inspected.kind.as_str(),
        inspected.contract,
        size(inspected.size)
    ));
    if !descriptor.summary.is_empty() {
        page.line(&format!("  {}", descriptor.summary));
    }
    page.rows("digest", [inspected.digest.clone()]);
    page.rows("parameters", or_nothing(parameters(&descriptor.parameters)));
    page.rows("asks to", or_nothing(words::grants(&descriptor.requests)));
    page.rows("imports", [words::imports(&inspected.imports)]);
    if descriptor.unknown_size {
        page.rows(
            "needs",
            ["an interimVolumeTemplate: it does not know the sizes of what it sends".to_owned()],
        );
    }
    if let Some(Published { reference, signer }) = published {
        page.rows("lies at", [reference.to_string()]);
        let signer = signer.as_ref().map(page::signer);
        page.rows(
            "signed by",
            [signer
                .unwrap_or_else(|| "nobody was asked for; name a --key or a --policy".to_owned())],
        );
    }
    page.into_text()
}

fn or_nothing(mut lines: Vec<String>) -> Vec<String> {
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}

/// Each parameter with what it takes.
fn parameters(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .map(|(name, property)| {
            format!("{} ({})", words::argument(name), words::parameter(property))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::commands::function::samples;

    #[test]
    fn a_component_is_shown_as_what_it_may_and_takes() {
        let mut inspected = sealift_component::inspect(&samples::export()).unwrap();
        inspected.digest = format!("sha256:{}", "0".repeat(64));
        inspected.size = 12_163_481;
        insta::assert_snapshot!(text(&inspected, None), @r"
        export-registry 0.1.0 · source · contract 0.1.0 · 11.6 MiB
          Stores the images of an OCI registry.
        digest       sha256:0000000000000000000000000000000000000000000000000000000000000000
        parameters   --all-tags (true or false, default true)
                     --concurrency (1…8, default 2)
        asks to      send GET, HEAD to target, paths /v2/*
                     hand on the unseal keys and the root token without seeing them (unsealKeys: copy)
        imports      downstream, errors, key-store · wasi:http/outgoing-handler, types · base of WASI 0.2
        needs        an interimVolumeTemplate: it does not know the sizes of what it sends
        ");
    }

    #[test]
    fn a_component_of_few_words_is_shown_as_well() {
        let mut inspected = sealift_component::inspect(&samples::plain()).unwrap();
        inspected.digest = "sha256:00".to_owned();
        inspected.size = 300;
        insta::assert_snapshot!(text(&inspected, None), @r"
        plain 1.0.0 · source · contract 0.1.0 · 300 bytes
        digest       sha256:00
        parameters   nothing
        asks to      nothing
        imports      nothing
        ");
    }
}
