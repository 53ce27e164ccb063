//! `cargo xtask functions`: the built-in Functions, ready to be put into `sealift`.
//!
//! Flow: one cargo invocation builds all components for wasm32-wasip2 → each gets its
//! descriptor as a custom section → `precompile`, a binary of its own that links the host,
//! compiles them ahead of time, packs both forms and writes the index. What did not change is not
//! written, so a second run costs what two idle cargo invocations cost. Components of the tests
//! take the first two steps only.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use wasm_encoder::{ComponentSection, CustomSection};

use crate::examples;
use crate::talk::Steps;
use crate::toolchain;
use crate::workspace::{self, Package, Workspace, cargo};

/// Name of the custom section a component carries its descriptor in.
const SECTION: &str = "sealift:function";

/// What the components are built for.
const TARGET: &str = "wasm32-wasip2";

/// How much is built; each includes what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Extent {
    /// The built-in Functions, which are part of the program.
    BuiltIn,
    /// The components of the tests.
    Guests,
    /// The examples whose toolchains are small and quick: Rust, Go, C and QuickJS.
    Examples,
    /// Those in SpiderMonkey and Python as well.
    Everything,
}

/// Builds as much, and says how many there are.
pub(crate) fn run(extent: Extent) -> Result<()> {
    let workspace = Workspace::load()?;
    let mut steps = Steps::new(1);
    steps.begin(
        "Functions: five WebAssembly components",
        Some("about 10 min with empty caches, seconds with warm ones"),
    );
    let built = ensure(&workspace, extent)?;
    steps.done(&format!("{built} components in {}", workspace.products("functions").display()));
    Ok(())
}

/// Builds what is out of date; returns how many components there are.
pub(crate) fn ensure(workspace: &Workspace, extent: Extent) -> Result<usize> {
    toolchain::ensure_target(TARGET)?;
    let plugins = workspace.components("plugins");
    let of = |least, folder| {
        if extent >= least { workspace.components(folder) } else { Vec::new() }
    };
    let guests = of(Extent::Guests, "tests/guests");
    let examples = of(Extent::Examples, "examples/functions");
    build(workspace, plugins.iter().chain(&guests).chain(&examples).copied())?;

    let folder = workspace.products("functions");
    let mut kept = Vec::new();
    for package in &plugins {
        kept.push(finish(workspace, package, &folder, Descriptor::Required)?);
    }
    remove_others(&folder, &kept)?;
    for package in &guests {
        finish(workspace, package, &workspace.products("guests"), Descriptor::Optional)?;
    }
    for package in &examples {
        finish(workspace, package, &workspace.products("examples"), Descriptor::Required)?;
    }
    let others = match extent {
        Extent::BuiltIn | Extent::Guests => 0,
        Extent::Examples | Extent::Everything => examples::ensure(workspace, extent)?,
    };
    precompile(workspace, &folder)?;
    Ok(plugins.len() + guests.len() + examples.len() + others)
}

fn build<'a>(workspace: &Workspace, packages: impl Iterator<Item = &'a Package>) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--locked", "--profile", "function", "--target", TARGET]);
    for package in packages {
        command.args(["--package", &package.name]);
    }
    // Flags meant for this machine's programs do not fit the components, and the digest of a
    // component must not depend on the folder it was built in.
    command.env_remove("RUSTFLAGS");
    command.env("CARGO_ENCODED_RUSTFLAGS", toolchain::remapping(workspace)?);
    workspace::run(&mut command)
}

/// Whether a component without `descriptor.json` is an error: built-in ones must have it, a
/// guest of the tests may be about not having it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Descriptor {
    Required,
    Optional,
}

/// Puts the descriptor of `package` into its component and that into `folder`.
fn finish(
    workspace: &Workspace,
    package: &Package,
    folder: &Path,
    descriptor: Descriptor,
) -> Result<String> {
    let file = format!("{}.wasm", package.name.replace('-', "_"));
    let built = workspace.target.join(TARGET).join("function").join(file);
    let mut component =
        fs::read(&built).with_context(|| format!("failed to read {}", built.display()))?;
    let path = package.folder().join("descriptor.json");
    if path.is_file() || descriptor == Descriptor::Required {
        let text = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        embed(&mut component, &package.name, &text)
            .with_context(|| format!("{} is not a descriptor", path.display()))?;
    }
    let name = format!("{}.wasm", package.name);
    write_if_changed(&folder.join(&name), &component)?;
    Ok(name)
}

/// Appends `descriptor`, minified, as the custom section; checks that it is about `package`.
fn embed(component: &mut Vec<u8>, package: &str, descriptor: &[u8]) -> Result<()> {
    let value: serde_json::Value = serde_json::from_slice(descriptor).context("it is not JSON")?;
    let name = value.get("name").and_then(serde_json::Value::as_str);
    if name != Some(package) {
        bail!("its name is {name:?} instead of {package:?}");
    }
    let data = serde_json::to_vec(&value).context("failed to write JSON")?;
    CustomSection { name: SECTION.into(), data: data.as_slice().into() }
        .append_to_component(component);
    Ok(())
}

/// Removes what belongs to a component that is no longer there.
fn remove_others(folder: &Path, kept: &[String]) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        let path = entry.with_context(|| format!("failed to list {}", folder.display()))?.path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let (name, kind) = file.split_once('.').unwrap_or((&file, ""));
        let component = matches!(kind, "wasm" | "cwasm" | "wasm.zst" | "cwasm.zst");
        if component && !kept.contains(&format!("{name}.wasm")) {
            fs::remove_file(&path)
                .with_context(|| format!("failed to remove {}", path.display()))?;
        }
    }
    Ok(())
}

fn precompile(workspace: &Workspace, folder: &Path) -> Result<()> {
    let program = workspace::build_program(workspace, "precompile")?;
    workspace::run(Command::new(program).arg(folder))
}

fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
    }
    fs::write(path, bytes).with_context(|| format!("failed to write {}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_descriptor_stands_minified_at_the_end_of_the_component() {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        embed(&mut component, "mover", b"{ \"name\": \"mover\" }").unwrap();
        let expected = b"\0asm\x0d\0\x01\0\x00\x21\x10sealift:function{\"name\":\"mover\"}";
        assert_eq!(component, expected);
    }

    #[test]
    fn a_descriptor_of_another_function_is_refused() {
        let mut component = Vec::new();
        let error = embed(&mut component, "mover", b"{\"name\":\"shaker\"}").unwrap_err();
        assert_eq!(error.to_string(), "its name is Some(\"shaker\") instead of \"mover\"");
    }
}
