//! Requests of the session itself, such as those of hooks, by the same rules as a Function's:
//! names are resolved once, addresses checked, certificates verified. Redirects are not followed.
//!
//! No message repeats a path, a header or a body: users put tokens there.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sealift_core::causes::chain_of_causes;
use sealift_core::plan::Origin;
use tokio::sync::Semaphore;
use url::Url;

use super::{address, client, tls};
use crate::network::client::Route;

/// An answer is only looked at for its status; a larger one is not read to its end.
const MOST_ANSWER: usize = 1 << 20;

/// A request of the session itself.
#[derive(Debug)]
pub struct Outbound<'a> {
    /// Method.
    pub method: Method,
    /// Scheme, host, port, path and query.
    pub url: &'a Url,
    /// Headers; the last of a name wins.
    pub headers: &'a [(String, String)],
    /// What is sent.
    pub body: Bytes,
    /// PEM certificates that sign the server's; none = the bundled public roots.
    pub ca_pem: Option<&'a str>,
    /// Whether loopback addresses may be reached.
    pub allow_loopback: bool,
    /// For all of it, from the name to the end of the answer.
    pub timeout: Duration,
}

/// Why a request of the session failed.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The address may not be reached, or the request cannot be made.
    #[error("{0}")]
    Denied(String),
    /// The server could not be reached, or broke off.
    #[error("{0}")]
    Failed(String),
    /// It took too long.
    #[error("{place} did not answer within {} s", timeout.as_secs())]
    Timeout {
        /// Scheme, host and port.
        place: String,
        /// How long was waited.
        timeout: Duration,
    },
}

impl Outbound<'_> {
    /// Sends it and returns the answer's status.
    ///
    /// # Errors
    /// There was no whole answer.
    pub async fn send(self) -> Result<StatusCode, OutboundError> {
        let place = self.url.origin().ascii_serialization();
        let timeout = self.timeout;
        tokio::time::timeout(timeout, self.exchange())
            .await
            .map_err(|_| OutboundError::Timeout { place, timeout })?
    }

    async fn exchange(self) -> Result<StatusCode, OutboundError> {
        let place = self.url.origin().ascii_serialization();
        let failed = |error: &dyn std::error::Error| {
            OutboundError::Failed(format!("{place}: {}", chain_of_causes(error)))
        };
        let mut request = Request::new(Full::new(self.body));
        let (host, path) = client::host_and_path(self.url)
            .map_err(|_| OutboundError::Denied(format!("{place}: its path cannot be sent")))?;
        *request.method_mut() = self.method;
        *request.uri_mut() = path;
        request.headers_mut().insert(HOST, host);
        for (name, value) in self.headers {
            let unusable = || OutboundError::Denied(format!("{name:?} is no usable header"));
            let header = HeaderName::try_from(name).map_err(|_| unusable())?;
            let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
            value.set_sensitive(true);
            request.headers_mut().insert(header, value);
        }
        let stream = connection(self.url, self.ca_pem, self.allow_loopback, self.timeout).await?;
        let (mut sender, driver) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        let driver = wasmtime_wasi::runtime::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(error = %chain_of_causes(&error), "connection of a hook ended");
            }
        });
        let answer = sender.send_request(request).await.map_err(|error| failed(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_ANSWER).collect().await;
        drop(driver);
        match body {
            Err(error) if !error.is::<http_body_util::LengthLimitError>() => Err(failed(&*error)),
            _ => Ok(status),
        }
    }
}

/// Opens a TCP connection and closes it.
///
/// # Errors
/// Nobody takes it, or the address may not be reached.
pub async fn knock(
    host: &str,
    port: u16,
    allow_loopback: bool,
    timeout: Duration,
) -> Result<(), OutboundError> {
    let url = Url::parse(&format!("http://{host}:{port}"))
        .map_err(|error| OutboundError::Denied(format!("{host:?} is no host: {error}")))?;
    let place = format!("{host}:{port}");
    tokio::time::timeout(timeout, connection(&url, None, allow_loopback, timeout))
        .await
        .map_err(|_| OutboundError::Timeout { place, timeout })?
        .map(drop)
}

async fn connection(
    url: &Url,
    ca_pem: Option<&str>,
    allow_loopback: bool,
    timeout: Duration,
) -> Result<Box<dyn client::Stream>, OutboundError> {
    let origin = Origin {
        name: url.origin().ascii_serialization(),
        url: url.clone(),
        ca_pem: ca_pem.map(str::to_owned),
        server_name: None,
        insecure_skip_tls_verify: false,
        credential: None,
        redirect_hosts: Vec::new(),
        redirect_domains: Vec::new(),
        addresses: Vec::new(),
    };
    let tls = tls::client_config(&origin)
        .map_err(|error| OutboundError::Denied(chain_of_causes(&error)))?;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(80);
    let found = address::resolve(host, port, timeout)
        .await
        .map_err(|(_, why)| OutboundError::Failed(why))?;
    let addresses =
        address::permitted(host, &found, allow_loopback).map_err(OutboundError::Denied)?;
    let connections = Arc::new(Semaphore::new(1));
    let route = Route {
        url,
        addresses: &addresses,
        tls: &tls,
        server_name: None,
        connections: &connections,
    };
    client::connect(&route).await.map_err(|(_, why)| OutboundError::Failed(why))
}
