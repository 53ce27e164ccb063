//! The judgement on one bundle: does somebody who is trusted say that exactly this manifest is
//! signed?
//!
//! The cryptography is Sigstore's library. Two rules are ours and narrower than cosign's: the
//! statement must say "signed" and nothing else, since an attestation of the same key says
//! something else; and the hint in a bundle only tells which key to try first. For a key nothing
//! else in the bundle counts; for a certificate the log and the time are part of the proof.

use sealift_core::pattern::Pattern;
use serde::{Deserialize, Serialize};
use sigstore_verify::crypto::{SubjectAltName, VerificationKey};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::bundle::VerificationMaterialContent;
use sigstore_verify::types::{
    Bundle, DerPublicKey, DsseEnvelope, Sha256Hash, SignatureContent, Statement,
};
use sigstore_verify::{Error, VerificationPolicy, Verifier};

use super::key::PublicKey;
use super::{PAYLOAD, PREDICATE};
use crate::digest::Digest;
use crate::manifest::quoted;

/// Who is believed.
#[derive(Default)]
pub struct Trust {
    /// By their key.
    pub keys: Vec<TrustedKey>,
    /// By an identity that an authority has vouched for.
    pub identities: Vec<TrustedIdentity>,
}

/// A key, and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// What messages call it.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

/// An identity, and who vouches for it.
pub struct TrustedIdentity {
    name: String,
    issuer: String,
    subject: Pattern,
    log: bool,
    sct: bool,
    verifier: Verifier,
}

/// A trusted root that is none.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Another JSON.
    #[error("the trusted root is not read")]
    Form(#[source] sigstore_verify::trust_root::Error),
    /// Something in it is wrong.
    #[error("the trusted root is not usable")]
    Root(#[source] Box<Error>),
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Signer {
    /// A key.
    Key {
        /// What the policy calls it.
        name: String,
        /// The digest of the key.
        fingerprint: Digest,
    },
    /// An identity.
    Identity {
        /// What the policy calls it.
        name: String,
        /// Who exactly.
        subject: String,
        /// Who vouched for it.
        issuer: String,
    },
    /// Nobody who is trusted, and nobody had to.
    Unsigned,
}

impl std::fmt::Display for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key { name, .. } => write!(formatter, "key {name}"),
            Self::Identity { name, subject, .. } => write!(formatter, "{name} ({subject})"),
            Self::Unsigned => formatter.write_str("nobody"),
        }
    }
}

/// Why a bundle proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// It is no bundle.
    #[error("a bundle that is not read")]
    Form,
    /// Nobody is trusted in the way it is signed.
    #[error("signed with {found}, and only {wanted} are trusted")]
    Kind {
        /// How it is signed.
        found: &'static str,
        /// What is trusted.
        wanted: &'static str,
    },
    /// It says something else than "signed".
    #[error("an attestation of {found}, not a signature")]
    Predicate {
        /// What it says.
        found: String,
    },
    /// It is about something else.
    #[error("signed for another digest")]
    Subject,
    /// It names a trusted key, and the signature is not by it.
    #[error("a signature that does not fit the key {name}")]
    Signature {
        /// The key.
        name: String,
    },
    /// It is by a key that is not trusted.
    #[error("signed by the unknown key of hint {hint}")]
    UnknownKey {
        /// What it says its key is called by.
        hint: String,
    },
    /// A certificate that is good, for somebody else.
    #[error("signed by {found}, who is not trusted")]
    Identity {
        /// Who it says.
        found: String,
    },
    /// A certificate, a log or a time that proves nothing.
    #[error("a certificate that is not proven: {why}")]
    Certificate {
        /// What is wrong.
        why: String,
    },
}

impl TrustedIdentity {
    /// Those whose certificate names `subject`, vouched for by `issuer`, under the trusted root
    /// `root` (the JSON of Sigstore). `log` and `sct` say whether proofs of the logs of signatures
    /// and of certificates are needed; without them whoever holds the authority's key can sign
    /// unseen.
    ///
    /// # Errors
    /// The root is none.
    pub fn new(
        name: String,
        issuer: String,
        subject: Pattern,
        root: &str,
        log: bool,
        sct: bool,
    ) -> Result<Self, TrustError> {
        let root = TrustedRoot::from_json(root).map_err(TrustError::Form)?;
        let verifier = Verifier::new(&root).map_err(|error| TrustError::Root(Box::new(error)))?;
        Ok(Self { name, issuer, subject, log, sct, verifier })
    }
}

/// Judges a bundle whose digest is right, over a manifest's digest.
///
/// # Errors
/// Why it proves nothing.
pub fn verify(manifest: &Digest, bundle: &[u8], trust: &Trust) -> Result<Signer, Reject> {
    let text = std::str::from_utf8(bundle).map_err(|_| Reject::Form)?;
    let bundle = Bundle::from_json(text).map_err(|_| Reject::Form)?;
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
        return Err(Reject::Form);
    };
    check_statement(envelope, manifest)?;
    match &bundle.verification_material.content {
        VerificationMaterialContent::PublicKey(said) => by_key(envelope, &said.hint, &trust.keys),
        VerificationMaterialContent::Certificate(_)
        | VerificationMaterialContent::X509CertificateChain { .. } => {
            by_identity(manifest, &bundle, &trust.identities)
        }
        _ => Err(Reject::Form),
    }
}

/// What is signed must be "signed", and this. Read before the signature: nothing of it is used.
fn check_statement(envelope: &DsseEnvelope, manifest: &Digest) -> Result<(), Reject> {
    if envelope.payload_type != PAYLOAD {
        return Err(Reject::Predicate { found: quoted(&envelope.payload_type, 80) });
    }
    let statement: Statement =
        serde_json::from_slice(envelope.payload.as_bytes()).map_err(|_| Reject::Form)?;
    if statement.predicate_type != PREDICATE {
        return Err(Reject::Predicate { found: quoted(&statement.predicate_type, 80) });
    }
    if !statement.type_.starts_with("https://in-toto.io/Statement/v") {
        return Err(Reject::Form);
    }
    let hash = Sha256Hash::try_from(manifest.as_bytes().as_slice()).map_err(|_| Reject::Form)?;
    if statement.matches_sha256(&hash) { Ok(()) } else { Err(Reject::Subject) }
}

fn by_key(envelope: &DsseEnvelope, hint: &str, keys: &[TrustedKey]) -> Result<Signer, Reject> {
    if keys.is_empty() {
        return Err(Reject::Kind { found: "a key", wanted: "identities" });
    }
    let bytes = envelope.pae();
    for trusted in keys {
        let key = DerPublicKey::new(trusted.key.der().to_vec());
        let verified = VerificationKey::from_spki(&key)
            .is_ok_and(|key| key.verify(&bytes, &envelope.signature.sig).is_ok());
        if verified {
            return Ok(Signer::Key {
                name: trusted.name.clone(),
                fingerprint: trusted.key.fingerprint(),
            });
        }
    }
    match keys.iter().find(|trusted| trusted.key.hint() == hint) {
        Some(trusted) => Err(Reject::Signature { name: trusted.name.clone() }),
        None => Err(Reject::UnknownKey { hint: quoted(hint, 80) }),
    }
}

fn by_identity(
    manifest: &Digest,
    bundle: &Bundle,
    identities: &[TrustedIdentity],
) -> Result<Signer, Reject> {
    let mut reject = Reject::Kind { found: "a certificate", wanted: "keys" };
    for trusted in identities {
        match trusted.verify(manifest, bundle) {
            Ok(signer) => return Ok(signer),
            Err(why) => reject = why,
        }
    }
    Err(reject)
}

impl TrustedIdentity {
    fn verify(&self, manifest: &Digest, bundle: &Bundle) -> Result<Signer, Reject> {
        let refused = |why: &str| Reject::Certificate { why: quoted(why, 160) };
        let hash =
            Sha256Hash::try_from(manifest.as_bytes().as_slice()).map_err(|_| Reject::Form)?;
        let mut policy = VerificationPolicy::any_identity().require_issuer(self.issuer.clone());
        if !self.log {
            policy = policy.skip_tlog_unsafe();
        }
        if !self.sct {
            policy = policy.skip_sct();
        }
        let result = self.verifier.verify(hash, bundle, &policy).map_err(|error| match error {
            Error::IssuerMismatch { actual, .. } => {
                let found = actual.unwrap_or_else(|| "nobody".to_owned());
                Reject::Identity { found: format!("somebody of {}", quoted(&found, 120)) }
            }
            error => refused(&error.to_string()),
        })?;
        // What the library says it has proven, once more in its own words.
        if !result.certificate_verified()
            || (self.log && !result.tlog_verified())
            || (self.sct && !result.sct_verified())
        {
            return Err(refused("not all of it was checked"));
        }
        let subject = result.identity().map(SubjectAltName::as_str).unwrap_or_default();
        if !self.subject.matches(subject) {
            return Err(Reject::Identity { found: quoted(subject, 120) });
        }
        Ok(Signer::Identity {
            name: self.name.clone(),
            subject: subject.to_owned(),
            issuer: self.issuer.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
