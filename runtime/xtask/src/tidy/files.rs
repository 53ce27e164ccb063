//! Rules about single files: their length, their first lines, and what may not stand in them.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::{self, Workspace};

/// Lines of a Rust file, without its tests.
const CODE_LIMIT: usize = 500;
/// Lines of a file of tests.
const TEST_LIMIT: usize = 800;
/// Lines of a page.
const PAGE_LIMIT: usize = 300;

/// Paths whose text is not ours.
const NOT_OURS: &[&str] =
    &["wit/0.1.0/deps/", "tests/data/", "Cargo.lock", "LICENSE", "tests/servers/"];

/// What may stand in no file, and why. Written in two parts so that this file passes.
const FORBIDDEN: &[(&str, &str, &str)] = &[
    ("todo", "!(", "finish it or leave it out"),
    ("unimple", "mented!(", "finish it or leave it out"),
    ("#[ign", "ore", "a test that does not run proves nothing"),
    ("/ho", "me/", "a path of one machine"),
    ("/ro", "ot/", "a path of one machine"),
    ("/wo", "rk/", "a path of one machine"),
];

/// Everything these rules find.
pub(super) fn findings(workspace: &Workspace) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in tracked(workspace)? {
        if NOT_OURS.iter().any(|other| path.starts_with(other)) {
            continue;
        }
        let bytes = fs::read(workspace.root.join(&path))
            .with_context(|| format!("failed to read {path}"))?;
        let Ok(text) = String::from_utf8(bytes) else { continue };
        findings.extend(file_findings(&path, &text));
    }
    Ok(findings)
}

/// The files of the repository: known to git, or new and not ignored.
pub(super) fn tracked(workspace: &Workspace) -> Result<Vec<String>> {
    let said = workspace::output(Command::new("git").current_dir(&workspace.root).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut paths: Vec<String> = said
        .stdout
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(|path| String::from_utf8_lossy(path).into_owned())
        // A file that was removed and is still known to git has no text to judge.
        .filter(|path| workspace.root.join(path).is_file())
        .collect();
    paths.sort();
    Ok(paths)
}

fn file_findings(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let rust = path.ends_with(".rs");
    let page = path.ends_with(".md");
    let lines = text.lines().count();
    let (counted, limit) = match () {
        () if page => (lines, PAGE_LIMIT),
        () if rust && is_test(path) => (lines, TEST_LIMIT),
        () if rust => (code_lines(text), CODE_LIMIT),
        () => (0, usize::MAX),
    };
    if counted > limit {
        findings.push(format!("{path}: {counted} lines; at most {limit}"));
    }
    // The tests of one module are about that module; a program of tests says what it is about.
    if rust && !path.ends_with("/tests.rs") && !text.trim_start().starts_with("//!") {
        findings.push(format!("{path}: does not begin with `//!` and what the module is for"));
    }
    for (first, second, reason) in FORBIDDEN {
        let needle = format!("{first}{second}");
        for (number, line) in text.lines().enumerate() {
            if line.contains(&needle) {
                findings.push(format!("{path}:{}: `{needle}`: {reason}", number + 1));
            }
        }
    }
    findings
}

fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs") || path.starts_with("tests/")
}

/// Lines before the test module at the end of the file.
fn code_lines(text: &str) -> usize {
    text.lines().take_while(|line| *line != "#[cfg(test)]").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_without_words_is_found() {
        assert_eq!(
            file_findings("runtime/a/src/lib.rs", "use std::fs;\n"),
            ["runtime/a/src/lib.rs: does not begin with `//!` and what the module is for"]
        );
        assert!(file_findings("runtime/a/src/lib.rs", "//! Words.\n").is_empty());
    }

    #[test]
    fn a_long_module_is_found_and_its_tests_do_not_count() {
        let long = format!("//! Words.\n{}", "// line\n".repeat(CODE_LIMIT));
        assert_eq!(
            file_findings("runtime/a/src/b.rs", &long),
            ["runtime/a/src/b.rs: 501 lines; at most 500"]
        );
        let tests = format!(
            "//! Words.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "// line\n".repeat(CODE_LIMIT)
        );
        assert!(file_findings("runtime/a/src/b.rs", &tests).is_empty());
    }

    #[test]
    fn unfinished_work_and_paths_of_a_machine_are_found() {
        let text =
            format!("//! Words.\nfn a() {{ {}{}) }}\n// {}{}me\n", "todo", "!(", "/ho", "me/");
        assert_eq!(file_findings("runtime/a/src/b.rs", &text).len(), 2);
    }
}
