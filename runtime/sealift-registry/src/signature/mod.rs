//! Signatures as cosign 3 makes and finds them: a Sigstore bundle in an artifact of its own, which
//! refers to the manifest that is signed.
//!
//! `statement` is what is signed, `bundle` how the signature is packed, `key` the key files,
//! `sign` puts one beside a manifest, `find` gets them from there, `verify` judges one of them.
//! A signature is over the digest of a manifest and says nothing about anything else. Nothing here
//! asks a transparency log or a certificate authority: what they said must be in the bundle.

mod bundle;
mod find;
mod key;
mod sign;
mod statement;
mod verify;

pub use bundle::{bundle, referrer};
pub use find::signatures;
pub use key::{KeyError, PublicKey, SigningKey};
pub use sign::{SignError, sign};
pub use statement::statement;
pub use verify::{Reject, Signer, Trust, TrustError, TrustedIdentity, TrustedKey, verify};

/// The type of a bundle, and the kind of artifact that carries one.
pub const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What bundles of all versions begin with.
const BUNDLES: &str = "application/vnd.dev.sigstore.bundle";
/// What is said by a signature of an image: that it is signed.
const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";
/// The form of what is signed.
const PAYLOAD: &str = "application/vnd.in-toto+json";
