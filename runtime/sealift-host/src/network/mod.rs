//! The network by name: what a Function reaches with `http://target/…`, and how.
//!
//! A name is bound to an origin by the plan. The host checks name, method and path against the
//! grants, resolves and checks the address, does TLS, adds the credential, and follows the
//! redirects that are allowed. The Function never sees an address, a certificate or a token.
//!
//! Grant: `HttpGrant` in sealift-core. Ctx: [`Network`]. View: [`HttpHooks`], which
//! `wasmtime_wasi_http` calls. Linking is theirs (`link`). Tests: the parts, and whole chains in
//! `tests/host`.

mod address;
mod body;
mod client;
mod redirect;
mod request;
mod tls;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{HeaderName, HeaderValue, LOCATION};
use http::uri::Scheme;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use rustls::ClientConfig;
use sealift_core::grants::HttpGrant;
use sealift_core::plan::Origin;
use url::Url;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use self::body::{Activity, AnswerBody, RequestBody, chain};
use self::client::{Failed, Route, Timeouts};
use crate::cause::Stop;
use crate::error::FunctionError;
use crate::life::Life;
use crate::ports::{Credentials, Ports};
use crate::text;

/// Connecting takes milliseconds in a cluster; ten seconds survive a lost packet or two.
const CONNECT: Duration = Duration::from_secs(10);
/// Restoring a large snapshot keeps Vault busy for minutes before it answers.
const FIRST_BYTE: Duration = Duration::from_secs(600);
/// A server that reads its own storage may pause, but not this long.
const BETWEEN_BYTES: Duration = Duration::from_secs(120);
/// What a Function may raise the last two to.
const MOST_PATIENCE: Duration = Duration::from_secs(3600);
/// Refusals and failures that are kept for the error of the stage.
const NOTES: usize = 4;
/// Longest of them.
const NOTE_BYTES: usize = 1024;

/// The names of one stage.
pub(crate) struct Network {
    grants: Vec<HttpGrant>,
    bound: Vec<Bound>,
    credentials: Arc<dyn Credentials>,
    allow_loopback: bool,
    life: Life,
    stop: Stop,
    notes: Mutex<Notes>,
}

/// What the Function cannot see, since `wasi:http` has codes only.
#[derive(Debug, Default)]
struct Notes {
    denied: Vec<String>,
    // The last failure, forgotten when a request succeeds after it.
    failure: Option<String>,
    retryable: bool,
}

/// A name and everything that belongs to it, ready before the Function starts.
pub(crate) struct Bound {
    origin: Origin,
    tls: Arc<ClientConfig>,
    // Where a redirect led; later requests of the stage go there at once.
    moved: Mutex<Option<Url>>,
    resolved: Mutex<HashMap<(String, u16), Vec<SocketAddr>>>,
}

/// Binds the names these grants cover.
///
/// # Errors
/// An origin's address or CA is not usable.
pub(crate) fn bind(grants: &[HttpGrant], origins: &[Origin]) -> Result<Vec<Bound>, FunctionError> {
    let granted = |origin: &&Origin| grants.iter().any(|grant| grant.name == origin.name);
    origins
        .iter()
        .filter(granted)
        .map(|origin| {
            let url = &origin.url;
            if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
                return Err(FunctionError::Denied(format!(
                    "origin {} is bound to something else than an http or https URL",
                    origin.name
                )));
            }
            // Also for an http origin, which may redirect to https.
            let tls =
                tls::client_config(origin).map_err(|error| FunctionError::Denied(chain(&error)))?;
            Ok(Bound {
                origin: origin.clone(),
                tls,
                moved: Mutex::default(),
                resolved: Mutex::default(),
            })
        })
        .collect()
}

impl Network {
    /// The names of one run.
    pub(crate) fn new(
        grants: &[HttpGrant],
        bound: Vec<Bound>,
        ports: &Ports,
        life: Life,
        stop: Stop,
    ) -> Self {
        Self {
            grants: grants.to_vec(),
            bound,
            credentials: Arc::clone(&ports.credentials),
            allow_loopback: ports.allow_loopback,
            life,
            stop,
            notes: Mutex::default(),
        }
    }

    /// What the error of the stage should say besides its own words, and whether trying again may help.
    pub(crate) fn notes(&self) -> (Option<String>, bool) {
        let Ok(notes) = self.notes.lock() else {
            return (None, false);
        };
        let texts: Vec<&str> =
            notes.denied.iter().chain(&notes.failure).map(String::as_str).collect();
        ((!texts.is_empty()).then(|| texts.join("; ")), notes.retryable)
    }

    fn denied(&self, why: String) -> Error {
        if let Ok(mut notes) = self.notes.lock() {
            let text = format!("denied by the host: {}", text::clean(&why, NOTE_BYTES));
            if notes.denied.len() < NOTES && !notes.denied.contains(&text) {
                notes.denied.push(text);
            }
        }
        Error::HttpRequestDenied
    }

    fn failed(&self, (error, why): Failed, retryable: bool) -> Error {
        if let Ok(mut notes) = self.notes.lock() {
            notes.failure = Some(text::clean(&why, NOTE_BYTES));
            notes.retryable = retryable;
        }
        error
    }

    fn succeeded(&self) {
        if let Ok(mut notes) = self.notes.lock() {
            notes.failure = None;
            notes.retryable = false;
        }
    }

    async fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<AnswerBody>, Error> {
        let name = request::name(request.uri()).map_err(|why| self.denied(why))?;
        let path = match request.uri().path() {
            "" => "/",
            path => path,
        };
        request::check(&self.grants, &name, request.method().as_str(), path)
            .map_err(|why| self.denied(why))?;
        let Some(bound) = self.bound.iter().find(|bound| bound.origin.name == name) else {
            return Err(
                self.denied(format!("name {name} is not bound to anything in this session"))
            );
        };
        let mut url = bound.url(path, request.uri().query()).map_err(|why| self.denied(why))?;
        let timeouts = timeouts(options);
        let (mut head, body) = request.into_parts();
        request::strip(&mut head.headers);
        // Only a request without a body can be sent twice.
        let streamed = !body.is_end_stream();
        let mut body = Some(body);
        let mut hops = 0;
        loop {
            let activity = Arc::new(Activity::default());
            let wrapped = RequestBody::new(
                body.take().unwrap_or_else(empty),
                self.life.clone(),
                self.stop.clone(),
                Arc::clone(&activity),
            );
            let mut attempt = Request::new(wrapped);
            attempt.method_mut().clone_from(&head.method);
            attempt.headers_mut().clone_from(&head.headers);
            self.attach_credential(bound, &mut attempt).await?;
            let addresses = self.addresses(bound, &url, timeouts.connect).await?;
            let route = Route {
                url: &url,
                addresses: &addresses,
                tls: &bound.tls,
                server_name: bound.origin.server_name.as_deref(),
            };
            let answer = client::send(&route, attempt, &activity, timeouts)
                .await
                .map_err(|failed| self.failed(failed, false))?;
            self.succeeded();
            if !matches!(
                answer.status(),
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            ) {
                return Ok(answer);
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let to = redirect::follow(&bound.origin, &url, location)
                .and_then(|to| self.check_redirected(bound, head.method.as_str(), to))
                .map_err(|why| self.denied(why))?;
            bound.moved_to(&to);
            if streamed {
                let why = format!(
                    "{name} redirected a request whose body was already on its way to {}; \
                     a streamed body is never sent twice, try again",
                    to.origin().ascii_serialization()
                );
                return Err(self.failed((Error::InternalError(Some(why.clone())), why), true));
            }
            hops += 1;
            if hops > redirect::MOST {
                return Err(
                    self.denied(format!("{name} redirects more than {} times", redirect::MOST))
                );
            }
            url = to;
        }
    }

    /// A redirect must not lead to a path the Function could not have asked for.
    fn check_redirected(&self, bound: &Bound, method: &str, to: Url) -> Result<Url, String> {
        let base = bound.origin.url.path().trim_end_matches('/');
        let path = to.path().strip_prefix(base).ok_or_else(|| {
            format!("{} redirects out of its own path to {}", bound.origin.name, to.path())
        })?;
        request::check(&self.grants, &bound.origin.name, method, path)?;
        Ok(to)
    }

    async fn attach_credential(
        &self,
        bound: &Bound,
        request: &mut Request<RequestBody>,
    ) -> Result<(), Error> {
        let name = &bound.origin.name;
        let header = self.credentials.header(name).await.map_err(|error| {
            let why = format!("the credential of {name} is not available: {error}");
            self.failed((Error::ConfigurationError, why), false)
        })?;
        let Some((header, value)) = header else {
            return Ok(());
        };
        // The error must not repeat the value.
        let unusable = || {
            let why = format!("the credential of {name} cannot be a header");
            self.failed((Error::ConfigurationError, why), false)
        };
        let header = HeaderName::try_from(header).map_err(|_| unusable())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| unusable())?;
        value.set_sensitive(true);
        // Replaces whatever the Function set under this name.
        request.headers_mut().insert(header, value);
        Ok(())
    }

    async fn addresses(
        &self,
        bound: &Bound,
        url: &Url,
        patience: Duration,
    ) -> Result<Vec<SocketAddr>, Error> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        let key = (host.to_owned(), port);
        let known = bound.resolved.lock().ok().and_then(|known| known.get(&key).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let found = if is_own(&bound.origin, host, port) && !bound.origin.addresses.is_empty() {
            bound.given().map_err(|why| self.denied(why))?
        } else {
            let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let lookup = tokio::net::lookup_host((name, port));
            tokio::time::timeout(patience, lookup)
                .await
                .map_err(|_| {
                    self.failed(
                        (Error::DnsTimeout, format!("{host} did not resolve in time")),
                        false,
                    )
                })?
                .map_err(|error| {
                    let code = Error::DnsError { rcode: None, info_code: None };
                    self.failed((code, format!("{host} does not resolve: {error}")), false)
                })?
                .collect()
        };
        let loopback = self.allow_loopback && bound.is_loopback();
        let permitted =
            address::permitted(host, &found, loopback).map_err(|why| self.denied(why))?;
        if let Ok(mut resolved) = bound.resolved.lock() {
            resolved.insert(key, permitted.clone());
        }
        Ok(permitted)
    }
}

fn is_own(origin: &Origin, host: &str, port: u16) -> bool {
    origin.url.host_str() == Some(host) && origin.url.port_or_known_default() == Some(port)
}

fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

impl Bound {
    /// The origin's URL, or the leader's, with this path and query behind its own path.
    fn url(&self, path: &str, query: Option<&str>) -> Result<Url, String> {
        let moved = self.moved.lock().ok().and_then(|moved| moved.clone());
        let base = self.origin.url.path().trim_end_matches('/').to_owned();
        let mut url = moved.unwrap_or_else(|| self.origin.url.clone());
        url.set_path(&format!("{base}{path}"));
        url.set_query(query);
        url.set_fragment(None);
        // Credentials come from the port, never from a URL.
        let cleared = url.set_username("").is_ok() && url.set_password(None).is_ok();
        if cleared {
            Ok(url)
        } else {
            Err(format!("origin {} has an unusable URL", self.origin.name))
        }
    }

    fn moved_to(&self, to: &Url) {
        if let Ok(mut moved) = self.moved.lock() {
            *moved = Some(to.clone());
        }
    }

    /// The addresses the user gave instead of DNS.
    fn given(&self) -> Result<Vec<SocketAddr>, String> {
        self.origin
            .addresses
            .iter()
            .map(|text| {
                text.parse().map_err(|_| {
                    format!("{text:?} of origin {} is not an address with a port", self.origin.name)
                })
            })
            .collect()
    }

    /// Whether the user bound the name to this machine in so many words.
    fn is_loopback(&self) -> bool {
        let literal = self.origin.url.host_str().is_some_and(|host| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            host == "localhost"
                || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        });
        let given = self.given().is_ok_and(|given| {
            !given.is_empty()
                && given.iter().all(|address| address.ip().to_canonical().is_loopback())
        });
        literal || given
    }
}

fn timeouts(options: Option<RequestOptions>) -> Timeouts {
    let options = options.unwrap_or_default();
    Timeouts {
        connect: options.connect_timeout.map_or(CONNECT, |wish| wish.min(CONNECT)),
        first_byte: options.first_byte_timeout.unwrap_or(FIRST_BYTE).min(MOST_PATIENCE),
        between_bytes: options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES).min(MOST_PATIENCE),
    }
}

/// What `wasmtime_wasi_http` calls for a stage. Absent names = not granted, and not linked.
pub(crate) struct HttpHooks(pub(crate) Option<Arc<Network>>);

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for HttpHooks {
    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        // Both mean the same: the plan decides whether the origin speaks TLS.
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTP)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let network = self.0.clone();
        Box::new(async move {
            let Some(network) = network else {
                return Err(Error::HttpRequestDenied);
            };
            let answer = network.send(request, options).await?;
            let answer = answer.map(BodyExt::boxed_unsync);
            // The connection is driven by a task inside the body, not by this future: it is
            // aborted when the Function drops the answer's head.
            let nothing: Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> =
                Box::pin(std::future::ready(Ok(())));
            let nothing: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(nothing);
            Ok((answer, nothing))
        })
    }
}
