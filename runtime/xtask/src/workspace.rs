//! What cargo knows about this workspace, and running cargo and other programs in it.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// The workspace as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// Top folder.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    /// The packages of the workspace, without what they depend on.
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// Name.
    pub(crate) name: String,
    /// Its Cargo.toml.
    pub(crate) manifest_path: PathBuf,
    /// What it depends on directly.
    pub(crate) dependencies: Vec<Dependency>,
    /// What is built from it.
    pub(crate) targets: Vec<Target>,
}

/// A direct dependency.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// Name of the package.
    pub(crate) name: String,
    /// `dev`, `build`, or none for an ordinary one.
    pub(crate) kind: Option<String>,
}

/// What is built from a package.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    /// `bin`, `cdylib`, `rlib` and so on.
    pub(crate) crate_types: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--format-version=1", "--no-deps", "--locked"])
            .stderr(Stdio::inherit())
            .output();
        let output = output.context("failed to run cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata ended with {}", output.status);
        }
        serde_json::from_slice(&output.stdout)
            .context("failed to parse what cargo metadata printed")
    }

    /// Our own folder in the target folder: `sealift/<name>`.
    pub(crate) fn products(&self, name: &str) -> PathBuf {
        self.target.join("sealift").join(name)
    }

    /// Packages that are components: a `cdylib` in the folder `under`.
    pub(crate) fn components(&self, under: &str) -> Vec<&Package> {
        let folder = self.root.join(under);
        let mut found: Vec<&Package> = self
            .packages
            .iter()
            .filter(|package| package.manifest_path.starts_with(&folder))
            .filter(|package| {
                package
                    .targets
                    .iter()
                    .any(|target| target.crate_types.iter().any(|kind| kind == "cdylib"))
            })
            .collect();
        found.sort_by(|left, right| left.name.cmp(&right.name));
        found
    }
}

impl Package {
    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What `cargo run` sets for this process is about this package; a build below must not see it.
    for (name, _) in env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if ours
            || name == "CARGO_BIN_NAME"
            || name == "CARGO_CRATE_NAME"
            || name == "CARGO_PRIMARY_PACKAGE"
        {
            command.env_remove(name);
        }
    }
    command
}

/// `cargo <verb>` over the whole workspace with all that is in it. Every build of ours names the
/// same packages and features, so that cargo unifies features alike and nothing is built twice.
pub(crate) fn cargo_workspace(verb: &str) -> Command {
    let mut command = cargo();
    command.args([verb, "--locked", "--workspace", "--features", "xtask/precompile"]);
    command
}

/// Builds one program of the workspace for this machine and returns where it is.
pub(crate) fn build_program(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    // With a test beside it, features of crates are those of a test build: otherwise half of the
    // dependencies would be built once for each.
    run(cargo_workspace("build").args(["--quiet", "--bin", name, "--test", "components"]))?;
    Ok(workspace.target.join("debug").join(name))
}

/// Runs a program whose output the user sees; failure is an error that repeats the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("failed to run {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a program and returns what it printed; failure is an error with its words.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("failed to run {}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", shown(command), output.status, said.trim());
    }
    Ok(output)
}

/// The first line a program prints about its version; `None` if it cannot be run.
pub(crate) fn version(program: impl AsRef<OsStr>, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stderr(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout);
    output.status.success().then(|| said.lines().next().unwrap_or_default().to_owned())
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut text = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}
