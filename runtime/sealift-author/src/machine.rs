//! The machine a Function is built on: where its programs lie, and what is missing.
//!
//! Whoever builds says where to look; nothing here reads the environment, so a test can build
//! on a machine that has nothing. Nothing is installed: what is missing is told, with the
//! command that installs it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Where programs and packages of toolchains are looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Folders of programs, in order, as in `PATH`.
    pub path: Vec<PathBuf>,
    /// Folders with `node_modules` or `.venv`, shared by projects that have none of their own.
    pub tools: Vec<PathBuf>,
    /// Where wasi-sdk lies; none = the sysroot of the system.
    pub wasi_sdk: Option<PathBuf>,
    /// Where cargo keeps its packages; their paths must not get into components.
    pub cargo_home: Option<PathBuf>,
}

/// A part of a toolchain that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What it is, in words: `node, version 20 or later`.
    pub what: String,
    /// The command that installs it.
    pub install: String,
}

impl Missing {
    pub(crate) fn new(what: impl Into<String>, install: impl Into<String>) -> Self {
        Self { what: what.into(), install: install.into() }
    }
}

impl Machine {
    /// What an environment says: `PATH`, `SEALIFT_TOOLS`, `WASI_SDK_PATH`, `CARGO_HOME`, `HOME`.
    #[must_use]
    pub fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let folder = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folders = |name| {
            let list = variable(name).unwrap_or_default();
            std::env::split_paths(&list).filter(|folder| folder.is_absolute()).collect()
        };
        Self {
            path: folders("PATH"),
            tools: folders("SEALIFT_TOOLS"),
            wasi_sdk: folder("WASI_SDK_PATH"),
            cargo_home: folder("CARGO_HOME").or_else(|| Some(folder("HOME")?.join(".cargo"))),
        }
    }

    /// A program of the system.
    #[must_use]
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.path.iter().map(|folder| folder.join(name)).find(|file| file.is_file())
    }

    /// The first of these programs that is there.
    pub(crate) fn any_program(&self, names: &[&str]) -> Option<PathBuf> {
        names.iter().find_map(|name| self.program(name))
    }

    /// What a package manager put into the project, one of the folders above it, or the shared
    /// tools: the way Node looks for packages. Above the project a folder that everybody can write
    /// to, such as the one for temporary files, is passed over: anybody's program could lie there.
    pub(crate) fn installed(&self, project: &Path, relative: &str) -> Option<PathBuf> {
        let above = project.ancestors().skip(1).filter(|folder| !is_everybodys(folder));
        std::iter::once(project)
            .chain(above)
            .chain(self.tools.iter().map(PathBuf::as_path))
            .map(|folder| folder.join(relative))
            .find(|file| file.is_file())
    }
}

/// Whether every user may put files there.
fn is_everybodys(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o002 != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_projects_own_package_comes_before_a_shared_one() {
        let folder = tempfile::tempdir().unwrap();
        let (project, tools) = (folder.path().join("a/b"), folder.path().join("tools"));
        fs::create_dir_all(project.join("bin")).unwrap();
        fs::create_dir_all(tools.join("bin")).unwrap();
        let machine = Machine { tools: vec![tools.clone()], ..Machine::default() };
        assert_eq!(machine.installed(&project, "bin/x"), None);
        for place in [tools.join("bin/x"), folder.path().join("a/x"), project.join("bin/x")] {
            fs::write(&place, "").unwrap();
        }
        assert_eq!(machine.installed(&project, "bin/x"), Some(project.join("bin/x")));
        fs::remove_file(project.join("bin/x")).unwrap();
        assert_eq!(machine.installed(&project, "bin/x"), Some(tools.join("bin/x")));
    }

    #[test]
    fn a_program_that_anybody_could_have_put_there_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let (shared, project) = (folder.path().join("tmp"), folder.path().join("tmp/project"));
        fs::create_dir_all(&project).unwrap();
        fs::write(shared.join("x"), "").unwrap();
        let machine = Machine::default();
        assert_eq!(machine.installed(&project, "x"), Some(shared.join("x")));
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(machine.installed(&project, "x"), None);
    }

    #[test]
    fn the_environment_says_where_to_look() {
        let machine = Machine::of(&|name| match name {
            // A folder that is relative to wherever somebody stands is none.
            "PATH" => Some("/usr/bin:.:/bin".into()),
            "WASI_SDK_PATH" => Some(OsString::new()),
            _ => None,
        });
        assert_eq!(machine.path, [PathBuf::from("/usr/bin"), PathBuf::from("/bin")]);
        assert!(machine.tools.is_empty() && machine.wasi_sdk.is_none());
    }
}
