//! The signatures beside a manifest.
//!
//! What a list of referrers says about its entries is not believed: each is read and judged by its
//! own manifest, which must refer to what was asked about. Entries that look like signatures are
//! read first, since only so many are read at all.

use bytes::Bytes;

use super::BUNDLES;
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::reference::Reference;
use crate::wire::{Client, Referrer, WireError, limits};

/// The bundles of all signatures and attestations that refer to a manifest.
///
/// # Errors
/// The registry denies, breaks off, or hands out other bytes than those of a digest: none of it is
/// "no signature".
pub async fn signatures(
    client: &Client,
    reference: &Reference,
    manifest: &Digest,
) -> Result<Vec<Bytes>, WireError> {
    let mut referrers = client.referrers(reference, manifest).await?;
    // Stable: those that look alike stay as the registry has them.
    referrers.sort_by_key(|referrer| !looks_like_one(referrer));
    referrers.truncate(limits::REFERRERS);
    let mut bundles = Vec::new();
    for referrer in referrers {
        let document = match client.manifest(&reference.pinned(referrer.digest)).await {
            Ok(document) => document,
            // An entry of a list that outlived what it names.
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        // Whatever else refers to a manifest is none of ours.
        let Ok(found) = serde_json::from_slice::<Manifest>(&document.bytes) else { continue };
        let about_it = found.subject.is_some_and(|subject| subject.digest == *manifest);
        let is_bundle = |media_type: &str| media_type.starts_with(BUNDLES);
        let Some(layer) = found.layers.first().filter(|layer| {
            is_bundle(&layer.media_type) || found.artifact_type.as_deref().is_some_and(is_bundle)
        }) else {
            continue;
        };
        if !about_it {
            continue;
        }
        let blob = client.small_blob(reference, &layer.digest, layer.size, limits::BUNDLE).await;
        match blob {
            Ok(bundle) => bundles.push(bundle),
            // A bundle nobody would write must not hide one that somebody did.
            Err(WireError::TooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bundles)
}

fn looks_like_one(referrer: &Referrer) -> bool {
    let by_type = referrer.artifact_type.as_deref().is_some_and(|found| found.starts_with(BUNDLES));
    let by_words = referrer
        .annotations
        .as_ref()
        .is_some_and(|words| words.keys().any(|key| key.starts_with("dev.sigstore.bundle.")));
    by_type || by_words
}
