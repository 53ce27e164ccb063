//! The Functions of `examples/functions` that are not in Rust: `projects`, a binary of its own that
//! links what authors build with, makes their components. Those in Rust are packages of the
//! workspace and are built with the other components (`functions`).

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::functions::Extent;
use crate::toolchains;
use crate::workspace::{self, Workspace};

/// Where they lie.
const FOLDER: &str = "examples/functions";

/// Languages whose packages are large and whose components take long to build and to compile: what
/// is written in them belongs to the tests with `--full`.
const LARGE: [&str; 2] = ["javascript", "python"];

/// Builds what is out of date into `target/sealift/examples`; returns how many there are.
pub(crate) fn ensure(workspace: &Workspace, extent: Extent) -> Result<usize> {
    let folder = workspace.root.join(FOLDER);
    let mut projects = Vec::new();
    let mut languages = BTreeSet::new();
    for entry in
        fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let path = entry.with_context(|| format!("failed to list {}", folder.display()))?.path();
        let Some(language) = language(&path)? else { continue };
        if language != "rust"
            && (extent == Extent::Everything || !LARGE.contains(&language.as_str()))
        {
            projects.push(path);
            languages.insert(language);
        }
    }
    projects.sort();
    let tools = env::join_paths(toolchains::ensure(workspace, &languages)?)
        .context("a folder in the cache has a name that cannot be in a list of folders")?;
    let program = workspace::build_program(workspace, "projects")?;
    let mut command = Command::new(program);
    command.arg(workspace.products("examples")).args(&projects).env("SEALIFT_TOOLS", tools);
    workspace::run(&mut command)?;
    Ok(projects.len())
}

/// What a project is written in; none = the folder is no project.
fn language(project: &Path) -> Result<Option<String>> {
    let file: PathBuf = project.join("sealift.toml");
    if !file.is_file() {
        return Ok(None);
    }
    let text =
        fs::read_to_string(&file).with_context(|| format!("failed to read {}", file.display()))?;
    let named = text.lines().find_map(|line| line.strip_prefix("language = "));
    let named = named.with_context(|| format!("{} names no language", file.display()))?;
    Ok(Some(named.trim().trim_matches('"').to_owned()))
}
