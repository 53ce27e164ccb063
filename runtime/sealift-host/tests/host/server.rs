//! Real HTTP servers on loopback: a hyper one that remembers what it saw, plain or with TLS, and
//! one that answers with exactly the bytes it is told, however wrong they are.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A request as the server saw it; the body is none if it broke off or was not waited for.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

pub(crate) type Answer = Response<Full<Bytes>>;
type Answering = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// A server that ends with its value.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// `host:port`.
    pub(crate) fn authority(&self) -> &str {
        self.url.split("//").nth(1).unwrap()
    }
}

/// Starts a server that answers every request with this.
pub(crate) async fn start(answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Server {
    serve(Arc::new(answer), None, u64::MAX).await
}

/// The same, but what is longer than this is answered before it is read, and the connection closed.
pub(crate) async fn start_hasty(
    patience: u64,
    answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> Server {
    serve(Arc::new(answer), None, patience).await
}

/// A certificate for these names, signed by its own CA.
pub(crate) struct Certificate {
    pub(crate) ca_pem: String,
    config: Arc<ServerConfig>,
}

pub(crate) fn certificate(names: &[&str]) -> Certificate {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Certificate { ca_pem: made.cert.pem(), config: Arc::new(config) }
}

/// The same with TLS.
pub(crate) async fn start_tls(
    certificate: &Certificate,
    answer: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
) -> Server {
    serve(Arc::new(answer), Some(TlsAcceptor::from(Arc::clone(&certificate.config))), u64::MAX)
        .await
}

async fn serve(answer: Answering, tls: Option<TlsAcceptor>, patience: u64) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let remembered = Arc::clone(&seen);
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (answer, tls, seen) = (Arc::clone(&answer), tls.clone(), Arc::clone(&remembered));
            tokio::spawn(async move {
                match tls {
                    None => connection(stream, answer, seen, patience).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            connection(stream, answer, seen, patience).await;
                        }
                    }
                }
            });
        }
    });
    Server { url, seen, task }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    answer: Answering,
    seen: Arc<Mutex<Vec<Seen>>>,
    patience: u64,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
        async move {
            let (head, body) = request.into_parts();
            let hasty = body.size_hint().lower() > patience;
            let body = if hasty { None } else { body.collect().await.ok() };
            let request = Seen {
                method: head.method.to_string(),
                path: head.uri.to_string(),
                headers: head.headers,
                body: body.map(http_body_util::Collected::to_bytes),
            };
            seen.lock().unwrap().push(request.clone());
            let mut answer = answer(&request);
            if hasty {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    // A client that goes away is what these tests are about.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// Starts a server that reads a request's head and answers with these bytes, then closes.
pub(crate) async fn start_raw(answer: &'static [u8]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(answer).await.unwrap();
                stream.shutdown().await.unwrap();
            });
        }
    });
    Server { url, seen: Arc::default(), task }
}

pub(crate) fn ok(body: impl Into<Bytes>) -> Answer {
    Response::new(Full::new(body.into()))
}

pub(crate) fn redirect(status: u16, location: &str) -> Answer {
    Response::builder().status(status).header("location", location).body(Full::default()).unwrap()
}
