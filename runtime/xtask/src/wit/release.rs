//! Released versions of the contract: what may never change again, by hash, in `wit/released.lock`.
//!
//! Of a WIT file its tokens are hashed, so that its comments may become better.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::{files, tokens};
use crate::talk;
use crate::workspace::Workspace;

/// The list, below the top folder.
const LOCK: &str = "wit/released.lock";
const HEAD: &str = "\
# Released versions of the contract. Nothing here ever changes: `cargo xtask wit release` adds lines,
# `cargo xtask tidy` compares. The tokens are hashed: comments may become better.
";

/// Path below the top folder, and hash.
type Lock = BTreeMap<String, String>;

/// Whether this version was released.
pub(super) fn is_released(workspace: &Workspace, version: &str) -> Result<bool> {
    let prefix = format!("wit/{version}/");
    Ok(read(workspace)?.keys().any(|path| path.starts_with(&prefix)))
}

/// Releases a version: writes the hashes of its files.
pub(super) fn release(workspace: &Workspace, version: &str) -> Result<()> {
    if !workspace.root.join("wit").join(version).is_dir() {
        bail!("there is no folder wit/{version}");
    }
    if is_released(workspace, version)? {
        bail!("{version} is released, and never changes again");
    }
    let mut lock = read(workspace)?;
    for path in present(workspace, version)? {
        lock.insert(path.clone(), hash(workspace, &path)?);
    }
    let lines: String = lock.iter().map(|(path, hash)| format!("{hash}  {path}\n")).collect();
    let file = workspace.root.join(LOCK);
    fs::write(&file, format!("{HEAD}{lines}"))
        .with_context(|| format!("failed to write {}", file.display()))?;
    talk::line(&format!("{version} is released: {} files in {LOCK}", lock.len()));
    Ok(())
}

/// What differs from the day of its release.
pub(crate) fn findings(workspace: &Workspace) -> Result<Vec<String>> {
    let lock = read(workspace)?;
    let mut findings = Vec::new();
    for (path, released) in &lock {
        let found = match workspace.root.join(path).is_file() {
            true => hash(workspace, path)?,
            false => "nothing".to_owned(),
        };
        if found != *released {
            findings.push(format!(
                "{path}: differs from what was released, or is gone; put it back, and make what is new a version of its own"
            ));
        }
    }
    for version in versions(&lock) {
        for path in present(workspace, version)?.iter().filter(|path| !lock.contains_key(*path)) {
            findings.push(format!("{path}: is new in {version}, which is released"));
        }
    }
    Ok(findings)
}

/// The versions that were released.
fn versions(lock: &Lock) -> Vec<&str> {
    let mut versions: Vec<&str> = lock.keys().filter_map(|path| path.split('/').nth(1)).collect();
    versions.retain(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    versions.dedup();
    versions
}

/// The files of a version that count, below the top folder.
fn present(workspace: &Workspace, version: &str) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for folder in [format!("wit/{version}"), format!("wit/{version}/deps")] {
        let names = files(&workspace.root.join(&folder))?;
        let names = names.into_iter().filter(|name| name.ends_with(".wit"));
        paths.extend(names.map(|name| format!("{folder}/{name}")));
    }
    Ok(paths)
}

fn hash(workspace: &Workspace, path: &str) -> Result<String> {
    let text = fs::read_to_string(workspace.root.join(path))
        .with_context(|| format!("failed to read {path}"))?;
    let hashed = Sha256::digest(tokens::tokens(&text));
    Ok(format!("sha256:{}", hex::encode(hashed)))
}

/// The list; empty if nothing was released.
fn read(workspace: &Workspace) -> Result<Lock> {
    let file = workspace.root.join(LOCK);
    if !file.is_file() {
        return Ok(Lock::new());
    }
    let text =
        fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (hash, path) = line
                .split_once("  ")
                .with_context(|| format!("{LOCK}: {line:?} is no line of it"))?;
            Ok((path.to_owned(), hash.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// A repository in which version 0.1.0 is released.
    fn repository() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        write("wit/0.1.0/a.wit", "package a:b@0.1.0;");
        write("wit/0.1.0/deps/b.wit", "package b:c;");
        let workspace =
            Workspace { root: folder.path().into(), target: "/none".into(), packages: Vec::new() };
        let lines: String = present(&workspace, "0.1.0")
            .unwrap()
            .iter()
            .map(|path| format!("{}  {path}\n", hash(&workspace, path).unwrap()))
            .collect();
        fs::write(folder.path().join(LOCK), format!("{HEAD}{lines}")).unwrap();
        (folder, workspace)
    }

    #[test]
    fn what_was_released_may_be_explained_better_and_not_be_changed() {
        let (folder, workspace) = repository();
        assert!(is_released(&workspace, "0.1.0").unwrap());
        assert!(!is_released(&workspace, "0.1.1").unwrap());
        assert!(findings(&workspace).unwrap().is_empty());
        let wit = folder.path().join("wit/0.1.0/a.wit");
        fs::write(&wit, "/// Says.\npackage a:b @ 0.1.0;").unwrap();
        assert!(findings(&workspace).unwrap().is_empty());
        for (path, content) in [
            ("wit/0.1.0/a.wit", Some("package a:b@0.1.0; interface more {}")),
            ("wit/0.1.0/deps/b.wit", None),
            ("wit/0.1.0/new.wit", Some("package a:b@0.1.0;")),
        ] {
            let (folder, workspace) = repository();
            let file = folder.path().join(path);
            match content {
                Some(content) => fs::write(file, content).unwrap(),
                None => fs::remove_file(file).unwrap(),
            }
            let findings = findings(&workspace).unwrap();
            assert!(findings.len() == 1 && findings[0].starts_with(path), "{findings:?}");
        }
    }
}
