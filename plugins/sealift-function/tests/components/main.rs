//! What the built-in components import: exactly what their descriptors ask for.
//!
//! The bindings name every interface of the contract, and the linker drops what is not called.
//! This test builds the components and looks whether it did: an import that is not granted
//! makes the host refuse the component.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasmparser::{Parser, Payload};

/// Kind, and interfaces beyond those of every Function.
const COMPONENTS: [(&str, &str, &[&str]); 5] = [
    ("restic-upload", "sink", &["upstream", "repository-writer"]),
    ("restic-download", "source", &["downstream", "repository-reader"]),
    ("vault-snapshot", "source", &["downstream", "key-store", "wasi-streams", "http"]),
    ("vault-restore", "sink", &["upstream", "key-store", "wasi-streams", "http"]),
    ("pushgateway-push", "observer", &["outcomes", "wasi-streams", "http"]),
];

/// What every Function may import.
const BASE: [&str; 5] = ["artifacts", "errors", "parameters", "progress", "session"];

/// Packages of WASI that the host links empty for everybody.
const EMPTY_WASI: [&str; 4] = ["wasi:cli/", "wasi:clocks/", "wasi:io/", "wasi:random/"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Builds all components in one call and returns the folder they are in.
fn build() -> PathBuf {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace());
    command.args(["build", "--quiet", "--profile", "function", "--target", "wasm32-wasip2"]);
    for (name, _, _) in COMPONENTS {
        command.args(["--package", name]);
    }
    assert!(command.status().unwrap().success());
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace().join("target"), |target| workspace().join(target));
    target.join("wasm32-wasip2/function")
}

/// Names of imports and exports of the component itself, not of what is inside it.
fn interfaces(component: &[u8]) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut imports, mut exports) = (BTreeSet::new(), BTreeSet::new());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                imports
                    .extend(section.into_iter().map(|import| import.unwrap().name.name.to_owned()));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                exports
                    .extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    (imports, exports)
}

#[test]
fn a_component_imports_what_it_uses_and_nothing_else() {
    let folder = build();
    for (name, kind, wanted) in COMPONENTS {
        let file = folder.join(name.replace('-', "_")).with_extension("wasm");
        let (imports, exports) = interfaces(&std::fs::read(&file).unwrap());
        assert_eq!(
            exports,
            BTreeSet::from([format!("sealift:function/{kind}@0.1.0")]),
            "{name} exports its kind"
        );
        let mut found = BTreeSet::new();
        for import in imports {
            if let Some(own) = import.strip_prefix("sealift:function/") {
                let own = own.split('@').next().unwrap();
                if !BASE.contains(&own) {
                    found.insert(own.to_owned());
                }
            } else if import.starts_with("wasi:http/") {
                found.insert("http".to_owned());
            } else if !EMPTY_WASI.iter().any(|package| import.starts_with(package)) {
                panic!("{name} imports {import}");
            }
        }
        let wanted: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(found, wanted, "{name}");
    }
}
