//! Builds projects of Functions as their authors do: `projects OUT PROJECT…`.
//!
//! What did not change since it was built is left alone: SpiderMonkey and CPython take their time.
//! It is a program of its own because it links `sealift-author`, and `xtask` itself is to be built
//! in seconds.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use sealift_author::{BuildError, Machine, Project};
use sha2::{Digest, Sha256};

/// Folders in a project that tools make.
const MADE: [&str; 6] = ["target", "wit", "bindings", "node_modules", ".venv", "__pycache__"];

fn main() -> Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let out = arguments.next().context("usage: projects OUT PROJECT…")?;
    fs::create_dir_all(&out).with_context(|| format!("failed to create {}", out.display()))?;
    let machine = Machine::of(&|name| env::var_os(name));
    let builder = digest_of_this_program()?;
    for folder in arguments {
        let project = Project::read(&folder)
            .with_context(|| format!("{} is no project", folder.display()))?;
        ensure(&project, &machine, &builder, &out)
            .with_context(|| format!("example {}", project.descriptor.name))?;
    }
    Ok(())
}

fn ensure(project: &Project, machine: &Machine, builder: &[u8], out: &Path) -> Result<()> {
    let name = &project.descriptor.name;
    let (file, mark) = (out.join(format!("{name}.wasm")), out.join(format!("{name}.key")));
    let key = key(project, machine, builder)?;
    if file.is_file() && fs::read_to_string(&mark).is_ok_and(|built| built == key) {
        return Ok(());
    }
    say(&format!("        example {name} ({})", project.language()));
    let built = sealift_author::build(project, machine, &|_| {}).map_err(told)?;
    fs::copy(&built.file, &file).with_context(|| format!("failed to write {}", file.display()))?;
    fs::write(&mark, key).with_context(|| format!("failed to write {}", mark.display()))
}

/// The error with what would help.
fn told(error: BuildError) -> anyhow::Error {
    let help: String = match &error {
        BuildError::Missing { missing, .. } => {
            missing.iter().map(|part| format!("to get {}: {}\n", part.what, part.install)).collect()
        }
        _ => return anyhow!(error),
    };
    anyhow!(error).context(help.trim_end().to_owned())
}

/// A hash of everything a component is made of.
fn key(project: &Project, machine: &Machine, builder: &[u8]) -> Result<String> {
    let mut files = Vec::new();
    collect(&project.folder, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    hash.update(builder);
    for file in files {
        let bytes =
            fs::read(&file).with_context(|| format!("failed to read {}", file.display()))?;
        hash.update(file.strip_prefix(&project.folder)?.as_os_str().as_encoded_bytes());
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    for tools in &machine.tools {
        hash.update(tools.as_os_str().as_encoded_bytes());
    }
    Ok(hex::encode(hash.finalize()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if !path.is_dir() {
            files.push(path);
        } else if !MADE.iter().any(|made| OsStr::new(made) == name) {
            collect(&path, files)?;
        }
    }
    Ok(())
}

fn digest_of_this_program() -> Result<Vec<u8>> {
    let program = env::current_exe().context("failed to find this program")?;
    let bytes =
        fs::read(&program).with_context(|| format!("failed to read {}", program.display()))?;
    Ok(Sha256::digest(bytes).to_vec())
}

fn say(line: &str) {
    // Nobody is left to tell that nobody listens.
    let _ = writeln!(std::io::stderr(), "{line}");
}
