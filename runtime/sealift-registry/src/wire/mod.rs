//! The client of registries: the distribution protocol over HTTP, and nothing above it.
//!
//! One request goes through `send` (redirects, errors, waiting), which asks `auth` for what a
//! registry wants to see and lets `guard` say where nobody is sent. `document`, `blob` and
//! `referrers` are the parts of the protocol. Reading tries the mirrors of a registry first and
//! the registry itself last; writing goes to the registry. What is read is bounded by `limits`
//! and compared with its digest before it is handed out.
//!
//! Proxies of the environment are not used: behind one, nobody could say where a name leads.

mod auth;
mod blob;
mod document;
mod error;
mod guard;
pub mod limits;
mod referrers;
mod send;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use url::Url;

use crate::credentials::Credentials;
use crate::reference::Reference;
use crate::settings::{Place, Settings};

pub use blob::Blob;
pub use document::{Document, Put};
pub use error::{Class, WireError};
pub use guard::{Lookup, OfTheSystem};
pub use referrers::Referrer;

use guard::Guard;

/// A connection is made within this time or not at all.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest silence within an answer.
const SILENCE: Duration = Duration::from_secs(60);
/// A slower transfer is one that never ends. Bytes a second.
const SLOWEST: u64 = 64 << 10;

/// A client. Cheap to clone; clones share connections and tokens.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    credentials: Arc<dyn Credentials>,
    /// Of registries nothing is said about.
    usual: reqwest::Client,
    /// Of `localhost`, nothing said.
    here: reqwest::Client,
    /// Of those in the settings.
    own: BTreeMap<String, reqwest::Client>,
    tokens: Mutex<auth::Tokens>,
}

/// One place that may answer: a mirror, or the registry itself.
struct Source {
    place: Place,
    repository: String,
}

impl Client {
    /// A client with these settings, that logs in with these credentials.
    ///
    /// # Errors
    /// Certificates of the settings are not read, or this system trusts nobody. There is no
    /// client with other settings in its place.
    pub fn new(settings: Settings, credentials: Arc<dyn Credentials>) -> Result<Self, WireError> {
        Self::with_lookup(settings, credentials, Arc::new(OfTheSystem))
    }

    /// The same, with names resolved by `lookup`.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_lookup(
        settings: Settings,
        credentials: Arc<dyn Credentials>,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, WireError> {
        let make = |place: &Place| make_client(place, &settings, Arc::clone(&lookup));
        let usual = make(&Place::usual("a registry"))?;
        let here = make(&Place::usual("localhost"))?;
        let own = settings
            .places
            .iter()
            .map(|place| Ok((place.host.clone(), make(place)?)))
            .collect::<Result<_, WireError>>()?;
        let tokens = Mutex::new(auth::Tokens::default());
        Ok(Self { inner: Arc::new(Inner { settings, credentials, usual, here, own, tokens }) })
    }

    /// How long one small answer may take.
    fn patience(&self) -> Duration {
        self.inner.settings.patience
    }

    /// How long an answer or a request of so many bytes may take.
    fn patience_for(&self, size: u64) -> Duration {
        self.patience() + Duration::from_secs(size / SLOWEST)
    }

    fn http(&self, place: &Place) -> &reqwest::Client {
        match self.inner.own.get(&place.host) {
            Some(own) => own,
            None if place.loopback => &self.inner.here,
            None => &self.inner.usual,
        }
    }

    /// The registry itself, for writing and as the last one that is read from.
    fn origin(&self, reference: &Reference) -> Source {
        let place = self.inner.settings.place(reference.registry()).into_owned();
        Source { place, repository: reference.repository().to_owned() }
    }

    /// Who is asked, in this order.
    fn sources(&self, reference: &Reference) -> Vec<Source> {
        let origin = self.origin(reference);
        let by_digest = reference.digest().is_some();
        let mut sources: Vec<Source> = origin
            .place
            .mirrors
            .iter()
            .filter(|mirror| by_digest || mirror.tags)
            .map(|mirror| Source {
                place: self.inner.settings.place(&mirror.host).into_owned(),
                repository: match mirror.prefix.as_str() {
                    "" => origin.repository.clone(),
                    prefix => format!("{prefix}/{}", origin.repository),
                },
            })
            .collect();
        sources.push(origin);
        sources
    }
}

impl Source {
    /// `/v2/<repository>/<rest>` of this place.
    fn url(&self, rest: &str) -> Result<Url, WireError> {
        // Its own references name the shop, its servers stand elsewhere.
        let host = match self.place.host.as_str() {
            "docker.io" => "registry-1.docker.io",
            host => host,
        };
        let text = format!("{}://{host}/v2/{}/{rest}", self.place.scheme(), self.repository);
        Url::parse(&text)
            .map_err(|_| WireError::Form { what: self.name(), why: "it makes no URL".to_owned() })
    }

    /// How messages call it.
    fn name(&self) -> String {
        format!("{}/{}", self.place.host, self.repository)
    }
}

fn make_client(
    place: &Place,
    settings: &Settings,
    lookup: Arc<dyn Lookup>,
) -> Result<reqwest::Client, WireError> {
    let failed = |source| WireError::Client { host: place.host.clone(), source };
    let loopback = place.loopback.then(|| guard::name_of(&place.host).to_owned());
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("sealift/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        .no_proxy()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE.min(settings.patience))
        .dns_resolver(Arc::new(Guard { lookup, loopback }));
    if let Some(pem) = &place.ca {
        let authorities = reqwest::Certificate::from_pem_bundle(pem.as_bytes()).map_err(failed)?;
        builder = builder.tls_certs_merge(authorities);
    }
    builder.build().map_err(failed)
}
