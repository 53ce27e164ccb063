//! What a registry wants to see before it answers: a password, or a token for which its token
//! service wants to see the password.
//!
//! The scope of a token is the repository we ask about and nothing the registry names, so that one
//! registry cannot have a token made for another's. A password goes to the registry itself, or to
//! the token service it names over HTTPS; over plain HTTP only to a service on the same host.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde::Deserialize;
use tokio::time::Instant;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::send::{Ask, check_next};
use super::{Client, WireError, limits};
use crate::credentials::Login;
use crate::manifest::quoted;

/// How long a token is good for if its service does not say, as the specification has it.
const USUAL_LIFE: Duration = Duration::from_secs(60);
/// The longest life that is believed.
const LONGEST_LIFE: Duration = Duration::from_secs(3600);
/// Tokens are replaced this long before their end: a request takes its time.
const MARGIN: Duration = Duration::from_secs(10);
/// The longest value of a challenge that is read.
const MOST_CHALLENGE: usize = 8 << 10;

/// What was good for a registry, a repository and what is done there.
#[derive(Default)]
pub(super) struct Tokens(HashMap<(String, String, &'static str), Kept>);

struct Kept {
    header: Zeroizing<String>,
    until: Instant,
}

/// What a registry asks for.
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

#[derive(Deserialize)]
struct TokenAnswer {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Client {
    /// What was good before, and still is.
    pub(super) async fn known_authorization(&self, ask: &Ask<'_>) -> Option<HeaderValue> {
        let tokens = self.inner.tokens.lock().await;
        let kept = tokens.0.get(&key(ask))?;
        (kept.until > Instant::now()).then(|| sensitive(&kept.header)).flatten()
    }

    /// What answers the challenge of a 401. None if nothing is known that would.
    pub(super) async fn authorization(
        &self,
        ask: &Ask<'_>,
        headers: &HeaderMap,
    ) -> Result<Option<HeaderValue>, WireError> {
        let Some(challenge) = challenge(headers) else { return Ok(None) };
        let place = &ask.source.place;
        let login = self.inner.credentials.login(&place.host, &ask.source.repository).await;
        let login = login.map_err(|source| WireError::Credentials {
            what: ask.what.clone(),
            host: place.host.clone(),
            source: Box::new(source),
        })?;
        let (header, life) = match (challenge, login) {
            (Challenge::Basic, Some(Login::Basic { user, password })) => {
                (basic(&user, &password), LONGEST_LIFE)
            }
            // A refresh token is no password, and without either there is nothing to show.
            (Challenge::Basic, _) => return Ok(None),
            (Challenge::Bearer { realm, service }, login) => {
                self.token(ask, &realm, service.as_deref(), login).await?
            }
        };
        let value = sensitive(&header);
        let mut tokens = self.inner.tokens.lock().await;
        if tokens.0.len() >= limits::TOKENS {
            let now = Instant::now();
            tokens.0.retain(|_, kept| kept.until > now);
            if tokens.0.len() >= limits::TOKENS {
                tokens.0.clear();
            }
        }
        let until = Instant::now() + life.saturating_sub(MARGIN);
        tokens.0.insert(key(ask), Kept { header, until });
        Ok(value)
    }

    async fn token(
        &self,
        ask: &Ask<'_>,
        realm: &str,
        service: Option<&str>,
        login: Option<Login>,
    ) -> Result<(Zeroizing<String>, Duration), WireError> {
        let place = &ask.source.place;
        let what = format!("a token for {}", ask.source.name());
        let form = |why: String| WireError::Form { what: what.clone(), why };
        let mut url = Url::parse(realm)
            .map_err(|_| form(format!("{} names no token service", place.host)))?;
        check_next(place, &url).map_err(|why| {
            form(format!("{} sends {why} for a token ({})", place.host, quoted(realm, 120)))
        })?;
        // Over plain HTTP nobody proves to be the registry, so it may name nobody else.
        let own = ask.source.url("")?;
        if url.scheme() == "http" && url.host() != own.host() {
            return Err(form(format!(
                "{} sends to another host by plain HTTP for a token ({})",
                place.host,
                quoted(realm, 120)
            )));
        }
        let scope = format!("repository:{}:{}", ask.source.repository, ask.actions);
        let mut pairs = vec![("scope", scope.as_str())];
        pairs.extend(service.map(|service| ("service", service)));
        let mut headers = HeaderMap::new();
        let (method, body) = match &login {
            Some(Login::Identity(token)) => {
                pairs.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", "sealift"),
                    ("refresh_token", token.as_str()),
                ]);
                let text =
                    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                headers.insert(
                    CONTENT_TYPE,
                    HeaderValue::from_static("application/x-www-form-urlencoded"),
                );
                (Method::POST, Some(text.into()))
            }
            login => {
                url.query_pairs_mut().extend_pairs(pairs);
                if let Some(Login::Basic { user, password }) = login
                    && let Some(value) = sensitive(&basic(user, password))
                {
                    headers.insert(AUTHORIZATION, value);
                }
                (Method::GET, None)
            }
        };
        let response = self.once(&what, place, method, &url, headers, body).await?;
        let bytes = self.answered(&what, &url, response, login.is_some()).await?;
        let answer: TokenAnswer = serde_json::from_slice(&bytes)
            .map_err(|_| form("its service answered with something else".to_owned()))?;
        let token = answer.token.or(answer.access_token).map(Zeroizing::new);
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or_else(|| form("its service gave none".to_owned()))?;
        let life = answer.expires_in.map_or(USUAL_LIFE, Duration::from_secs).min(LONGEST_LIFE);
        Ok((Zeroizing::new(format!("Bearer {}", *token)), life))
    }
}

fn key(ask: &Ask<'_>) -> (String, String, &'static str) {
    (ask.source.place.host.clone(), ask.source.repository.clone(), ask.actions)
}

fn sensitive(header: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(header).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn basic(user: &str, password: &str) -> Zeroizing<String> {
    let pair = Zeroizing::new(format!("{user}:{password}"));
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    Zeroizing::new(format!("Basic {}", *encoded))
}

/// The best of what is asked for: a token before a password.
fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut best = None;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let Some(text) = value.to_str().ok().filter(|text| text.len() <= MOST_CHALLENGE) else {
            continue;
        };
        let Ok(challenges) = http_auth::parse_challenges(text) else { continue };
        for challenge in challenges {
            let parameter = |wanted: &str| {
                challenge
                    .params
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                    .map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                if let Some(realm) = parameter("realm") {
                    return Some(Challenge::Bearer { realm, service: parameter("service") });
                }
            } else if challenge.scheme.eq_ignore_ascii_case("basic") {
                best = Some(Challenge::Basic);
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        match challenge(&headers) {
            None => "none".to_owned(),
            Some(Challenge::Basic) => "basic".to_owned(),
            Some(Challenge::Bearer { realm, service }) => format!("{realm} {service:?}"),
        }
    }

    #[test]
    fn a_token_is_preferred_and_what_is_unknown_is_left_out() {
        assert_eq!(told(&[]), "none");
        assert_eq!(told(&["Basic realm=\"x\""]), "basic");
        assert_eq!(
            told(&["Bearer realm=\"https://a/t\",service=\"a.io\",scope=\"repository:b:pull\""]),
            "https://a/t Some(\"a.io\")"
        );
        assert_eq!(
            told(&["Basic realm=\"x\"", "bearer Realm=\"https://a/t\""]),
            "https://a/t None"
        );
        assert_eq!(told(&["Negotiate", "Digest realm=\"x\",nonce=\"y\""]), "none");
        assert_eq!(told(&["Bearer service=\"x\""]), "none");
        assert_eq!(told(&[&format!("Bearer realm=\"{}\"", "a".repeat(9000))]), "none");
    }
}
