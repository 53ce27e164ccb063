//! Bodies and WASI streams, in both directions.
//!
//! [`BodyStream`] is an `input-stream` that reads a body, [`StreamSource`] a body that reads an
//! `input-stream`, [`drain`] pumps a body into an `output-stream`. A stream of WASI can be waited
//! for and given up at any moment, a body cannot; that is why a task stands between them.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use wasmtime_wasi::p2::{DynInputStream, InputStream, OutputStream, Pollable, StreamError};
use wasmtime_wasi::runtime::{AbortOnDropJoinHandle, spawn};

use crate::body::{Body, Slot, Source, Unread};
use crate::edge::RUN_BYTES;
use crate::error::FunctionError;

/// A failed stream carries this, so that `error-of` can give the typed error back.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StreamFailure(pub(crate) FunctionError);

enum Part {
    Run(Bytes),
    End,
    Failed(FunctionError),
}

/// An `input-stream` over a body. Closed = complete; broken off = the last operation failed.
pub(crate) struct BodyStream {
    parts: mpsc::Receiver<Part>,
    carry: Bytes,
    end: Option<Result<(), FunctionError>>,
    unread: Option<Unread>,
    slot: Option<Slot>,
    _task: AbortOnDropJoinHandle<()>,
}

impl BodyStream {
    /// Starts to read the body, one run ahead.
    pub(crate) fn new(mut body: Body) -> Self {
        let (sender, parts) = mpsc::channel(1);
        let slot = body.take_slot();
        let unread = body.unread().cloned();
        let counted = unread.clone();
        let task = spawn(async move {
            loop {
                let part = match body.visible(RUN_BYTES).await {
                    Ok(Some(run)) => {
                        if let Some(counted) = &counted {
                            counted.add(run.len());
                        }
                        Part::Run(run)
                    }
                    Ok(None) => Part::End,
                    Err(error) => Part::Failed(error),
                };
                let last = !matches!(part, Part::Run(_));
                if sender.send(part).await.is_err() || last {
                    break;
                }
            }
        });
        Self { parts, carry: Bytes::new(), end: None, unread, slot, _task: task }
    }

    /// Whether the end, or the break, was reached and everything before it was read.
    pub(crate) fn is_over(&self) -> bool {
        self.carry.is_empty() && self.end.is_some()
    }

    fn take(&mut self, part: Option<Part>) {
        match part {
            Some(Part::Run(run)) => self.carry = run,
            Some(Part::End) => self.end = Some(Ok(())),
            Some(Part::Failed(error)) => self.end = Some(Err(error)),
            // The task is gone without a word: never an end.
            None => {
                self.end = Some(Err(FunctionError::Cancelled("the body broke off".to_owned())));
            }
        }
    }
}

#[async_trait]
impl Pollable for BodyStream {
    async fn ready(&mut self) {
        if self.carry.is_empty() && self.end.is_none() {
            let part = self.parts.recv().await;
            self.take(part);
        }
    }
}

impl InputStream for BodyStream {
    fn read(&mut self, size: usize) -> Result<Bytes, StreamError> {
        if self.carry.is_empty() && self.end.is_none() {
            match self.parts.try_recv() {
                Ok(part) => self.take(Some(part)),
                Err(mpsc::error::TryRecvError::Empty) => return Ok(Bytes::new()),
                Err(mpsc::error::TryRecvError::Disconnected) => self.take(None),
            }
        }
        if !self.carry.is_empty() {
            let length = self.carry.len().min(size);
            if let Some(unread) = &self.unread {
                unread.remove(length);
            }
            return Ok(self.carry.split_to(length));
        }
        if self.end.is_some() {
            self.slot = None;
        }
        match &self.end {
            None => Ok(Bytes::new()),
            Some(Ok(())) => Err(StreamError::Closed),
            Some(Err(error)) => {
                Err(StreamError::LastOperationFailed(StreamFailure(error.clone()).into()))
            }
        }
    }
}

/// A body over an `input-stream`, such as that of an HTTP answer.
pub(crate) struct StreamSource(DynInputStream);

impl StreamSource {
    /// Reads from here.
    pub(crate) fn new(stream: DynInputStream) -> Self {
        Self(stream)
    }
}

#[async_trait]
impl Source for StreamSource {
    async fn next(&mut self, max: usize) -> Result<Option<Bytes>, FunctionError> {
        loop {
            self.0.ready().await;
            match self.0.read(max) {
                Ok(run) if run.is_empty() => tokio::task::yield_now().await,
                Ok(run) => return Ok(Some(run)),
                Err(StreamError::Closed) => return Ok(None),
                Err(StreamError::LastOperationFailed(error) | StreamError::Trap(error)) => {
                    return Err(failure(&error));
                }
            }
        }
    }
}

/// Pumps a body into an `output-stream` and returns the bytes that went.
///
/// # Errors
/// The body broke off or may not be seen, or the stream takes no more.
pub(crate) async fn drain(
    body: &mut Body,
    into: &mut dyn OutputStream,
) -> Result<u64, FunctionError> {
    let mut bytes = 0_u64;
    while let Some(mut run) = body.visible(RUN_BYTES).await? {
        while !run.is_empty() {
            let room = room(into).await?;
            let part = run.split_to(room.min(run.len()));
            let length = part.len() as u64;
            into.write(part).map_err(|error| refused(&error))?;
            bytes = bytes.saturating_add(length);
        }
    }
    match into.flush() {
        // What was written is on its way; a stream that needs no more is not a failure.
        Ok(()) | Err(StreamError::Closed) => {}
        Err(error) => return Err(refused(&error)),
    }
    Ok(bytes)
}

/// Waits until the stream takes bytes. Not `write_ready`, which gives up after ten wakes.
async fn room(stream: &mut dyn OutputStream) -> Result<usize, FunctionError> {
    loop {
        stream.ready().await;
        match stream.check_write().map_err(|error| refused(&error))? {
            0 => tokio::task::yield_now().await,
            room => return Ok(room),
        }
    }
}

fn refused(error: &StreamError) -> FunctionError {
    match error {
        StreamError::Closed => FunctionError::External(
            "the stream was closed by its other end before all bytes were written".to_owned(),
        ),
        StreamError::LastOperationFailed(error) | StreamError::Trap(error) => failure(error),
    }
}

/// The typed error behind a failed stream, or what it says.
pub(crate) fn failure(error: &wasmtime::Error) -> FunctionError {
    known_failure(error).unwrap_or_else(|| FunctionError::External(format!("{error:#}")))
}

/// The typed error behind a failed stream, if it is one of ours.
pub(crate) fn known_failure(error: &wasmtime::Error) -> Option<FunctionError> {
    error.downcast_ref::<StreamFailure>().map(|failure| failure.0.clone())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    struct Parts(Vec<Result<Option<Bytes>, FunctionError>>);

    #[async_trait]
    impl Source for Parts {
        async fn next(&mut self, _max: usize) -> Result<Option<Bytes>, FunctionError> {
            self.0.remove(0)
        }
    }

    #[tokio::test]
    async fn a_complete_body_closes_the_stream_and_a_broken_one_fails_it() {
        let boom = FunctionError::External("boom".to_owned());
        for end in [Ok(None), Err(boom.clone())] {
            let run = Ok(Some(Bytes::from_static(b"abc")));
            let mut stream = BodyStream::new(Body::new(Parts(vec![run, end.clone()]), None));
            stream.ready().await;
            assert_eq!(stream.read(2).unwrap(), "ab");
            assert!(!stream.is_over());
            assert_eq!(stream.read(2).unwrap(), "c");
            stream.ready().await;
            match (stream.read(2), end) {
                (Err(StreamError::Closed), Ok(_)) => {}
                (Err(StreamError::LastOperationFailed(error)), Err(boom)) => {
                    assert_eq!(known_failure(&error).unwrap(), boom);
                }
                (other, _) => panic!("{other:?}"),
            }
            assert!(stream.is_over());
        }
    }

    #[tokio::test]
    async fn a_body_whose_task_fell_over_is_never_an_end() {
        struct Falls;

        #[async_trait]
        impl Source for Falls {
            async fn next(&mut self, _max: usize) -> Result<Option<Bytes>, FunctionError> {
                panic!("a port fell over")
            }
        }

        let mut stream = BodyStream::new(Body::new(Falls, None));
        stream.ready().await;
        match stream.read(1) {
            Err(StreamError::LastOperationFailed(error)) => {
                assert!(failure(&error).to_string().contains("the body broke off"), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn bytes_that_were_read_ahead_and_never_taken_are_noticed() {
        let run = Ok(Some(Bytes::from_static(b"abc")));
        let unread = Unread::default();
        let body = Body::new(Parts(vec![run, Ok(None)]), None).counted(unread.clone());
        let mut stream = BodyStream::new(body);
        stream.ready().await;
        assert_eq!(stream.read(2).unwrap(), "ab");
        assert!(!unread.is_empty());
        assert_eq!(stream.read(2).unwrap(), "c");
        assert!(unread.is_empty());
    }
}
