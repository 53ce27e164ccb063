//! One request over one connection: connect to a checked address, TLS, HTTP/1.1, the answer's head.
//!
//! Connections are not kept: a Function makes a handful of requests, and a connection that is
//! used once cannot mix up two answers. Grants and redirects are not this module's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sealift_core::causes::chain_of_causes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use url::Url;
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::Error;

use super::body::{Activity, AnswerBody, RequestBody, broken};

/// How long connecting may take: name, TCP and TLS together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) first_byte: Duration,
    pub(crate) between_bytes: Duration,
}

/// Where a request goes.
pub(crate) struct Route<'a> {
    pub(crate) url: &'a Url,
    pub(crate) addresses: &'a [SocketAddr],
    pub(crate) tls: &'a Arc<ClientConfig>,
    pub(crate) server_name: Option<&'a str>,
    pub(crate) connections: &'a Arc<Semaphore>,
}

/// A failed request: the code for the Function and words for people.
pub(crate) type Failed = (Error, String);

/// Sends a request and waits for the head of the answer.
pub(crate) async fn send(
    route: &Route<'_>,
    mut request: Request<RequestBody>,
    activity: &Activity,
    timeouts: Timeouts,
) -> Result<Response<AnswerBody>, Failed> {
    let (host, path) = host_and_path(route.url)?;
    request.headers_mut().insert(HOST, host);
    *request.uri_mut() = path;
    let method = request.method().clone();
    let slot = Arc::clone(route.connections).try_acquire_owned().map_err(|_| {
        let why = "too many answers are open; read them to their ends or drop them".to_owned();
        told(Error::ConnectionLimitReached, route, why)
    })?;
    let connection = tokio::time::timeout(timeouts.connect, connect(route))
        .await
        .map_err(|_| told(Error::ConnectionTimeout, route, "no connection in time".to_owned()))??;
    let (mut sender, driver) = http1::handshake(TokioIo::new(connection))
        .await
        .map_err(|error| told(broken(&error), route, chain_of_causes(&error)))?;
    let driver = spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(error = %chain_of_causes(&error), "connection of a function ended");
        }
    });
    let answer = sender.send_request(request);
    let answer = first_byte(answer, activity, timeouts.first_byte)
        .await
        .ok_or_else(|| told(Error::HttpResponseTimeout, route, "no answer in time".to_owned()))?
        .map_err(|error| told(broken(&error), route, chain_of_causes(&error)))?;
    if !is_framed(&method, &answer) {
        return Err(told(
            Error::HttpResponseIncomplete,
            route,
            "the answer has neither a length nor chunks, so half of it would look like all of it"
                .to_owned(),
        ));
    }
    Ok(answer.map(|body| AnswerBody::new(body, timeouts.between_bytes, driver, slot)))
}

fn told(error: Error, route: &Route<'_>, what: String) -> Failed {
    (error, format!("{}: {what}", route.url.origin().ascii_serialization()))
}

pub(crate) fn host_and_path(url: &Url) -> Result<(HeaderValue, http::Uri), Failed> {
    let bad = || (Error::HttpRequestUriInvalid, format!("{} is not a usable URL", url.path()));
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err(bad()),
    };
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Ok((HeaderValue::try_from(host).map_err(|_| bad())?, path.parse().map_err(|_| bad())?))
}

/// What HTTP is spoken over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(crate) async fn connect(route: &Route<'_>) -> Result<Box<dyn Stream>, Failed> {
    let mut last = None;
    for address in route.addresses {
        match TcpStream::connect(address).await {
            Err(error) => last = Some((address, error)),
            Ok(stream) => {
                // Bodies are written in large runs; waiting to fill a packet only delays heads.
                let _ = stream.set_nodelay(true);
                return secure(route, stream).await;
            }
        }
    }
    let what = match &last {
        Some((address, error)) => format!("cannot connect to {address}: {error}"),
        None => "there is no address to connect to".to_owned(),
    };
    let refused =
        last.is_some_and(|(_, error)| error.kind() == std::io::ErrorKind::ConnectionRefused);
    let code = if refused { Error::ConnectionRefused } else { Error::DestinationUnavailable };
    Err(told(code, route, what))
}

async fn secure(route: &Route<'_>, stream: TcpStream) -> Result<Box<dyn Stream>, Failed> {
    if route.url.scheme() != "https" {
        return Ok(Box::new(stream));
    }
    let host = route.server_name.or(route.url.host_str()).unwrap_or_default();
    // An IPv6 address stands in brackets in a URL and without them in a certificate.
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(|_| {
        told(Error::TlsCertificateError, route, "no certificate can be for this name".to_owned())
    })?;
    let stream = TlsConnector::from(Arc::clone(route.tls)).connect(name, stream).await;
    match stream {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => {
            let certificate = error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
                .is_some_and(|inner| matches!(inner, rustls::Error::InvalidCertificate(_)));
            let code =
                if certificate { Error::TlsCertificateError } else { Error::TlsProtocolError };
            Err(told(code, route, format!("TLS failed: {error}")))
        }
    }
}

/// Waits for the head of the answer. While the request's body still moves, or waits for the
/// Function, the time does not run: an upload may take hours. None = too late.
async fn first_byte<T>(
    answer: impl Future<Output = T>,
    activity: &Activity,
    patience: Duration,
) -> Option<T> {
    let mut answer = std::pin::pin!(answer);
    let mut seen = activity.frames();
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return Some(answer),
            () = tokio::time::sleep(patience) => {
                let now = activity.frames();
                if now == seen && !activity.waits_for_function() {
                    return None;
                }
                seen = now;
            }
        }
    }
}

/// Whether the end of the answer can be told from a broken connection.
fn is_framed<B>(method: &Method, answer: &Response<B>) -> bool {
    let status = answer.status();
    let has_no_body = *method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let headers = answer.headers();
    let last_coding = headers
        .get_all(TRANSFER_ENCODING)
        .iter()
        .next_back()
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.rsplit(',').next())
        .map(|coding| coding.trim().to_ascii_lowercase());
    has_no_body
        || match last_coding {
            Some(coding) => coding == "chunked",
            None => headers.contains_key(CONTENT_LENGTH),
        }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use http_body_util::BodyExt;
    use sealift_core::plan::Origin;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::cause::Stop;

    #[test]
    fn an_answer_is_framed_by_length_or_chunks_or_has_no_body() {
        let framed = |method: Method, status: u16, headers: &[(&str, &str)]| {
            let mut answer = Response::builder().status(status);
            for (name, value) in headers {
                answer = answer.header(*name, *value);
            }
            is_framed(&method, &answer.body(()).unwrap())
        };
        assert!(framed(Method::GET, 200, &[("content-length", "3")]));
        assert!(framed(Method::GET, 200, &[("transfer-encoding", "gzip, chunked")]));
        assert!(framed(Method::GET, 204, &[]));
        assert!(framed(Method::HEAD, 200, &[]));
        assert!(!framed(Method::GET, 200, &[]));
        assert!(!framed(Method::GET, 200, &[("transfer-encoding", "chunked, gzip")]));
        assert!(!framed(Method::GET, 500, &[]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_for_an_answer_does_not_run_while_the_body_moves() {
        let patience = Duration::from_secs(5);
        let silent = Activity::default();
        assert!(first_byte(std::future::pending::<()>(), &silent, patience).await.is_none());
        // The server waits for the function for an hour: nobody is late.
        let waiting = Activity::default();
        waiting.waits_for(true);
        let answer = tokio::time::sleep(Duration::from_secs(3600));
        assert!(first_byte(answer, &waiting, patience).await.is_some());
        // The body moves, slowly: nobody is late either.
        let moving = Arc::new(Activity::default());
        let answer = async {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                moving.moved();
            }
        };
        assert!(first_byte(answer, &moving, patience).await.is_some());
    }

    /// Asks a server that accepts, says this much and then nothing; reads the answer to its end.
    async fn ask_a_server_that_stalls(scheme: &str, says: &'static [u8]) -> Error {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(says).await.unwrap();
            // Held open until the client has given up.
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        });
        let url = Url::parse(&format!("{scheme}://{address}/")).unwrap();
        let tls = crate::network::tls::client_config(&Origin {
            name: "target".to_owned(),
            url: url.clone(),
            ca_pem: None,
            server_name: None,
            insecure_skip_tls_verify: false,
            credential: None,
            redirect_hosts: Vec::new(),
            redirect_domains: Vec::new(),
            addresses: Vec::new(),
        });
        let tls = tls.unwrap();
        let route = Route {
            url: &url,
            addresses: &[address],
            tls: &tls,
            server_name: None,
            connections: &Arc::new(Semaphore::new(1)),
        };
        let short = Duration::from_millis(200);
        let timeouts = Timeouts { connect: short, first_byte: short, between_bytes: short };
        let life = crate::life::LifeGuard::new();
        let activity = Arc::new(Activity::default());
        let body = crate::network::empty();
        let body = RequestBody::new(body, life.life(), Stop::default(), Arc::clone(&activity));
        let asked = async {
            match send(&route, Request::new(body), &activity, timeouts).await {
                Ok(answer) => answer.into_body().collect().await.err().unwrap(),
                Err((error, _)) => error,
            }
        };
        // Only a client that waits for ever needs this long.
        let error = tokio::time::timeout(Duration::from_secs(30), asked).await.unwrap();
        server.await.unwrap();
        error
    }

    #[tokio::test]
    async fn a_server_that_stalls_is_given_up_wherever_it_does() {
        // In the handshake of TLS, before the answer, and in the middle of it.
        let error = ask_a_server_that_stalls("https", b"").await;
        assert!(matches!(error, Error::ConnectionTimeout), "{error:?}");
        let error = ask_a_server_that_stalls("http", b"").await;
        assert!(matches!(error, Error::HttpResponseTimeout), "{error:?}");
        let half = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
        let error = ask_a_server_that_stalls("http", half).await;
        assert!(matches!(error, Error::ConnectionReadTimeout), "{error:?}");
    }
}
