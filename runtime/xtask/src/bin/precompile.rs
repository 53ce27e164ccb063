//! Compiles the components of a folder ahead of time and writes `index.json` beside them.
//!
//! A binary of its own because it links the host: `cargo xtask` stays small without it. Called
//! by `cargo xtask functions` only. Flow: read every `.wasm` → compile those whose entry in the
//! index does not fit the bytes or the engine → pack both forms as `sealift` has them in it → write
//! the index if it changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use sealift_host::{Host, inspect};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How hard zstd tries: the highest level that needs no more memory to unpack than others.
const LEVEL: i32 = 19;

/// What `sealift` reads to find its built-in Functions.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Index {
    /// By name.
    functions: Vec<Entry>,
}

/// One Function: `<name>.wasm` and `<name>.cwasm` lie beside the index, and both packed (`.zst`).
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    name: String,
    /// The engine the compiled form belongs to.
    engine: String,
    /// SHA-256 of the component, in hex.
    wasm_sha256: String,
    wasm_size: usize,
    /// SHA-256 of the compiled form, in hex.
    cwasm_sha256: String,
    cwasm_size: usize,
    /// What packed them: another version makes other bytes, and so another image.
    #[serde(default)]
    packed_by: String,
    descriptor: serde_json::Value,
}

fn main() -> ExitCode {
    let outcome = match std::env::args_os().nth(1) {
        Some(folder) => run(Path::new(&folder)),
        None => Err(anyhow::anyhow!("the folder of the components is missing")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the last word of a command-line tool")]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path) -> Result<()> {
    let host = Host::new().context("failed to set up the engine")?;
    let place = folder.join("index.json");
    // An index that cannot be read is an index of nothing: everything is compiled again.
    let old: Index = fs::read(&place)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default();
    let mut index = Index::default();
    for path in components(folder)? {
        let entry = entry(&host, folder, &path, &old.functions);
        index.functions.push(entry.with_context(|| path.display().to_string())?);
    }
    if index == old {
        return Ok(());
    }
    let text = serde_json::to_vec_pretty(&index).context("failed to write JSON")?;
    fs::write(&place, text).with_context(|| format!("failed to write {}", place.display()))
}

fn components(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?
    {
        paths.push(entry.with_context(|| format!("failed to list {}", folder.display()))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    paths.sort();
    Ok(paths)
}

fn entry(host: &Host, folder: &Path, path: &Path, old: &[Entry]) -> Result<Entry> {
    let wasm = fs::read(path).context("failed to read the component")?;
    let found = inspect(&wasm).context("it is no component of a Function")?;
    let name = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .context("its name is not UTF-8")?
        .to_owned();
    if found.descriptor.name != name {
        bail!("its descriptor names {:?}", found.descriptor.name);
    }
    let compiled = folder.join(format!("{name}.cwasm"));
    let packed_by = format!("zstd {}, level {LEVEL}", zstd::zstd_safe::version_string());
    let (engine, wasm_sha256) = (host.engine_hash(), digest(&wasm));
    let known = old
        .iter()
        .find(|old| old.name == name && old.engine == engine && old.wasm_sha256 == wasm_sha256);
    let code = match (known, fs::read(&compiled)) {
        (Some(known), Ok(code)) if known.cwasm_sha256 == digest(&code) => code,
        _ => {
            let code = host.compile(&wasm).context("failed to compile it ahead of time")?;
            fs::write(&compiled, &code)
                .with_context(|| format!("failed to write {}", compiled.display()))?;
            code
        }
    };
    let keep = known.is_some_and(|known| known.packed_by == packed_by);
    for (file, bytes) in [(path, &wasm), (compiled.as_path(), &code)] {
        pack(file, bytes, keep).context("failed to pack it")?;
    }
    let descriptor =
        serde_json::to_value(&found.descriptor).context("failed to write the descriptor")?;
    Ok(Entry {
        name,
        engine,
        wasm_sha256,
        wasm_size: wasm.len(),
        cwasm_sha256: digest(&code),
        cwasm_size: code.len(),
        packed_by,
        descriptor,
    })
}

/// Writes `<file>.zst`; with `keep`, only if what lies there is something else.
fn pack(file: &Path, bytes: &[u8], keep: bool) -> Result<()> {
    let mut packed = file.as_os_str().to_owned();
    packed.push(".zst");
    let same = |frame: Vec<u8>| {
        zstd::bulk::decompress(&frame, bytes.len()).is_ok_and(|known| known == bytes)
    };
    if keep && fs::read(&packed).is_ok_and(same) {
        return Ok(());
    }
    Ok(fs::write(&packed, zstd::bulk::compress(bytes, LEVEL)?)?)
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
