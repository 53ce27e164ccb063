//! C: clang and a sysroot of WASI, the system's or that of wasi-sdk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::componentize::componentize;
use super::{BuildError, Job, Toolchain, read, tool};
use crate::contract::FOLDER;
use crate::machine::{Machine, Missing};
use crate::project::Project;

/// clang under the names distributions give it, newest first.
const CLANG: [&str; 8] =
    ["clang-21", "clang-20", "clang-19", "clang-18", "clang-17", "clang-16", "clang-14", "clang"];
/// Where Debian and Ubuntu put the headers of wasi-libc.
const HEADERS: &str = "usr/include/wasm32-wasi/stdlib.h";

/// clang, lld and wasi-libc.
pub(super) struct C;

impl Toolchain for C {
    fn missing(&self, _: &Project, machine: &Machine) -> Vec<Missing> {
        let install = "apt-get install clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32, \
                       or set WASI_SDK_PATH to a wasi-sdk";
        let mut missing = Vec::new();
        if compiler(machine).is_none() {
            missing.push(Missing::new("clang", install));
        }
        if machine.wasi_sdk.is_none() && !Path::new("/").join(HEADERS).is_file() {
            missing.push(Missing::new("wasi-libc", install));
        }
        missing
    }

    fn component(&self, job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
        let clang = compiler(job.machine).unwrap_or_else(|| "clang".into());
        let out = job.work.join("core.wasm");
        (job.talk)("clang --target=wasm32-wasi");
        let mut command = Command::new(clang);
        command
            .current_dir(&job.project.folder)
            .args(["--target=wasm32-wasi", "-mexec-model=reactor", "-std=c11", "-Os"])
            .args(["-Wall", "-Wextra", "-Werror=implicit-function-declaration"])
            .args(["-Ibindings", "-Isrc", "-ffile-prefix-map=.=", "-Wl,--strip-debug"]);
        if let Some(sdk) = &job.machine.wasi_sdk {
            command.arg(format!("--sysroot={}", sdk.join("share/wasi-sysroot").display()));
        }
        command.args(sources(&job.project.folder)?).arg("bindings/bindings.c");
        command.arg("-o").arg(&out);
        tool::run(&mut command)?;
        Ok(componentize(&read(out)?, &job.project.folder.join(FOLDER))?)
    }
}

fn compiler(machine: &Machine) -> Option<PathBuf> {
    match &machine.wasi_sdk {
        Some(sdk) => Some(sdk.join("bin/clang")).filter(|file| file.is_file()),
        None => machine.any_program(&CLANG),
    }
}

/// `src/*.c`, in order.
fn sources(project: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let folder = project.join("src");
    let failed = |source| BuildError::File { operation: "read", file: folder.clone(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let name = PathBuf::from(entry.map_err(failed)?.file_name());
        if name.extension().is_some_and(|extension| extension == "c") {
            found.push(PathBuf::from("src").join(name));
        }
    }
    found.sort();
    Ok(found)
}
