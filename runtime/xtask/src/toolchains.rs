//! `cargo xtask toolchains`: what builds Functions in other languages, once per user.
//!
//! npm and pip put their packages into `<cache>/sealift/toolchains/<name>/<key>`, the key being a
//! hash of what pins them in `templates/`. Go's modules lie in Go's own cache; clang and the
//! sysroot of WASI come with the system. A folder counts only with the mark that is written last.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;
use sha2::{Digest, Sha256};

use crate::talk::Steps;
use crate::workspace::{self, Workspace};

/// Says that a folder is whole.
const MARK: &str = ".whole";

/// One set of packages.
struct Toolchain {
    name: &'static str,
    /// Below `templates/`: what pins it. The packages are installed as these files say.
    pins: &'static [&'static str],
    install: fn(&Path) -> Result<()>,
}

const TOOLCHAINS: [Toolchain; 3] = [
    Toolchain {
        name: "javascript",
        pins: &["javascript/common/package.json", "javascript/common/package-lock.json"],
        install: npm,
    },
    Toolchain {
        name: "quickjs",
        pins: &["quickjs/common/package.json", "quickjs/common/package-lock.json"],
        install: npm,
    },
    Toolchain { name: "python", pins: &["python/common/requirements.txt"], install: pip },
];

/// Installs all of them.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let mut steps = Steps::new(TOOLCHAINS.len());
    for toolchain in &TOOLCHAINS {
        steps.begin(&format!("Toolchain {}", toolchain.name), Some("about 30 s"));
        let folder = ensure_one(&workspace, toolchain)?;
        steps.done(&folder.display().to_string());
    }
    Ok(())
}

/// Installs what is missing for these languages, and returns the folders in which packages are found.
pub(crate) fn ensure(workspace: &Workspace, languages: &BTreeSet<String>) -> Result<Vec<PathBuf>> {
    let wanted = TOOLCHAINS.iter().filter(|toolchain| languages.contains(toolchain.name));
    wanted.map(|toolchain| ensure_one(workspace, toolchain)).collect()
}

fn ensure_one(workspace: &Workspace, toolchain: &Toolchain) -> Result<PathBuf> {
    let name = toolchain.name;
    let mut hash = Sha256::new();
    let mut pins = Vec::new();
    for pin in toolchain.pins {
        let path = workspace.root.join("templates").join(pin);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("failed to read {}", path.display()))?
            .replace("{{name}}", name);
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(&text);
        pins.push((path.file_name().context("a pin without name")?.to_owned(), text));
    }
    let key: String = hex::encode(hash.finalize()).chars().take(16).collect();
    // A virtual environment of Python names its own folder in its programs, so it is made where
    // it stays.
    let folder = binaries::toolchain_cache()?.join(name).join(key);
    if folder.join(MARK).is_file() {
        return Ok(folder);
    }
    if folder.is_dir() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("failed to remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)
        .with_context(|| format!("failed to create {}", folder.display()))?;
    for (file, text) in pins {
        let path = folder.join(file);
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    (toolchain.install)(&folder).with_context(|| format!("toolchain {name}"))?;
    fs::write(folder.join(MARK), "")
        .with_context(|| format!("failed to write the mark in {}", folder.display()))?;
    Ok(folder)
}

fn npm(folder: &Path) -> Result<()> {
    if workspace::version("npm", "--version").is_none() {
        bail!("npm is not on PATH; install node 20 or later with npm");
    }
    // No package brings programs of its own that run at installation, and none shall.
    workspace::run(Command::new("npm").current_dir(folder).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--loglevel=error",
    ]))
}

fn pip(folder: &Path) -> Result<()> {
    if workspace::version("python3", "--version").is_none() {
        bail!("python3 is not on PATH; install Python 3.10 or later with its module venv");
    }
    workspace::run(Command::new("python3").current_dir(folder).args(["-m", "venv", ".venv"]))?;
    workspace::run(Command::new(folder.join(".venv/bin/pip")).current_dir(folder).args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        "requirements.txt",
    ]))
}
