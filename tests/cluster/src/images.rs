//! Images made of one program, without a registry and without a tool that builds images.
//!
//! An image is an OCI layout in a tar: one layer with the program, what it is linked with, and
//! the folders it needs. `ctr images import` takes it. The same bytes give the same image.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Where Debian keeps the certificates of public authorities.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// An image to be written.
#[derive(Debug, Clone)]
pub struct Image {
    reference: String,
    program: PathBuf,
    entrypoint: String,
    environment: Vec<String>,
}

/// A part of the layout, by its digest.
struct Blob {
    digest: String,
    size: u64,
}

impl Image {
    /// An image named `reference` (`localhost/pause:1`) that runs `program`, which lies in it as
    /// `/<file name>`.
    pub fn of(reference: &str, program: &Path) -> Result<Self> {
        let name = program
            .file_name()
            .and_then(|name| name.to_str())
            .with_context(|| format!("{} has no name for an image", program.display()))?;
        Ok(Self {
            reference: reference.to_owned(),
            program: program.to_path_buf(),
            entrypoint: format!("/{name}"),
            environment: vec!["PATH=/".to_owned()],
        })
    }

    /// Its name.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Writes it to `<folder>/<name>.tar` and returns the file.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let name = self.reference.replace(['/', ':'], "-");
        let layer_file = folder.join(format!("{name}.layer"));
        let layer = self.write_layer(&layer_file)?;
        let path = folder.join(format!("{name}.tar"));
        let written = self.write_layout(&path, &layer_file, &layer);
        // The layer is in the layout now.
        drop(fs::remove_file(&layer_file));
        written.with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    fn write_layer(&self, path: &Path) -> Result<Blob> {
        let file =
            File::create(path).with_context(|| format!("failed to create {}", path.display()))?;
        let mut layer = tar::Builder::new(Hashing::new(io::BufWriter::new(file)));
        // Programs keep temporary files; any user may.
        append_folder(&mut layer, "tmp", 0o1777)?;
        for library in libraries(&self.program)? {
            append_file(&mut layer, library.to_string_lossy().trim_start_matches('/'), &library)?;
        }
        // Clients of TLS look for public authorities when they are made, used or not.
        if Path::new(AUTHORITIES).is_file() {
            append_file(&mut layer, AUTHORITIES.trim_start_matches('/'), Path::new(AUTHORITIES))?;
        }
        append_file(&mut layer, self.entrypoint.trim_start_matches('/'), &self.program)?;
        layer.into_inner().context("failed to end a layer")?.finish()
    }

    fn write_layout(&self, path: &Path, layer_file: &Path, layer: &Blob) -> Result<()> {
        let config = serialised(&json!({
            "architecture": match std::env::consts::ARCH { "x86_64" => "amd64", "aarch64" => "arm64", other => other },
            "os": "linux",
            "config": {"Entrypoint": [self.entrypoint], "Env": self.environment, "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        }));
        let manifest = serialised(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &blob(&config)),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        }));
        let mut root = descriptor("application/vnd.oci.image.manifest.v1+json", &blob(&manifest));
        if let Some(fields) = root.as_object_mut() {
            fields.insert(
                "annotations".to_owned(),
                json!({"io.containerd.image.name": self.reference}),
            );
        }
        let index = serialised(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [root],
        }));
        let mut layout = tar::Builder::new(io::BufWriter::new(File::create(path)?));
        append_bytes(&mut layout, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        append_bytes(&mut layout, "index.json", &index)?;
        append_bytes(&mut layout, &place(&blob(&config)), &config)?;
        append_bytes(&mut layout, &place(&blob(&manifest)), &manifest)?;
        append_file(&mut layout, &place(layer), layer_file)?;
        layout.into_inner()?.flush()?;
        Ok(())
    }
}

/// What a program is linked with, by the words of the loader: nothing for a static one.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("failed to run ldd")?;
    if !output.status.success() {
        return Ok(Vec::new());
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')))
        .map(PathBuf::from)
        .collect())
}

fn descriptor(media: &str, blob: &Blob) -> Value {
    json!({"mediaType": media, "digest": blob.digest, "size": blob.size})
}

fn blob(bytes: &[u8]) -> Blob {
    Blob {
        digest: format!("sha256:{}", hex::encode(Sha256::digest(bytes))),
        size: bytes.len() as u64,
    }
}

fn place(blob: &Blob) -> String {
    format!("blobs/{}", blob.digest.replace(':', "/"))
}

fn serialised(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Neither times nor owners of this machine get into an image.
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

fn append_folder(tar: &mut tar::Builder<impl Write>, name: &str, mode: u32) -> Result<()> {
    let mut header = header(tar::EntryType::Directory, mode, 0);
    tar.append_data(&mut header, format!("{name}/"), io::empty())
        .with_context(|| format!("failed to write {name}"))
}

fn append_bytes(tar: &mut tar::Builder<impl Write>, name: &str, bytes: &[u8]) -> Result<()> {
    let mut header = header(tar::EntryType::Regular, 0o644, bytes.len() as u64);
    tar.append_data(&mut header, name, bytes).with_context(|| format!("failed to write {name}"))
}

fn append_file(tar: &mut tar::Builder<impl Write>, name: &str, path: &Path) -> Result<()> {
    let file = File::open(path).with_context(|| format!("failed to open {}", path.display()))?;
    let size = file.metadata().with_context(|| format!("failed to read {}", path.display()))?.len();
    let mut header = header(tar::EntryType::Regular, 0o755, size);
    tar.append_data(&mut header, name, io::BufReader::new(file))
        .with_context(|| format!("failed to write {name}"))
}

/// Counts and hashes what goes through.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    fn finish(mut self) -> Result<Blob> {
        self.inner.flush().context("failed to end a layer")?;
        let digest = format!("sha256:{}", hex::encode(self.hash.finalize()));
        Ok(Blob { digest, size: self.size })
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
