//! The bodies of a request and of an answer, on their way.
//!
//! A request's body passes its end on only while the stage that writes it is alive and the chain
//! is not being stopped: otherwise it is broken off, so that no server takes half an upload for
//! a whole one. A stage that cleans up while it is being stopped can still make requests without
//! a body. An answer's body holds the connection it comes from, and gives up when nothing
//! comes for too long.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use sealift_core::causes::chain_of_causes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::{Error, WasiBody};

use crate::cause::Stop;
use crate::life::Life;

/// Whether a request's body moves, for the timeout of its answer.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    frames: AtomicU64,
    waits_for_function: AtomicBool,
}

impl Activity {
    /// Frames that went so far.
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Another frame of the body went out.
    pub(crate) fn moved(&self) {
        self.frames.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes whether the next bytes are the Function's to give.
    pub(crate) fn waits_for(&self, function: bool) {
        self.waits_for_function.store(function, Ordering::Relaxed);
    }

    /// Whether it is the Function that keeps the server waiting.
    pub(crate) fn waits_for_function(&self) -> bool {
        self.waits_for_function.load(Ordering::Relaxed)
    }
}

/// A request's body.
pub(crate) struct RequestBody {
    inner: WasiBody,
    life: Life,
    stop: Stop,
    activity: Arc<Activity>,
}

impl RequestBody {
    /// Wraps the body of a stage.
    pub(crate) fn new(inner: WasiBody, life: Life, stop: Stop, activity: Arc<Activity>) -> Self {
        Self { inner, life, stop, activity }
    }

    fn is_dead(&self) -> bool {
        !self.life.is_alive() || self.stop.is_set()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        self.activity.waits_for(polled.is_pending());
        match polled {
            Poll::Pending => Poll::Pending,
            // Asked after the poll: the stage is marked dead before its body can look ended.
            Poll::Ready(_) if self.is_dead() => Poll::Ready(Some(Err(Error::InternalError(Some(
                "the stage that wrote this request was stopped".to_owned(),
            ))))),
            Poll::Ready(frame) => {
                self.activity.moved();
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body.
pub(crate) struct AnswerBody {
    inner: Incoming,
    idle: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    // The task that drives the connection. It lives as long as the body is read, not as long as
    // the answer's head: a Function may drop that first.
    _connection: AbortOnDropJoinHandle<()>,
    _slot: OwnedSemaphorePermit,
}

impl AnswerBody {
    /// Wraps the body of an answer.
    pub(crate) fn new(
        inner: Incoming,
        idle: Duration,
        connection: AbortOnDropJoinHandle<()>,
        slot: OwnedSemaphorePermit,
    ) -> Self {
        Self { inner, idle, timer: None, _connection: connection, _slot: slot }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(frame) => {
                self.timer = None;
                Poll::Ready(frame.map(|frame| frame.map_err(|error| broken(&error))))
            }
            Poll::Pending => {
                let until = Instant::now() + self.idle;
                let timer =
                    self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
                match timer.as_mut().poll(context) {
                    Poll::Pending => Poll::Pending,
                    Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A broken connection, in the words of `wasi:http`.
pub(crate) fn broken(error: &hyper::Error) -> Error {
    if error.is_incomplete_message() || error.is_body_write_aborted() || error.is_closed() {
        Error::HttpResponseIncomplete
    } else if error.is_timeout() {
        Error::ConnectionReadTimeout
    } else {
        Error::InternalError(Some(chain_of_causes(error)))
    }
}
