//! The body of a request while it is being sent.
//!
//! *Flow*: write or drain, then [`Upload::finish`]. *Guarantee*: dropped before `finish`, the
//! request is broken off, and the other side never takes it for complete.

use std::fmt;
use std::io;

use super::failure::error_of;
use super::response::Response;
use crate::artifact::Body;
use crate::bindings::sealift::function::wasi_streams;
use crate::bindings::wasi::http::types as raw;
use crate::bindings::wasi::io::streams::{OutputStream, StreamError};
use crate::error::{Context, Error, Result};

/// A request whose body is being sent.
///
/// The fields are in the order in which they must be dropped: the stream is a child of the body.
pub struct Upload {
    stream: Option<OutputStream>,
    body: Option<raw::OutgoingBody>,
    answer: raw::FutureIncomingResponse,
    what: String,
}

impl Upload {
    pub(super) fn new(
        body: Option<raw::OutgoingBody>,
        answer: raw::FutureIncomingResponse,
    ) -> Result<Self> {
        let stream = body
            .as_ref()
            .map(raw::OutgoingBody::write)
            .transpose()
            .map_err(|()| Error::InvalidState("the body has no stream".to_owned()))?;
        Ok(Self { stream, body, answer, what: String::new() })
    }

    pub(super) fn named(mut self, what: String) -> Self {
        self.what = what;
        self
    }

    /// The host moves all of `from` into the request and returns how many bytes that were.
    ///
    /// # Errors
    /// `from` broke off, or the connection did; see [`answer_or`](Self::answer_or).
    pub fn drain(&mut self, from: Body) -> Result<u64> {
        let stream = self.stream.as_ref().ok_or_else(no_body)?;
        from.hand_over(|body| wasi_streams::drain(body, stream))
            .map_err(Error::from)
            .context(&self.what)
    }

    /// Ends the body and waits for the head of the answer.
    ///
    /// # Errors
    /// The body is not as long as declared, or there was no answer.
    pub fn finish(mut self) -> Result<Response> {
        // The other side may have all it wants already and have closed its end; whether that is
        // so, or the connection broke, the answer tells.
        if let Some(stream) = self.stream.take() {
            let _ = stream.blocking_flush();
        }
        match self.body.take().map(|body| raw::OutgoingBody::finish(body, None)) {
            Some(Err(code)) => self.answer_or(error_of(&code)),
            Some(Ok(())) | None => self.wait()?.map_err(|code| error_of(&code).context(&self.what)),
        }
    }

    /// Breaks the request off. If the other side answers nevertheless, as it does when it
    /// refuses a request without reading it, that answer is returned instead of the error.
    ///
    /// # Errors
    /// `error`, when there is no answer.
    pub fn answer_or(mut self, error: Error) -> Result<Response> {
        self.stream = None;
        self.body = None;
        // Without its body the request ends soon, one way or the other.
        match self.wait() {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(_)) | Err(_) => Err(error.context(&self.what)),
        }
    }

    /// The outer error is one of this host's interface, the inner one of the connection.
    fn wait(&self) -> Result<Result<Response, raw::ErrorCode>> {
        self.answer.subscribe().block();
        match self.answer.get() {
            Some(Ok(Ok(response))) => Response::new(response).map(Ok),
            Some(Ok(Err(code))) => Ok(Err(code)),
            Some(Err(())) | None => {
                Err(Error::InvalidState("the answer was taken already".to_owned()))
            }
        }
    }
}

impl io::Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stream = self.stream.as_ref().ok_or_else(no_body)?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let allowed = loop {
            match stream.check_write() {
                Ok(0) => stream.subscribe().block(),
                Ok(allowed) => break usize::try_from(allowed).unwrap_or(usize::MAX),
                Err(error) => return Err(stream_error(&error).into()),
            }
        };
        let part = first_of(bytes, allowed);
        stream.write(part).map_err(|error| stream_error(&error))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        match &self.stream {
            Some(stream) => Ok(stream.blocking_flush().map_err(|error| stream_error(&error))?),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("what", &self.what).finish_non_exhaustive()
    }
}

/// As much of the bytes as the stream takes now: more would end the Function.
fn first_of(bytes: &[u8], allowed: usize) -> &[u8] {
    bytes.get(..allowed).unwrap_or(bytes)
}

fn no_body() -> Error {
    Error::InvalidState("the request has no body".to_owned())
}

/// What a failed stream means: the contract's own error if the host gave one, else HTTP's.
fn stream_error(error: &StreamError) -> Error {
    match error {
        StreamError::Closed => Error::retryable("the connection was closed before all was sent"),
        StreamError::LastOperationFailed(error) => {
            if let Some(error) = wasi_streams::error_of(error) {
                error.into()
            } else if let Some(code) = raw::http_error_code(error) {
                error_of(&code)
            } else {
                Error::retryable(error.to_debug_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_written_than_the_stream_takes() {
        assert_eq!(first_of(b"hello", 2), b"he");
        assert_eq!(first_of(b"hello", 5), b"hello");
        assert_eq!(first_of(b"hello", usize::MAX), b"hello");
    }

    #[test]
    fn a_stream_that_was_closed_early_may_work_another_time() {
        assert!(matches!(stream_error(&StreamError::Closed), Error::Retryable { .. }));
    }
}
