//! An image of one layer as an OCI layout in a tar file.
//!
//! Written as the OCI image format 1.1 describes it: `oci-layout`, `index.json`, and the blobs
//! under their digests. Every byte follows from the arguments: no clock, no owner, no order of a
//! folder, and JSON from types whose fields have their order here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// When everything in an image was made: a date that says that it says nothing.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What an image is but its files.
#[derive(Debug)]
pub(super) struct Image {
    /// `<repository>:<tag>`.
    pub(super) name: String,
    /// In the words of OCI, such as `amd64`.
    pub(super) architecture: &'static str,
    /// The program that runs.
    pub(super) entrypoint: &'static str,
    /// `<uid>:<gid>`.
    pub(super) user: &'static str,
    /// Labels of its configuration.
    pub(super) labels: Vec<(&'static str, &'static str)>,
}

/// A file of the layer.
#[derive(Debug)]
pub(super) struct Entry {
    /// From the top folder, without a leading slash.
    pub(super) path: &'static str,
    /// Its permissions.
    pub(super) mode: u32,
    /// Its bytes.
    pub(super) content: Vec<u8>,
}

/// What was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// Of the manifest: what a registry calls the image's digest.
    pub(super) digest: String,
    /// Bytes of the layer as it is on a node.
    pub(super) unpacked: u64,
    /// Bytes of the layer as it travels.
    pub(super) packed: u64,
}

impl Image {
    /// Writes the image with these files to `output`.
    pub(super) fn write(&self, entries: &[Entry], output: &Path) -> Result<Written> {
        let tar = layer(entries).context("failed to write the layer")?;
        let packed = gzip(&tar);
        let layer = Blob::new(LAYER, packed);
        let config = Blob::json(CONFIG, &self.config(&tar))?;
        let manifest = Blob::json(
            MANIFEST,
            &Manifest {
                schema_version: 2,
                media_type: MANIFEST,
                config: config.descriptor(),
                layers: [layer.descriptor()],
            },
        )?;
        let index = serde_json::to_vec(&Index {
            schema_version: 2,
            media_type: INDEX,
            manifests: [Descriptor { annotations: Some(self.names()), ..manifest.descriptor() }],
        })
        .context("failed to write JSON")?;

        let mut layout = tar::Builder::new(Vec::new());
        append(&mut layout, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        append(&mut layout, "index.json", 0o644, &index)?;
        for blob in [&manifest, &config, &layer] {
            append(&mut layout, &blob.place(), 0o644, &blob.bytes)?;
        }
        let bytes = layout.into_inner().context("failed to write the layout")?;
        write(output, &bytes)?;
        Ok(Written {
            digest: manifest.digest,
            unpacked: tar.len() as u64,
            packed: layer.bytes.len() as u64,
        })
    }

    fn config(&self, tar: &[u8]) -> Config<'_> {
        Config {
            created: CREATED,
            architecture: self.architecture,
            os: "linux",
            config: Run {
                user: self.user,
                entrypoint: [self.entrypoint],
                working_dir: "/",
                labels: self.labels.iter().copied().collect(),
            },
            rootfs: Root { kind: "layers", diff_ids: [digest(tar)] },
            history: [Step { created: CREATED, created_by: "cargo xtask image" }],
        }
    }

    /// What containerd, and what others look at to name an image they import.
    fn names(&self) -> BTreeMap<&'static str, String> {
        let tag = self.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        BTreeMap::from([
            ("io.containerd.image.name", self.name.clone()),
            ("org.opencontainers.image.ref.name", tag.to_owned()),
        ])
    }
}

/// The tar of the files, each folder before what lies in it.
fn layer(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let above: Vec<&Path> = Path::new(entry.path).ancestors().skip(1).collect();
        for folder in above.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            if folders.iter().any(|known| known == folder) {
                continue;
            }
            folders.push(folder.to_path_buf());
            let mut header = header(tar::EntryType::Directory, 0o755, 0);
            tar.append_data(&mut header, format!("{}/", folder.display()), std::io::empty())?;
        }
        append(&mut tar, entry.path, entry.mode, &entry.content)?;
    }
    Ok(tar.into_inner()?)
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) -> Result<()> {
    let mut header = header(tar::EntryType::Regular, mode, bytes.len() as u64);
    tar.append_data(&mut header, path, bytes).with_context(|| format!("failed to add {path}"))
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// gzip (RFC 1952) without name and time. Not by flate2: which library that compresses with
/// depends on what else is built, and other bytes would be another digest.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    const BEST: u8 = 9;
    // Magic, deflate, no flags, no time, "slowest algorithm", unknown system.
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff];
    packed.extend(miniz_oxide::deflate::compress_to_vec(bytes, BEST));
    packed.extend(crc32fast::hash(bytes).to_le_bytes());
    let length = u32::try_from(bytes.len() & 0xffff_ffff).unwrap_or_default();
    packed.extend(length.to_le_bytes());
    packed
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn write(output: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = output.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
    }
    fs::write(output, bytes).with_context(|| format!("failed to write {}", output.display()))
}

/// Bytes under their digest.
struct Blob {
    media_type: &'static str,
    digest: String,
    bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Self { media_type, digest: digest(&bytes), bytes }
    }

    fn json(media_type: &'static str, value: &impl Serialize) -> Result<Self> {
        Ok(Self::new(media_type, serde_json::to_vec(value).context("failed to write JSON")?))
    }

    fn place(&self) -> String {
        format!("blobs/{}", self.digest.replace(':', "/"))
    }

    fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: self.media_type,
            digest: self.digest.clone(),
            size: self.bytes.len(),
            annotations: None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    media_type: &'static str,
    manifests: [Descriptor; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: [Descriptor; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<&'static str, String>>,
}

#[derive(Serialize)]
struct Config<'a> {
    created: &'static str,
    architecture: &'a str,
    os: &'static str,
    config: Run<'a>,
    rootfs: Root,
    history: [Step; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Run<'a> {
    user: &'a str,
    entrypoint: [&'a str; 1],
    working_dir: &'static str,
    labels: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
struct Root {
    #[serde(rename = "type")]
    kind: &'static str,
    diff_ids: [String; 1],
}

#[derive(Serialize)]
struct Step {
    created: &'static str,
    created_by: &'static str,
}

#[cfg(test)]
mod tests;
