//! Writes the CustomResourceDefinitions to a folder, or with `--check` compares them.
//!
//! A binary of its own because it links the manifest types: `cargo xtask` stays small without
//! them. Called by `cargo xtask codegen` only. What the definitions say is `sealift-api`'s.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use sealift_api::crd::{self, File};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let folder = arguments.next().map(PathBuf::from);
    let check = arguments.next().is_some_and(|argument| argument == "--check");
    let outcome = match folder {
        Some(folder) if check => compare(&folder),
        Some(folder) => write(&folder),
        None => Err(anyhow::anyhow!("the folder of the definitions is missing")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the last word of a command-line tool")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn compare(folder: &Path) -> Result<()> {
    let files = crd::files().context("failed to make the definitions")?;
    let mut different = Vec::new();
    for file in &files {
        let written = fs::read(folder.join(&file.name)).ok();
        if written.as_deref() != Some(file.text.as_bytes()) {
            different.push(file.name.clone());
        }
    }
    different.extend(others(folder, &files)?);
    if different.is_empty() {
        return Ok(());
    }
    different.sort();
    bail!(
        "{} of {} are not what the types say; run `cargo xtask codegen` and commit what changed",
        different.join(", "),
        folder.display()
    )
}

fn write(folder: &Path) -> Result<()> {
    let files = crd::files().context("failed to make the definitions")?;
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    for file in &files {
        let path = folder.join(&file.name);
        fs::write(&path, &file.text)
            .with_context(|| format!("failed to write {}", path.display()))?;
    }
    for name in others(folder, &files)? {
        let path = folder.join(name);
        fs::remove_file(&path).with_context(|| format!("failed to remove {}", path.display()))?;
    }
    Ok(())
}

/// Definitions in the folder that no type stands for any more.
fn others(folder: &Path, files: &[File]) -> Result<Vec<String>> {
    let mut others = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("failed to list {}", folder.display()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".yaml") && !files.iter().any(|file| file.name == name) {
            others.push(name);
        }
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use super::*;

    #[test]
    fn what_was_written_is_what_is_expected_and_a_changed_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        compare(folder.path()).unwrap();

        let first = crd::files().unwrap().swap_remove(0).name;
        fs::write(folder.path().join(&first), "kind: Other\n").unwrap();
        let error = compare(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{first} of ")), "{error}");
    }

    #[test]
    fn a_definition_without_a_type_is_named_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let old = folder.path().join("restics.stash.appscode.com.yaml");
        fs::write(&old, "kind: CustomResourceDefinition\n").unwrap();
        let error = compare(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("restics.stash.appscode.com.yaml of "), "{error}");
        write(folder.path()).unwrap();
        assert!(!old.is_file());
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let last = crd::files().unwrap().pop().unwrap().name;
        fs::remove_file(folder.path().join(&last)).unwrap();
        let error = compare(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{last} of ")), "{error}");
    }
}
