//! The parts of a URL that `wasi:http` wants. No decoding, no normalising: the host judges.

use crate::error::{Error, Result};

/// Scheme, authority and path of an absolute URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) https: bool,
    pub(super) authority: &'a str,
    pub(super) path_and_query: &'a str,
}

impl<'a> Url<'a> {
    /// Splits `http://name[:port]/path?query`.
    pub(super) fn parse(text: &'a str) -> Result<Self> {
        let wrong = || Error::InvalidState(format!("not an absolute http URL: {text:?}"));
        let (https, rest) = if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else {
            return Err(wrong());
        };
        let (authority, path_and_query) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
        if authority.is_empty() || !authority.chars().all(plain) || path_and_query.contains('#') {
            return Err(wrong());
        }
        Ok(Self { https, authority, path_and_query })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_url_is_split_where_the_path_begins() {
        assert_eq!(
            Url::parse("http://target/v1/sys/health?standbyok=true").unwrap(),
            Url {
                https: false,
                authority: "target",
                path_and_query: "/v1/sys/health?standbyok=true"
            }
        );
        assert_eq!(
            Url::parse("https://target:8200").unwrap(),
            Url { https: true, authority: "target:8200", path_and_query: "/" }
        );
    }

    #[test]
    fn what_is_not_an_absolute_url_is_refused() {
        for wrong in
            ["target/v1", "ftp://target/", "http:///v1", "http://user@target/", "http://target/#a"]
        {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }
}
