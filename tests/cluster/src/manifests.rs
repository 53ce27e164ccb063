//! Manifests for a cluster: those of `tests/data`, as they are or moved to a namespace.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;
use serde_json::{Value, json};

/// One object and the file it comes from.
#[derive(Debug, Clone)]
pub struct Found {
    /// The file, below `tests/data/manifests`.
    pub file: String,
    /// The object.
    pub object: Value,
}

/// The objects of the file `name` below `tests/data/manifests`.
pub fn reference(name: &str) -> Result<Vec<Value>> {
    read(&folder().join(name))
}

/// The one object of the file `name`, moved to `namespace`.
pub fn guide(name: &str, namespace: &str) -> Result<Value> {
    let mut objects = reference(name)?;
    if objects.len() != 1 {
        bail!("{name} holds {} objects instead of one", objects.len());
    }
    let mut object = objects.remove(0);
    move_to(&mut object, namespace);
    Ok(object)
}

/// Every object of the reference manifests that has a kind; fragments have none.
pub fn all() -> Result<Vec<Found>> {
    let mut files = Vec::new();
    collect(&folder(), &mut files)?;
    files.sort();
    let mut found = Vec::new();
    for path in files {
        let file = path.strip_prefix(folder()).unwrap_or(&path).to_string_lossy().into_owned();
        for object in read(&path)? {
            if object.get("kind").is_some() && object.get("apiVersion").is_some() {
                found.push(Found { file: file.clone(), object });
            }
        }
    }
    Ok(found)
}

/// Puts an object, and what it says about its own namespace `demo`, into `namespace`.
pub fn move_to(object: &mut Value, namespace: &str) {
    for pointer in [
        "/metadata/namespace",
        "/spec/repository/namespace",
        "/spec/target/ref/namespace",
        "/spec/appRef/namespace",
    ] {
        if let Some(place) = object.pointer_mut(pointer) {
            *place = json!(namespace);
        }
    }
}

/// The objects of one file.
pub fn read(path: &Path) -> Result<Vec<Value>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_saphyr::from_multiple(&text)
        .with_context(|| format!("failed to parse {}", path.display()))
}

fn folder() -> PathBuf {
    binaries::source_root().join("tests").join("data").join("manifests")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let path = entry.with_context(|| format!("failed to list {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
