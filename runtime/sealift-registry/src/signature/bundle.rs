//! How a signature is packed: the bundle, and the manifest of the artifact that carries it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;

use super::key::{KeyError, SigningKey};
use super::statement::encoding;
use super::{BUNDLE, PAYLOAD, PREDICATE};
use crate::manifest::{Descriptor, EMPTY, MANIFEST, Manifest};

/// The empty config of such an artifact.
pub(super) const CONFIG: &[u8] = b"{}";

/// Annotations by which tools tell signatures from attestations before they read them.
const CONTENT_KEY: &str = "dev.sigstore.bundle.content";
const PREDICATE_KEY: &str = "dev.sigstore.bundle.predicateType";
const CREATED_KEY: &str = "org.opencontainers.image.created";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: &'static str,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    public_key: Hint,
}

#[derive(Serialize)]
struct Hint {
    hint: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: &'static str,
    signatures: [Signature; 1],
}

#[derive(Serialize)]
struct Signature {
    sig: String,
}

/// Signs a statement with a key and packs it.
///
/// # Errors
/// The key does not sign.
pub fn bundle(statement: &[u8], key: &SigningKey) -> Result<Vec<u8>, KeyError> {
    let signature = key.signature(&encoding(statement))?;
    let bundle = Bundle {
        media_type: BUNDLE,
        verification_material: Material { public_key: Hint { hint: key.public().hint() } },
        dsse_envelope: Envelope {
            payload: STANDARD.encode(statement),
            payload_type: PAYLOAD,
            signatures: [Signature { sig: STANDARD.encode(signature) }],
        },
    };
    serde_json::to_vec(&bundle).map_err(|_| KeyError::Library("write the bundle"))
}

/// The words a list of referrers says about a signature.
pub(super) fn annotations(created: Timestamp) -> BTreeMap<String, String> {
    BTreeMap::from([
        (CONTENT_KEY.to_owned(), "dsse-envelope".to_owned()),
        (PREDICATE_KEY.to_owned(), PREDICATE.to_owned()),
        (CREATED_KEY.to_owned(), created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    ])
}

/// The manifest of the artifact that carries a bundle and refers to `subject`.
///
/// # Errors
/// None that is known; the library may refuse to write it.
pub fn referrer(
    bundle: &[u8],
    subject: &Descriptor,
    created: Timestamp,
) -> Result<Vec<u8>, KeyError> {
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: Some(BUNDLE.to_owned()),
        config: Descriptor::of(EMPTY, CONFIG),
        layers: vec![Descriptor::of(BUNDLE, bundle)],
        subject: Some(subject.clone()),
        annotations: Some(annotations(created)),
    };
    serde_json::to_vec(&manifest).map_err(|_| KeyError::Library("write the manifest"))
}
