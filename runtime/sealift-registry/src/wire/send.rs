//! One request: where it is sent, what it shows, where its answer may lead, what a refusal says.
//!
//! Redirects are followed by hand: at most five, never for what changes something, to HTTPS (or
//! HTTP where the registry is asked so), never to an address that is prohibited, and without our
//! credentials as soon as they lead elsewhere. A registry that wants fewer requests is waited for,
//! a few times and not for long. Nothing else is tried again: that is the caller's to decide.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use url::Url;

use super::guard::{Prohibition, check_literal, name_of};
use super::{Client, Source, WireError, limits};
use crate::manifest::quoted;
use crate::settings::Place;

/// How often a busy registry is asked again.
const ATTEMPTS: u32 = 4;
/// The longest it is waited for, whatever it says.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// What it is waited for if it says nothing.
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// What is asked.
pub(super) struct Ask<'a> {
    /// For messages.
    pub(super) what: String,
    pub(super) source: &'a Source,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) body: Option<Bytes>,
    /// What it is allowed with: `pull`, or `pull,push`.
    pub(super) actions: &'static str,
}

impl<'a> Ask<'a> {
    pub(super) fn read(source: &'a Source, method: Method, url: Url, what: String) -> Self {
        Self { what, source, method, url, headers: Vec::new(), body: None, actions: "pull" }
    }

    pub(super) fn write(source: &'a Source, method: Method, url: Url, what: String) -> Self {
        Self { actions: "pull,push", ..Self::read(source, method, url, what) }
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    fn host(&self) -> String {
        self.source.place.host.clone()
    }
}

/// An answer with a status of success. Nothing of its body has been read.
pub(super) struct Answer {
    pub(super) what: String,
    pub(super) host: String,
    pub(super) response: Response,
    patience: Duration,
}

impl Client {
    /// Asks, and answers with success or an error.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Answer, WireError> {
        let mut shown = self.known_authorization(&ask).await;
        let mut logged_in = false;
        let mut attempts = 0;
        loop {
            let (response, elsewhere) = self.follow(&ask, shown.as_ref()).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(Answer {
                    what: ask.what.clone(),
                    host: ask.host(),
                    response,
                    patience: self.patience(),
                });
            }
            // Somebody we were sent to is told nothing about us.
            if status == StatusCode::UNAUTHORIZED && !elsewhere && !logged_in {
                logged_in = true;
                if let Some(fresh) = self.authorization(&ask, response.headers()).await? {
                    shown = Some(fresh);
                    continue;
                }
            }
            let busy =
                matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            let after = retry_after(response.headers());
            attempts += 1;
            if busy && attempts < ATTEMPTS {
                // It said when it wants to be asked again, or nothing better is known.
                tokio::time::sleep(after.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT)).await;
                continue;
            }
            let (what, host, known) = (ask.what.clone(), ask.host(), shown.is_some());
            return Err(self.refusal(what, host, response, after, known).await);
        }
    }

    /// Sends the request, and after it what its redirects ask for. The second value says whether
    /// somebody else than the registry answered.
    async fn follow(
        &self,
        ask: &Ask<'_>,
        authorization: Option<&HeaderValue>,
    ) -> Result<(Response, bool), WireError> {
        let place = &ask.source.place;
        let own = ask.source.url("")?.origin();
        let mut url = ask.url.clone();
        for _ in 0..=limits::REDIRECTS {
            let elsewhere = url.origin() != own;
            let mut headers = HeaderMap::new();
            for (name, value) in &ask.headers {
                let value = HeaderValue::from_str(value).map_err(|_| WireError::Form {
                    what: ask.what.clone(),
                    why: format!("header {name} cannot be sent"),
                })?;
                headers.insert(name, value);
            }
            if let (Some(value), false) = (authorization, elsewhere) {
                headers.insert(AUTHORIZATION, value.clone());
            }
            let response = self
                .once(&ask.what, place, ask.method.clone(), &url, headers, ask.body.clone())
                .await?;
            if !is_redirect(response.status()) {
                return Ok((response, elsewhere));
            }
            url = next(ask, &url, &response)?;
        }
        Err(WireError::Redirect {
            what: ask.what.clone(),
            host: ask.host(),
            why: format!("more than {} times", limits::REDIRECTS),
        })
    }

    /// One request to one URL, with nothing followed.
    pub(super) async fn once(
        &self,
        what: &str,
        place: &Place,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Response, WireError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let loopback = place.loopback.then(|| name_of(&place.host));
        check_literal(url, loopback)
            .map_err(|Prohibition(why)| WireError::Prohibited { what: what.to_owned(), why })?;
        let after = self.patience_for(body.as_ref().map_or(0, |body| body.len() as u64));
        let mut request = self.http(place).request(method, url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        match tokio::time::timeout(after, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failed(what, &host, error, after)),
            Err(_) => Err(WireError::Stalled { what: what.to_owned(), host, after }),
        }
    }

    /// What a token service answered, which is small.
    pub(super) async fn answered(
        &self,
        what: &str,
        url: &Url,
        response: Response,
        known: bool,
    ) -> Result<Bytes, WireError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        if !response.status().is_success() {
            let after = retry_after(response.headers());
            let error = self.refusal(what.to_owned(), host.clone(), response, after, known).await;
            return Err(match error {
                // What was asked for may well be there: it is the token that is not.
                WireError::NotFound { what, message } => {
                    WireError::Refused { what, host, status: 404, message }
                }
                error => error,
            });
        }
        let patience = self.patience();
        Answer { what: what.to_owned(), host, response, patience }.small(limits::TOKEN).await
    }

    async fn refusal(
        &self,
        what: String,
        host: String,
        response: Response,
        after: Option<Duration>,
        known: bool,
    ) -> WireError {
        let status = response.status();
        let answer =
            Answer { what: what.clone(), host: host.clone(), response, patience: self.patience() };
        // What a refusal says is a help and not a need.
        let message =
            answer.small(limits::ERROR).await.map(|body| words(&body)).unwrap_or_default();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                WireError::Denied { what, host, status: status.as_u16(), message, known }
            }
            StatusCode::NOT_FOUND => WireError::NotFound { what, message },
            StatusCode::TOO_MANY_REQUESTS => WireError::TooMany { what, host, after },
            _ => WireError::Refused { what, host, status: status.as_u16(), message },
        }
    }
}

impl Answer {
    /// A header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// What it says its body is, without parameters.
    pub(super) fn media_type(&self) -> String {
        let text = self.header("content-type").unwrap_or_default();
        text.split(';').next().unwrap_or_default().trim().to_owned()
    }

    /// The whole body, of at most so many bytes.
    pub(super) async fn small(mut self, most: u64) -> Result<Bytes, WireError> {
        let too_large = || WireError::TooLarge { what: self.what.clone(), most };
        if self.response.content_length().is_some_and(|length| length > most) {
            return Err(too_large());
        }
        let (what, host, after) = (self.what.clone(), self.host.clone(), self.patience);
        let stalled = WireError::Stalled { what: what.clone(), host: host.clone(), after };
        let read = async {
            let mut bytes = BytesMut::new();
            loop {
                match self.response.chunk().await {
                    Ok(Some(chunk)) => {
                        if bytes.len() as u64 + chunk.len() as u64 > most {
                            return Err(WireError::TooLarge { what: what.clone(), most });
                        }
                        bytes.extend_from_slice(&chunk);
                    }
                    Ok(None) => return Ok(bytes.freeze()),
                    Err(error) => return Err(failed(&what, &host, error, after)),
                }
            }
        };
        // Small answers have a small time: one that drips would hold us for ever.
        tokio::time::timeout(after, read).await.unwrap_or(Err(stalled))
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect leads, if it may be followed.
fn next(ask: &Ask<'_>, from: &Url, response: &Response) -> Result<Url, WireError> {
    let refused = |why: &str| WireError::Redirect {
        what: ask.what.clone(),
        host: ask.host(),
        why: why.to_owned(),
    };
    if !matches!(ask.method, Method::GET | Method::HEAD) {
        return Err(refused("a request that changes something"));
    }
    let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let to = to.and_then(|to| from.join(to).ok()).ok_or_else(|| refused("to no URL"))?;
    check_next(&ask.source.place, &to).map_err(refused)?;
    Ok(to)
}

/// Whether a URL that a registry names may be asked at all.
pub(super) fn check_next(place: &Place, to: &Url) -> Result<(), &'static str> {
    match to.scheme() {
        "https" => {}
        "http" if place.plain_http => {}
        "http" => return Err("to plain HTTP"),
        _ => return Err("to something that is no HTTP"),
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err("to a URL with credentials in it");
    }
    Ok(())
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}

/// The error of a request or a body that broke off.
pub(super) fn failed(what: &str, host: &str, error: reqwest::Error, after: Duration) -> WireError {
    // URLs of uploads and redirects hold what nobody else should have.
    let source = error.without_url();
    let (what, host) = (what.to_owned(), host.to_owned());
    if let Some(Prohibition(why)) = find::<Prohibition>(&source) {
        return WireError::Prohibited { what, why: why.clone() };
    }
    if matches!(find::<rustls::Error>(&source), Some(rustls::Error::InvalidCertificate(_))) {
        return WireError::Certificate { what, host, source };
    }
    if source.is_timeout() {
        return WireError::Stalled { what, host, after };
    }
    WireError::Unreachable { what, host, source }
}

/// An error of this type among the causes, also where an I/O error wraps it.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find::<T>(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    errors: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What a registry says with a refusal, in one short line.
fn words(body: &[u8]) -> String {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else { return String::new() };
    refusal
        .errors
        .iter()
        .take(3)
        .map(|reason| format!("{} {}", quoted(&reason.code, 40), quoted(&reason.message, 160)))
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_registry_are_one_short_line() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no\nentry\u001b[31m","detail":{}}]}"#;
        assert_eq!(words(body), "DENIED no\\nentry\\u{1b}[31m");
        assert_eq!(words(b"<html>"), "");
        let long = format!(r#"{{"errors":[{{"code":"X","message":"{}"}}]}}"#, "a".repeat(9999));
        assert!(words(long.as_bytes()).len() < 200);
    }

    #[test]
    fn a_url_of_a_registry_is_asked_only_by_https_or_where_http_is_said() {
        let of = |place: &Place, url: &str| check_next(place, &Url::parse(url).unwrap());
        let place = Place::usual("ghcr.io");
        assert_eq!(of(&place, "https://cdn.io/x"), Ok(()));
        assert_eq!(of(&place, "http://ghcr.io/x"), Err("to plain HTTP"));
        assert_eq!(of(&place, "ftp://ghcr.io/x"), Err("to something that is no HTTP"));
        assert_eq!(of(&place, "https://u:p@cdn.io/"), Err("to a URL with credentials in it"));
        assert_eq!(of(&Place::usual("localhost"), "http://localhost/x"), Ok(()));
    }
}
