//! `cargo xtask codegen`: the files that are made from the types and committed all the same.
//!
//! They are `deploy/crds`, which people apply and review without building anything. The work is
//! done by `codegen`, a binary of its own that links the manifest types.

use std::process::Command;

use anyhow::Result;

use crate::talk;
use crate::workspace::{self, Workspace};

/// Where the definitions lie.
const FOLDER: &str = "deploy/crds";

/// Writes them, or with `check` fails with the names of those that differ.
pub(crate) fn run(check: bool) -> Result<()> {
    let workspace = Workspace::load()?;
    if check {
        self::check(&workspace)?;
        talk::line(&format!("codegen: {FOLDER} is what the types say"));
        return Ok(());
    }
    workspace::run(&mut program(&workspace)?)?;
    talk::line(&format!("codegen: wrote {FOLDER}"));
    Ok(())
}

/// Fails with the names of the files that differ from what the types say.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    workspace::run(program(workspace)?.arg("--check"))
}

fn program(workspace: &Workspace) -> Result<Command> {
    let mut command = Command::new(workspace::build_program(workspace, "codegen")?);
    command.current_dir(&workspace.root).arg(FOLDER);
    Ok(command)
}
