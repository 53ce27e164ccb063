//! `sealift function push`: a component into a registry, and its signature beside it.
//!
//! What no cluster would start is not published. Where nothing is said about the time, the same
//! component has the same digest everywhere.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use jiff::Timestamp;
use sealift_component::bounds::{self, Bounds};
use sealift_component::{Inspected, section};
use sealift_registry::artifact::{Publication, build};
use sealift_registry::signature::{self, SigningKey};
use sealift_registry::{Client, Reference, push};
use serde::Serialize;
use serde_json::Value;

use super::key::{self, PasswordArgs};
use super::page::{Page, size};
use super::sign;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::registries::{self, RegistryArgs};

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The component.
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where to: REGISTRY/REPOSITORY:TAG.
    #[arg(value_name = "REFERENCE")]
    to: String,

    /// File of a private key to sign it with, as `sealift function sign` does.
    #[arg(long, value_name = "FILE")]
    sign_key: Option<PathBuf>,

    #[command(flatten)]
    password: PasswordArgs,

    /// An annotation of its manifest; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = annotation)]
    annotation: Vec<(String, String)>,

    /// When it is said to be made, in seconds since 1970.
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH", default_value_t = 0)]
    source_date_epoch: i64,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// What was published, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Published {
    reference: String,
    tag: Option<String>,
    manifest: String,
    component: String,
    size: u64,
    /// The digest of the key it was signed with.
    signed_by: Option<String>,
}

pub(super) async fn run(args: &PushArgs, output: Output) -> Result<Exit, Failure> {
    let to = registries::reference(&args.to)?;
    let wasm = super::read(&args.file)?;
    let inspected = publishable(args, &wasm)?;
    // All that can be wrong here is found before anything is sent.
    let key = match &args.sign_key {
        Some(path) => Some(key::read(path, &args.password)?),
        None => None,
    };
    let artifact = build(&wasm, &publication(args, &inspected, &wasm)?);
    let client = args.registry.client()?;
    let manifest = push(&client, &to, &artifact, Bytes::from(wasm))
        .await
        .map_err(|error| registries::unanswered(&error))?;
    let pinned = to.pinned(manifest);
    let signed_by = match &key {
        Some(key) => Some(signed(&client, &pinned, key).await?),
        None => None,
    };
    let published = Published {
        reference: pinned.to_string(),
        tag: to.tag().map(str::to_owned),
        manifest: manifest.to_string(),
        component: artifact.component.digest.to_string(),
        size: artifact.component.size,
        signed_by,
    };
    output.result(|| published.text(), &published)?;
    Ok(Exit::Done)
}

/// Signs what was just put.
async fn signed(client: &Client, pinned: &Reference, key: &SigningKey) -> Result<String, Failure> {
    match signature::sign(client, pinned, key, Timestamp::now()).await {
        Ok(_) => Ok(key.public().fingerprint().to_string()),
        Err(error) => Err(sign::unsigned(&error)
            .help(format!("it is published; sign it: sealift function sign {pinned} --key FILE"))),
    }
}

/// A component that a cluster would take as far as anybody can tell from its bytes.
fn publishable(args: &PushArgs, wasm: &[u8]) -> Result<Inspected, Failure> {
    let shown = args.file.display();
    let inspected = super::inspected(&args.file, wasm)?;
    bounds::check(wasm, &Bounds::default()).map_err(|error| {
        let causes = sealift_job::chain_of_causes(&error);
        Failure::new(Exit::Refused, format!("{shown}: {causes}"))
    })?;
    let problems = inspected.descriptor.problems();
    if problems.is_empty() {
        return Ok(inspected);
    }
    let mut failure = Failure::new(Exit::Invalid, "");
    failure.lines =
        problems.iter().map(|problem| format!("{shown}: descriptor: {problem}")).collect();
    Err(failure.help("mend the descriptor and build the component again"))
}

fn publication(
    args: &PushArgs,
    inspected: &Inspected,
    wasm: &[u8],
) -> Result<Publication, Failure> {
    let created = Timestamp::from_second(args.source_date_epoch)
        .map_err(|error| Failure::new(Exit::Invalid, format!("--source-date-epoch: {error}")))?;
    let descriptor = &inspected.descriptor;
    Ok(Publication {
        name: descriptor.name.clone(),
        version: descriptor.version.clone(),
        summary: descriptor.summary.clone(),
        kind: inspected.kind.as_str().to_owned(),
        contract: inspected.contract.clone(),
        exports: vec![inspected.export.clone()],
        imports: inspected.imports.clone(),
        descriptor: on_one_line(wasm),
        created,
        author: None,
        annotations: args.annotation.iter().cloned().collect::<BTreeMap<_, _>>(),
    })
}

/// The descriptor as it stands in the bytes, with everything in it that is not known here.
fn on_one_line(wasm: &[u8]) -> String {
    let own = section::find(wasm).ok().flatten();
    let value = own.and_then(|json| serde_json::from_slice::<Value>(json).ok());
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// `KEY=VALUE`.
fn annotation(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("an annotation is given as KEY=VALUE".to_owned()),
    }
}

impl Published {
    fn text(&self) -> String {
        let mut page = Page::default();
        page.line(&self.reference);
        page.rows("component", [format!("{}, {}", self.component, size(self.size))]);
        let signed_by = self.signed_by.as_ref().map(|key| format!("the key {key}"));
        page.rows("signed by", [signed_by.unwrap_or_else(|| "nobody".to_owned())]);
        page.into_text()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::commands::function::samples;

    #[test]
    fn the_whole_descriptor_goes_into_the_annotation() {
        let mut descriptor = samples::export_descriptor();
        descriptor["later"] = "what this version knows nothing of".into();
        let wasm = samples::component("source", &[], &descriptor);
        let said: Value = serde_json::from_str(&on_one_line(&wasm)).unwrap();
        assert_eq!(said, descriptor);
        assert!(!on_one_line(&wasm).contains('\n'));
    }

    #[test]
    fn an_annotation_has_a_key_and_a_value() {
        assert_eq!(annotation("a.b/c=d=e"), Ok(("a.b/c".to_owned(), "d=e".to_owned())));
        assert!(annotation("a").is_err() && annotation("=a").is_err());
    }

    #[test]
    fn what_was_published_is_told_by_its_digest_first() {
        let published = Published {
            reference: "ghcr.io/acme/export@sha256:5c".to_owned(),
            tag: Some("0.2.0".to_owned()),
            manifest: "sha256:5c".to_owned(),
            component: "sha256:4b".to_owned(),
            size: 12_163_481,
            signed_by: Some("sha256:9f".to_owned()),
        };
        insta::assert_snapshot!(published.text(), @r"
        ghcr.io/acme/export@sha256:5c
        component    sha256:4b, 11.6 MiB
        signed by    the key sha256:9f
        ");
    }
}
