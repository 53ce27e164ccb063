//! Signing what lies in a registry: the digest of its manifest, and nothing that was not read.

use bytes::Bytes;
use jiff::Timestamp;

use super::bundle::{CONFIG, annotations};
use super::{BUNDLE, KeyError, SigningKey, bundle, referrer, statement};
use crate::digest::Digest;
use crate::manifest::{Descriptor, MANIFEST};
use crate::reference::Reference;
use crate::wire::{Client, WireError};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// What to sign, or the signature.
    #[error("failed to sign {reference}")]
    Wire {
        /// What.
        reference: String,
        /// Why.
        #[source]
        source: WireError,
    },
    /// The key.
    #[error("failed to sign {reference}")]
    Key {
        /// What.
        reference: String,
        /// Why.
        #[source]
        source: KeyError,
    },
}

/// Signs the manifest a reference leads to, and puts the signature beside it. Says the digest that
/// was signed, and that of the signature's own manifest.
///
/// # Errors
/// The registry, or the key.
pub async fn sign(
    client: &Client,
    reference: &Reference,
    key: &SigningKey,
    now: Timestamp,
) -> Result<(Digest, Digest), SignError> {
    let wire = |source| SignError::Wire { reference: reference.to_string(), source };
    let failed = |source| SignError::Key { reference: reference.to_string(), source };
    let document = client.manifest(reference).await.map_err(wire)?;
    let media_type = match document.media_type.as_str() {
        "" => MANIFEST,
        told => told,
    };
    let subject = Descriptor::of(media_type, &document.bytes);
    let packed = bundle(&statement(&document.digest), key).map_err(failed)?;
    let manifest = referrer(&packed, &subject, now).map_err(failed)?;
    for bytes in [Bytes::from_static(CONFIG), Bytes::from(packed)] {
        client.put_blob(reference, &Digest::of(&bytes), bytes.clone()).await.map_err(wire)?;
    }
    let signature = client
        .attach(reference, &document.digest, &manifest, BUNDLE, &annotations(now))
        .await
        .map_err(wire)?;
    Ok((document.digest, signature))
}
