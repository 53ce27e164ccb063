//! Redirects: where an origin may send a request on to.
//!
//! A standby of Vault answers 307 and names its leader. Such a redirect is followed at most
//! twice, never from https to http, and only to the origin's own host, to hosts the plan lists,
//! and to hosts of the domains it lists. The credential is attached only after this check.

use sealift_core::plan::Origin;
use url::Url;

/// How often one request may be sent on: to a leader, and once more if the leader changed meanwhile.
pub(crate) const MOST: usize = 2;

/// Where a redirect leads.
///
/// # Errors
/// It may not be followed; the text says why and what would allow it.
pub(crate) fn follow(origin: &Origin, from: &Url, location: Option<&str>) -> Result<Url, String> {
    let name = &origin.name;
    let Some(location) = location else {
        return Err(format!("{name} redirects without saying where to"));
    };
    let to =
        from.join(location).map_err(|_| format!("{name} redirects to something that is no URL"))?;
    let Some(host) = to.host_str() else {
        return Err(format!("{name} redirects to a URL without a host"));
    };
    let port = to.port_or_known_default();
    let shown = match port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    if !to.username().is_empty() || to.password().is_some() {
        return Err(format!("{name} redirects to {shown} with a user name in the URL"));
    }
    match (from.scheme(), to.scheme()) {
        ("http" | "https", "https") | ("http", "http") => {}
        ("https", "http") => {
            return Err(format!(
                "{name} redirects from https to http ({shown}); that is never followed"
            ));
        }
        (_, other) => {
            return Err(format!("{name} redirects to scheme {other}; valid are http and https"));
        }
    }
    let own = origin.url.host_str() == Some(host);
    let listed = origin.redirect_hosts.iter().any(|allowed| {
        let allowed = allowed.to_ascii_lowercase();
        allowed == shown || (allowed == host && port == origin.url.port_or_known_default())
    });
    if own && port == origin.url.port_or_known_default() || listed {
        return Ok(to);
    }
    if let Some(within) = within(&origin.redirect_domains, &to) {
        return Ok(within);
    }
    Err(format!(
        "{name} redirects to {shown}, which is neither its own host nor one of the allowed ones; \
         add {shown} to param allowedHosts of the Task if it belongs to it"
    ))
}

/// The URL with its host's whole name, if that is one of these domains.
fn within(domains: &[String], to: &Url) -> Option<Url> {
    let name = to.domain()?;
    let below = |domain: &String| {
        let labels = name.strip_suffix(domain.as_str()).and_then(|rest| rest.strip_suffix('.'));
        labels.is_some_and(|labels| !labels.is_empty())
    };
    if domains.iter().any(below) {
        return Some(to.clone());
    }
    // Left as it is, a short name could be resolved in the Job's namespace, or outside of the cluster.
    let domain = domains.first().filter(|_| name.split('.').count() <= 2)?;
    let mut whole = to.clone();
    whole.set_host(Some(&format!("{name}.{domain}"))).ok()?;
    Some(whole)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn origin(url: &str, redirect_hosts: &[&str]) -> Origin {
        Origin {
            name: "target".to_owned(),
            url: url.parse().unwrap(),
            ca_pem: None,
            server_name: None,
            insecure_skip_tls_verify: false,
            credential: None,
            redirect_hosts: redirect_hosts.iter().map(|host| (*host).to_owned()).collect(),
            redirect_domains: vec![],
            addresses: vec![],
        }
    }

    fn to(origin: &Origin, location: &str) -> Result<String, String> {
        follow(origin, &origin.url, Some(location)).map(|url| url.to_string())
    }

    #[test]
    fn the_own_host_and_listed_hosts_are_followed() {
        let origin = origin("https://vault.x:8200", &["leader.x", "other.x:9999"]);
        for location in [
            "/v1/a?b=c",
            "https://vault.x:8200/v1/a?b=c",
            "https://leader.x:8200/v1/a?b=c",
            "https://LEADER.x:8200/v1/a?b=c",
            "https://other.x:9999/v1/a?b=c",
        ] {
            assert!(to(&origin, location).unwrap().ends_with("/v1/a?b=c"), "{location}");
        }
    }

    #[test]
    fn hosts_of_the_domains_are_followed_by_their_whole_names() {
        let domains = vec!["demo.svc".to_owned(), "demo.svc.cluster.local".to_owned()];
        let origin =
            Origin { redirect_domains: domains, ..origin("https://vault.demo.svc:8200", &[]) };
        for (location, leads_to) in [
            ("https://v-0.v-internal.demo.svc:8200/x", "https://v-0.v-internal.demo.svc:8200/x"),
            ("https://v-0.demo.svc.cluster.local:1/x", "https://v-0.demo.svc.cluster.local:1/x"),
            ("https://v-0.v-internal:8200/x", "https://v-0.v-internal.demo.svc:8200/x"),
            ("https://v-0:8200/x", "https://v-0.demo.svc:8200/x"),
            ("https://evil.com:8200/x", "https://evil.com.demo.svc:8200/x"),
        ] {
            assert_eq!(to(&origin, location).unwrap(), leads_to);
        }
        for location in [
            "https://v-0.prod.svc:8200/",
            "https://v-0.demo.svc.evil.com:8200/",
            "https://evildemo.svc.evil:8200/",
            "https://demo.svc.cluster.local:8200/",
            "https://10.0.0.7:8200/",
            "https://[fd00::7]:8200/",
            "http://v-0.demo.svc:8200/",
        ] {
            assert!(to(&origin, location).is_err(), "{location}");
        }
    }

    #[test]
    fn everything_else_is_refused_and_named() {
        let origin = origin("https://vault.x:8200", &["leader.x"]);
        for (location, words) in [
            ("http://vault.x:8200/", "https to http"),
            ("https://vault.x/", "vault.x:443"),
            ("https://leader.x:1/", "leader.x:1"),
            ("https://evil.x:8200/", "allowedHosts"),
            ("https://u:p@vault.x:8200/", "user name"),
            ("ftp://vault.x:8200/", "scheme ftp"),
            ("https://", "no URL"),
        ] {
            let text = to(&origin, location).unwrap_err();
            assert!(text.contains(words), "{location}: {text}");
        }
        assert!(follow(&origin, &origin.url, None).is_err());
    }
}
