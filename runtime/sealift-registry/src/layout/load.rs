//! Out of a layout, into a registry.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use tempfile::TempDir;

use super::{LayoutError, MOST_FILES, MOST_MANIFESTS, NAME};
use crate::artifact;
use crate::digest::{Digest, Verified};
use crate::manifest::{Descriptor, MANIFEST, Manifest};
use crate::reference::Reference;
use crate::wire::{Client, limits};

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// What it was called where it came from.
    pub from: Reference,
    /// Where it is now.
    pub to: Reference,
    /// Its digest, which is the same on both sides.
    pub manifest: Digest,
    /// How many things that refer to it came with it.
    pub referrers: usize,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

/// A layout on this machine.
struct Layout {
    path: PathBuf,
    folder: PathBuf,
    /// Holds the folder a tar file was unpacked to.
    _unpacked: Option<TempDir>,
}

/// Puts the components of a layout, a tar file or a folder, below `to`: a registry, or a registry
/// and the first parts of repositories. What was `ghcr.io/acme/export:1` becomes
/// `<to>/acme/export:1`, and all that refers to it comes along.
///
/// # Errors
/// The file, or the registry.
pub async fn load(client: &Client, path: &Path, to: &str) -> Result<Vec<Loaded>, LayoutError> {
    let layout = Layout::open(path)?;
    let index = layout.index()?;
    // Which manifests refer to which, from their own words.
    let mut about: BTreeMap<Digest, Vec<(Bytes, Manifest)>> = BTreeMap::new();
    let mut named = Vec::new();
    for entry in index {
        let bytes = layout.blob(&entry, limits::MANIFEST)?;
        let name = entry.annotations.as_ref().and_then(|words| words.get(NAME));
        if let Some(name) = name {
            named.push((name.clone(), bytes));
            continue;
        }
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|_| layout.wrong(format!("{} is no manifest", entry.digest)))?;
        if let Some(subject) = manifest.subject.as_ref().map(|subject| subject.digest) {
            about.entry(subject).or_default().push((bytes, manifest));
        }
    }
    let mut loaded = Vec::new();
    for (name, bytes) in named {
        let refused = |source| LayoutError::Name { text: name.clone(), source };
        let from: Reference = name.parse().map_err(refused)?;
        let version = match (from.tag(), from.digest()) {
            (Some(tag), _) => format!(":{tag}"),
            (None, Some(digest)) => format!("@{digest}"),
            (None, None) => String::new(),
        };
        let moved = format!("{}/{}{version}", to.trim_end_matches('/'), from.repository());
        let target: Reference = moved.parse().map_err(refused)?;
        let digest = Digest::of(&bytes);
        artifact::read(&bytes, MANIFEST)
            .map_err(|source| LayoutError::Artifact { reference: name.clone(), source })?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|_| layout.wrong(format!("{digest} is no manifest")))?;
        let wire = |source| LayoutError::Wire { reference: target.to_string(), source };
        layout.put_parts(client, &target, &manifest).await?;
        client.put_manifest(&target, &bytes, MANIFEST).await.map_err(wire)?;
        let referrers = about.get(&digest).map(Vec::as_slice).unwrap_or_default();
        for (bytes, manifest) in referrers {
            layout.put_parts(client, &target, manifest).await?;
            let kind = manifest.artifact_type.as_ref().unwrap_or(&manifest.config.media_type);
            let words = manifest.annotations.clone().unwrap_or_default();
            client.attach(&target, &digest, bytes, kind, &words).await.map_err(wire)?;
        }
        loaded.push(Loaded { from, to: target, manifest: digest, referrers: referrers.len() });
    }
    Ok(loaded)
}

impl Layout {
    fn open(path: &Path) -> Result<Self, LayoutError> {
        let failed = |source| LayoutError::Read { path: path.to_path_buf(), source };
        let path = path.to_path_buf();
        if fs::metadata(&path).map_err(failed)?.is_dir() {
            return Ok(Self { folder: path.clone(), path, _unpacked: None });
        }
        let unpacked = tempfile::tempdir().map_err(failed)?;
        let folder = unpacked.path().to_path_buf();
        let layout = Self { path, folder, _unpacked: Some(unpacked) };
        layout.unpack()?;
        Ok(layout)
    }

    /// Unpacks the files a layout has, under names of ours. Everything else in the file is nothing.
    fn unpack(&self) -> Result<(), LayoutError> {
        let failed = |source| LayoutError::Read { path: self.path.clone(), source };
        fs::create_dir_all(self.folder.join("blobs/sha256")).map_err(failed)?;
        let mut archive = tar::Archive::new(File::open(&self.path).map_err(failed)?);
        for (count, entry) in archive.entries().map_err(failed)?.enumerate() {
            if count >= MOST_FILES {
                return Err(self.wrong(format!("it has more than {MOST_FILES} files")));
            }
            let mut entry = entry.map_err(failed)?;
            if entry.header().entry_type() != tar::EntryType::Regular {
                continue;
            }
            let name = entry.path().map_err(failed)?.to_string_lossy().into_owned();
            let name = name.strip_prefix("./").unwrap_or(&name);
            let blob = name.strip_prefix("blobs/sha256/").map(|hex| format!("sha256:{hex}"));
            let is_blob = blob.is_some_and(|digest| digest.parse::<Digest>().is_ok());
            if !is_blob && name != "index.json" {
                continue;
            }
            if entry.size() > limits::LAYER {
                return Err(self.wrong(format!("{name} has {} bytes", entry.size())));
            }
            let mut file = File::create(self.folder.join(name)).map_err(failed)?;
            io::copy(&mut (&mut entry).take(limits::LAYER), &mut file).map_err(failed)?;
        }
        Ok(())
    }

    fn index(&self) -> Result<Vec<Descriptor>, LayoutError> {
        let path = self.folder.join("index.json");
        let failed = |source| LayoutError::Read { path: self.path.join("index.json"), source };
        let mut text = Vec::new();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(self.wrong("it has no index.json".to_owned()));
            }
            Err(error) => return Err(failed(error)),
        };
        file.take(limits::PAGE + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > limits::PAGE {
            return Err(self.wrong("its index.json is too large".to_owned()));
        }
        let index: Index = serde_json::from_slice(&text)
            .map_err(|_| self.wrong("its index.json is no list of manifests".to_owned()))?;
        if index.manifests.len() > MOST_MANIFESTS {
            return Err(self.wrong(format!("it has more than {MOST_MANIFESTS} manifests")));
        }
        Ok(index.manifests)
    }

    /// A blob, which is what its name says.
    fn blob(&self, part: &Descriptor, most: u64) -> Result<Bytes, LayoutError> {
        if part.size > most {
            return Err(self.wrong(format!("{} has {} bytes", part.digest, part.size)));
        }
        let path = self.folder.join("blobs/sha256").join(part.digest.hex());
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(LayoutError::Missing(part.digest));
            }
            Err(source) => return Err(LayoutError::Read { path: self.path.clone(), source }),
        };
        let bytes = Verified::new(file, part.size, part.digest).bytes();
        bytes
            .map(Bytes::from)
            .map_err(|source| LayoutError::Read { path: self.path.clone(), source })
    }

    async fn put_parts(
        &self,
        client: &Client,
        to: &Reference,
        manifest: &Manifest,
    ) -> Result<(), LayoutError> {
        let wire = |source| LayoutError::Wire { reference: to.to_string(), source };
        for part in std::iter::once(&manifest.config).chain(&manifest.layers) {
            let bytes = self.blob(part, limits::LAYER)?;
            client.put_blob(to, &part.digest, bytes).await.map_err(wire)?;
        }
        Ok(())
    }

    fn wrong(&self, why: String) -> LayoutError {
        LayoutError::Form { path: self.path.clone(), why }
    }
}
