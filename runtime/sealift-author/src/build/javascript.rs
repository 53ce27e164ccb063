//! JavaScript in SpiderMonkey: `componentize-js`, called through its API.
//!
//! Its program needs a package that is not among its dependencies, so a script of ours calls the
//! library. The engine's own features that import `wasi:http` are switched off: requests go
//! through the contract's interfaces, where the descriptor asks for them.

use std::process::Command;

use super::{BuildError, Job, Toolchain, read, tool};
use crate::contract::{FOLDER, WORLD};
use crate::machine::{Machine, Missing};
use crate::project::Project;

/// The package, and what it is looked for by.
const PACKAGE: &str = "node_modules/@bytecodealliance/componentize-js/package.json";
/// Its library.
const LIBRARY: &str = "src/componentize.js";
/// Where a Function's code begins.
pub(super) const MAIN: &str = "src/main.js";
/// How the tools of a project are installed, as its lock file says.
pub(super) const INSTALL: &str = "npm ci --ignore-scripts";

/// node and componentize-js.
pub(super) struct JavaScript;

impl Toolchain for JavaScript {
    fn missing(&self, project: &Project, machine: &Machine) -> Vec<Missing> {
        let mut missing = node_missing(machine);
        if machine.installed(&project.folder, PACKAGE).is_none() {
            missing.push(Missing::new("componentize-js", INSTALL));
        }
        missing
    }

    fn component(&self, job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
        let package = job.machine.installed(&job.project.folder, PACKAGE).unwrap_or_default();
        let library = package.with_file_name(LIBRARY);
        let out = job.work.join("component.wasm");
        let script = job.work.join("componentize.mjs");
        std::fs::write(&script, include_str!("componentize.mjs")).map_err(|source| {
            BuildError::File { operation: "write", file: script.clone(), source }
        })?;
        (job.talk)("componentize-js src/main.js (this takes a while)");
        let node = job.machine.program("node").unwrap_or_else(|| "node".into());
        let mut command = Command::new(node);
        command
            .current_dir(&job.project.folder)
            .arg(&script)
            .args([&library, &job.project.folder.join(MAIN), &job.project.folder.join(FOLDER)])
            .arg(WORLD)
            .arg(&out);
        tool::run(&mut command)?;
        read(out)
    }
}

/// What is missing to run tools of npm.
pub(super) fn node_missing(machine: &Machine) -> Vec<Missing> {
    match (machine.program("node"), machine.program("npm")) {
        (Some(_), Some(_)) => Vec::new(),
        _ => vec![Missing::new("node and npm, version 20 or later", "apt-get install nodejs npm")],
    }
}
