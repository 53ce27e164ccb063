//! `sealift function list`: what a repository holds, tag by tag, and who signed it.
//!
//! What is told of a component stands in its manifest and was written by whoever pushed it; only
//! the signatures of whom the caller names are proven. No component is read.

use std::collections::BTreeMap;

use clap::Args;
use sealift_registry::artifact::{self, Form, KIND};
use sealift_registry::policy::Rule;
use sealift_registry::pull::{PullError, signer};
use sealift_registry::signature::{self, Signer};
use sealift_registry::{Client, Digest, Reference};
use serde::Serialize;

use super::page::{self, Page, amount, size};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::registries::{self, RegistryArgs, TrustArgs};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The repository: REGISTRY/REPOSITORY.
    #[arg(value_name = "REPOSITORY")]
    repository: String,

    #[command(flatten)]
    trust: TrustArgs,

    #[command(flatten)]
    registry: RegistryArgs,
}

/// What a tag leads to, for programs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    tag: String,
    manifest: Digest,
    /// Why it is no component.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signatures: Option<Signatures>,
}

/// What is known of its signatures.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
enum Signatures {
    /// Somebody was named, and has signed it.
    By(Signer),
    /// Somebody was named, and has not.
    Untrusted(String),
    /// Nobody was named: so many lie there.
    Unverified(u64),
}

/// Who is asked for.
struct Question<'a> {
    client: &'a Client,
    rule: Option<&'a Rule>,
}

pub(super) async fn run(args: &ListArgs, output: Output) -> Result<Exit, Failure> {
    let repository = registries::reference(&args.repository)?;
    if repository.tag().is_some() || repository.digest().is_some() {
        let wrong = format!("{repository} names one version; a list is of a repository");
        return Err(
            Failure::new(Exit::Invalid, wrong).help(format!("write {}", repository.place()))
        );
    }
    let policy = args.trust.policy()?;
    let rule = match &policy {
        Some(policy) => match policy.rule(&repository) {
            Some(rule) => Some(rule),
            None => {
                let place = repository.place();
                return Err(registries::not_pulled(&PullError::NoPolicy { place }));
            }
        },
        None => None,
    };
    let client = args.registry.client()?;
    let tags = client.tags(&repository).await.map_err(|error| registries::unanswered(&error))?;
    let question = Question { client: &client, rule };
    let listed = question.all(&repository, tags).await?;
    output.result(|| text(&listed), &listed)?;
    Ok(Exit::Done)
}

impl Question<'_> {
    async fn all(&self, repository: &Reference, tags: Vec<String>) -> Result<Vec<Listed>, Failure> {
        let mut seen: BTreeMap<Digest, Listed> = BTreeMap::new();
        let mut listed = Vec::new();
        for tag in tags.into_iter().filter(|tag| !is_of_signatures(tag)) {
            let Ok(tagged) = repository.tagged(&tag) else { continue };
            let document = match self.client.manifest(&tagged).await {
                Ok(document) => document,
                // It was taken away meanwhile.
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(registries::unanswered(&error)),
            };
            let one = match seen.get(&document.digest) {
                Some(one) => Listed { tag, ..one.clone() },
                None => {
                    let pinned = repository.pinned(document.digest);
                    match artifact::read(&document.bytes, &document.media_type) {
                        Ok(form) => self.component(tag, &pinned, document.digest, &form).await?,
                        Err(error) => Listed {
                            tag,
                            manifest: document.digest,
                            refusal: Some(error.to_string()),
                            kind: None,
                            size: None,
                            signatures: None,
                        },
                    }
                }
            };
            seen.insert(document.digest, one.clone());
            listed.push(one);
        }
        Ok(listed)
    }

    async fn component(
        &self,
        tag: String,
        pinned: &Reference,
        manifest: Digest,
        form: &Form,
    ) -> Result<Listed, Failure> {
        Ok(Listed {
            tag,
            manifest,
            refusal: None,
            kind: form.annotations.get(KIND).cloned(),
            size: Some(form.component.size),
            signatures: Some(self.signatures(pinned, &manifest).await?),
        })
    }

    async fn signatures(
        &self,
        pinned: &Reference,
        manifest: &Digest,
    ) -> Result<Signatures, Failure> {
        let Some(rule) = self.rule else {
            let found = signature::signatures(self.client, pinned, manifest).await;
            let found = found.map_err(|error| registries::unanswered(&error))?;
            return Ok(Signatures::Unverified(found.len() as u64));
        };
        let mut notes = Vec::new();
        match signer(self.client, pinned, manifest, rule, &mut notes).await {
            Ok(signer) => Ok(Signatures::By(signer)),
            Err(PullError::Unsigned { .. }) => Ok(Signatures::Untrusted("nobody".to_owned())),
            Err(PullError::Untrusted { signatures, .. }) => Ok(Signatures::Untrusted(format!(
                "nobody who is trusted ({})",
                amount(signatures as u64, "signature")
            ))),
            Err(error) => Err(registries::not_pulled(&error)),
        }
    }
}

/// Under such tags other tools and registries keep signatures: `sha256-<hex>`, with or without an
/// end.
fn is_of_signatures(tag: &str) -> bool {
    let hex = tag.strip_prefix("sha256-").and_then(|rest| rest.get(..64));
    hex.is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn text(listed: &[Listed]) -> String {
    let mut page = Page::default();
    let width = listed.iter().map(|one| one.tag.chars().count()).max().unwrap_or_default();
    for one in listed {
        let what = match (&one.refusal, one.size) {
            (Some(refusal), _) => format!("no component: {refusal}"),
            (None, bytes) => {
                let kind = one.kind.as_deref().unwrap_or("component");
                let signatures = one.signatures.as_ref().map(Signatures::text).unwrap_or_default();
                format!("{kind:<9}  {:>9}  {signatures}", size(bytes.unwrap_or_default()))
            }
        };
        page.line(&format!("{:<width$}  {}  {what}", one.tag, one.manifest));
    }
    page.into_text()
}

impl Signatures {
    fn text(&self) -> String {
        match self {
            Self::By(signer) => format!("signed by {}", page::signer(signer)),
            Self::Untrusted(whom) => format!("signed by {whom}"),
            Self::Unverified(0) => "not signed".to_owned(),
            Self::Unverified(count) => format!("{}, not verified", amount(*count, "signature")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_hold_signatures_are_no_versions() {
        let hex = "0".repeat(64);
        for tag in [format!("sha256-{hex}"), format!("sha256-{hex}.sig")] {
            assert!(is_of_signatures(&tag), "{tag}");
        }
        for tag in ["sha256-0", "0.1.0", "latest", &hex] {
            assert!(!is_of_signatures(tag), "{tag}");
        }
    }

    #[test]
    fn a_list_is_in_columns() {
        let digest = Digest::of(b"x");
        let signer = Signer::Key { name: "acme.pub".to_owned(), fingerprint: Digest::of(b"acme") };
        let one = Listed {
            tag: "0.2.0".to_owned(),
            manifest: digest,
            refusal: None,
            kind: Some("source".to_owned()),
            size: Some(12_163_481),
            signatures: Some(Signatures::By(signer)),
        };
        let two = Listed {
            tag: "latest".to_owned(),
            kind: None,
            size: Some(800),
            signatures: Some(Signatures::Unverified(2)),
            ..one.clone()
        };
        let three = Listed {
            tag: "image".to_owned(),
            refusal: Some("it is a container image".to_owned()),
            ..one.clone()
        };
        insta::assert_snapshot!(text(&[one, two, three]), @r"
        0.2.0   sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  source      11.6 MiB  signed by key acme.pub (sha256:822b33ad87c148a0a20a5ba7cd5ebcaa68d36a18e7aad165554903f52ca82757)
        latest  sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  component  800 bytes  2 signatures, not verified
        image   sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  no component: it is a container image
        ");
    }
}
