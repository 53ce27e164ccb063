//! Requests to a registry: the part of the OCI distribution specification that writes.

use sealift_function::http::{self, Response};
use sealift_function::{Body, Error, Result};

/// Most bytes of a refusal that are shown.
const EXCERPT: usize = 500;

/// Puts a blob: one request to be told where, one with all bytes.
pub(crate) fn put_blob(repository: &str, digest: &str, body: Body) -> Result<()> {
    let answer = http::post(&url(&format!("/v2/{repository}/blobs/uploads/"))).send()?;
    upload(expect(answer, 202, "the upload")?, digest, body)
}

/// Sends the bytes to where the registry offered to take them.
fn upload(offered: Response, digest: &str, body: Body) -> Result<()> {
    let place = offered.header("location").and_then(local).ok_or_else(|| {
        Error::ExternalFailed("the registry does not say where to upload to".to_owned())
    })?;
    offered.into_body().discard()?;
    let separator = if place.contains('?') { '&' } else { '?' };
    let answer = http::put(&url(&format!("{place}{separator}digest={digest}")))
        .header("content-type", "application/octet-stream")
        .send_body(body)?;
    expect(answer, 201, "the blob")?.into_body().discard().map(drop)
}

/// Has the registry take a blob from another of its repositories. One that does not know how offers
/// an upload instead; the bytes have gone by, and come from that repository.
pub(crate) fn mount(repository: &str, digest: &str, from: &str) -> Result<()> {
    let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
    let answer = http::post(&url(&path)).send()?;
    if answer.status() == 202 {
        let blob = http::get(&url(&format!("/v2/{from}/blobs/{digest}"))).send()?;
        let blob = expect(blob, 200, &format!("blob {digest} of {from}"))?;
        return upload(answer, digest, blob.into_body());
    }
    let what = format!("taking {digest} from {from}");
    expect(answer, 201, &what)?.into_body().discard().map(drop)
}

/// Puts a manifest under a tag or its digest.
pub(crate) fn put_manifest(
    repository: &str,
    reference: &str,
    media_type: &str,
    bytes: &[u8],
) -> Result<()> {
    let answer = http::put(&url(&format!("/v2/{repository}/manifests/{reference}")))
        .header("content-type", media_type)
        .send_bytes(bytes)?;
    expect(answer, 201, &format!("manifest {reference}"))?.into_body().discard().map(drop)
}

fn url(path: &str) -> String {
    format!("http://target{path}")
}

/// The path and query of a place that the registry names: it is on the registry itself.
fn local(location: &str) -> Option<String> {
    let path = match location.split_once("://") {
        Some((_, rest)) => format!("/{}", rest.split_once('/')?.1),
        None => location.to_owned(),
    };
    path.starts_with("/v2/").then_some(path)
}

/// The answer, if it has the status that means success.
fn expect(answer: Response, status: u16, what: &str) -> Result<Response> {
    let found = answer.status();
    if found == status {
        return Ok(answer);
    }
    let said = answer.into_excerpt(EXCERPT).replace('\n', " ");
    Err(refused(found, format!("{what} was answered with {found}: {said}")))
}

fn refused(status: u16, message: String) -> Error {
    match status {
        401 | 403 => Error::Denied(message),
        429 | 500.. => Error::retryable(message),
        _ => Error::ExternalFailed(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_without_its_host() {
        for (location, place) in [
            ("/v2/a/blobs/uploads/1?_state=x", Some("/v2/a/blobs/uploads/1?_state=x")),
            ("https://r.local:5000/v2/a/blobs/uploads/1", Some("/v2/a/blobs/uploads/1")),
            ("https://elsewhere", None),
            ("/other", None),
        ] {
            assert_eq!(local(location).as_deref(), place, "{location}");
        }
    }

    #[test]
    fn a_registry_that_is_busy_may_be_asked_again() {
        for status in [429, 500, 503] {
            assert!(matches!(refused(status, String::new()), Error::Retryable { .. }));
        }
        for status in [401, 403] {
            assert!(matches!(refused(status, String::new()), Error::Denied(_)));
        }
        assert!(matches!(refused(404, String::new()), Error::ExternalFailed(_)));
    }
}
