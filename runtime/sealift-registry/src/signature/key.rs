//! Key pairs in cosign's own files: an ECDSA key on P-256, its private part encrypted by a
//! password (scrypt and NaCl's secret box), its public part as everybody writes one.
//!
//! A file that is not encrypted is refused: it would be the one secret on a disk that nothing
//! guards. Where files lie and who may read them is the caller's.

use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{Key, KeyInit, Nonce, XSalsa20Poly1305};
use pem::{EncodeConfig, LineEnding, Pem};
use scrypt::Params;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::digest::Digest;

/// What cosign calls its private keys.
const PRIVATE: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// What it called them before.
const PRIVATE_OF_OLD: &str = "ENCRYPTED COSIGN PRIVATE KEY";
/// The largest file of a key.
const MOST_BYTES: usize = 64 << 10;
/// Work factors, as powers of two, that cosign has ever written; the second is written today. A
/// file is input, and others would cost memory or guard nothing.
const WORK: [(u64, u8); 3] = [(1 << 15, 15), (1 << 16, 16), (1 << 17, 17)];
const WORK_OF_TODAY: (u64, u8) = (1 << 16, 16);
const SALT: usize = 32;
const NONCE: usize = 24;
/// The DER before the point of a public key on P-256.
const SPKI_OF_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Why a key is not read or made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Another text.
    #[error("it is no PEM file with one block in it")]
    Form,
    /// A private key that lies open.
    #[error("the private key is not encrypted; import it: cosign import-key-pair --key FILE")]
    Open,
    /// Another kind of block.
    #[error("it is a {found}, not a {wanted}")]
    Kind {
        /// What it says.
        found: String,
        /// What is read here.
        wanted: &'static str,
    },
    /// An encryption of another tool.
    #[error("its encryption is not read: {why}")]
    Encryption {
        /// What is unknown.
        why: &'static str,
    },
    /// The usual mistake.
    #[error("the password is wrong, or the key was changed")]
    Password,
    /// Another algorithm.
    #[error("it is no key on the curve P-256")]
    Algorithm,
    /// The library that makes keys and signatures.
    #[error("failed to {0}")]
    Library(&'static str),
}

/// A key that signs.
pub struct SigningKey {
    pair: EcdsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// A key that signatures are verified with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    der: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Encrypted {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
struct Kdf {
    name: String,
    params: Work,
    salt: String,
}

#[derive(Serialize, Deserialize)]
struct Work {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Serialize, Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// The machine has no randomness to give.
    pub fn generate() -> Result<Self, KeyError> {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new())
                .map_err(|_| KeyError::Library("make a key"))?;
        Self::of(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Reads the private key of a pair, as cosign writes it.
    ///
    /// # Errors
    /// It is none, or not with this password.
    pub fn read(text: &str, password: &Zeroizing<String>) -> Result<Self, KeyError> {
        let block = block(text)?;
        match block.tag() {
            PRIVATE | PRIVATE_OF_OLD => {}
            "PRIVATE KEY" | "EC PRIVATE KEY" | "RSA PRIVATE KEY" => return Err(KeyError::Open),
            found => return Err(kind(found, PRIVATE)),
        }
        Self::of(decrypt(block.contents(), password)?)
    }

    fn of(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8)
            .map_err(|_| KeyError::Algorithm)?;
        Ok(Self { pair, pkcs8 })
    }

    /// The two files of the pair: the private key, encrypted by this password, and the public one.
    ///
    /// # Errors
    /// The machine has no randomness to give.
    pub fn write(&self, password: &Zeroizing<String>) -> Result<(String, String), KeyError> {
        let private = Pem::new(PRIVATE, encrypt(&self.pkcs8, password)?);
        Ok((written(&private), self.public().pem()))
    }

    /// The public key of the pair.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut der = SPKI_OF_P256.to_vec();
        der.extend_from_slice(self.pair.public_key().as_ref());
        PublicKey { der }
    }

    /// A signature over these bytes.
    pub(super) fn signature(&self, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair.sign(&SystemRandom::new(), bytes);
        signature.map(|made| made.as_ref().to_vec()).map_err(|_| KeyError::Library("sign"))
    }
}

impl PublicKey {
    /// Reads a public key in PEM. Which algorithms verify is decided when one is used.
    ///
    /// # Errors
    /// It is none.
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let block = block(text)?;
        match block.tag() {
            "PUBLIC KEY" => Ok(Self { der: block.contents().to_vec() }),
            found => Err(kind(found, "PUBLIC KEY")),
        }
    }

    /// The file.
    #[must_use]
    pub fn pem(&self) -> String {
        written(&Pem::new("PUBLIC KEY", self.der.clone()))
    }

    /// Its encoding as SubjectPublicKeyInfo.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// What it is called by: the digest of its encoding.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// What a bundle calls it by. Nobody proves a hint: it only tells which key to try.
    #[must_use]
    pub fn hint(&self) -> String {
        STANDARD.encode(self.fingerprint().as_bytes())
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PublicKey({})", self.fingerprint())
    }
}

fn block(text: &str) -> Result<Pem, KeyError> {
    if text.len() > MOST_BYTES {
        return Err(KeyError::Form);
    }
    let mut blocks = pem::parse_many(text).map_err(|_| KeyError::Form)?;
    match (blocks.pop(), blocks.is_empty()) {
        (Some(block), true) => Ok(block),
        _ => Err(KeyError::Form),
    }
}

fn kind(found: &str, wanted: &'static str) -> KeyError {
    KeyError::Kind { found: crate::manifest::quoted(found, 40), wanted }
}

fn written(block: &Pem) -> String {
    pem::encode_config(block, EncodeConfig::new().set_line_ending(LineEnding::LF))
}

fn encrypt(pkcs8: &[u8], password: &Zeroizing<String>) -> Result<Vec<u8>, KeyError> {
    let (mut salt, mut nonce) = ([0; SALT], [0; NONCE]);
    fill(&mut salt)
        .and_then(|()| fill(&mut nonce))
        .map_err(|_| KeyError::Library("draw a salt"))?;
    let key = derive(password, &salt, WORK_OF_TODAY.1)?;
    let ciphertext = XSalsa20Poly1305::new(Key::from_slice(&*key))
        .encrypt(Nonce::from_slice(&nonce), pkcs8)
        .map_err(|_| KeyError::Library("encrypt the key"))?;
    let encrypted = Encrypted {
        kdf: Kdf {
            name: "scrypt".to_owned(),
            params: Work { n: WORK_OF_TODAY.0, r: 8, p: 1 },
            salt: STANDARD.encode(salt),
        },
        cipher: Cipher { name: "nacl/secretbox".to_owned(), nonce: STANDARD.encode(nonce) },
        ciphertext: STANDARD.encode(ciphertext),
    };
    serde_json::to_vec(&encrypted).map_err(|_| KeyError::Library("write the key"))
}

fn decrypt(json: &[u8], password: &Zeroizing<String>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let refused = |why| KeyError::Encryption { why };
    let encrypted: Encrypted =
        serde_json::from_slice(json).map_err(|_| refused("it is none of cosign's"))?;
    if encrypted.kdf.name != "scrypt" || encrypted.cipher.name != "nacl/secretbox" {
        return Err(refused("it uses other algorithms"));
    }
    let Work { n, r, p } = encrypted.kdf.params;
    let work = WORK.iter().find(|(known, _)| *known == n && r == 8 && p == 1);
    let (_, log) = work.ok_or_else(|| refused("its work factor is none of cosign's"))?;
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| refused("a part is no base64"));
    let salt = decode(&encrypted.kdf.salt)?;
    let nonce = decode(&encrypted.cipher.nonce)?;
    if nonce.len() != NONCE {
        return Err(refused("its nonce has another length"));
    }
    let key = derive(password, &salt, *log)?;
    XSalsa20Poly1305::new(Key::from_slice(&*key))
        .decrypt(Nonce::from_slice(&nonce), decode(&encrypted.ciphertext)?.as_slice())
        .map(Zeroizing::new)
        .map_err(|_| KeyError::Password)
}

fn derive(
    password: &Zeroizing<String>,
    salt: &[u8],
    log: u8,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let failed = KeyError::Library("derive a key from the password");
    let params = Params::new(log, 8, 1).map_err(|_| failed.clone())?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.as_bytes(), salt, &params, &mut *key).map_err(|_| failed)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[test]
    fn a_pair_is_written_and_read_with_its_password_only() {
        let key = SigningKey::generate().unwrap();
        let (private, public) = key.write(&password("open")).unwrap();
        assert!(private.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
        let read = SigningKey::read(&private, &password("open")).unwrap();
        assert_eq!(read.public(), key.public());
        assert_eq!(PublicKey::read(&public).unwrap(), key.public());
        let wrong = SigningKey::read(&private, &password("opem")).map(|_| ());
        assert_eq!(wrong, Err(KeyError::Password));
        // Two files of one key share nothing an attacker could compare.
        assert_ne!(key.write(&password("open")).unwrap().0, private);
    }

    #[test]
    fn what_is_no_pair_of_cosign_is_refused_before_any_work_is_done() {
        let of = |text: &str| SigningKey::read(text, &password("x")).map(|_| ()).unwrap_err();
        let encrypted = |json: &str| written(&Pem::new(PRIVATE, json.as_bytes().to_vec()));
        assert_eq!(of(""), KeyError::Form);
        assert_eq!(of(&"x".repeat(70_000)), KeyError::Form);
        assert_eq!(of(&written(&Pem::new("PRIVATE KEY", vec![1]))), KeyError::Open);
        assert!(matches!(of(&written(&Pem::new("CERTIFICATE", vec![1]))), KeyError::Kind { .. }));
        let good = r#"{"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":"AA=="},"cipher":{"name":"nacl/secretbox","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"ciphertext":"AA=="}"#;
        assert_eq!(of(&encrypted(good)), KeyError::Password);
        for (from, to) in [
            ("65536", "1073741824"),
            ("65536", "1024"),
            ("\"r\":8", "\"r\":1024"),
            ("\"p\":1", "\"p\":1024"),
            ("scrypt", "none"),
            ("nacl/secretbox", "none"),
            ("\"nonce\":\"AAAA", "\"nonce\":\""),
            ("\"salt\":\"AA==\"", "\"salt\":\"!\""),
            ("{\"kdf\"", "{\"kdg\""),
        ] {
            let error = of(&encrypted(&good.replace(from, to)));
            assert!(matches!(error, KeyError::Encryption { .. }), "{from}: {error}");
        }
        assert!(matches!(PublicKey::read(&encrypted(good)), Err(KeyError::Kind { .. })));
    }

    #[test]
    fn a_key_that_was_changed_is_found() {
        let key = SigningKey::generate().unwrap();
        let (private, _) = key.write(&password("")).unwrap();
        let json = pem::parse(&private).unwrap();
        let mut encrypted: Encrypted = serde_json::from_slice(json.contents()).unwrap();
        let mut bytes = STANDARD.decode(&encrypted.ciphertext).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        encrypted.ciphertext = STANDARD.encode(bytes);
        let changed = written(&Pem::new(PRIVATE, serde_json::to_vec(&encrypted).unwrap()));
        let read = SigningKey::read(&changed, &password("")).map(|_| ());
        assert_eq!(read, Err(KeyError::Password));
    }
}
