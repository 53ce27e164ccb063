//! The certificates of public authorities, as the file in which clients of TLS look for them.
//!
//! Repositories are reached through clients that trust what the system trusts, and that refuse to
//! work at all, even without TLS, where the system trusts nobody. Authorities of a user's own come
//! with the Repository's Secret (`CA_CERT_DATA`), or by mounting another file over this one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Where it lies in the image: the first place that is looked at.
pub(super) const PATH: &str = "etc/ssl/certs/ca-certificates.crt";

/// Columns of the text in PEM (RFC 7468).
const COLUMNS: usize = 64;

/// The authorities Mozilla trusts for servers, as the pinned `webpki-root-certs` lists them.
pub(super) fn bundle() -> Vec<u8> {
    let mut text = String::new();
    for certificate in TLS_SERVER_ROOT_CERTS {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut rest = STANDARD.encode(certificate);
        while !rest.is_empty() {
            let after = rest.split_off(rest.len().min(COLUMNS));
            text.push_str(&rest);
            text.push('\n');
            rest = after;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_certificate_is_in_the_bundle_and_can_be_read() {
        let bundle = String::from_utf8(bundle()).unwrap();
        let found = bundle.matches("-----BEGIN CERTIFICATE-----\n").count();
        assert_eq!(found, TLS_SERVER_ROOT_CERTS.len());
        assert!(found > 50, "{found} authorities");
        assert!(bundle.lines().all(|line| line.len() <= COLUMNS));
        let bodies: Vec<Vec<u8>> = bundle
            .split("-----END CERTIFICATE-----\n")
            .filter_map(|part| part.strip_prefix("-----BEGIN CERTIFICATE-----\n"))
            .map(|body| STANDARD.decode(body.replace('\n', "")).unwrap())
            .collect();
        assert!(
            bodies.iter().map(Vec::as_slice).eq(TLS_SERVER_ROOT_CERTS.iter().map(AsRef::as_ref))
        );
    }
}
