//! Pulling: from a reference to bytes on this machine that somebody trusted stands for.
//!
//! Flow: the tag is resolved once → the policy says who may have signed → the signatures are
//! verified over the manifest's digest → the manifest says where the component is → its bytes are
//! written while they are hashed. Everything after the first step is asked for by digest, so a tag
//! that moves meanwhile changes nothing. What the policy does not know is not asked of anybody.
//!
//! The bytes are the right ones when this returns, and only then. What they are as a component is
//! the caller's to find out: its limits, its descriptor, and whether the annotation tells the same.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::artifact::{self, ArtifactError};
use crate::digest::Digest;
use crate::policy::{Demand, Policy, Rule};
use crate::reference::Reference;
use crate::signature::{self, Reject, Signer};
use crate::wire::{Client, WireError, limits};

/// At most so many signatures are told in a refusal.
const TOLD: usize = 8;

/// What was pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// The place, pinned: what to write in place of a tag.
    pub reference: Reference,
    /// The digest of the manifest, which was signed.
    pub manifest: Digest,
    /// The digest of the component.
    pub component: Digest,
    /// Its size.
    pub size: u64,
    /// Who stands for it.
    pub signer: Signer,
    /// The namespaces of the rule that let it in, as patterns.
    pub namespaces: Vec<String>,
    /// The copy of its descriptor in the annotations, which must be the one in its bytes.
    pub descriptor: Option<String>,
    /// What is unusual, for people.
    pub notes: Vec<String>,
}

/// Why nothing was pulled.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// No rule is about it, so nobody was asked.
    #[error(
        "{place} is matched by no entry of the trust policy; nothing was asked of its registry"
    )]
    NoPolicy {
        /// The repository, or what was asked for of it.
        place: String,
    },
    /// The registry.
    #[error("failed to pull {reference}")]
    Wire {
        /// What.
        reference: String,
        /// Why.
        #[source]
        source: WireError,
    },
    /// Nobody has signed it.
    #[error("{reference} is not signed, and the trust policy wants a signature{}", old(*.of_old))]
    Unsigned {
        /// What, pinned.
        reference: String,
        /// Whether it has a signature as cosign wrote them before version 3.
        of_old: bool,
    },
    /// Somebody has, but nobody who is trusted, or not this.
    #[error("{reference} has {} and none that is trusted: {}", count(*.signatures), lines(.rejects))]
    Untrusted {
        /// What, pinned.
        reference: String,
        /// How many were looked at.
        signatures: usize,
        /// What was wrong with the first of them.
        rejects: Vec<Reject>,
    },
    /// It is no component.
    #[error("{reference} is not taken")]
    Artifact {
        /// What, pinned.
        reference: String,
        /// What it is instead.
        #[source]
        source: ArtifactError,
    },
    /// This machine.
    #[error("failed to write the component of {reference}")]
    Write {
        /// What.
        reference: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

fn old(of_old: bool) -> &'static str {
    if of_old { "; it has one in the form of cosign 2, so sign it again with cosign 3" } else { "" }
}

fn count(signatures: usize) -> String {
    if signatures == 1 { "1 signature".to_owned() } else { format!("{signatures} signatures") }
}

fn lines(rejects: &[Reject]) -> String {
    rejects.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Pulls what `from` leads to into `into`, which holds nothing of value if this fails.
///
/// # Errors
/// What the policy says, what is wrong with it, or the registry.
pub async fn pull(
    client: &Client,
    from: &Reference,
    policy: &Policy,
    into: &mut (dyn Write + Send),
) -> Result<Pulled, PullError> {
    let wire = |source| PullError::Wire { reference: from.to_string(), source };
    let rule = policy.rule(from).ok_or_else(|| PullError::NoPolicy { place: from.place() })?;
    let manifest = client.resolve(from).await.map_err(wire)?;
    let pinned = from.pinned(manifest);
    let mut notes = Vec::new();
    let signer = signer(client, &pinned, &manifest, rule, &mut notes).await?;

    let document = client.manifest(&pinned).await.map_err(wire)?;
    let refused = |source| PullError::Artifact { reference: pinned.to_string(), source };
    let form = artifact::read(&document.bytes, &document.media_type).map_err(refused)?;
    if let Some(config) = &form.config {
        let bytes = client
            .small_blob(&pinned, &config.digest, config.size, limits::CONFIG)
            .await
            .map_err(wire)?;
        artifact::check_config(&bytes, &form.component).map_err(refused)?;
    }
    let component = &form.component;
    let mut blob = client.blob(&pinned, &component.digest, component.size).await.map_err(wire)?;
    let written = |source| PullError::Write { reference: pinned.to_string(), source };
    while let Some(piece) = blob.next().await.map_err(wire)? {
        into.write_all(&piece).map_err(written)?;
    }
    into.flush().map_err(written)?;
    notes.extend(form.notes);
    Ok(Pulled {
        manifest,
        component: component.digest,
        size: component.size,
        signer,
        namespaces: rule.namespaces.iter().map(ToString::to_string).collect(),
        descriptor: form.annotations.get(artifact::DESCRIPTOR).cloned(),
        notes,
        reference: pinned,
    })
}

/// Who stands for a manifest, as far as a rule asks.
///
/// # Errors
/// Nobody who is trusted does, or the registry would not say.
pub async fn signer(
    client: &Client,
    pinned: &Reference,
    manifest: &Digest,
    rule: &Rule,
    notes: &mut Vec<String>,
) -> Result<Signer, PullError> {
    if rule.demand == Demand::None {
        return Ok(Signer::Unsigned);
    }
    let found = signature::signatures(client, pinned, manifest).await;
    let bundles =
        found.map_err(|source| PullError::Wire { reference: pinned.to_string(), source })?;
    let mut rejects = Vec::new();
    // One that is good is enough: others may be of people we know nothing of.
    for bundle in &bundles {
        match signature::verify(manifest, bundle, &rule.trust) {
            Ok(signer) => return Ok(signer),
            Err(reject) => rejects.push(reject),
        }
    }
    let signatures = rejects.len();
    rejects.truncate(TOLD);
    let reference = pinned.to_string();
    match (rule.demand, signatures) {
        (Demand::Optional, 0) => Ok(Signer::Unsigned),
        (Demand::Optional, _) => {
            notes.push(format!("{} of nobody trusted: {}", count(signatures), lines(&rejects)));
            Ok(Signer::Unsigned)
        }
        (_, 0) => {
            // Only the reason is better for it: such a signature is never read.
            let tag = pinned.tagged(&format!("sha256-{}.sig", manifest.hex()));
            let of_old = match tag {
                Ok(tag) => client.resolve(&tag).await.is_ok(),
                Err(_) => false,
            };
            Err(PullError::Unsigned { reference, of_old })
        }
        _ => Err(PullError::Untrusted { reference, signatures, rejects }),
    }
}
