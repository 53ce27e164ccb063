#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn image() -> Image {
    Image {
        name: "localhost/sealift:0.1.0".to_owned(),
        architecture: "amd64",
        entrypoint: "/sealift",
        user: "65535:65535",
        labels: vec![("org.opencontainers.image.title", "sealift")],
    }
}

fn entries() -> [Entry; 2] {
    [
        Entry { path: "sealift", mode: 0o755, content: b"the program ".repeat(1000) },
        Entry { path: "etc/ssl/roots.crt", mode: 0o644, content: b"roots".to_vec() },
    ]
}

/// The files of a tar, with their headers.
fn unpack(bytes: &[u8]) -> BTreeMap<String, (tar::Header, Vec<u8>)> {
    let mut archive = tar::Archive::new(bytes);
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (path, (entry.header().clone(), content))
        })
        .collect()
}

fn write_to(folder: &Path) -> (Written, Vec<u8>) {
    let output = folder.join("new/image.tar");
    let written = image().write(&entries(), &output).unwrap();
    (written, fs::read(output).unwrap())
}

#[test]
fn two_runs_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_to(&folder.path().join("first"));
    let second = write_to(&folder.path().join("second"));
    assert_eq!(first, second);
}

#[test]
fn the_digest_follows_the_content_and_not_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("image.tar");
    let write = |image: &Image, entries: &[Entry]| image.write(entries, &output).unwrap().digest;
    let digest = write(&image(), &entries());

    let renamed = Image { name: "registry.example/sealift:1".to_owned(), ..image() };
    assert_eq!(write(&renamed, &entries()), digest);
    let [program, mut roots] = entries();
    roots.content.push(b'\n');
    assert_ne!(write(&image(), &[program, roots]), digest);
    let other = Image { user: "0:0", ..image() };
    assert_ne!(write(&other, &entries()), digest);
}

/// From `index.json` down, as a client that pulls reads it: each blob is where its digest says,
/// has the size and the digest that are said of it, and the layer unpacks to what the
/// configuration says.
#[test]
fn the_layout_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (written, bytes) = write_to(folder.path());
    let files = unpack(&bytes);
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap();
        let (_, content) = &files[&format!("blobs/{}", digest.replace(':', "/"))];
        assert_eq!(super::digest(content), digest);
        assert_eq!(json!(content.len()), descriptor["size"]);
        content.clone()
    };

    assert_eq!(files["oci-layout"].1, br#"{"imageLayoutVersion":"1.0.0"}"#);
    let index: Value = serde_json::from_slice(&files["index.json"].1).unwrap();
    let root = &index["manifests"][0];
    assert_eq!(root["digest"], json!(written.digest));
    assert_eq!(
        root["annotations"],
        json!({
            "io.containerd.image.name": "localhost/sealift:0.1.0",
            "org.opencontainers.image.ref.name": "0.1.0",
        })
    );
    let manifest: Value = serde_json::from_slice(&blob(root)).unwrap();
    assert_eq!(manifest["mediaType"], root["mediaType"]);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);

    let packed = blob(&manifest["layers"][0]);
    assert_eq!(written.packed, packed.len() as u64);
    let tar = miniz_oxide::inflate::decompress_to_vec(&packed[10..packed.len() - 8]).unwrap();
    assert_eq!(written.unpacked, tar.len() as u64);

    let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
    assert_eq!(
        config,
        json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "User": "65535:65535",
                "Entrypoint": ["/sealift"],
                "WorkingDir": "/",
                "Labels": {"org.opencontainers.image.title": "sealift"},
            },
            "rootfs": {"type": "layers", "diff_ids": [super::digest(&tar)]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "cargo xtask image"}],
        })
    );

    let layer = unpack(&tar);
    let shown: Vec<(&str, u32, usize)> = layer
        .iter()
        .map(|(path, (header, content))| {
            assert_eq!(header.mtime().unwrap(), 0, "{path}");
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0), "{path}");
            (path.as_str(), header.mode().unwrap(), content.len())
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("etc/", 0o755, 0),
            ("etc/ssl/", 0o755, 0),
            ("etc/ssl/roots.crt", 0o644, 5),
            ("sealift", 0o755, 12_000),
        ]
    );
}

/// The referee is gzip itself, which also checks the checksum and the length.
#[test]
fn gzip_reads_what_we_pack() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("packed.gz");
    let bytes = b"the program ".repeat(1000);
    fs::write(&file, gzip(&bytes)).unwrap();
    let said = std::process::Command::new("gzip").args(["-dc"]).arg(&file).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.stdout, bytes);
}
