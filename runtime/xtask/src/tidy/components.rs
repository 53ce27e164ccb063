//! Components: every one is described, and every guest of the tests is used by a test.

use std::fs;

use anyhow::{Context, Result};

use super::files;
use crate::workspace::Workspace;

/// Components without descriptor, and guests no test names.
pub(super) fn findings(workspace: &Workspace) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in workspace.components("plugins") {
        if !package.folder().join("descriptor.json").is_file() {
            findings.push(format!("plugins/{}: has no descriptor.json", package.name));
        }
    }
    let guests = workspace.components("tests/guests");
    if guests.is_empty() {
        return Ok(findings);
    }
    let mut texts = Vec::new();
    for path in files::tracked(workspace)?.iter().filter(|path| path.ends_with(".rs")) {
        if path.contains("/tests/")
            || path.ends_with("/tests.rs")
            || path.starts_with("runtime/sealift-host/")
        {
            let file = workspace.root.join(path);
            texts
                .push(fs::read_to_string(&file).with_context(|| format!("failed to read {path}"))?);
        }
    }
    for guest in guests {
        if !texts.iter().any(|text| text.contains(&guest.name)) {
            findings.push(format!(
                "tests/guests/{0}: no test names it; a guest nobody runs proves nothing",
                guest.name
            ));
        }
    }
    Ok(findings)
}
