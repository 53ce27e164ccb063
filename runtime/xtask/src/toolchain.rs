//! What a build for another target needs: the target itself, and words that say nothing of this machine.
//!
//! Components and the image are named by the digest of their bytes, so the same source must give
//! the same bytes in every folder of every machine.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::talk;
use crate::workspace::{self, Workspace};

/// Makes sure that programs can be built for `target`: rustup does not always install by itself
/// what the pinned toolchain names.
pub(crate) fn ensure_target(target: &str) -> Result<()> {
    let sysroot = workspace::output(Command::new("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        target,
    ]))?;
    let folder = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    if folder.is_dir() {
        return Ok(());
    }
    talk::line(&format!("        installing the target {target} with rustup (about 10 s)"));
    workspace::run(Command::new("rustup").args(["target", "add", target])).with_context(|| {
        format!("the target {target} is missing; install it with `rustup target add {target}`")
    })
}

/// Folders of this machine that compilers write into what they build, and what they are to write
/// instead. Of two that fit, compilers take the later one.
pub(crate) fn folders(workspace: &Workspace) -> Result<Vec<(PathBuf, &'static str)>> {
    let sysroot = workspace::output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&sysroot.stdout).trim());
    Ok(vec![
        (cargo_home()?, "/cargo"),
        (sysroot, "/rust"),
        (workspace.root.clone(), "/sealift"),
        (workspace.target.clone(), "/target"),
    ])
}

/// Flags for rustc that replace the [`folders`], for `CARGO_ENCODED_RUSTFLAGS`.
pub(crate) fn remapping(workspace: &Workspace) -> Result<String> {
    let flags: Vec<String> = folders(workspace)?
        .iter()
        .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
        .collect();
    // The separator cargo asks for: a folder may have a blank in its name.
    Ok(flags.join("\u{1f}"))
}

fn cargo_home() -> Result<PathBuf> {
    match env::var_os("CARGO_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(env::home_dir()
            .context("this user has no home folder, where cargo keeps its packages")?
            .join(".cargo")),
    }
}
