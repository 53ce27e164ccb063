//! An artifact being written: counts, checks and hashes what goes into the pipe.
//!
//! The declared size is exact: one byte too many fails at once, one too few at `finish`. The
//! record of a finished artifact goes to the outcome of the chain; it commits nothing.

use bytes::Bytes;
use sealift_core::fingerprint::{Fingerprint, Fingerprinter};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::edge::{Attributes, EdgeWriter, Header, RUN_BYTES, Run};
use crate::error::FunctionError;

/// Longest name of an artifact or an attribute: that of a file in a repository.
const NAME_BYTES: usize = 4096;
/// All attributes of one artifact together; they are for facts such as an index, not for data.
const ATTRIBUTES_BYTES: usize = 64 << 10;
/// Most attributes of one artifact.
const ATTRIBUTES: usize = 256;

/// A finished artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRecord {
    /// The stage that made it.
    pub stage: String,
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// What its producer said of it, in order.
    pub attributes: Vec<(String, String)>,
    /// `sha256:<hex>` of its bytes, where the producer named the digest it expects; it was then checked.
    pub checksum: Option<String>,
    /// Of its bytes; none = the record was read from an outcome of an earlier process.
    #[serde(skip)]
    pub fingerprint: Option<Fingerprint>,
}

/// An artifact that is open in a pipe.
pub(crate) struct ArtifactWriter {
    edge: EdgeWriter,
    header: Header,
    written: u64,
    passing: Fingerprinter,
    late: Attributes,
    digest: Option<(Sha256, String)>,
    sealed: bool,
}

impl ArtifactWriter {
    /// Opens an artifact in the pipe.
    pub(crate) async fn open(edge: &EdgeWriter, header: Header) -> Result<Self, FunctionError> {
        check_name("artifact", &header.name)?;
        check_attributes(&header.attributes)?;
        edge.open(header.clone()).await?;
        let edge = edge.clone();
        Ok(Self {
            edge,
            header,
            written: 0,
            passing: Fingerprinter::new(),
            late: Vec::new(),
            digest: None,
            sealed: false,
        })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.header.name
    }

    /// Bytes that went into the pipe.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Seals it: from now on it holds keys, and is handed on as they are, to its end.
    pub(crate) fn seal(&mut self) {
        self.sealed = true;
    }

    /// Writes bytes of any length; waits for room.
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), FunctionError> {
        let after = self.written.saturating_add(bytes.len() as u64);
        if let Some(size) = self.header.size.filter(|size| after > *size) {
            return Err(FunctionError::DataLossRisk(format!(
                "artifact {} was declared with {size} bytes and gets {after}",
                self.header.name
            )));
        }
        while !bytes.is_empty() {
            let run = bytes.split_to(bytes.len().min(RUN_BYTES));
            if let Some((hasher, _)) = &mut self.digest {
                hasher.update(&run);
            }
            self.passing.update(&run);
            let length = run.len() as u64;
            self.edge.run(Run { bytes: run, sealed: self.sealed }).await?;
            self.written += length;
        }
        Ok(())
    }

    /// Names the digest the bytes must have; checked at `finish`.
    pub(crate) fn expect_digest(
        &mut self,
        algorithm: &str,
        hex: &str,
    ) -> Result<(), FunctionError> {
        if algorithm != "sha256" {
            return Err(FunctionError::InvalidState(format!(
                "digest algorithm {:?} is unknown; valid is sha256",
                crate::text::clean(algorithm, 64)
            )));
        }
        if self.written > 0 || self.digest.is_some() {
            return Err(FunctionError::InvalidState(
                "expect-digest must be called once, before the first byte".to_owned(),
            ));
        }
        let expected = hex.to_ascii_lowercase();
        if expected.len() != 64 || !expected.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(FunctionError::InvalidState(
                "a sha256 digest has 64 hexadecimal digits".to_owned(),
            ));
        }
        self.digest = Some((Sha256::new(), expected));
        Ok(())
    }

    /// Adds an attribute the reader sees at the end.
    pub(crate) fn set_attribute(
        &mut self,
        name: String,
        value: String,
    ) -> Result<(), FunctionError> {
        let mut late = self.late.clone();
        late.retain(|(known, _)| *known != name);
        late.push((name, value));
        check_attributes(&late)?;
        self.late = late;
        Ok(())
    }

    /// Ends it, after everything that was promised of it holds.
    pub(crate) async fn finish(self, stage: &str) -> Result<ArtifactRecord, FunctionError> {
        let Self { edge, header, written, passing, late, digest, sealed } = self;
        if let Some(size) = header.size.filter(|size| written != *size) {
            return Err(FunctionError::DataLossRisk(format!(
                "artifact {} was declared with {size} bytes and got {written}",
                header.name
            )));
        }
        let checksum = match digest {
            None => None,
            Some((hasher, expected)) => {
                let found = hex::encode(hasher.finalize());
                if found != expected {
                    // The digest of a key would let others try keys without asking Vault.
                    let which = if sealed {
                        "another sha256".to_owned()
                    } else {
                        format!("sha256 {found}")
                    };
                    return Err(FunctionError::DataLossRisk(format!(
                        "artifact {} has {which} and {expected} was expected",
                        header.name
                    )));
                }
                Some(format!("sha256:{found}"))
            }
        };
        edge.finish(late.clone()).await?;
        let mut attributes = header.attributes;
        attributes.retain(|(name, _)| !late.iter().any(|(known, _)| known == name));
        attributes.extend(late);
        Ok(ArtifactRecord {
            stage: stage.to_owned(),
            name: header.name,
            size: written,
            attributes,
            checksum,
            fingerprint: Some(passing.finish()),
        })
    }
}

/// Refuses a name that could not be one.
fn check_name(what: &str, name: &str) -> Result<(), FunctionError> {
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(FunctionError::InvalidState(format!(
            "the name of an {what} has 1 to {NAME_BYTES} bytes and no control characters"
        )));
    }
    Ok(())
}

fn check_attributes(attributes: &Attributes) -> Result<(), FunctionError> {
    let mut bytes = 0;
    for (name, value) in attributes {
        check_name("attribute", name)?;
        bytes += name.len() + value.len();
    }
    if attributes.len() > ATTRIBUTES || bytes > ATTRIBUTES_BYTES {
        return Err(FunctionError::InvalidState(format!(
            "an artifact has at most {ATTRIBUTES} attributes and {ATTRIBUTES_BYTES} bytes of them"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::cause::Stop;
    use crate::edge::edge;

    async fn open(size: Option<u64>) -> (ArtifactWriter, crate::edge::EdgeReader) {
        let (writer, reader) = edge(&Stop::default());
        let header = Header { name: "x".to_owned(), size, attributes: vec![] };
        (ArtifactWriter::open(&writer, header).await.unwrap(), reader)
    }

    #[tokio::test]
    async fn more_than_declared_fails_at_once_and_less_at_the_end() {
        let (mut artifact, _reader) = open(Some(3)).await;
        artifact.write(Bytes::from_static(b"ab")).await.unwrap();
        assert!(matches!(
            artifact.write(Bytes::from_static(b"cd")).await,
            Err(FunctionError::DataLossRisk(_))
        ));
        assert!(matches!(artifact.finish("s").await, Err(FunctionError::DataLossRisk(_))));
    }

    #[tokio::test]
    async fn the_digest_is_checked_over_all_bytes() {
        let good = hex::encode(Sha256::digest(b"abcd"));
        for (hex, ok) in [(good.as_str(), true), (&"0".repeat(64), false)] {
            let (mut artifact, _reader) = open(None).await;
            artifact.expect_digest("sha256", hex).unwrap();
            artifact.write(Bytes::from_static(b"ab")).await.unwrap();
            artifact.write(Bytes::from_static(b"cd")).await.unwrap();
            let result = artifact.finish("s").await;
            assert_eq!(result.is_ok(), ok);
            if let Ok(record) = result {
                assert_eq!(record.checksum.unwrap(), format!("sha256:{good}"));
            }
        }
    }

    #[tokio::test]
    async fn a_digest_comes_before_the_bytes_and_is_well_formed() {
        let (mut artifact, _reader) = open(None).await;
        assert!(artifact.expect_digest("md5", "00").is_err());
        assert!(artifact.expect_digest("sha256", "zz").is_err());
        artifact.write(Bytes::from_static(b"ab")).await.unwrap();
        assert!(artifact.expect_digest("sha256", &"0".repeat(64)).is_err());
    }

    #[tokio::test]
    async fn attributes_are_bounded_and_the_last_value_counts() {
        let (mut artifact, _reader) = open(None).await;
        artifact.set_attribute("index".into(), "1".into()).unwrap();
        artifact.set_attribute("index".into(), "2".into()).unwrap();
        assert!(artifact.set_attribute("big".into(), "x".repeat(ATTRIBUTES_BYTES)).is_err());
        let record = artifact.finish("s").await.unwrap();
        assert_eq!(record.attributes, [("index".to_owned(), "2".to_owned())]);
    }

    #[tokio::test]
    async fn what_could_be_no_name_no_attribute_and_no_digest_is_refused() {
        let (writer, _reader) = edge(&Stop::default());
        let refused = async |name: &str, attributes: Attributes| {
            let header = Header { name: name.to_owned(), size: None, attributes };
            ArtifactWriter::open(&writer, header).await.is_err()
        };
        let long = "x".repeat(NAME_BYTES + 1);
        for name in ["", "a\nb", &long] {
            assert!(refused(name, vec![]).await, "{name:.9}");
            assert!(refused("x", vec![(name.to_owned(), String::new())]).await, "{name:.9}");
        }
        let many = (0..=ATTRIBUTES).map(|n| (n.to_string(), String::new())).collect();
        assert!(refused("x", many).await);
        assert!(refused("x", vec![("a".to_owned(), "x".repeat(ATTRIBUTES_BYTES))]).await);
        let (mut artifact, _reader) = open(None).await;
        for (algorithm, digest) in
            [("md5", "a".repeat(64)), ("sha256", "a".repeat(63)), ("sha256", "x".repeat(64))]
        {
            assert!(artifact.expect_digest(algorithm, &digest).is_err(), "{algorithm} {digest}");
        }
        artifact.expect_digest("sha256", &"A".repeat(64)).unwrap();
    }

    #[tokio::test]
    async fn the_fingerprint_is_that_of_all_bytes() {
        let (mut artifact, _reader) = open(None).await;
        artifact.write(Bytes::from_static(b"ab")).await.unwrap();
        artifact.write(Bytes::from_static(b"cd")).await.unwrap();
        let record = artifact.finish("s").await.unwrap();
        assert_eq!(record.fingerprint, Some(Fingerprint::of(b"abcd")));
    }
}
