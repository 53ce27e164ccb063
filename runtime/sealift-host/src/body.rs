//! A run of bytes on the host's side: what stands behind the contract's `body`.
//!
//! An artifact, a file of a repository, an HTTP answer and a key are all read through
//! [`Body`], which watches over their sizes: with a declared size, less or more is an error, and
//! an error is never followed by an end. Where the bytes go is not decided here.
//!
//! Keys are sealed: their bytes are handed on by [`Body::next`] and shown to a Function by
//! [`Body::visible`] only if its grant says so. An artifact tells with its bytes that it is sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use sealift_core::grants::KeyGrant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::edge::{Attributes, EdgeReader, RUN_BYTES, Run};
use crate::error::FunctionError;
use crate::ports::ByteReader;

/// The line that allows a Function to see what is sealed.
const READ: &str = "unsealKeys: read";

/// Where the bytes of a body come from.
#[async_trait]
pub(crate) trait Source: Send {
    /// The next bytes, never empty and at most `max`; none = everything arrived.
    async fn next(&mut self, max: usize) -> Result<Option<Bytes>, FunctionError>;
    /// Whether anything that came so far is a key, so that all of it is treated as one.
    fn is_sealed(&self) -> bool {
        false
    }
    /// What the producer set.
    async fn attributes(&mut self) -> Attributes {
        Vec::new()
    }
}

/// Bytes that are read once, in order.
pub(crate) struct Body {
    source: Box<dyn Source>,
    size: Option<u64>,
    taken: u64,
    state: State,
    sees_keys: bool,
    // Taken from the source and not yet handed on, because it turned out to be sealed.
    held: Bytes,
    unread: Option<Unread>,
    slot: Option<Slot>,
}

/// How many bodies a Function may have under way at once. Each can hold a run of bytes of its
/// own, and a few are enough for every honest Function.
const BODIES: usize = 64;

/// The places for bodies of one stage, so that what the host holds for it is bounded.
#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Semaphore>);

/// One place; free again when it is dropped.
pub(crate) type Slot = OwnedSemaphorePermit;

impl Slots {
    /// All free.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(BODIES)))
    }

    /// Takes a place.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn take(&self) -> Result<Slot, FunctionError> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            FunctionError::InvalidState(format!(
                "more than {BODIES} bodies are under way; read them to their ends or drop them"
            ))
        })
    }
}

/// Bytes of artifacts that are read ahead for a stream and not yet taken by the Function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unread(Arc<AtomicU64>);

impl Unread {
    /// Bytes were read ahead.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    /// The Function took bytes.
    pub(crate) fn remove(&self, bytes: usize) {
        self.0.fetch_sub(bytes as u64, Ordering::SeqCst);
    }

    /// Whether the Function took everything.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 0
    }
}

#[derive(Debug, Clone)]
enum State {
    Flowing,
    Ended,
    Broken(FunctionError),
}

impl Body {
    /// A body; `size` is exact.
    pub(crate) fn new(source: impl Source + 'static, size: Option<u64>) -> Self {
        Self {
            source: Box::new(source),
            size,
            taken: 0,
            state: State::Flowing,
            sees_keys: false,
            held: Bytes::new(),
            unread: None,
            slot: None,
        }
    }

    /// Gives it its place, which it keeps until its end.
    pub(crate) fn placed(mut self, slot: Slot) -> Self {
        self.slot = Some(slot);
        self
    }

    /// Hands its place to whoever holds its bytes from now on.
    pub(crate) fn take_slot(&mut self) -> Option<Slot> {
        self.slot.take()
    }

    /// Counts what is read ahead of the Function.
    pub(crate) fn counted(mut self, unread: Unread) -> Self {
        self.unread = Some(unread);
        self
    }

    /// The counter for what is read ahead, if anybody wants to know.
    pub(crate) fn unread(&self) -> Option<&Unread> {
        self.unread.as_ref()
    }

    /// Belongs to a stage with this grant, which says whether it sees what is sealed.
    pub(crate) fn seen_by(mut self, grant: Option<KeyGrant>) -> Self {
        self.sees_keys = grant == Some(KeyGrant::Read);
        self
    }

    /// Whether what came so far is sealed. It stays so where it is forwarded to, whoever may see it here.
    pub(crate) fn is_sealed(&self) -> bool {
        self.source.is_sealed()
    }

    /// The declared size.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// Whether a Function may see the bytes.
    ///
    /// # Errors
    /// It may only hand them on.
    pub(crate) fn check_visible(&self) -> Result<(), FunctionError> {
        if self.sees_keys || !self.is_sealed() {
            return Ok(());
        }
        Err(FunctionError::Denied(format!(
            "this holds keys and can be forwarded but not read; to read it, the function needs \
             `{READ}` in its descriptor and in spec.permissions"
        )))
    }

    /// The next bytes for a Function to see, at most `max`; none as in [`Body::next`].
    ///
    /// # Errors
    /// As there, or it may only hand them on: they are kept for that.
    pub(crate) async fn visible(&mut self, max: usize) -> Result<Option<Bytes>, FunctionError> {
        self.check_visible()?;
        let run = self.next(max).await?;
        // Asked again: an artifact tells with its bytes.
        if let (Err(denied), Some(run)) = (self.check_visible(), &run) {
            self.hold(run.clone());
            return Err(denied);
        }
        Ok(run)
    }

    /// Waits until it is known whether a Function may see the first bytes.
    ///
    /// # Errors
    /// It may only hand them on. A body that broke off is none here; it tells when it is read.
    pub(crate) async fn look(&mut self) -> Result<(), FunctionError> {
        match self.visible(RUN_BYTES).await {
            Ok(Some(run)) => self.hold(run),
            Ok(None) => {}
            Err(_) => return self.check_visible(),
        }
        Ok(())
    }

    fn hold(&mut self, run: Bytes) {
        // Who is denied them and returns ok all the same has not taken everything.
        if let Some(unread) = &self.unread {
            unread.add(run.len());
        }
        self.held = run;
    }

    /// The next bytes, at most `max`; none = complete, and the sizes agree. Not for a Function's
    /// eyes: [`Body::visible`] is.
    pub(crate) async fn next(&mut self, max: usize) -> Result<Option<Bytes>, FunctionError> {
        if !self.held.is_empty() {
            let run = self.held.split_to(self.held.len().min(max.max(1)));
            if let Some(unread) = &self.unread {
                unread.remove(run.len());
            }
            return Ok(Some(run));
        }
        match &self.state {
            State::Ended => return Ok(None),
            State::Broken(error) => return Err(error.clone()),
            State::Flowing => {}
        }
        let result = match self.source.next(max.clamp(1, RUN_BYTES)).await {
            Ok(Some(bytes)) => {
                self.taken = self.taken.saturating_add(bytes.len() as u64);
                match self.size {
                    Some(size) if self.taken > size => Err(FunctionError::DataLossRisk(format!(
                        "more bytes came than the {size} that were declared"
                    ))),
                    _ => Ok(Some(bytes)),
                }
            }
            Ok(None) => match self.size {
                Some(size) if self.taken < size => Err(FunctionError::DataLossRisk(format!(
                    "only {} of {size} declared bytes came",
                    self.taken
                ))),
                _ => Ok(None),
            },
            Err(error) => Err(error),
        };
        match &result {
            Ok(Some(_)) => return result,
            Ok(None) => self.state = State::Ended,
            Err(error) => self.state = State::Broken(error.clone()),
        }
        self.slot = None;
        result
    }

    /// What the producer set; complete once the end was seen.
    pub(crate) async fn attributes(&mut self) -> Attributes {
        self.source.attributes().await
    }
}

/// The artifact a stage is receiving.
pub(crate) struct ArtifactSource {
    reader: EdgeReader,
    number: u64,
    sealed: bool,
}

impl ArtifactSource {
    /// The artifact with this number.
    pub(crate) fn new(reader: EdgeReader, number: u64) -> Self {
        Self { reader, number, sealed: false }
    }
}

#[async_trait]
impl Source for ArtifactSource {
    async fn next(&mut self, max: usize) -> Result<Option<Bytes>, FunctionError> {
        let run = self.reader.read(self.number, max).await?;
        Ok(run.map(|Run { bytes, sealed }| {
            self.sealed |= sealed;
            bytes
        }))
    }

    fn is_sealed(&self) -> bool {
        self.sealed
    }

    async fn attributes(&mut self) -> Attributes {
        self.reader.attributes(self.number).await.unwrap_or_default()
    }
}

/// Bytes from a port: a file of a repository.
pub(crate) struct PortSource {
    reader: Box<dyn ByteReader>,
    carry: Bytes,
}

impl PortSource {
    /// Reads from here.
    pub(crate) fn new(reader: Box<dyn ByteReader>) -> Self {
        Self { reader, carry: Bytes::new() }
    }
}

#[async_trait]
impl Source for PortSource {
    async fn next(&mut self, max: usize) -> Result<Option<Bytes>, FunctionError> {
        while self.carry.is_empty() {
            match self.reader.next().await? {
                Some(bytes) => self.carry = bytes,
                None => return Ok(None),
            }
        }
        let length = self.carry.len().min(max);
        Ok(Some(self.carry.split_to(length)))
    }
}

/// A value from the key store. It is small, sealed, and wiped when it is dropped.
pub(crate) struct KeySource {
    value: Zeroizing<Vec<u8>>,
    taken: usize,
}

impl KeySource {
    /// Hands out this value.
    pub(crate) fn new(value: Zeroizing<Vec<u8>>) -> Self {
        Self { value, taken: 0 }
    }
}

#[async_trait]
impl Source for KeySource {
    async fn next(&mut self, max: usize) -> Result<Option<Bytes>, FunctionError> {
        let rest = self.value.get(self.taken..).unwrap_or_default();
        let run = rest.get(..rest.len().min(max)).unwrap_or_default();
        self.taken += run.len();
        Ok((!run.is_empty()).then(|| Bytes::copy_from_slice(run)))
    }

    fn is_sealed(&self) -> bool {
        true
    }
}

/// For tests: a body that breaks off after one run.
#[cfg(test)]
pub(crate) struct Torn(Option<Bytes>);

#[cfg(test)]
impl Torn {
    /// Breaks off after these bytes.
    pub(crate) fn new(bytes: &'static [u8]) -> Self {
        Self(Some(Bytes::from_static(bytes)))
    }
}

#[cfg(test)]
#[async_trait]
impl Source for Torn {
    async fn next(&mut self, _max: usize) -> Result<Option<Bytes>, FunctionError> {
        let torn = || FunctionError::External("the connection broke".to_owned());
        self.0.take().map(Some).ok_or_else(torn)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    struct Parts(Vec<Bytes>);

    #[async_trait]
    impl Source for Parts {
        async fn next(&mut self, _max: usize) -> Result<Option<Bytes>, FunctionError> {
            Ok((!self.0.is_empty()).then(|| self.0.remove(0)))
        }
    }

    fn parts(parts: &[&'static [u8]], size: Option<u64>) -> Body {
        Body::new(Parts(parts.iter().map(|part| Bytes::from_static(part)).collect()), size)
    }

    #[tokio::test]
    async fn too_little_and_too_much_are_errors_that_stay() {
        for (given, size) in [(parts(&[b"ab"], Some(3)), 3), (parts(&[b"ab", b"cd"], Some(3)), 3)] {
            let mut body = given;
            assert_eq!(body.size(), Some(size));
            body.next(9).await.unwrap();
            for _ in 0..3 {
                assert!(matches!(body.next(9).await, Err(FunctionError::DataLossRisk(_))));
            }
        }
    }

    #[tokio::test]
    async fn the_end_stays_the_end() {
        let mut body = parts(&[b"ab"], Some(2));
        assert!(body.next(9).await.unwrap().is_some());
        assert!(body.next(9).await.unwrap().is_none());
        assert!(body.next(9).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_source_is_asked_for_no_more_than_a_run_and_not_after_its_end() {
        struct Goes(Arc<AtomicU64>);
        #[async_trait]
        impl Source for Goes {
            async fn next(&mut self, max: usize) -> Result<Option<Bytes>, FunctionError> {
                assert!(max <= RUN_BYTES, "{max}");
                // Its end comes first, and more after it.
                let asked = self.0.fetch_add(1, Ordering::SeqCst);
                Ok((asked > 0).then(|| Bytes::from_static(b"more")))
            }
        }
        let asked = Arc::new(AtomicU64::new(0));
        let mut body = Body::new(Goes(Arc::clone(&asked)), None);
        for _ in 0..3 {
            assert_eq!(body.next(usize::MAX).await.unwrap(), None);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_key_is_handed_out_in_runs_and_seals_itself() {
        let mut body = Body::new(KeySource::new(Zeroizing::new(b"\"key\"".to_vec())), Some(5));
        assert!(body.visible(9).await.unwrap_err().to_string().contains("unsealKeys: read"));
        assert!(body.look().await.is_err());
        assert_eq!(body.next(3).await.unwrap().unwrap(), "\"ke");
        assert_eq!(body.next(3).await.unwrap().unwrap(), "y\"");
        assert_eq!(body.next(3).await.unwrap(), None);
    }
    async fn sealed_artifact(grant: Option<KeyGrant>) -> (Body, Unread) {
        let (writer, reader) = crate::edge::edge(&crate::cause::Stop::default());
        let header = crate::edge::Header { name: "x".to_owned(), size: None, attributes: vec![] };
        writer.open(header).await.unwrap();
        let sealed = Run { bytes: Bytes::from_static(b"keys"), sealed: true };
        writer.run(Run { bytes: Bytes::from_static(b"plain"), sealed: false }).await.unwrap();
        writer.run(sealed).await.unwrap();
        writer.finish(vec![]).await.unwrap();
        let (_, number) = reader.receive().await.unwrap().unwrap();
        let unread = Unread::default();
        let source = ArtifactSource::new(reader, number);
        (Body::new(source, None).counted(unread.clone()).seen_by(grant), unread)
    }

    #[tokio::test]
    async fn what_turns_out_to_be_sealed_is_denied_kept_for_forwarding_and_not_taken_for_read() {
        let (mut body, unread) = sealed_artifact(Some(KeyGrant::Copy)).await;
        body.look().await.unwrap();
        assert_eq!(body.visible(9).await.unwrap().unwrap(), "plain");
        assert!(unread.is_empty());
        for max in [9, 2] {
            assert!(matches!(body.visible(max).await, Err(FunctionError::Denied(_))));
            assert!(matches!(body.look().await, Err(FunctionError::Denied(_))));
        }
        assert!(!unread.is_empty());
        assert_eq!(body.next(3).await.unwrap().unwrap(), "key");
        assert_eq!(body.next(3).await.unwrap().unwrap(), "s");
        assert!(unread.is_empty());
        assert_eq!(body.next(3).await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_grant_shows_what_stays_sealed_for_others() {
        let (mut body, _) = sealed_artifact(Some(KeyGrant::Read)).await;
        assert_eq!(body.visible(9).await.unwrap().unwrap(), "plain");
        assert_eq!(body.visible(9).await.unwrap().unwrap(), "keys");
        assert!(body.is_sealed());
        assert_eq!(body.visible(9).await.unwrap(), None);
    }
}
