//! A request and the three ways to give it a body: none, bytes, a stream.

use std::io::Write;
use std::time::Duration;

use super::failure::error_of;
use super::response::Response;
use super::upload::Upload;
use super::url::Url;
use crate::artifact::Body;
use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types as raw;
use crate::error::{Context, Error, Result};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Do.
    Post,
    /// Replace.
    Put,
    /// Remove.
    Delete,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

impl From<Method> for raw::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::Get,
            Method::Post => Self::Post,
            Method::Put => Self::Put,
            Method::Delete => Self::Delete,
        }
    }
}

/// A request that is being put together.
#[derive(Debug, Clone)]
#[must_use]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    connect: Option<Duration>,
    first_byte: Option<Duration>,
    between_bytes: Option<Duration>,
}

impl Request {
    /// A request to `http://<name of the origin>/<path>`.
    pub fn new(method: Method, url: &str) -> Self {
        Self {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            connect: None,
            first_byte: None,
            between_bytes: None,
        }
    }

    /// Adds a header. Credentials are the host's: it replaces its own.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How long connecting may take, and then the first byte of the answer after the whole
    /// request was sent. Default: the host's.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.connect = Some(limit);
        self.first_byte = Some(limit);
        self
    }

    /// How long the other side may be silent in the middle of an answer. Default: the host's.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.between_bytes = Some(limit);
        self
    }

    /// Sends the request without a body and waits for the head of the answer.
    ///
    /// # Errors
    /// The host refused, or there was no answer. Any status is an answer.
    pub fn send(self) -> Result<Response> {
        self.open(Some(0))?.finish()
    }

    /// Sends the request with these bytes.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_bytes(self, bytes: &[u8]) -> Result<Response> {
        let mut upload = self.open(Some(bytes.len() as u64))?;
        match upload.write_all(bytes) {
            Ok(()) => upload.finish(),
            Err(error) => upload.answer_or(error.into()),
        }
    }

    /// Sends the request with a body the host moves; the bytes do not enter the Function.
    ///
    /// # Errors
    /// As [`send`](Self::send), or the body broke off; the request is then broken off too.
    pub fn send_body(self, body: Body) -> Result<Response> {
        let mut upload = self.open(body.size())?;
        match upload.drain(body) {
            Ok(_) => upload.finish(),
            Err(error) => upload.answer_or(error),
        }
    }

    /// Begins the request and returns the place to write its body to. With a size there is a
    /// `Content-Length`, otherwise the body is chunked.
    ///
    /// # Errors
    /// The host refused the request.
    pub fn open(self, size: Option<u64>) -> Result<Upload> {
        let what = format!("{} {}", self.method.name(), self.url);
        self.start(size).context(&what).map(|upload| upload.named(what))
    }

    /// The headers, with the length where there may be a body of a known one.
    fn head(&self, size: Option<u64>) -> Vec<(String, Vec<u8>)> {
        let own = self.headers.iter();
        let length = size.filter(|_| self.method != Method::Get);
        own.map(|(name, value)| (name.clone(), value.clone().into_bytes()))
            .chain(length.map(|size| ("content-length".to_owned(), size.to_string().into_bytes())))
            .collect()
    }

    fn start(self, size: Option<u64>) -> Result<Upload> {
        let url = Url::parse(&self.url)?;
        let wrong = |what: &str| Error::InvalidState(format!("{what} is not allowed"));

        // Without a body the host may follow a redirect, which it cannot with a streamed one.
        let bodyless = size == Some(0);
        let headers = raw::Fields::from_list(&self.head(size))
            .map_err(|error| Error::InvalidState(format!("a header is not allowed: {error:?}")))?;

        let request = raw::OutgoingRequest::new(headers);
        let scheme = if url.https { raw::Scheme::Https } else { raw::Scheme::Http };
        request.set_method(&self.method.into()).map_err(|()| wrong("the method"))?;
        request.set_scheme(Some(&scheme)).map_err(|()| wrong("the scheme"))?;
        request.set_authority(Some(url.authority)).map_err(|()| wrong("the host"))?;
        request.set_path_with_query(Some(url.path_and_query)).map_err(|()| wrong("the path"))?;

        let options = raw::RequestOptions::new();
        let nanos = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        options
            .set_connect_timeout(self.connect.map(nanos))
            .and_then(|()| options.set_first_byte_timeout(self.first_byte.map(nanos)))
            .and_then(|()| options.set_between_bytes_timeout(self.between_bytes.map(nanos)))
            .map_err(|()| wrong("a time limit"))?;

        let body =
            if bodyless { None } else { Some(request.body().map_err(|()| wrong("a body"))?) };
        let answer =
            outgoing_handler::handle(request, Some(options)).map_err(|code| error_of(&code))?;
        Upload::new(body, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_told_where_it_is_known_and_there_may_be_a_body() {
        let head = |method, size| {
            let request = Request::new(method, "http://target/").header("x-own", "1");
            let head = request.head(size).into_iter();
            head.map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(&value)))
                .collect::<Vec<_>>()
        };
        assert_eq!(head(Method::Put, Some(5)), ["x-own=1", "content-length=5"]);
        assert_eq!(head(Method::Post, Some(0)), ["x-own=1", "content-length=0"]);
        assert_eq!(head(Method::Put, None), ["x-own=1"]);
        assert_eq!(head(Method::Get, Some(0)), ["x-own=1"]);
    }
}
