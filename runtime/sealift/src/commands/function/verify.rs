//! `sealift function verify`: whether somebody who is trusted has signed a component.
//!
//! Nothing but its manifest's digest and its signatures is asked for.

use clap::Args;
use sealift_registry::pull::{PullError, signer};
use sealift_registry::signature::Signer;
use serde::Serialize;

use super::page::{self, Page};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::registries::{self, RegistryArgs, TrustArgs};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// What to verify: REGISTRY/REPOSITORY with a tag or a digest.
    #[arg(value_name = "REFERENCE")]
    reference: String,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// Who signed, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    reference: String,
    signer: Signer,
}

pub(super) async fn run(args: &VerifyArgs, output: Output) -> Result<Exit, Failure> {
    let reference = registries::reference(&args.reference)?;
    let policy = args.trust.required()?;
    let Some(rule) = policy.rule(&reference) else {
        return Err(registries::not_pulled(&PullError::NoPolicy { place: reference.place() }));
    };
    let client = args.registry.client()?;
    let manifest =
        client.resolve(&reference).await.map_err(|error| registries::unanswered(&error))?;
    let pinned = reference.pinned(manifest);
    let mut notes = Vec::new();
    let signer = signer(&client, &pinned, &manifest, rule, &mut notes)
        .await
        .map_err(|error| registries::not_pulled(&error))?;
    if signer == Signer::Unsigned {
        let mut failure = Failure::new(
            Exit::Refused,
            format!("nobody who is trusted has signed {pinned}; the trust policy wants nobody to"),
        );
        failure.lines.extend(notes);
        return Err(failure);
    }
    let verified = Verified { reference: pinned.to_string(), signer };
    output.result(|| verified.text(), &verified)?;
    Ok(Exit::Done)
}

impl Verified {
    fn text(&self) -> String {
        let mut page = Page::default();
        page.line(&self.reference);
        page.rows("signed by", [page::signer(&self.signer)]);
        page.into_text()
    }
}
