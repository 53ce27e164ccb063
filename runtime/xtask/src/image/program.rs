//! `sealift` as the image needs it: one file that needs no other.
//!
//! Built for musl, with the C code of its libraries compiled by musl-gcc, and linked by the linker
//! of the pinned toolchain. What comes out is looked at and started: a program that asks for a
//! loader would not start in an image without one, and a folder's name in it would make the image
//! differ from machine to machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::toolchain;
use crate::workspace::{self, Workspace, cargo};

/// What it is built for.
pub(super) const TARGET: &str = "x86_64-unknown-linux-musl";

/// The same in the words of OCI.
pub(super) const ARCHITECTURE: &str = "amd64";

/// Compiles C for the target.
const COMPILER: &str = "musl-gcc";

/// How it is linked. The linker is the toolchain's own, so that none of the machine's has a say in
/// the digest, and packs what the system's only writes out: addresses that are filled in at the
/// start take a bit each instead of 24 bytes, and functions that are the same word for word are
/// kept once.
const LINKING: [&str; 3] =
    ["-Clinker=rust-lld", "-Clink-arg=-zpack-relative-relocs", "-Clink-arg=--icf=all"];

/// How much work the compiler puts into it. Each is a profile of the top Cargo.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// What is shipped.
    Image,
    /// What is tried out.
    Quick,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Quick => "image-quick",
        }
    }

    /// How long a build takes with two cores and nothing built before.
    pub(super) fn duration(self) -> &'static str {
        match self {
            Self::Image => "about 20 min with empty caches",
            Self::Quick => "about 10 min with empty caches",
        }
    }
}

/// Builds the program and returns its bytes.
pub(super) fn build(workspace: &Workspace, profile: Profile) -> Result<Vec<u8>> {
    toolchain::ensure_target(TARGET)?;
    if workspace::version(COMPILER, "--version").is_none() {
        bail!(
            "{COMPILER} is not on PATH; the C code in sealift's libraries is compiled with it: `apt-get install musl-tools`"
        );
    }
    let mut command = cargo();
    command.args(["rustc", "--quiet", "--locked", "--package", "sealift", "--bin", "sealift"]);
    // Without what authors of Functions need: templates, generators of bindings, a componentizer.
    command.arg("--no-default-features");
    command.args(["--profile", profile.name(), "--target", TARGET, "--"]).args(LINKING);
    command.env_remove("RUSTFLAGS");
    command.env("CARGO_ENCODED_RUSTFLAGS", toolchain::remapping(workspace)?);
    let suffix = TARGET.replace('-', "_");
    command.env(format!("CC_{suffix}"), COMPILER);
    command.env(format!("CFLAGS_{suffix}"), c_flags(workspace)?);
    workspace::run(&mut command)?;

    let path = path(workspace, profile);
    let program = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
    check_static(&program).with_context(|| path.display().to_string())?;
    check_start(&path)?;
    let folders = toolchain::folders(workspace)?;
    check_folders(&program, folders.iter().map(|(folder, _)| folder.as_path()))
        .with_context(|| path.display().to_string())?;
    Ok(program)
}

/// Where it lies once it is built.
pub(super) fn path(workspace: &Workspace, profile: Profile) -> PathBuf {
    workspace.target.join(TARGET).join(profile.name()).join("sealift")
}

/// The C compiler writes names of files as well, for `assert`.
fn c_flags(workspace: &Workspace) -> Result<String> {
    let flags: Vec<String> = toolchain::folders(workspace)?
        .iter()
        .map(|(folder, name)| format!("-ffile-prefix-map={}={name}", folder.display()))
        .collect();
    Ok(flags.join(" "))
}

/// Refuses a program that needs a loader: in an ELF file, a segment of type `PT_INTERP`.
fn check_static(program: &[u8]) -> Result<()> {
    const INTERPRETER: u32 = 3;
    let kinds = segment_kinds(program).context("it is no ELF file of 64 bits")?;
    if kinds.contains(&INTERPRETER) {
        bail!("it is linked dynamically and would not start in an image that holds nothing else");
    }
    Ok(())
}

/// Lets it say its version: what is packed into it is unpacked by code that comes with the target's
/// C library, and one too old for that would let it crash before it does anything.
fn check_start(program: &Path) -> Result<()> {
    workspace::output(Command::new(program).arg("--version").env_clear())
        .map(drop)
        .with_context(|| format!("{} does not start", program.display()))
}

/// The types of an ELF file's segments; `None` if it is no such file. Offsets are those of the
/// ELF-64 object file format.
fn segment_kinds(program: &[u8]) -> Option<Vec<u32>> {
    if !program.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(u64::from_le_bytes(array(program, 32)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(array(program, 54)?));
    let count = usize::from(u16::from_le_bytes(array(program, 56)?));
    (0..count)
        .map(|index| Some(u32::from_le_bytes(array(program, table.checked_add(index * size)?)?)))
        .collect()
}

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

/// Refuses a program that holds the name of one of these folders.
fn check_folders<'a>(program: &[u8], folders: impl Iterator<Item = &'a Path>) -> Result<()> {
    for folder in folders {
        let mut needle = folder.as_os_str().as_encoded_bytes().to_vec();
        needle.push(b'/');
        let finder = memchr::memmem::Finder::new(&needle);
        if let Some(place) = finder.find(program) {
            let end = (place + 120).min(program.len());
            let found = String::from_utf8_lossy(program.get(place..end).unwrap_or_default());
            let found = found.split(|letter: char| letter.is_control()).next().unwrap_or_default();
            bail!(
                "it names a folder of this machine ({found}), so another machine would build another image"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_program_that_needs_a_loader_is_refused() {
        // The test itself is one: it is built for this machine.
        let itself = fs::read(std::env::current_exe().unwrap()).unwrap();
        let error = check_static(&itself).unwrap_err();
        assert!(error.to_string().starts_with("it is linked dynamically"), "{error}");
    }

    #[test]
    fn a_program_without_a_loader_is_taken() {
        let mut program = vec![0; 64 + 56];
        program.splice(0..6, *b"\x7fELF\x02\x01");
        program.splice(32..40, 64_u64.to_le_bytes());
        program.splice(54..58, [56, 0, 1, 0]);
        program.splice(64..68, 1_u32.to_le_bytes());
        check_static(&program).unwrap();
        program.splice(64..68, 3_u32.to_le_bytes());
        check_static(&program).unwrap_err();
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01"] {
            let error = check_static(bytes).unwrap_err();
            assert_eq!(error.to_string(), "it is no ELF file of 64 bits");
        }
    }

    #[test]
    fn a_folder_of_this_machine_is_found_and_shown() {
        let folders = [Path::new("/somewhere/of/mine")];
        let program = b"\0panicked at /somewhere/of/mine/src/main.rs\0more";
        let error = check_folders(program, folders.into_iter()).unwrap_err().to_string();
        assert!(error.contains("(/somewhere/of/mine/src/main.rs)"), "{error}");
        check_folders(b"/sealift/src/main.rs", folders.into_iter()).unwrap();
        check_folders(b"/somewhere/of/mineral/", folders.into_iter()).unwrap();
    }
}
