//! Where the built programs lie: the servers in the cache of this user, our own in the target
//! folder.
//!
//! Building them is not done here (`cargo xtask servers`, `cargo build`); a missing one is an
//! error that names the command.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folder of the servers: `sealift/servers` in `$XDG_CACHE_HOME`, else in `~/.cache`.
pub fn server_cache() -> Result<PathBuf> {
    Ok(cache()?.join("servers"))
}

/// The folder of what builds Functions in other languages, beside that of the servers.
pub fn toolchain_cache() -> Result<PathBuf> {
    Ok(cache()?.join("toolchains"))
}

fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(value) => PathBuf::from(value),
        None => std::env::home_dir()
            .context("this user has no home folder to keep a cache in")?
            .join(".cache"),
    };
    Ok(base.join("sealift"))
}

/// The program `binary` of the server `name` (a folder of `tests/servers`).
pub fn server(name: &str, binary: &str) -> Result<PathBuf> {
    let path = server_cache()?.join(name).join("bin").join(binary);
    if !path.is_file() {
        bail!("{} is not there; build it with `cargo xtask servers {name}`", path.display());
    }
    Ok(path)
}

/// The folder with the built programs of this workspace, such as `target/debug`, found from
/// the program that is running (a test in `deps/`, or `xtask` beside the others).
pub fn build_folder() -> Result<PathBuf> {
    let running = std::env::current_exe().context("failed to find the running program")?;
    let folder = running.parent().context("the running program lies in no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.to_path_buf())
}

/// The `sealift` binary.
pub fn sealift() -> Result<PathBuf> {
    let path = build_folder()?.join("sealift");
    if !path.is_file() {
        bail!(
            "{} is not there; build it with `cargo xtask functions && cargo build --bin sealift`",
            path.display()
        );
    }
    Ok(path)
}

/// A component of the tests, by the name of its folder in `tests/guests`.
pub fn guest(name: &str) -> Result<PathBuf> {
    let path = target_folder()?.join("sealift").join("guests").join(format!("{name}.wasm"));
    if !path.is_file() {
        bail!("{} is not there; build it with `cargo xtask functions --guests`", path.display());
    }
    Ok(path)
}

/// A Function of `examples/functions`, by the name of its folder.
pub fn example(name: &str) -> Result<PathBuf> {
    let path = target_folder()?.join("sealift").join("examples").join(format!("{name}.wasm"));
    if !path.is_file() {
        bail!("{} is not there; build it with `cargo xtask functions --examples`", path.display());
    }
    Ok(path)
}

/// The target folder of the workspace.
pub fn target_folder() -> Result<PathBuf> {
    let folder = build_folder()?;
    Ok(folder.parent().context("the build folder lies in no target folder")?.to_path_buf())
}

/// The top folder of the source.
#[must_use]
pub fn source_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}
