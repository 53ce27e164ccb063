//! Referrers: what was put beside a manifest and refers to it, as signatures do.
//!
//! Registries of today list them (`/referrers/<digest>`); others keep a list that clients write,
//! under the tag `sha256-<hex>`. Both are asked and written the way the specification has it. What
//! a list says of its entries proves nothing: whoever uses one reads its manifest. A registry that
//! denies, breaks off or answers nonsense is an error here and never "nothing refers to it".

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use serde_json::{Value, json};

use super::document::next_page;
use super::send::Ask;
use super::{Client, Source, WireError, limits};
use crate::digest::Digest;
use crate::manifest::{Descriptor, INDEX, MANIFEST};
use crate::reference::Reference;

/// How often a list that others write too is written again.
const ATTEMPTS: usize = 5;

/// An entry of such a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// What its manifest is.
    pub media_type: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Its size.
    pub size: u64,
    /// What kind of artifact the list says it is: of some registries the type of its config.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// Words of the list about it.
    #[serde(default)]
    pub annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Option<Vec<Value>>,
}

impl Client {
    /// What refers to the manifest of this digest. Mirrors are asked first; one that knows of
    /// nothing is not believed, since not all copy what refers to what they copied.
    ///
    /// # Errors
    /// As every request, and [`WireError::Form`] for a list that has no end.
    pub async fn referrers(
        &self,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<Vec<Referrer>, WireError> {
        let pinned = reference.pinned(*digest);
        let sources = self.sources(&pinned);
        let (origin, mirrors) = match sources.split_last() {
            Some(split) => split,
            None => return Ok(Vec::new()),
        };
        for source in mirrors {
            if let Ok(found) = self.referrers_at(source, &pinned, digest).await
                && !found.is_empty()
            {
                return Ok(found);
            }
        }
        self.referrers_at(origin, &pinned, digest).await
    }

    async fn referrers_at(
        &self,
        source: &Source,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<Vec<Referrer>, WireError> {
        match self.listed(source, digest).await? {
            Some(found) => Ok(found),
            None => self.by_tag(source, reference, digest).await,
        }
    }

    /// By the API. None if the registry has none.
    async fn listed(
        &self,
        source: &Source,
        digest: &Digest,
    ) -> Result<Option<Vec<Referrer>>, WireError> {
        let what = format!("what refers to {}@{digest}", source.name());
        let mut url = source.url(&format!("referrers/{digest}"))?;
        let mut found = Vec::new();
        for _ in 0..limits::PAGES {
            let ask = Ask::read(source, Method::GET, url.clone(), what.clone());
            let answer = match self.send(ask.header(ACCEPT, INDEX)).await {
                Ok(answer) => answer,
                // The answers of registries that have never heard of it.
                Err(
                    WireError::NotFound { .. } | WireError::Refused { status: 400 | 405 | 406, .. },
                ) if found.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            };
            // A page of a shop that answers everything is no list.
            if answer.media_type() != INDEX {
                return Ok(None);
            }
            let next = next_page(&answer, &url)?;
            found.extend(index(&what, &answer.small(limits::PAGE).await?)?);
            if found.len() > limits::LISTED {
                break;
            }
            match next {
                None => return Ok(Some(found)),
                Some(next) => url = next,
            }
        }
        Err(WireError::Form { what, why: format!("more than {} entries", limits::LISTED) })
    }

    /// By the list under a tag. None there means nothing.
    async fn by_tag(
        &self,
        source: &Source,
        reference: &Reference,
        digest: &Digest,
    ) -> Result<Vec<Referrer>, WireError> {
        let tagged = tag_of(reference, digest)?;
        match self.document_at_source(source, &tagged).await {
            Ok(document) => index(&format!("the manifest of {tagged}"), &document.bytes),
            Err(WireError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Puts a manifest whose subject is `subject`, so that it is found as something that refers to
    /// it. `artifact_type` and `annotations` go into the list a registry without the API gets.
    ///
    /// # Errors
    /// As every request; [`WireError::Form`] if others write the same list all the time.
    pub async fn attach(
        &self,
        reference: &Reference,
        subject: &Digest,
        manifest: &[u8],
        artifact_type: &str,
        annotations: &BTreeMap<String, String>,
    ) -> Result<Digest, WireError> {
        let own = Descriptor {
            artifact_type: Some(artifact_type.to_owned()),
            annotations: Some(annotations.clone()),
            ..Descriptor::of(MANIFEST, manifest)
        };
        let put = self.put_manifest(&reference.pinned(own.digest), manifest, MANIFEST).await?;
        let origin = self.origin(reference);
        // Not all that have the API say so when something is put.
        if put.subject || self.listed(&origin, subject).await?.is_some() {
            return Ok(own.digest);
        }
        let tagged = tag_of(reference, subject)?;
        for _ in 0..ATTEMPTS {
            if self.enter(&tagged, &own).await? {
                return Ok(own.digest);
            }
        }
        Err(WireError::Form {
            what: format!("the list of {tagged}"),
            why: "others write it at the same time; try again".to_owned(),
        })
    }

    /// Enters a manifest into the list of a tag. False if it is not in it afterwards.
    async fn enter(&self, tagged: &Reference, own: &Descriptor) -> Result<bool, WireError> {
        let what = format!("the list of {tagged}");
        let (mut list, etag) = match self.document_of_origin(tagged).await {
            Ok(document) => {
                // Entries of others are kept as they are, with everything we know nothing of.
                let list: Value =
                    serde_json::from_slice(&document.bytes).map_err(|_| no_list(&what))?;
                (list, document.etag)
            }
            Err(WireError::NotFound { .. }) => {
                (json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}), None)
            }
            Err(error) => return Err(error),
        };
        let entries = list
            .get_mut("manifests")
            .and_then(Value::as_array_mut)
            .ok_or_else(|| no_list(&what))?;
        let digest = own.digest.to_string();
        let holds = |entries: &[Value]| {
            entries.iter().any(|entry| entry.get("digest").and_then(Value::as_str) == Some(&digest))
        };
        if holds(entries) {
            return Ok(true);
        }
        entries.push(serde_json::to_value(own).map_err(|_| no_list(&what))?);
        let text = list.to_string();
        match self.put_version(tagged, text.as_bytes(), INDEX, etag).await {
            Ok(_) => {}
            // Somebody was faster, and the registry has seen it.
            Err(WireError::Refused { status: 412, .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let after = self.document_of_origin(tagged).await?;
        let list: Value = serde_json::from_slice(&after.bytes).map_err(|_| no_list(&what))?;
        Ok(list.get("manifests").and_then(Value::as_array).is_some_and(|entries| holds(entries)))
    }
}

fn no_list(what: &str) -> WireError {
    WireError::Form { what: what.to_owned(), why: "it is no list of manifests".to_owned() }
}

fn index(what: &str, bytes: &[u8]) -> Result<Vec<Referrer>, WireError> {
    let index: Index = serde_json::from_slice(bytes).map_err(|_| no_list(what))?;
    let entries = index.manifests.unwrap_or_default();
    // What cannot be read, such as a digest of another algorithm, cannot be ours.
    Ok(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
}

/// The tag of the list, as the specification names it.
fn tag_of(reference: &Reference, digest: &Digest) -> Result<Reference, WireError> {
    reference
        .tagged(&format!("sha256-{}", digest.hex()))
        .map_err(|error| WireError::Form { what: reference.to_string(), why: error.to_string() })
}
