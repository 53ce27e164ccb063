//! A name and what it is bound to: URL, TLS, addresses, and where its leader was found.
//!
//! Everything that can be wrong with an origin is found out here, before a Function starts. Who
//! may ask for a name is decided in `request`, which addresses are allowed in `address`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use rustls::ClientConfig;
use sealift_core::causes::chain_of_causes;
use sealift_core::grants::HttpGrant;
use sealift_core::plan::Origin;
use url::Url;

use super::tls;
use crate::error::FunctionError;

/// A name and everything that belongs to it, ready before the Function starts.
pub(crate) struct Bound {
    pub(super) origin: Origin,
    pub(super) tls: Arc<ClientConfig>,
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
            let tls = tls::client_config(origin)
                .map_err(|error| FunctionError::Denied(chain_of_causes(&error)))?;
            Ok(Bound {
                origin: origin.clone(),
                tls,
                moved: Mutex::default(),
                resolved: Mutex::default(),
            })
        })
        .collect()
}

impl Bound {
    /// The origin's URL, or the leader's, with this path and query behind its own path.
    pub(super) fn url(&self, path: &str, query: Option<&str>) -> Result<Url, String> {
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

    /// Notes where a redirect led.
    pub(super) fn moved_to(&self, to: &Url) {
        if let Ok(mut moved) = self.moved.lock() {
            *moved = Some(to.clone());
        }
    }

    /// A server could not be reached: what led there is forgotten. True if that was where a
    /// redirect had led, so that the origin itself can be asked where to go now.
    pub(super) fn unreached(&self, url: &Url) -> bool {
        let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default());
        if let (Ok(mut resolved), Some(port)) = (self.resolved.lock(), port) {
            // Who comes back may come back at another address.
            resolved.remove(&(host.to_owned(), port));
        }
        self.moved.lock().is_ok_and(|mut moved| moved.take().is_some())
    }

    /// What this host resolved to before.
    pub(super) fn resolved(&self, host: &str, port: u16) -> Option<Vec<SocketAddr>> {
        let resolved = self.resolved.lock().ok()?;
        resolved.get(&(host.to_owned(), port)).cloned()
    }

    /// Remembers what this host resolved to, as long as it can be reached there.
    pub(super) fn remember(&self, host: &str, port: u16, addresses: &[SocketAddr]) {
        if let Ok(mut resolved) = self.resolved.lock() {
            resolved.insert((host.to_owned(), port), addresses.to_vec());
        }
    }

    /// The addresses the user gave for this host instead of DNS, if it is the origin's own.
    pub(super) fn given_for(
        &self,
        host: &str,
        port: u16,
    ) -> Result<Option<Vec<SocketAddr>>, String> {
        let url = &self.origin.url;
        let own = url.host_str() == Some(host) && url.port_or_known_default() == Some(port);
        if !own || self.origin.addresses.is_empty() {
            return Ok(None);
        }
        self.given().map(Some)
    }

    fn given(&self) -> Result<Vec<SocketAddr>, String> {
        let parse = |text: &String| {
            text.parse().map_err(|_| {
                format!("{text:?} of origin {} is not an address with a port", self.origin.name)
            })
        };
        self.origin.addresses.iter().map(parse).collect()
    }

    /// Whether the user bound the name to this machine in so many words.
    pub(super) fn is_loopback(&self) -> bool {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn origin(name: &str, url: &str) -> Origin {
        Origin {
            name: name.to_owned(),
            url: url.parse().unwrap(),
            ca_pem: None,
            server_name: None,
            insecure_skip_tls_verify: false,
            credential: None,
            redirect_hosts: Vec::new(),
            redirect_domains: Vec::new(),
            addresses: Vec::new(),
        }
    }

    fn grant(name: &str) -> HttpGrant {
        HttpGrant {
            name: name.to_owned(),
            methods: vec!["GET".to_owned()],
            paths: vec!["/*".to_owned()],
        }
    }

    #[test]
    fn only_what_is_granted_is_bound_and_has_to_be_usable() {
        let origins = [origin("target", "http://vault.x"), origin("pushgateway", "ftp://x")];
        let bound = bind(&[grant("target")], &origins).unwrap();
        let names: Vec<&str> = bound.iter().map(|bound| bound.origin.name.as_str()).collect();
        assert_eq!(names, ["target"]);
        let refused = bind(&[grant("pushgateway")], &origins).err().unwrap();
        assert!(refused.to_string().contains("something else than an http"), "{refused}");
    }

    #[test]
    fn a_server_that_cannot_be_reached_is_looked_for_anew() {
        let bound =
            bind(&[grant("target")], &[origin("target", "http://vault.x")]).unwrap().remove(0);
        let (own, leader) = (bound.url("/v1/x", None).unwrap(), "http://leader.x:8200/v1/x");
        let address = ["10.0.0.1:8200".parse().unwrap()];
        bound.remember("leader.x", 8200, &address);
        bound.remember("vault.x", 80, &address);
        let leader: Url = leader.parse().unwrap();
        bound.moved_to(&leader);
        assert_eq!(bound.url("/v1/x", None).unwrap(), leader);
        assert!(bound.unreached(&leader));
        assert_eq!(bound.url("/v1/x", None).unwrap(), own);
        assert_eq!(bound.resolved("leader.x", 8200), None);
        assert!(bound.resolved("vault.x", 80).is_some());
        assert!(!bound.unreached(&own));
    }

    #[test]
    fn no_credential_of_a_url_is_sent_on() {
        let origin = origin("target", "http://user:hidden@vault.x/base/");
        let bound = bind(&[grant("target")], &[origin]).unwrap().remove(0);
        let url = bound.url("/v1/x", Some("a=b")).unwrap();
        assert_eq!(url.as_str(), "http://vault.x/base/v1/x?a=b");
    }
}
