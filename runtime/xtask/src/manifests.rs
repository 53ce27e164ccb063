//! `cargo xtask manifests`: what in `deploy/` follows from other files in it.
//!
//! Copies that a chart has to carry with it, since a chart cannot read what lies beside it, and
//! `deploy/manifests`, the chart rendered for people without Helm. All are committed; `--check`
//! says which are out of date. Rendering is done by the pinned Helm of `tests/servers/helm`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{self, Workspace};
use crate::{servers, talk};

/// Folders that are copied: from, to.
const COPIES: [(&str, &str); 2] = [
    ("deploy/catalog", "deploy/chart/sealift/catalog"),
    ("deploy/crds", "deploy/chart/sealift-crds/crds"),
];

/// Where the rendered manifests go.
const FOLDER: &str = "deploy/manifests";

/// Name and namespace of the release that is rendered.
const RELEASE: &str = "sealift";

/// The chart that is rendered, and the file it is rendered to.
const RENDERED: (&str, &str) = ("deploy/chart/sealift", "sealift.yaml");

/// What stands above the rendered manifests: a namespace, which Helm makes by itself.
const HEAD: &str = "\
# Made by `cargo xtask manifests` from deploy/chart/sealift with its default values.
# Apply deploy/crds first. What to change: the image, which the comment in the chart's values
# explains, and the namespace, which stands in every object.
apiVersion: v1
kind: Namespace
metadata:
  name: sealift
  labels:
    pod-security.kubernetes.io/enforce: restricted
";

/// Writes the files, or with `check` fails with the names of those that differ.
pub(crate) fn run(check: bool) -> Result<()> {
    let workspace = Workspace::load()?;
    if check {
        self::check(&workspace)?;
        talk::line("manifests: every file is what it follows from");
        return Ok(());
    }
    for (folder, files) in [copies(&workspace)?, vec![rendered(&workspace)?]].concat() {
        write(&workspace.root.join(&folder), &files)?;
        talk::line(&format!("manifests: wrote {folder}"));
    }
    Ok(())
}

/// Fails with the names of the files that are out of date.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut different = Vec::new();
    for (folder, files) in [copies(workspace)?, vec![rendered(workspace)?]].concat() {
        for name in differences(&workspace.root.join(&folder), &files)? {
            different.push(format!("{folder}/{name}"));
        }
    }
    if different.is_empty() {
        return Ok(());
    }
    bail!(
        "{} are out of date; run `cargo xtask manifests` and commit what changed",
        different.join(", ")
    )
}

/// The files of one folder, by name.
type Files = BTreeMap<String, String>;

fn copies(workspace: &Workspace) -> Result<Vec<(String, Files)>> {
    COPIES
        .iter()
        .map(|(from, to)| Ok(((*to).to_owned(), read(&workspace.root.join(from))?)))
        .collect()
}

fn rendered(workspace: &Workspace) -> Result<(String, Files)> {
    let helm = servers::ensure(workspace, "helm")?.join("helm");
    let (chart, file) = RENDERED;
    // The copies below the chart may be old; it is rendered with those that are to be.
    let interim = tempfile::tempdir().context("failed to create a temporary folder")?;
    let place = interim.path().join("chart");
    copy(&workspace.root.join(chart), &place)?;
    for (from, to) in COPIES {
        if let Ok(inside) = Path::new(to).strip_prefix(chart) {
            write(&place.join(inside), &read(&workspace.root.join(from))?)?;
        }
    }
    let mut command = Command::new(helm);
    command.args(["template", RELEASE]).arg(&place).args(["--namespace", RELEASE]);
    let said = workspace::output(&mut command)?;
    let text = String::from_utf8(said.stdout).context("helm template printed what is no UTF-8")?;
    let text = format!("{HEAD}{}\n", text.trim_end());
    Ok((FOLDER.to_owned(), Files::from([(file.to_owned(), text)])))
}

/// Copies a folder with what is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("failed to create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("failed to list {}", from.display()))? {
        let path = entry.with_context(|| format!("failed to list {}", from.display()))?.path();
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)
                .with_context(|| format!("failed to copy {}", path.display()))?;
        }
    }
    Ok(())
}

/// The manifests in a folder, by name.
fn read(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let path = entry.with_context(|| format!("failed to list {}", folder.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path)
                .with_context(|| format!("failed to read {}", path.display()))?;
            files.insert(name, text);
        }
    }
    Ok(files)
}

/// Names of the manifests in `folder` that are missing, other, or too many.
fn differences(folder: &Path, files: &Files) -> Result<Vec<String>> {
    let present = if folder.is_dir() { read(folder)? } else { Files::new() };
    let mut names: Vec<String> = files
        .iter()
        .filter(|(name, text)| present.get(*name) != Some(text))
        .map(|(name, _)| name.clone())
        .chain(present.keys().filter(|name| !files.contains_key(*name)).cloned())
        .collect();
    names.sort();
    Ok(names)
}

/// Makes the manifests in `folder` these and no others.
fn write(folder: &Path, files: &Files) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    for name in differences(folder, files)? {
        let path = folder.join(&name);
        match files.get(&name) {
            Some(text) => fs::write(&path, text)
                .with_context(|| format!("failed to write {}", path.display()))?,
            None => fs::remove_file(&path)
                .with_context(|| format!("failed to remove {}", path.display()))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn files(entries: &[(&str, &str)]) -> Files {
        entries.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn what_was_written_does_not_differ() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = files(&[("a.yaml", "a: 1\n"), ("b.yaml", "b: 2\n")]);
        let place = folder.path().join("new");
        assert_eq!(differences(&place, &wanted).unwrap(), ["a.yaml", "b.yaml"]);
        write(&place, &wanted).unwrap();
        assert_eq!(differences(&place, &wanted).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_changed_a_missing_and_a_strange_manifest_are_named_and_put_right() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = files(&[("a.yaml", "a: 1\n"), ("b.yaml", "b: 2\n")]);
        write(folder.path(), &files(&[("a.yaml", "a: 2\n"), ("old.yaml", "c: 3\n")])).unwrap();
        fs::write(folder.path().join("README.md"), "not a manifest").unwrap();
        assert_eq!(differences(folder.path(), &wanted).unwrap(), ["a.yaml", "b.yaml", "old.yaml"]);
        write(folder.path(), &wanted).unwrap();
        assert_eq!(read(folder.path()).unwrap(), wanted);
        assert!(folder.path().join("README.md").is_file());
    }
}
