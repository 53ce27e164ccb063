//! Out of registries, into a layout.

use std::collections::BTreeMap;
use std::io::Write;

use bytes::Bytes;
use serde_json::json;

use super::{LAYOUT, LayoutError, MOST_MANIFESTS, NAME};
use crate::artifact;
use crate::digest::Digest;
use crate::manifest::{Descriptor, INDEX, MANIFEST, Manifest};
use crate::reference::Reference;
use crate::wire::{Client, Document, WireError, limits};

/// What was saved of one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// What was asked for.
    pub reference: Reference,
    /// The digest it led to.
    pub manifest: Digest,
    /// How many things that refer to it were saved with it.
    pub referrers: usize,
}

/// A layout while it grows.
struct Growing<W: Write> {
    tar: tar::Builder<W>,
    /// What is in it, by digest: many components share an empty config.
    blobs: BTreeMap<Digest, ()>,
    index: Vec<Descriptor>,
}

/// Saves components, and what refers to each of them, into a tar file.
///
/// # Errors
/// The registry, something that is no component, or the file.
pub async fn save<W: Write + Send>(
    client: &Client,
    references: &[Reference],
    into: W,
) -> Result<Vec<Saved>, LayoutError> {
    let mut growing =
        Growing { tar: tar::Builder::new(into), blobs: BTreeMap::new(), index: Vec::new() };
    growing.file("oci-layout", LAYOUT.as_bytes())?;
    let mut saved = Vec::new();
    for reference in references {
        saved.push(one(client, reference, &mut growing).await?);
    }
    let index =
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": growing.index}).to_string();
    growing.file("index.json", index.as_bytes())?;
    growing.tar.into_inner().and_then(|mut file| file.flush()).map_err(LayoutError::Write)?;
    Ok(saved)
}

async fn one<W: Write>(
    client: &Client,
    reference: &Reference,
    growing: &mut Growing<W>,
) -> Result<Saved, LayoutError> {
    let wire = |source| LayoutError::Wire { reference: reference.to_string(), source };
    let digest = client.resolve(reference).await.map_err(wire)?;
    let pinned = reference.pinned(digest);
    let document = client.manifest(&pinned).await.map_err(wire)?;
    artifact::read(&document.bytes, &document.media_type)
        .map_err(|source| LayoutError::Artifact { reference: reference.to_string(), source })?;
    let name = BTreeMap::from([(NAME.to_owned(), reference.to_string())]);
    whole(client, &pinned, &document, Some(name), growing).await?;
    let found = client.referrers(&pinned, &digest).await.map_err(wire)?;
    let mut referrers = 0;
    for referrer in found.into_iter().take(limits::REFERRERS) {
        let pinned = reference.pinned(referrer.digest);
        let document = match client.manifest(&pinned).await {
            Ok(document) => document,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(wire(error)),
        };
        let about_it = serde_json::from_slice::<Manifest>(&document.bytes)
            .is_ok_and(|found| found.subject.is_some_and(|subject| subject.digest == digest));
        if about_it {
            whole(client, &pinned, &document, None, growing).await?;
            referrers += 1;
        }
    }
    Ok(Saved { reference: reference.clone(), manifest: digest, referrers })
}

/// A manifest and all it names.
async fn whole<W: Write>(
    client: &Client,
    pinned: &Reference,
    document: &Document,
    name: Option<BTreeMap<String, String>>,
    growing: &mut Growing<W>,
) -> Result<(), LayoutError> {
    let wire = |source| LayoutError::Wire { reference: pinned.to_string(), source };
    let manifest: Manifest = serde_json::from_slice(&document.bytes).map_err(|_| {
        wire(WireError::Form { what: pinned.to_string(), why: "it is no manifest".to_owned() })
    })?;
    for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
        if !growing.blobs.contains_key(&part.digest) {
            let read = client.small_blob(pinned, &part.digest, part.size, limits::LAYER).await;
            growing.blob(&part.digest, &read.map_err(wire)?)?;
        }
    }
    growing.blob(&document.digest, &document.bytes)?;
    if growing.index.len() >= MOST_MANIFESTS {
        return Err(wire(WireError::TooLarge {
            what: "the layout".to_owned(),
            most: MOST_MANIFESTS as u64,
        }));
    }
    growing.index.push(Descriptor {
        artifact_type: manifest.artifact_type,
        annotations: name,
        ..Descriptor::of(MANIFEST, &document.bytes)
    });
    Ok(())
}

impl<W: Write> Growing<W> {
    fn blob(&mut self, digest: &Digest, bytes: &Bytes) -> Result<(), LayoutError> {
        if self.blobs.insert(*digest, ()).is_some() {
            return Ok(());
        }
        self.file(&format!("blobs/sha256/{}", digest.hex()), bytes)
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), LayoutError> {
        // Nothing of this machine and this hour: the same components make the same file.
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        self.tar.append_data(&mut header, name, bytes).map_err(LayoutError::Write)
    }
}
