//! OCI registries: where components are published, by whom they are signed, and who is believed.
//!
//! A component lies in a registry as an artifact of the form the CNCF has agreed on (`artifact`),
//! and its signatures lie beside it as cosign 3 writes them (`signature`). `push` and `pull` are
//! the ways in and out, `layout` carries both over an air gap, `cache` keeps on this machine what
//! was pulled. `wire` speaks with registries and is the only module that does.
//!
//! Three things hold everywhere. Nothing is parsed before its digest is right. Everything that
//! comes from outside has a bound, and is cut there, not read and then judged. Credentials go to
//! the host they are for and to nobody it names.
//!
//! The client is our own on reqwest: the usual one reads answers whole, follows redirects anywhere
//! and takes "denied" for "nothing signed". What a list says of its entries is not believed, and a
//! mirror may be anybody: what is signed proves itself, and one that knows no signature is not
//! believed. A statement must say "signed": an attestation of the same key is none. Verification
//! by certificate is Sigstore's library; by key only its parser and its ECDSA, since nothing else
//! in a bundle counts then.
//!
//! Bytes are moved and never looked into: what a component is, what it asks for, and whether it
//! compiles is not decided here.

pub mod artifact;
pub mod cache;
pub mod credentials;
pub mod digest;
pub mod layout;
pub mod manifest;
pub mod policy;
pub mod pull;
pub mod push;
pub mod reference;
pub mod settings;
pub mod signature;
pub mod wire;

pub use digest::Digest;
pub use policy::Policy;
pub use pull::{Pulled, pull};
pub use push::push;
pub use reference::Reference;
pub use settings::Settings;
pub use wire::Client;
