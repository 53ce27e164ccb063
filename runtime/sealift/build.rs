//! Finds the built-in Functions that `cargo xtask functions` wrote and makes a table of them.
//!
//! The Functions lie in `<target directory>/sealift/functions`, or where
//! `SEALIFT_FUNCTIONS_DIR` says.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed=SEALIFT_FUNCTIONS_DIR");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let Some(folder) = functions_folder(&out) else {
        println!(
            "cargo::error=the built-in Functions are not built; run `cargo xtask functions` first"
        );
        return Ok(());
    };
    println!("cargo::rerun-if-changed={}", folder.join("index.json").display());
    let index: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("index.json"))?)?;
    let functions = index
        .get("functions")
        .and_then(serde_json::Value::as_array)
        .ok_or("index.json has no list `functions`")?;
    let mut table = String::from("&[\n");
    for function in functions {
        let text = |field: &str| {
            function
                .get(field)
                .and_then(serde_json::Value::as_str)
                .ok_or_else(|| format!("a function in index.json has no {field}"))
        };
        let name = text("name")?;
        let packed = |kind: &str| {
            let frame = folder.join(format!("{name}.{kind}.zst"));
            println!("cargo::rerun-if-changed={}", frame.display());
            let size = function
                .get(format!("{kind}_size"))
                .and_then(serde_json::Value::as_u64)
                .ok_or_else(|| format!("a function in index.json has no {kind}_size"))?;
            if frame.is_file() {
                Ok(format!("Packed {{ frame: include_bytes!({frame:?}), size: {size} }}"))
            } else {
                Err(format!("{} is not there; run `cargo xtask functions` again", frame.display()))
            }
        };
        writeln!(
            table,
            "BuiltIn {{ name: {name:?}, digest: \"sha256:{}\", compiled_digest: \"sha256:{}\", engine: {:?}, wasm: {}, compiled: {} }},",
            text("wasm_sha256")?,
            text("cwasm_sha256")?,
            text("engine")?,
            packed("wasm")?,
            packed("cwasm")?,
        )?;
    }
    table.push(']');
    fs::write(out.join("built_in.rs"), table)?;
    Ok(())
}

/// The folder with `index.json`: told, or beside the profile's folder above `OUT_DIR`.
fn functions_folder(out: &Path) -> Option<PathBuf> {
    if let Ok(told) = env::var("SEALIFT_FUNCTIONS_DIR") {
        return Some(PathBuf::from(told));
    }
    out.ancestors()
        .map(|above| above.join("sealift/functions"))
        .find(|folder| folder.join("index.json").is_file())
}
