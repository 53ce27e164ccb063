//! Rust: cargo makes a component by itself for `wasm32-wasip2`.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use super::{BuildError, Job, Toolchain, read, tool};
use crate::machine::{Machine, Missing};
use crate::project::Project;

/// What components are built for.
const TARGET: &str = "wasm32-wasip2";

/// cargo and rustc.
pub(super) struct Rust;

impl Toolchain for Rust {
    fn missing(&self, project: &Project, machine: &Machine) -> Vec<Missing> {
        let Some(rustc) = machine.program("rustc") else {
            return vec![Missing::new("rustc and cargo", "curl https://sh.rustup.rs -sSf | sh")];
        };
        if machine.program("cargo").is_none() {
            return vec![Missing::new("cargo", "rustup toolchain install stable")];
        }
        // rustc prints the folder whether it is there or not. In the project's folder, which may
        // name a toolchain of its own.
        let mut command = Command::new(rustc);
        command.current_dir(&project.folder).args(["--print", "target-libdir", "--target", TARGET]);
        let there = tool::run(&mut command)
            .is_ok_and(|said| PathBuf::from(String::from_utf8_lossy(&said).trim()).is_dir());
        if there {
            return Vec::new();
        }
        vec![Missing::new(
            format!("rustc's target {TARGET}"),
            format!("rustup target add {TARGET}"),
        )]
    }

    fn component(&self, job: &Job<'_>) -> Result<Vec<u8>, BuildError> {
        let cargo = job.machine.program("cargo").unwrap_or_else(|| "cargo".into());
        let profile = job.project.settings.profile.as_deref().unwrap_or("release");
        (job.talk)(&format!("cargo build --profile {profile} --target {TARGET}"));
        let mut command = Command::new(cargo);
        command
            .current_dir(&job.project.folder)
            .args(["build", "--profile", profile, "--target", TARGET, "--lib"])
            .args(["--message-format", "json-render-diagnostics"])
            // Flags for this machine's programs do not fit a component, and its bytes must not
            // depend on the folder it was built in.
            .env_remove("RUSTFLAGS")
            .env("CARGO_ENCODED_RUSTFLAGS", remapping(job));
        let said = tool::run(&mut command)?;
        let found = component_file(&said, &job.project.folder.join("Cargo.toml"));
        let file = found.ok_or_else(|| BuildError::Nothing {
            program: "cargo".to_owned(),
            reason: "the library has no crate type `cdylib` in Cargo.toml".to_owned(),
        })?;
        read(file)
    }
}

fn remapping(job: &Job<'_>) -> String {
    let folder = format!("--remap-path-prefix={}=/function", job.project.folder.display());
    let cargo = job.machine.cargo_home.as_ref();
    let cargo = cargo.map(|home| format!("--remap-path-prefix={}=/cargo", home.display()));
    // The separator cargo asks for: a folder may have a blank in its name.
    cargo.into_iter().chain([folder]).collect::<Vec<_>>().join("\u{1f}")
}

/// What cargo says of each thing it built.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// The component among what cargo built.
fn component_file(said: &[u8], manifest: &std::path::Path) -> Option<PathBuf> {
    said.split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter(|message| {
            message.reason == "compiler-artifact" && message.manifest_path == manifest
        })
        .flat_map(|message| message.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_component_is_that_of_this_package() {
        let said = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/dep/Cargo.toml","filenames":["/t/dep.wasm"]}"#,
            "\n",
            r#"{"reason":"build-script-executed"}"#,
            "\nnot json\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","filenames":["/t/p.rlib","/t/p.wasm"]}"#,
        );
        let found = component_file(said.as_bytes(), "/p/Cargo.toml".as_ref());
        assert_eq!(found.unwrap(), PathBuf::from("/t/p.wasm"));
        assert_eq!(component_file(b"", "/p/Cargo.toml".as_ref()), None);
    }
}
