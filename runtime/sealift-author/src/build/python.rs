//! Python: `componentize-py`, which brings its own CPython into the component.
//!
//! The Python of this machine only runs the tool. What the Function imports is put into the
//! component when it is built; nothing can be imported later.

use std::path::PathBuf;
use std::process::Command;

use super::{BuildError, Job, Toolchain, read, tool};
use crate::contract::{FOLDER, WORLD};
use crate::machine::{Machine, Missing};
use crate::project::Project;

/// Module a Function's code begins in.
const APP: &str = "app";
/// Folder of the sources.
const SOURCES: &str = "src";

/// componentize-py.
pub(super) struct Python;

impl Toolchain for Python {
    fn missing(&self, project: &Project, machine: &Machine) -> Vec<Missing> {
        if program(project, machine).is_some() {
            return Vec::new();
        }
        let mut missing = Vec::new();
        if machine.program("python3").is_none() {
            missing.push(Missing::new(
                "python3, version 3.10 or later",
                "apt-get install python3 python3-venv",
            ));
        }
        missing.push(Missing::new(
            "componentize-py",
            "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt",
        ));
        missing
    }

    fn component(&self, job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
        let program = program(job.project, job.machine).unwrap_or_default();
        let out = job.work.join("component.wasm");
        (job.talk)("componentize-py componentize app (this takes a while)");
        let mut command = Command::new(program);
        command
            .current_dir(&job.project.folder)
            .args(["--wit-path", FOLDER, "--world", WORLD])
            .args(["componentize", APP, "--python-path", SOURCES, "--output"])
            .arg(&out)
            // Compiled modules would be part of the component, and hold the time of the source.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        tool::run(&mut command)?;
        read(out)
    }
}

/// The project's own, one above it, the shared one, or the system's.
fn program(project: &Project, machine: &Machine) -> Option<PathBuf> {
    machine
        .installed(&project.folder, ".venv/bin/componentize-py")
        .or_else(|| machine.program("componentize-py"))
}
