//! What a Function asks for, checked: name, method and path against its grants, and the headers
//! that are not its to set.
//!
//! Everything is refused that another server could read differently than this check did: user
//! names and ports in the address, `.` and `..` in the path, in plain or in disguise, and
//! encoded slashes. Where the request then goes is decided in `redirect` and `client`.

use http::header::{self, HeaderMap, HeaderName};
use http::uri::Uri;
use sealift_core::grants::HttpGrant;

/// Headers of one connection only, or that change how a body is framed; never from a Function.
const NOT_ITS_OWN: [HeaderName; 11] = [
    header::CONNECTION,
    header::EXPECT,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The name a request is for: the host of its address, and nothing else in it.
///
/// # Errors
/// The address holds more than a name.
pub(crate) fn name(uri: &Uri) -> Result<String, String> {
    let Some(authority) = uri.authority() else {
        return Err("a request without a host".to_owned());
    };
    let host = authority.host();
    if authority.as_str().contains('@') {
        return Err(format!("{host}: an address with a user name in it"));
    }
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    if authority.port_u16().is_some_and(|port| port != default) || authority.as_str().ends_with(':')
    {
        return Err(format!("{}: a name has no port; the plan knows it", authority.as_str()));
    }
    Ok(host.to_ascii_lowercase())
}

/// Whether the grants cover a request.
///
/// # Errors
/// They do not; the text names the lines that are missing.
pub(crate) fn check(
    grants: &[HttpGrant],
    name: &str,
    method: &str,
    path: &str,
) -> Result<(), String> {
    if let Some(why) = ambiguous(path) {
        return Err(format!("{method} http://{name}{path}: {why}"));
    }
    let of_name: Vec<&HttpGrant> = grants.iter().filter(|grant| grant.name == name).collect();
    if of_name.iter().any(|grant| grant.allows(method, path)) {
        return Ok(());
    }
    if of_name.is_empty() {
        return Err(format!(
            "host {name} is not granted; a function reaches names only, and needs \
             `http: [{{name: {name}, methods: [{method}], paths: [\"{path}\"]}}]` in its descriptor \
             and in spec.permissions"
        ));
    }
    Err(format!(
        "{method} {path} on {name} is not granted; add `methods: [{method}]` and \
         `paths: [\"{path}\"]` to the entry of {name} in spec.permissions.http (and in the descriptor)"
    ))
}

/// Why two servers could read this path differently.
fn ambiguous(path: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    if !path.starts_with('/') {
        return Some("a path begins with a slash");
    }
    if lower.contains('\\')
        || lower.contains("%5c")
        || lower.contains("%2f")
        || lower.contains("%00")
    {
        return Some("a path holds no backslash and no encoded slash or NUL");
    }
    let dots = lower.replace("%2e", ".");
    // A parameter (`..;x`) hides the dots from some servers and not from others.
    let part = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    dots.split('/').any(part).then_some("a path holds no . and no .. parts")
}

/// Takes away the headers that are not the Function's to set.
pub(crate) fn strip(headers: &mut HeaderMap) {
    for name in NOT_ITS_OWN {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn grants() -> Vec<HttpGrant> {
        vec![HttpGrant {
            name: "target".to_owned(),
            methods: vec!["GET".to_owned()],
            paths: vec!["/v1/sys/*".to_owned(), "/exact".to_owned()],
        }]
    }

    #[test]
    fn a_name_is_a_name_and_nothing_else() {
        for (uri, ok) in [
            ("http://target/x", true),
            ("http://TARGET/x", true),
            ("http://target:80/x", true),
            ("https://target:443/x", true),
            ("http://target:8200/x", false),
            ("http://target:/x", false),
            ("http://user@target/x", false),
            ("http://user:pw@target/x", false),
            ("/x", false),
        ] {
            let result = name(&uri.parse().unwrap());
            assert_eq!(result.is_ok(), ok, "{uri}: {result:?}");
            if ok {
                assert_eq!(result.unwrap(), "target");
            }
        }
    }

    #[test]
    fn what_is_granted_passes_and_what_is_not_names_the_missing_line() {
        assert!(check(&grants(), "target", "GET", "/v1/sys/health").is_ok());
        assert!(check(&grants(), "target", "GET", "/exact").is_ok());
        let path = check(&grants(), "target", "GET", "/v1/secret").unwrap_err();
        assert!(path.contains("paths: [\"/v1/secret\"]"), "{path}");
        let method = check(&grants(), "target", "PUT", "/exact").unwrap_err();
        assert!(method.contains("methods: [PUT]"), "{method}");
        let host = check(&grants(), "example.org", "GET", "/").unwrap_err();
        assert!(host.contains("http: [{name: example.org"), "{host}");
    }

    #[test]
    fn paths_that_servers_read_differently_are_refused() {
        for path in [
            "/v1/sys/../secret",
            "/v1/sys/%2e%2e/secret",
            "/v1/sys/%2E./secret",
            "/v1/sys/..;x/secret",
            "/v1/sys/..%2fsecret",
            "/v1/sys/..%5csecret",
            "/v1/sys/..\\secret",
            "/v1/sys/./x",
            "v1/sys/x",
            "/v1/sys/a%00",
        ] {
            assert!(check(&grants(), "target", "GET", path).is_err(), "{path}");
        }
        assert!(check(&grants(), "target", "GET", "/v1/sys/a..b/.hidden").is_ok());
        // Not even a grant of everything covers what would be glued to the origin's own path.
        let all = HttpGrant { paths: vec!["*".to_owned()], ..grants().remove(0) };
        let text = check(&[all], "target", "GET", "evil/v1/x").unwrap_err();
        assert!(text.contains("begins with a slash"), "{text}");
    }

    #[test]
    fn headers_of_the_connection_are_taken_away() {
        let mut headers = HeaderMap::new();
        for name in NOT_ITS_OWN {
            headers.insert(name, "x".parse().unwrap());
        }
        headers.insert("x-own", "1".parse().unwrap());
        strip(&mut headers);
        assert_eq!(headers.len(), 1);
    }
}
