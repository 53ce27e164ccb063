//! The guard of addresses: names are resolved here, and only what may be connected to comes out.
//!
//! The connection goes to an address this function returned, so a name that changes its mind
//! between check and connection changes nothing. An address that is written out never passes a
//! resolver and is checked before the request is sent.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sealift_core::address;
use url::{Host, Url};

/// How names become addresses. The system's way, but for tests of names that lie.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// All addresses of a name; the port means nothing.
    ///
    /// # Errors
    /// It has none, or nobody could be asked.
    async fn lookup(&self, name: &str) -> io::Result<Vec<SocketAddr>>;
}

/// What this machine resolves names with.
#[derive(Debug, Clone, Copy, Default)]
pub struct OfTheSystem;

#[async_trait]
impl Lookup for OfTheSystem {
    async fn lookup(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

/// An address nobody is sent to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Prohibition(pub(super) String);

/// The resolver of a client.
pub(super) struct Guard {
    pub(super) lookup: Arc<dyn Lookup>,
    /// The one name, without a port, that may lead to this machine.
    pub(super) loopback: Option<String>,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.lookup);
        let allow = self.loopback.as_deref() == Some(name.as_str());
        Box::pin(async move {
            let found = lookup.lookup(name.as_str()).await?;
            let permitted =
                address::permitted(name.as_str(), &found, allow).map_err(Prohibition)?;
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// Checks an address that is written out in a URL.
pub(super) fn check_literal(url: &Url, loopback: Option<&str>) -> Result<(), Prohibition> {
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) => return Ok(()),
        None => return Err(Prohibition("the URL has no host".to_owned())),
    };
    let allow = url.host_str().is_some_and(|host| loopback == Some(host));
    match address::prohibition(literal, allow) {
        None => Ok(()),
        Some(why) => {
            Err(Prohibition(format!("{literal} is {} and never connected to", why.as_str())))
        }
    }
}

/// The host of `host[:port]`, as a URL has it.
pub(super) fn name_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => authority,
    }
}
