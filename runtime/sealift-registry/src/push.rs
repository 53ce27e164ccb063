//! Publishing: the config, the component, and last the manifest that makes them an artifact.
//!
//! The manifest is put last, so a push that breaks off leaves nothing under its tag. Nothing is
//! signed here.

use bytes::Bytes;

use crate::artifact::Artifact;
use crate::digest::Digest;
use crate::manifest::MANIFEST;
use crate::reference::Reference;
use crate::wire::{Client, WireError};

/// Puts an artifact and its component under a reference's tag, or under the digest of its manifest
/// where there is no tag. What is there already is not sent again.
///
/// # Errors
/// As every request; [`WireError::Digest`] if `component` is not what the artifact was built from,
/// or the reference names another digest than the artifact's.
pub async fn push(
    client: &Client,
    to: &Reference,
    artifact: &Artifact,
    component: Bytes,
) -> Result<Digest, WireError> {
    let config = Digest::of(&artifact.config);
    client.put_blob(to, &config, Bytes::copy_from_slice(&artifact.config)).await?;
    client.put_blob(to, &artifact.component.digest, component).await?;
    Ok(client.put_manifest(to, &artifact.manifest, MANIFEST).await?.digest)
}
