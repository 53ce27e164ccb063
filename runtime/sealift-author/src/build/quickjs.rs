//! JavaScript in QuickJS: `componentize-qjs`.
//!
//! Small and quick to compile; it cannot make requests, and is slow where it looks at bytes.

use std::process::Command;

use super::javascript::{INSTALL, MAIN, node_missing};
use super::{BuildError, Job, Toolchain, read, tool};
use crate::contract::{FOLDER, WORLD};
use crate::machine::{Machine, Missing};
use crate::project::Project;

/// The program, as npm installs it.
const PROGRAM: &str = "node_modules/componentize-qjs/bin/componentize-qjs";

/// node and componentize-qjs.
pub(super) struct QuickJs;

impl Toolchain for QuickJs {
    fn missing(&self, project: &Project, machine: &Machine) -> Vec<Missing> {
        let mut missing = node_missing(machine);
        if machine.installed(&project.folder, PROGRAM).is_none() {
            missing.push(Missing::new("componentize-qjs", INSTALL));
        }
        missing
    }

    fn component(&self, job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
        let program = job.machine.installed(&job.project.folder, PROGRAM).unwrap_or_default();
        let out = job.work.join("component.wasm");
        (job.talk)("componentize-qjs src/main.js");
        let node = job.machine.program("node").unwrap_or_else(|| "node".into());
        let mut command = Command::new(node);
        command
            .current_dir(&job.project.folder)
            .arg(program)
            .args(["--wit", FOLDER, "--world", WORLD, "--js", MAIN])
            // Without it the component needs a host with asynchronous worlds.
            .args(["--sync", "--output"])
            .arg(&out);
        tool::run(&mut command)?;
        read(out)
    }
}
