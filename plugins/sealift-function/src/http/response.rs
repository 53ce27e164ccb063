//! An answer: status, headers, and a body that can be read or handed on.

use std::fmt;

use crate::artifact::Body;
use crate::bindings::sealift::function::wasi_streams;
use crate::bindings::wasi::http::types as raw;
use crate::error::{Error, Result};

/// The answer to a request.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

/// What must live while the bytes of an answer are read, in the order in which it is dropped.
struct Owner {
    _body: raw::IncomingBody,
    _response: raw::IncomingResponse,
}

impl Response {
    pub(super) fn new(response: raw::IncomingResponse) -> Result<Self> {
        let status = response.status();
        let headers: Vec<(String, String)> = response
            .headers()
            .entries()
            .into_iter()
            .map(|(name, value)| {
                (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned())
            })
            .collect();
        let taken = || Error::InvalidState("the body of the answer was taken already".to_owned());
        let incoming = response.consume().map_err(|()| taken())?;
        let stream = incoming.stream().map_err(|()| taken())?;
        let size = content_length(&headers)?;
        let body = wasi_streams::from_stream(stream, size)?;
        let body = Body::owned_by(body, Owner { _body: incoming, _response: response });
        Ok(Self { status, headers, body })
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        is_success(self.status)
    }

    /// The first header of this name; upper and lower case are the same.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The length the other side announced; none = chunked.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.body.size()
    }

    /// The body: read it, or forward it. Fewer bytes than announced are an error, never an end.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The beginning of the body as text, for messages; at most `limit` bytes. Never fails: what
    /// could not be read is left out.
    #[must_use]
    pub fn into_excerpt(self, limit: usize) -> String {
        let mut body = self.body;
        excerpt(limit, |max| body.chunk(max))
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn excerpt(limit: usize, mut chunk: impl FnMut(u32) -> Result<Option<Vec<u8>>>) -> String {
    let mut excerpt = Vec::new();
    while excerpt.len() < limit {
        match chunk(u32::try_from(limit - excerpt.len()).unwrap_or(u32::MAX)) {
            Ok(Some(chunk)) => excerpt.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    String::from_utf8_lossy(&excerpt).trim().to_owned()
}

fn content_length(headers: &[(String, String)]) -> Result<Option<u64>> {
    let Some((_, value)) = headers.iter().find(|(name, _)| name == "content-length") else {
        return Ok(None);
    };
    value
        .parse()
        .map(Some)
        .map_err(|_| Error::ExternalFailed(format!("the answer has a length of {value:?}")))
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn only_2xx_is_a_success() {
        for (status, success) in
            [(100, false), (199, false), (200, true), (204, true), (299, true), (300, false)]
        {
            assert_eq!(is_success(status), success, "{status}");
        }
    }

    #[test]
    fn an_excerpt_ends_at_its_limit_at_the_end_and_where_the_answer_breaks_off() {
        let endless = excerpt(10, |max| Ok(Some(vec![b'x'; max.min(4) as usize])));
        assert_eq!(endless, "x".repeat(10));
        for end in [Ok(None), Err(Error::retryable("the answer broke off"))] {
            let mut chunks = vec![Ok(Some(b" said ".to_vec())), end].into_iter();
            assert_eq!(excerpt(100, |_| chunks.next().unwrap()), "said");
        }
    }

    #[test]
    fn a_length_is_a_number_or_an_error() {
        let header = |value: &str| vec![("content-length".to_owned(), value.to_owned())];
        assert_eq!(content_length(&[]).unwrap(), None);
        assert_eq!(content_length(&header("12")).unwrap(), Some(12));
        assert!(content_length(&header("12, 12")).is_err());
    }
}
