//! The way back of `registry-export`: puts its artifacts into an OCI registry.
//!
//! Artifacts come in any order. Blobs go to the registry as they arrive, moved by the host, which
//! compares nothing: the registry does, by the digest each is put under. Manifests are small and
//! wait until all blobs are there, those that others name first. Tags come last, so that a tag
//! that can be seen is whole.

mod index;
mod registry;

use std::collections::{BTreeMap, BTreeSet};

use sealift_function::{Context, Error, NoParameters, Result, Sink, Upstream, export, progress};

use index::{Index, Item, Repository, children};
use registry::{mount, put_blob, put_manifest};

/// Largest list of what is whose; a registry with 100 000 manifests has 30 MiB.
const MOST_INDEX: usize = 64 << 20;
/// Largest manifest, as registries take it.
const MOST_MANIFEST: usize = 4 << 20;

/// Puts images into a registry.
#[derive(Debug)]
pub struct RegistryImport;

impl Sink for RegistryImport {
    type Parameters = NoParameters;

    fn run(_: NoParameters, upstream: Upstream) -> Result<()> {
        let mut index = None;
        let mut arrived = Arrived::default();
        for artifact in upstream {
            let artifact = artifact?;
            let name = &artifact.header.name;
            progress::phase(&format!("putting {name}"));
            match Item::of(name)? {
                Item::Index => {
                    index = Some(Index::parse(&artifact.body.read_all(MOST_INDEX)?)?);
                }
                Item::Blob { repository, digest } => {
                    put_blob(&repository, &digest, artifact.body).context(name)?;
                    arrived.blobs.insert(digest, repository);
                }
                Item::Manifest { digest } => {
                    let bytes = artifact.body.read_all(MOST_MANIFEST).context(name)?;
                    arrived.manifests.insert(digest, bytes);
                }
                Item::Other => {
                    artifact.body.discard()?;
                    progress::info(&format!("{name} is none of registry-export's and left out"));
                }
            }
        }
        let index = index.ok_or_else(|| {
            Error::DataLossRisk("registry.json, which says what is whose, is missing".to_owned())
        })?;
        for repository in &index.repositories {
            arrived.complete(repository).context(&repository.name)?;
        }
        Ok(())
    }
}

/// What has come so far.
#[derive(Default)]
struct Arrived {
    /// Digests of blobs, and the repository each was put into.
    blobs: BTreeMap<String, String>,
    /// Digests of manifests, and their bytes.
    manifests: BTreeMap<String, Vec<u8>>,
}

impl Arrived {
    /// Puts what a repository has besides its blobs.
    fn complete(&self, repository: &Repository) -> Result<()> {
        progress::phase(&format!("completing {}", repository.name));
        for digest in &repository.blobs {
            let from = self.blobs.get(digest).ok_or_else(|| missing("blob", digest))?;
            if from != &repository.name {
                mount(&repository.name, digest, from)?;
            }
        }
        let mut put = BTreeSet::new();
        for digest in repository.manifests.keys() {
            self.put(repository, digest, &mut put)?;
        }
        for (tag, digest) in &repository.tags {
            let bytes = self.manifest(digest)?;
            put_manifest(&repository.name, tag, repository.media_type(digest)?, bytes)?;
        }
        Ok(())
    }

    /// Puts a manifest after those it names.
    fn put<'a>(
        &'a self,
        repository: &'a Repository,
        digest: &'a str,
        put: &mut BTreeSet<&'a str>,
    ) -> Result<()> {
        // Before the others: what names itself in a circle has no digest, but a file can say so.
        if !put.insert(digest) {
            return Ok(());
        }
        let bytes = self.manifest(digest)?;
        for child in children(bytes).context(digest)? {
            if let Some((child, _)) = repository.manifests.get_key_value(&child) {
                self.put(repository, child, put)?;
            }
        }
        put_manifest(&repository.name, digest, repository.media_type(digest)?, bytes)
    }

    fn manifest(&self, digest: &str) -> Result<&[u8]> {
        self.manifests.get(digest).map(Vec::as_slice).ok_or_else(|| missing("manifest", digest))
    }
}

fn missing(what: &str, digest: &str) -> Error {
    Error::DataLossRisk(format!("{what} {digest} is named by registry.json and was not stored"))
}

export!(sink, RegistryImport);
