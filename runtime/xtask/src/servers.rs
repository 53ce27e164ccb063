//! `cargo xtask servers`: builds the pinned real servers of the tests, once per user.
//!
//! Each folder of `tests/servers` is a Go module of its own, so that their dependencies cannot
//! clash. Binaries go to `<cache>/sealift/servers/<name>/<key>/`, the key being a hash of the
//! module files and the flags, and `<name>/bin` points at the ones in use. Starting them is
//! `sealift-e2e`'s.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;
use sha2::{Digest, Sha256};

use crate::talk::{self, Steps};
use crate::workspace::{self, Workspace};

/// Part of the key: what changes here changes the binaries.
const LINKER_FLAGS: &str = "-s -w";

/// How long each takes with two cores and cold caches, from `CONTRIBUTING.md`'s table.
const DURATIONS: [(&str, &str); 5] = [
    ("pushgateway", "about 20 s"),
    ("rest-server", "about 10 s"),
    ("restic", "about 2 min"),
    ("vault", "about 9 min and 4 GB of disk"),
    ("versitygw", "about 1 min"),
];

/// Builds the servers of these names; none = all.
pub(crate) fn run(names: &[String]) -> Result<()> {
    let workspace = Workspace::load()?;
    let all = names_of(&workspace)?;
    let wanted: Vec<&str> = if names.is_empty() {
        all.iter().map(String::as_str).collect()
    } else {
        names.iter().map(String::as_str).collect()
    };
    let mut steps = Steps::new(wanted.len());
    for name in wanted {
        if !all.iter().any(|known| known == name) {
            bail!("unknown server {name:?}; there are: {}", all.join(", "));
        }
        let built = built(&workspace, name)?;
        steps.begin(&format!("Server {name}"), (!built).then(|| duration(name)));
        let folder = ensure(&workspace, name)?;
        steps.done(&format!("{}{}", if built { "already built: " } else { "" }, folder.display()));
    }
    Ok(())
}

/// The folders of `tests/servers`.
pub(crate) fn names_of(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join("tests").join("servers");
    let mut names = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
        if entry.path().join("go.mod").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// How long building `name` takes.
pub(crate) fn duration(name: &str) -> &'static str {
    DURATIONS.iter().find(|(known, _)| *known == name).map_or("some minutes", |(_, long)| long)
}

/// Whether the pinned `name` is in the cache.
pub(crate) fn built(workspace: &Workspace, name: &str) -> Result<bool> {
    Ok(folder(workspace, name)?.is_dir())
}

/// Builds `name` unless it is there, and points `bin` at it.
pub(crate) fn ensure(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let folder = folder(workspace, name)?;
    if !folder.is_dir() {
        build(&module(workspace, name), name, &folder)?;
    }
    point_bin_at(&folder)?;
    Ok(folder)
}

fn module(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root.join("tests").join("servers").join(name)
}

fn folder(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let module = module(workspace, name);
    let mut hash = Sha256::new();
    for file in ["go.mod", "go.sum"] {
        let path = module.join(file);
        let bytes = fs::read(&path)
            .with_context(|| format!("server {name}: failed to read {}", path.display()))?;
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    hash.update(LINKER_FLAGS);
    let key: String = hex::encode(hash.finalize()).chars().take(16).collect();
    Ok(binaries::server_cache()?.join(name).join(key))
}

fn build(module: &Path, name: &str, folder: &Path) -> Result<()> {
    let Some(go) = workspace::version("go", "version") else {
        bail!(
            "server {name} is built with Go, which is not on PATH; install Go 1.26 or newer (https://go.dev/dl/)"
        );
    };
    let parent = folder.parent().context("the cache folder has no parent")?;
    fs::create_dir_all(parent).with_context(|| format!("failed to create {}", parent.display()))?;
    // Built beside its place and moved there whole: a broken-off build is never taken for one.
    let interim = tempfile::tempdir_in(parent)
        .with_context(|| format!("failed to create a folder in {}", parent.display()))?;
    let mut target = interim.path().as_os_str().to_owned();
    target.push("/");
    workspace::run(
        Command::new("go")
            .current_dir(module)
            // The module files are the pins: a build may not change them, nor look at a workspace around them.
            .env("GOFLAGS", "-mod=readonly")
            .env("GOWORK", "off")
            .args(["build", "-ldflags", LINKER_FLAGS, "-o"])
            .arg(target)
            .arg("tool"),
    )
    .with_context(|| {
        format!(
            "server {name}: its module in {} could not be had or built with {go}",
            module.display()
        )
    })?;
    fs::rename(interim.keep(), folder)
        .with_context(|| format!("failed to move the binaries of {name} to {}", folder.display()))
}

fn point_bin_at(folder: &Path) -> Result<()> {
    let (Some(parent), Some(key)) = (folder.parent(), folder.file_name()) else {
        bail!("{} is no place in the cache", folder.display())
    };
    let link = parent.join("bin");
    if fs::read_link(&link).is_ok_and(|target| target == Path::new(key)) {
        return Ok(());
    }
    let interim = parent.join(format!(".bin-{}", std::process::id()));
    symlink(key, &interim).with_context(|| format!("failed to create {}", interim.display()))?;
    fs::rename(&interim, &link).with_context(|| format!("failed to set {}", link.display()))?;
    talk::line(&format!("        {} -> {}", link.display(), key.to_string_lossy()));
    Ok(())
}
