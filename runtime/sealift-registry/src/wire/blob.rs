//! Blobs: bytes by their digest, read in pieces and put in one.
//!
//! What is read ends well only when size and digest hold; what came before that end may be kept
//! in a file of ours and must not be looked into.

use bytes::{Bytes, BytesMut};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::send::{Answer, Ask, check_next, failed};
use super::{Client, Source, WireError};
use crate::digest::Digest;
use crate::reference::Reference;

/// A blob that is being read.
pub struct Blob {
    answer: Answer,
    promised: Digest,
    left: u64,
    hash: Sha256,
    until: Instant,
    after: std::time::Duration,
    ended: bool,
}

impl Blob {
    /// The next piece; none at an end that is proven.
    ///
    /// # Errors
    /// The connection broke, or other bytes came than promised. Nothing that came is to be used.
    pub async fn next(&mut self) -> Result<Option<Bytes>, WireError> {
        if self.ended {
            return Ok(None);
        }
        let (what, host) = (self.answer.what.clone(), self.answer.host.clone());
        let piece = tokio::time::timeout_at(self.until, self.answer.response.chunk()).await;
        let piece = match piece {
            Err(_) => return Err(WireError::Stalled { what, host, after: self.after }),
            Ok(Err(error)) => return Err(failed(&what, &host, error, self.after)),
            Ok(Ok(piece)) => piece,
        };
        let Some(piece) = piece else {
            if self.left > 0 {
                return Err(WireError::Form {
                    what,
                    why: format!("it ends {} bytes early", self.left),
                });
            }
            let found = Digest::finish(std::mem::take(&mut self.hash));
            if found != self.promised {
                return Err(WireError::Digest { what, wanted: self.promised, found });
            }
            self.ended = true;
            return Ok(None);
        };
        self.left = self.left.checked_sub(piece.len() as u64).ok_or_else(|| WireError::Form {
            what,
            why: "it is longer than its manifest says".to_owned(),
        })?;
        self.hash.update(&piece);
        Ok(Some(piece))
    }
}

impl Client {
    /// Reads the blob of this digest, which has `size` bytes.
    ///
    /// # Errors
    /// As every request; [`WireError::Form`] if it says it has another size.
    pub async fn blob(
        &self,
        reference: &Reference,
        digest: &Digest,
        size: u64,
    ) -> Result<Blob, WireError> {
        let mut last = None;
        for source in &self.sources(&reference.pinned(*digest)) {
            match self.blob_at(source, digest, size).await {
                Ok(blob) => return Ok(blob),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| WireError::NoVersion { reference: reference.to_string() }))
    }

    async fn blob_at(
        &self,
        source: &Source,
        digest: &Digest,
        size: u64,
    ) -> Result<Blob, WireError> {
        let what = format!("blob {digest} of {}", source.name());
        let url = source.url(&format!("blobs/{digest}"))?;
        let answer = self.send(Ask::read(source, Method::GET, url, what)).await?;
        if let Some(told) = answer.response.content_length().filter(|told| *told != size) {
            let why = format!("it has {told} bytes, and {size} in its manifest");
            return Err(WireError::Form { what: answer.what, why });
        }
        let after = self.patience_for(size);
        Ok(Blob {
            answer,
            promised: *digest,
            left: size,
            hash: Sha256::new(),
            until: Instant::now() + after,
            after,
            ended: false,
        })
    }

    /// Reads a blob of at most `most` bytes as a whole.
    ///
    /// # Errors
    /// As [`Client::blob`], and [`WireError::TooLarge`].
    pub async fn small_blob(
        &self,
        reference: &Reference,
        digest: &Digest,
        size: u64,
        most: u64,
    ) -> Result<Bytes, WireError> {
        if size > most {
            let what = format!("blob {digest} of {}", reference.place());
            return Err(WireError::TooLarge { what, most });
        }
        let mut blob = self.blob(reference, digest, size).await?;
        let mut bytes = BytesMut::new();
        while let Some(piece) = blob.next().await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    /// Whether the registry has this blob in this repository.
    ///
    /// # Errors
    /// As every request.
    pub async fn has_blob(
        &self,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<bool, WireError> {
        let source = self.origin(reference);
        let what = format!("blob {digest} of {}", source.name());
        let url = source.url(&format!("blobs/{digest}"))?;
        // Asked for what follows it, so that one login is enough for both.
        match self.send(Ask::write(&source, Method::HEAD, url, what)).await {
            Ok(_) => Ok(true),
            Err(WireError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a blob into the repository, unless it is there.
    ///
    /// # Errors
    /// As every request; [`WireError::Digest`] if the registry says it took other bytes.
    pub async fn put_blob(
        &self,
        reference: &Reference,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<(), WireError> {
        let what = format!("blob {digest} to {}", reference.place());
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(WireError::Digest { what, wanted: *digest, found });
        }
        if self.has_blob(reference, digest).await? {
            return Ok(());
        }
        let source = self.origin(reference);
        let url = source.url("blobs/uploads/")?;
        let ask = Ask::write(&source, Method::POST, url.clone(), what.clone()).body(Bytes::new());
        let answer = self.send(ask).await?;
        let refused = |why: &str| WireError::Form { what: what.clone(), why: why.to_owned() };
        let to =
            answer.header(LOCATION.as_str()).ok_or_else(|| refused("no place for it is named"))?;
        let mut to = url.join(to).map_err(|_| refused("the place for it is no URL"))?;
        check_next(&source.place, &to).map_err(|why| refused(&format!("it is sent {why}")))?;
        to.query_pairs_mut().append_pair("digest", &digest.to_string());
        let ask = Ask::write(&source, Method::PUT, to, what.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(bytes);
        self.send(ask).await.map(drop)
    }
}
