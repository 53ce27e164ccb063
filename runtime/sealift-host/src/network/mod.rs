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
mod bound;
mod client;
mod hooks;
mod notes;
pub(crate) mod outbound;
mod redirect;
mod request;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderName, HeaderValue, LOCATION};
use http::{Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty};
use sealift_core::grants::HttpGrant;
use tokio::sync::Semaphore;
use url::Url;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use self::body::{Activity, AnswerBody, RequestBody};
pub(crate) use self::bound::{Bound, bind};
use self::client::{Route, Timeouts};
pub(crate) use self::hooks::HttpHooks;
use self::notes::Notes;
use crate::cause::Stop;
use crate::life::Life;
use crate::ports::{Credentials, Ports};
use crate::secrets::Secrets;

/// Connecting takes milliseconds in a cluster; ten seconds survive a lost packet or two.
const CONNECT: Duration = Duration::from_secs(10);
/// Restoring a large snapshot keeps Vault busy for minutes before it answers.
const FIRST_BYTE: Duration = Duration::from_secs(600);
/// A server that reads its own storage may pause, but not this long.
const BETWEEN_BYTES: Duration = Duration::from_secs(120);
/// What a Function may raise the last two to.
const MOST_PATIENCE: Duration = Duration::from_secs(3600);
/// Answers a stage may have open at once; each holds a connection and its buffers.
const CONNECTIONS: usize = 64;

/// The names of one stage.
pub(crate) struct Network {
    grants: Vec<HttpGrant>,
    bound: Vec<Bound>,
    credentials: Arc<dyn Credentials>,
    allow_loopback: bool,
    life: Life,
    stop: Stop,
    notes: Notes,
    secrets: Arc<Secrets>,
    connections: Arc<Semaphore>,
}

impl Network {
    /// The names of one run.
    pub(crate) fn new(
        grants: &[HttpGrant],
        bound: Vec<Bound>,
        ports: &Ports,
        life: Life,
        stop: Stop,
        secrets: Arc<Secrets>,
    ) -> Self {
        Self {
            grants: grants.to_vec(),
            bound,
            credentials: Arc::clone(&ports.credentials),
            allow_loopback: ports.allow_loopback,
            life,
            stop,
            notes: Notes::new(Arc::clone(&secrets)),
            secrets,
            connections: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// What the error of the stage should say besides its own words, and whether trying again may help.
    pub(crate) fn notes(&self) -> (Option<String>, bool) {
        self.notes.told()
    }

    fn denied(&self, why: impl AsRef<str>) -> Error {
        self.notes.denied(why.as_ref())
    }

    /// Sends a request of the Function, and sends it on where the origin says so.
    async fn send(
        &self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
    ) -> Result<Response<AnswerBody>, Error> {
        let (bound, mut url) = self.target(request.uri(), request.method().as_str())?;
        let timeouts = timeouts(options);
        let (mut head, body) = request.into_parts();
        request::strip(&mut head.headers);
        // Only a request without a body can be sent twice.
        let streamed = !body.is_end_stream();
        let mut body = Some(body);
        let mut hops = 0;
        loop {
            let activity = Arc::new(Activity::default());
            let mut attempt = Request::new(RequestBody::new(
                body.take().unwrap_or_else(empty),
                self.life.clone(),
                self.stop.clone(),
                Arc::clone(&activity),
            ));
            attempt.method_mut().clone_from(&head.method);
            attempt.headers_mut().clone_from(&head.headers);
            let answer = match self.attempt(bound, &url, attempt, &activity, timeouts).await {
                Ok(answer) => answer,
                // A leader that was followed before is gone; the origin knows the new one.
                Err(error) if is_unreached(&error) && bound.unreached(&url) => {
                    if streamed || hops > 0 {
                        return Err(error);
                    }
                    (_, url) = self.target(&head.uri, head.method.as_str())?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            if !is_redirect(answer.status()) {
                return Ok(answer);
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let to = redirect::follow(&bound.origin, &url, location)
                .and_then(|to| self.check_redirected(bound, head.method.as_str(), to))
                .map_err(|why| self.denied(why))?;
            bound.moved_to(&to);
            let name = &bound.origin.name;
            if streamed {
                let why = format!(
                    "{name} redirected a request whose body was already on its way to {}; \
                     a streamed body is never sent twice, try again",
                    to.origin().ascii_serialization()
                );
                let error = Error::InternalError(Some(why.clone()));
                return Err(self.notes.failed_for_now((error, why)));
            }
            hops += 1;
            if hops > redirect::MOST {
                let why = format!("{name} redirects more than {} times", redirect::MOST);
                return Err(self.denied(why));
            }
            url = to;
        }
    }

    /// What a request is for, if the grants cover it, and where that is.
    fn target(&self, uri: &Uri, method: &str) -> Result<(&Bound, Url), Error> {
        let name = request::name(uri).map_err(|why| self.denied(why))?;
        let path = if uri.path().is_empty() { "/" } else { uri.path() };
        request::check(&self.grants, &name, method, path).map_err(|why| self.denied(why))?;
        let bound = self
            .bound
            .iter()
            .find(|bound| bound.origin.name == name)
            .ok_or_else(|| format!("name {name} is not bound to anything in this session"))
            .map_err(|why| self.denied(why))?;
        let url = bound.url(path, uri.query()).map_err(|why| self.denied(why))?;
        Ok((bound, url))
    }

    /// One request to one server, with the credential, after its address was checked.
    async fn attempt(
        &self,
        bound: &Bound,
        url: &Url,
        mut request: Request<RequestBody>,
        activity: &Activity,
        timeouts: Timeouts,
    ) -> Result<Response<AnswerBody>, Error> {
        self.attach_credential(bound, &mut request).await?;
        let addresses = self.addresses(bound, url, timeouts.connect).await?;
        let route = Route {
            url,
            addresses: &addresses,
            tls: &bound.tls,
            server_name: bound.origin.server_name.as_deref(),
            connections: &self.connections,
        };
        let answer = client::send(&route, request, activity, timeouts)
            .await
            .map_err(|failed| self.notes.failed(failed))?;
        self.notes.succeeded();
        Ok(answer)
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
            self.notes.failed((Error::ConfigurationError, why))
        })?;
        let Some((header, value)) = header else {
            return Ok(());
        };
        // Before it goes out: the server may echo it.
        self.secrets.remember(&value);
        let (header, value) = credential_header(&header, &value).ok_or_else(|| {
            // The error must not repeat the value.
            let why = format!("the credential of {name} cannot be a header");
            self.notes.failed((Error::ConfigurationError, why))
        })?;
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
        if let Some(known) = bound.resolved(host, port) {
            return Ok(known);
        }
        let found = match bound.given_for(host, port).map_err(|why| self.denied(why))? {
            Some(given) => given,
            None => address::resolve(host, port, patience)
                .await
                .map_err(|failed| self.notes.failed(failed))?,
        };
        let loopback = self.allow_loopback && bound.is_loopback();
        let permitted =
            address::permitted(host, &found, loopback).map_err(|why| self.denied(why))?;
        bound.remember(host, port, &permitted);
        Ok(permitted)
    }
}

/// Whether nothing of a request can have reached the server.
fn is_unreached(error: &Error) -> bool {
    matches!(
        error,
        Error::DnsTimeout
            | Error::DnsError { .. }
            | Error::ConnectionRefused
            | Error::ConnectionTimeout
            | Error::DestinationUnavailable
    )
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT)
}

/// A header whose `Debug` does not show its value, whoever logs a request. None = it is none.
fn credential_header(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some((HeaderName::try_from(name).ok()?, value))
}

fn empty() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn timeouts(options: Option<RequestOptions>) -> Timeouts {
    let options = options.unwrap_or_default();
    Timeouts {
        connect: options.connect_timeout.map_or(CONNECT, |wish| wish.min(CONNECT)),
        first_byte: options.first_byte_timeout.unwrap_or(FIRST_BYTE).min(MOST_PATIENCE),
        between_bytes: options.between_bytes_timeout.unwrap_or(BETWEEN_BYTES).min(MOST_PATIENCE),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use zeroize::Zeroizing;

    use super::*;
    use crate::life::LifeGuard;
    use crate::ports::PortResult;

    #[test]
    fn a_credential_in_a_header_is_not_shown() {
        let header = credential_header("X-Vault-Token", "hvs.of-the-host").unwrap();
        assert_eq!(header.1, "hvs.of-the-host");
        assert!(!format!("{header:?}").contains("hvs."), "{header:?}");
        assert!(credential_header("X-Vault-Token", "two\nlines").is_none());
    }

    struct Token;

    #[async_trait::async_trait]
    impl Credentials for Token {
        async fn header(&self, _: &str) -> PortResult<Option<(String, Zeroizing<String>)>> {
            Ok(Some(("X-Vault-Token".to_owned(), Zeroizing::new("hvs.of-the-host".to_owned()))))
        }
    }

    #[tokio::test]
    async fn a_request_that_goes_out_does_not_show_its_credential() {
        let origin = serde_json::from_str(r#"{"name": "target", "url": "http://vault.x"}"#);
        let grant = HttpGrant {
            name: "target".to_owned(),
            methods: vec!["GET".to_owned()],
            paths: vec!["/*".to_owned()],
        };
        let life = LifeGuard::new();
        let secrets = Arc::<Secrets>::default();
        let network = Network {
            bound: bind(std::slice::from_ref(&grant), &[origin.unwrap()]).unwrap(),
            grants: vec![grant],
            credentials: Arc::new(Token),
            allow_loopback: false,
            life: life.life(),
            stop: Stop::default(),
            notes: Notes::new(Arc::clone(&secrets)),
            secrets,
            connections: Arc::new(Semaphore::new(1)),
        };
        let body = RequestBody::new(empty(), life.life(), Stop::default(), Arc::default());
        let mut request = Request::new(body);
        // Whatever the Function set under this name is replaced.
        request.headers_mut().insert("x-vault-token", HeaderValue::from_static("a guess"));
        network.attach_credential(&network.bound[0], &mut request).await.unwrap();
        let headers = request.headers();
        assert_eq!(
            headers.get_all("x-vault-token").iter().collect::<Vec<_>>(),
            ["hvs.of-the-host"]
        );
        assert!(!format!("{headers:?}").contains("hvs."), "{headers:?}");
        assert_eq!(network.secrets.redact("hvs.of-the-host"), "[redacted]");
    }

    #[test]
    fn a_function_may_wait_longer_than_usual_but_not_for_ever() {
        let wish = |seconds| {
            let wish = Some(Duration::from_secs(seconds));
            timeouts(Some(RequestOptions {
                connect_timeout: wish,
                first_byte_timeout: wish,
                between_bytes_timeout: wish,
            }))
        };
        let (short, long) = (wish(1), wish(1_000_000));
        for (short, long, most) in [
            (short.connect, long.connect, CONNECT),
            (short.first_byte, long.first_byte, MOST_PATIENCE),
            (short.between_bytes, long.between_bytes, MOST_PATIENCE),
        ] {
            assert_eq!((short, long), (Duration::from_secs(1), most));
        }
        let usual = timeouts(None);
        assert_eq!((usual.first_byte, usual.between_bytes), (FIRST_BYTE, BETWEEN_BYTES));
    }
}
