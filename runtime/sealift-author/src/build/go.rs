//! Go: the stock compiler, for WASI's first preview, as a library that is called from outside.

use std::process::Command;

use super::componentize::componentize;
use super::{BuildError, Job, Toolchain, read, tool};
use crate::contract::FOLDER;
use crate::machine::{Machine, Missing};
use crate::project::Project;

/// The first Go with what exported functions need.
const OLDEST: (u32, u32) = (1, 25);

/// The go command.
pub(super) struct Go;

impl Toolchain for Go {
    fn missing(&self, project: &Project, machine: &Machine) -> Vec<Missing> {
        let needed = || {
            Missing::new(
                format!("Go {}.{} or later", OLDEST.0, OLDEST.1),
                "see https://go.dev/doc/install",
            )
        };
        let Some(go) = machine.program("go") else { return vec![needed()] };
        let mut command = Command::new(go);
        command.current_dir(&project.folder).args(["env", "GOVERSION"]);
        match tool::run(&mut command) {
            Ok(said) if is_new_enough(&String::from_utf8_lossy(&said)) => Vec::new(),
            Ok(_) | Err(_) => vec![needed()],
        }
    }

    fn component(&self, job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
        let go = job.machine.program("go").unwrap_or_else(|| "go".into());
        let out = job.work.join("core.wasm");
        (job.talk)("go build");
        let mut command = Command::new(go);
        command
            .current_dir(&job.project.folder)
            .args(["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false"])
            // The bindings' runtime takes memory from Go's own by a name that is not exported.
            .args(["-ldflags", "-s -w -checklinkname=0", "-o"])
            .arg(&out)
            .arg(".")
            .env("GOOS", "wasip1")
            .env("GOARCH", "wasm")
            .env("CGO_ENABLED", "0");
        tool::run(&mut command)?;
        Ok(componentize(&read(out)?, &job.project.folder.join(FOLDER))?)
    }
}

/// Whether `go1.26.8` is new enough.
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version
        .trim()
        .trim_start_matches("go")
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= OLDEST
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_go_are_compared_by_their_numbers() {
        for (version, enough) in [
            ("go1.26.8\n", true),
            ("go1.25", true),
            ("go1.9.1", false),
            ("go2.0rc1", true),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), enough, "{version:?}");
        }
    }
}
