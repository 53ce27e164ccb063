//! The Functions of `examples/functions` that are not in Rust: `projects`, a binary of its own that
//! links what authors build with, makes their components. Those in Rust are packages of the
//! workspace and are built with the other components (`functions`).

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::toolchains;
use crate::workspace::{self, Workspace};

/// Where they lie.
const FOLDER: &str = "examples/functions";

/// Builds what is out of date into `target/sealift/examples`; returns how many there are.
pub(crate) fn ensure(workspace: &Workspace) -> Result<usize> {
    let folder = workspace.root.join(FOLDER);
    let mut projects = Vec::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let path = entry.with_context(|| format!("failed to list {}", folder.display()))?.path();
        if path.join("sealift.toml").is_file() && !path.join("Cargo.toml").is_file() {
            projects.push(path);
        }
    }
    projects.sort();
    let tools = env::join_paths(toolchains::ensure(workspace)?)
        .context("a folder in the cache has a name that cannot be in a list of folders")?;
    let program = workspace::build_program(workspace, "projects")?;
    let mut command = Command::new(program);
    command.arg(workspace.products("examples")).args(&projects).env("SEALIFT_TOOLS", tools);
    workspace::run(&mut command)?;
    Ok(projects.len())
}
