//! Manifests and tags: small texts, bounded, and compared with the digest they were asked for by.

use std::collections::BTreeSet;
use std::str::FromStr;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, IF_MATCH};
use serde::Deserialize;
use url::Url;

use super::send::{Answer, Ask};
use super::{Client, Source, WireError, limits};
use crate::digest::Digest;
use crate::manifest::ACCEPTED;
use crate::reference::Reference;

/// Tags a page is asked for.
const PAGE: &str = "1000";

/// A manifest as it came: its bytes are those of its digest.
#[derive(Debug, Clone)]
pub struct Document {
    /// The text.
    pub bytes: Bytes,
    /// Their digest.
    pub digest: Digest,
    /// What the registry says it is. The text has the last word.
    pub media_type: String,
    /// What to show to replace exactly this version of a tag, if the registry knows of that.
    pub(super) etag: Option<String>,
}

/// A manifest that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// Its digest.
    pub digest: Digest,
    /// Whether the registry has noted what it refers to.
    pub subject: bool,
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Client {
    /// The digest a reference leads to now: its own, or that of its tag.
    ///
    /// # Errors
    /// As every request; [`WireError::NotFound`] for a tag that is not there.
    pub async fn resolve(&self, reference: &Reference) -> Result<Digest, WireError> {
        if let Some(digest) = reference.digest() {
            return Ok(*digest);
        }
        let target = target(reference)?;
        let sources = self.sources(reference);
        let mut last = None;
        for source in &sources {
            match self.resolve_at(source, reference, &target).await {
                Ok(digest) => return Ok(digest),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| no_version(reference)))
    }

    async fn resolve_at(
        &self,
        source: &Source,
        reference: &Reference,
        target: &str,
    ) -> Result<Digest, WireError> {
        let ask = ask(source, Method::HEAD, reference, target)?;
        match self.send(ask).await {
            Ok(answer) => {
                if let Some(digest) = told_digest(&answer)? {
                    return Ok(digest);
                }
            }
            // Some have no HEAD, and what is wrong is told by the answer to GET only.
            Err(WireError::Refused { .. } | WireError::Denied { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(self.document_at(source, reference, target).await?.digest)
    }

    /// The manifest of a reference. By a digest, only the bytes of that digest.
    ///
    /// # Errors
    /// As every request, [`WireError::Digest`] for other bytes, [`WireError::TooLarge`].
    pub async fn manifest(&self, reference: &Reference) -> Result<Document, WireError> {
        let target = target(reference)?;
        let mut last = None;
        for source in &self.sources(reference) {
            match self.document_at(source, reference, &target).await {
                Ok(document) => return Ok(document),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| no_version(reference)))
    }

    /// The same, of the registry itself and not of a mirror.
    pub(super) async fn document_of_origin(
        &self,
        reference: &Reference,
    ) -> Result<Document, WireError> {
        self.document_at_source(&self.origin(reference), reference).await
    }

    /// The same, of this place and no other.
    pub(super) async fn document_at_source(
        &self,
        source: &Source,
        reference: &Reference,
    ) -> Result<Document, WireError> {
        self.document_at(source, reference, &target(reference)?).await
    }

    async fn document_at(
        &self,
        source: &Source,
        reference: &Reference,
        target: &str,
    ) -> Result<Document, WireError> {
        let answer = self.send(ask(source, Method::GET, reference, target)?).await?;
        let media_type = answer.media_type();
        let etag = answer.header("etag").map(str::to_owned);
        let told = told_digest(&answer)?;
        let what = answer.what.clone();
        let bytes = answer.small(limits::MANIFEST).await?;
        let digest = Digest::of(&bytes);
        // What was asked for comes first; what the registry says of its own answer must fit too.
        for wanted in reference.digest().copied().into_iter().chain(told) {
            if wanted != digest {
                return Err(WireError::Digest { what, wanted, found: digest });
            }
        }
        Ok(Document { bytes, digest, media_type, etag })
    }

    /// Puts a manifest under the reference's tag, or under its own digest where it has none.
    ///
    /// # Errors
    /// As every request, and [`WireError::Digest`] if the registry took other bytes, or the
    /// reference names another digest than theirs.
    pub async fn put_manifest(
        &self,
        reference: &Reference,
        manifest: &[u8],
        media_type: &str,
    ) -> Result<Put, WireError> {
        self.put_version(reference, manifest, media_type, None).await
    }

    /// The same, only in the place of the version that `etag` names.
    pub(super) async fn put_version(
        &self,
        reference: &Reference,
        manifest: &[u8],
        media_type: &str,
        etag: Option<String>,
    ) -> Result<Put, WireError> {
        let source = self.origin(reference);
        let found = Digest::of(manifest);
        let what = format!("the manifest of {reference}");
        if let Some(wanted) = reference.digest().copied().filter(|wanted| *wanted != found) {
            return Err(WireError::Digest { what, wanted, found });
        }
        let target = reference.tag().map_or_else(|| found.to_string(), str::to_owned);
        let url = source.url(&format!("manifests/{target}"))?;
        let mut ask = Ask::write(&source, Method::PUT, url, what)
            .header(CONTENT_TYPE, media_type)
            .body(Bytes::copy_from_slice(manifest));
        if let Some(etag) = etag {
            ask = ask.header(IF_MATCH, etag);
        }
        let answer = self.send(ask).await?;
        if let Some(wanted) = told_digest(&answer)?.filter(|told| *told != found) {
            return Err(WireError::Digest { what: answer.what, wanted, found });
        }
        Ok(Put { digest: found, subject: answer.header("oci-subject").is_some() })
    }

    /// The tags of a repository, those of signatures too. At most [`limits::TAGS`].
    ///
    /// # Errors
    /// As every request; [`WireError::Form`] for a list that leads elsewhere or has no end.
    pub async fn tags(&self, reference: &Reference) -> Result<Vec<String>, WireError> {
        let source = self.origin(reference);
        let what = format!("the tags of {}", source.name());
        let mut url = source.url("tags/list")?;
        url.query_pairs_mut().append_pair("n", PAGE);
        let mut tags = BTreeSet::new();
        for _ in 0..limits::PAGES {
            let ask = Ask::read(&source, Method::GET, url.clone(), what.clone());
            let answer = self.send(ask).await?;
            let following = next_page(&answer, &url)?;
            let bytes = answer.small(limits::PAGE).await?;
            let page: Tags = serde_json::from_slice(&bytes).map_err(|_| WireError::Form {
                what: what.clone(),
                why: "it is no list of tags".to_owned(),
            })?;
            tags.extend(page.tags.unwrap_or_default());
            if tags.len() > limits::TAGS {
                break;
            }
            match following {
                // Tags are texts of others too: one that no reference can have is none of ours.
                None => {
                    let is_tag = |tag: &String| reference.tagged(tag).is_ok();
                    return Ok(tags.into_iter().filter(is_tag).collect());
                }
                Some(next) => url = next,
            }
        }
        Err(WireError::Form { what, why: format!("more than {} of them", limits::TAGS) })
    }
}

fn ask<'a>(
    source: &'a Source,
    method: Method,
    reference: &Reference,
    target: &str,
) -> Result<Ask<'a>, WireError> {
    let url = source.url(&format!("manifests/{target}"))?;
    let what = format!("the manifest of {reference}");
    Ok(Ask::read(source, method, url, what).header(ACCEPT, ACCEPTED.join(", ")))
}

/// What stands for the version in a URL. The digest goes before the tag, which may be moved.
fn target(reference: &Reference) -> Result<String, WireError> {
    let digest = reference.digest().map(Digest::to_string);
    digest.or(reference.tag().map(str::to_owned)).ok_or_else(|| no_version(reference))
}

fn no_version(reference: &Reference) -> WireError {
    WireError::NoVersion { reference: reference.to_string() }
}

/// The digest the registry says its answer has. One of another algorithm says nothing to us.
fn told_digest(answer: &Answer) -> Result<Option<Digest>, WireError> {
    match answer.header("docker-content-digest") {
        Some(text) if text.starts_with("sha256:") => Digest::from_str(text)
            .map(Some)
            .map_err(|error| WireError::Form { what: answer.what.clone(), why: error.to_string() }),
        _ => Ok(None),
    }
}

/// Where the next page of a list is, which can only be in the same place.
pub(super) fn next_page(answer: &Answer, url: &Url) -> Result<Option<Url>, WireError> {
    let refused = |why: &str| WireError::Form { what: answer.what.clone(), why: why.to_owned() };
    let Some(link) = answer.header("link") else { return Ok(None) };
    let Some(to) = next_link(link) else { return Ok(None) };
    let next = url.join(to).map_err(|_| refused("its next page has no URL"))?;
    if next.origin() != url.origin() || next.path() != url.path() {
        return Err(refused("its next page is elsewhere"));
    }
    if next == *url {
        return Err(refused("its next page is the same page again"));
    }
    Ok(Some(next))
}

/// The target of `<…>; rel="next"`.
fn next_link(link: &str) -> Option<&str> {
    link.split(',').find_map(|part| {
        let (target, parameters) = part.trim().strip_prefix('<')?.split_once('>')?;
        parameters
            .split(';')
            .map(str::trim)
            .any(|parameter| matches!(parameter, "rel=\"next\"" | "rel=next"))
            .then_some(target)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_link_to_the_next_page_is_taken() {
        for (link, expected) in [
            ("</v2/a/tags/list?last=b&n=1>; rel=\"next\"", Some("/v2/a/tags/list?last=b&n=1")),
            ("<x>; rel=prev, <y>; rel=next", Some("y")),
            ("<x>; rel=\"prev\"", None),
            ("x; rel=\"next\"", None),
            ("", None),
        ] {
            assert_eq!(next_link(link), expected, "{link}");
        }
    }
}
