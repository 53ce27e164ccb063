//! `cargo xtask wit`: the WASI files that stand beside our contract, and releasing a version of it.
//!
//! They are copied from the sources of the wasmtime-wasi-http this workspace is pinned to, so
//! that contract and host agree to the letter. A copy that differs is an error of `tidy`. Of a
//! version that was released ([`release`]) nothing changes any more, whatever the host is built on.

pub(crate) mod release;
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::talk;
use crate::workspace::{Workspace, cargo, output};

/// What can be done.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Copies the WASI files from the pinned wasmtime-wasi-http.
    Vendor {
        /// Only say whether they differ.
        #[arg(long)]
        check: bool,
    },
    /// Releases a version: nothing of it may change from then on.
    Release {
        /// Its folder in `wit`, such as 0.1.0.
        version: String,
    },
}

/// Runs one of them.
pub(crate) fn run(command: &Command) -> Result<()> {
    let workspace = Workspace::load()?;
    let check = match command {
        Command::Vendor { check } => check,
        Command::Release { version } => return release::release(&workspace, version),
    };
    let different = differences(&workspace)?;
    if different.is_empty() {
        talk::line("the WASI files are those of the pinned wasmtime-wasi-http");
        return Ok(());
    }
    if *check {
        bail!(
            "{} differ from the pinned wasmtime-wasi-http; `cargo xtask wit vendor` copies them",
            names(&different)
        );
    }
    for file in &different {
        match &file.theirs {
            Some(theirs) => fs::copy(theirs, &file.ours).map(drop),
            None => fs::remove_file(&file.ours),
        }
        .with_context(|| format!("failed to update {}", file.ours.display()))?;
        talk::line(&format!("updated {}", file.ours.display()));
    }
    Ok(())
}

/// A vendored file that is not what it should be.
#[derive(Debug)]
pub(crate) struct Difference {
    /// Our copy.
    pub(crate) ours: PathBuf,
    /// The original; none if there is none.
    theirs: Option<PathBuf>,
}

/// The vendored files that differ from their originals, are missing, or are too many.
pub(crate) fn differences(workspace: &Workspace) -> Result<Vec<Difference>> {
    let originals = original_folder()?;
    let mut different = Vec::new();
    for version in unreleased(workspace)? {
        let ours = workspace.root.join("wit").join(version).join("deps");
        for name in files(&originals)? {
            let (theirs, ours) = (originals.join(&name), ours.join(&name));
            let original = fs::read(&theirs)
                .with_context(|| format!("failed to read {}", theirs.display()))?;
            if fs::read(&ours).ok().is_none_or(|copy| copy != original) {
                different.push(Difference { ours, theirs: Some(theirs) });
            }
        }
        // The notice beside them is ours.
        for name in files(&ours)?.into_iter().filter(|name| name.ends_with(".wit")) {
            if !originals.join(&name).is_file() {
                different.push(Difference { ours: ours.join(name), theirs: None });
            }
        }
    }
    Ok(different)
}

/// The versions whose WASI files are kept in step.
fn unreleased(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join("wit");
    let mut versions = Vec::new();
    for name in files(&folder)? {
        if folder.join(&name).is_dir() && !release::is_released(workspace, &name)? {
            versions.push(name);
        }
    }
    Ok(versions)
}

fn original_folder() -> Result<PathBuf> {
    let said = output(cargo().args(["metadata", "--format-version=1", "--locked"]))?;
    let metadata: Value = serde_json::from_slice(&said.stdout)
        .context("failed to parse what cargo metadata printed")?;
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .context("cargo metadata printed no packages")?;
    let manifest = packages
        .iter()
        .find(|package| package.get("name").and_then(Value::as_str) == Some("wasmtime-wasi-http"))
        .and_then(|package| package.get("manifest_path"))
        .and_then(Value::as_str)
        .context("wasmtime-wasi-http is not among the dependencies")?;
    let folder = Path::new(manifest).parent().context("a manifest lies in no folder")?;
    Ok(folder.join("wit").join("deps"))
}

fn files(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn names(different: &[Difference]) -> String {
    different.iter().map(|file| file.ours.display().to_string()).collect::<Vec<_>>().join(", ")
}
