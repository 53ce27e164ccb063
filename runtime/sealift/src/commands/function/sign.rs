//! `sealift function sign`: a signature beside a component in a registry, as cosign 3 makes them.
//!
//! What is signed is the digest of a manifest that was read and is one of a component: a tag may
//! lead elsewhere a moment later, and an image is for other tools to sign.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use sealift_registry::artifact;
use sealift_registry::pull::PullError;
use sealift_registry::signature::{self, SignError};
use serde::Serialize;

use super::key::{self, PasswordArgs};
use super::page::Page;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::registries::{self, RegistryArgs};

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// What to sign: REGISTRY/REPOSITORY:TAG, better REGISTRY/REPOSITORY@sha256:DIGEST.
    #[arg(value_name = "REFERENCE")]
    reference: String,

    /// File of the private key.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    #[command(flatten)]
    password: PasswordArgs,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// A signature, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    reference: String,
    /// The digest of the key.
    signed_by: String,
    /// The digest of the signature's own manifest.
    signature: String,
}

pub(super) async fn run(args: &SignArgs, output: Output) -> Result<Exit, Failure> {
    let reference = registries::reference(&args.reference)?;
    let key = key::read(&args.key, &args.password)?;
    let client = args.registry.client()?;
    let document =
        client.manifest(&reference).await.map_err(|error| registries::unanswered(&error))?;
    let pinned = reference.pinned(document.digest);
    artifact::read(&document.bytes, &document.media_type).map_err(|source| {
        registries::not_pulled(&PullError::Artifact { reference: pinned.to_string(), source })
    })?;
    let (_, signature) = signature::sign(&client, &pinned, &key, Timestamp::now())
        .await
        .map_err(|error| unsigned(&error))?;
    let signed = Signed {
        reference: pinned.to_string(),
        signed_by: key.public().fingerprint().to_string(),
        signature: signature.to_string(),
    };
    output.result(|| signed.text(), &signed)?;
    Ok(Exit::Done)
}

/// A signature that was not made, or not put.
pub(super) fn unsigned(error: &SignError) -> Failure {
    let exit = match error {
        SignError::Wire { source, .. } => registries::exit_of(source),
        SignError::Key { .. } => Exit::Failed,
    };
    Failure::of(exit, error)
}

impl Signed {
    fn text(&self) -> String {
        let mut page = Page::default();
        page.line(&self.reference);
        page.rows("signed by", [format!("the key {}", self.signed_by)]);
        page.into_text()
    }
}
