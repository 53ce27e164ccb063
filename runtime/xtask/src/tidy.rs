//! `cargo xtask tidy`: the rules of this repository that no compiler checks.
//!
//! Each module of `tidy/` holds one kind of rule and returns what it found, as sentences that
//! name the file and say what to do. Nothing is repaired here.

mod components;
mod crates;
mod files;

use anyhow::{Result, bail};

use crate::talk;
use crate::workspace::Workspace;

/// Runs every rule; one finding or more is an error.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::load()?;
    let findings = findings(&workspace)?;
    for finding in &findings {
        talk::line(finding);
    }
    if !findings.is_empty() {
        bail!("{} of the rules of this repository are broken", findings.len());
    }
    talk::line("tidy: every rule holds");
    Ok(())
}

/// What every rule found.
pub(crate) fn findings(workspace: &Workspace) -> Result<Vec<String>> {
    let mut findings = crates::findings(workspace);
    findings.extend(files::findings(workspace)?);
    findings.extend(components::findings(workspace)?);
    for file in crate::wit::differences(workspace)? {
        findings.push(format!(
            "{}: differs from the pinned wasmtime-wasi-http; run `cargo xtask wit vendor`",
            file.ours.display()
        ));
    }
    findings.extend(crate::wit::release::findings(workspace)?);
    Ok(findings)
}
