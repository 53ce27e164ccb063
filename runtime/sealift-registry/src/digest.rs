//! Digests: the names of bytes, and a reader that ends well only with the bytes of that name.
//!
//! SHA-256 is the only algorithm: registries allow others, and one that nobody uses is one more
//! way to be wrong.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A SHA-256, written `sha256:<64 hexadecimal digits>`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no digest; one has the form sha256:<64 lower-case hexadecimal digits>")]
pub struct DigestError {
    /// The text, cut.
    pub text: String,
}

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// What a hash that has seen all bytes says.
    pub(crate) fn finish(hash: Sha256) -> Self {
        Self(hash.finalize().into())
    }

    /// The 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let refusal = || DigestError { text: text.chars().take(80).collect() };
        let digits = text.strip_prefix("sha256:").ok_or_else(refusal)?;
        // Digests are compared and used as names: one of them must have one spelling.
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(refusal());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| refusal())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A reader of bytes that were promised. Its end is a clean one only when size and digest hold;
/// before that nothing may be believed of what it gave.
pub struct Verified<R> {
    inner: R,
    hash: Sha256,
    promised: Digest,
    left: u64,
    ended: bool,
}

impl<R: Read> Verified<R> {
    /// Reads `size` bytes of digest `promised` from `inner`.
    pub fn new(inner: R, size: u64, promised: Digest) -> Self {
        Self { inner, hash: Sha256::new(), promised, left: size, ended: false }
    }

    /// All bytes at once. For sizes the caller has bounded.
    ///
    /// # Errors
    /// The reader's own, and [`io::ErrorKind::InvalidData`] for other bytes than promised.
    pub fn bytes(mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let count = self.inner.read(buffer)?;
        if count == 0 {
            if self.left > 0 {
                let text = format!("{} ends {} bytes early", self.promised, self.left);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            let found = Digest::finish(self.hash.clone());
            if found != self.promised {
                return Err(invalid(format!("{} was promised, {found} came", self.promised)));
            }
            self.ended = true;
            return Ok(0);
        }
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| invalid(format!("{} is longer than promised", self.promised)))?;
        self.hash.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let text = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(Digest::of(b"hello").to_string(), text);
        assert_eq!(text.parse::<Digest>().unwrap(), Digest::of(b"hello"));
        for wrong in [
            "",
            "sha256:",
            "sha256:2cf2",
            &text.to_uppercase(),
            &text.replace("2cf", "2CF"),
            &text.replace("sha256", "sha512"),
            &format!("{text}00"),
            &text.replace("2cf", "2c "),
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_the_promised_bytes_end_well() {
        let promised = Digest::of(b"hello");
        assert_eq!(Verified::new(&b"hello"[..], 5, promised).bytes().unwrap(), b"hello");
        assert_eq!(Verified::new(&b""[..], 0, Digest::of(b"")).bytes().unwrap(), b"");
        for (bytes, size, kind) in [
            (&b"hellO"[..], 5, io::ErrorKind::InvalidData),
            (&b"hello!"[..], 5, io::ErrorKind::InvalidData),
            (&b"hello"[..], 4, io::ErrorKind::InvalidData),
            (&b"hell"[..], 5, io::ErrorKind::UnexpectedEof),
            (&b"hello"[..], 6, io::ErrorKind::UnexpectedEof),
            (&b""[..], 0, io::ErrorKind::InvalidData),
        ] {
            let error = Verified::new(bytes, size, promised).bytes().unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
    }
}
