//! Makes a list of the templates in `templates/`, so that the program carries them.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let templates = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../templates");
    println!("cargo::rerun-if-changed={}", templates.display());
    let mut files = Vec::new();
    collect(&templates, &mut files)?;
    files.sort();
    let mut list =
        String::from("/// All files of all templates.\nconst TEMPLATES: &[Template] = &[\n");
    for file in files {
        let below = file.strip_prefix(&templates)?.to_str().ok_or("a path is not UTF-8")?;
        let whole = file.canonicalize()?;
        writeln!(list, "    ({below:?}, include_str!({whole:?})),")?;
    }
    list.push_str("];\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("templates.rs"), list)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
