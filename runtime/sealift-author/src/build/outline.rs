//! What a finished component is, seen from outside: kind, imports, descriptor.
//!
//! Only what can be told without running or compiling it. Whether the host would start it is
//! decided by the host.

use sealift_core::plan::Kind;
use wasm_encoder::{ComponentSection, CustomSection};
use wasmparser::{BinaryReaderError, Encoding, Parser, Payload};

use crate::contract::VERSION;
use crate::project::Project;

/// Name of the custom section of a descriptor.
const SECTION: &str = "sealift:function";
/// Packages of WASI that every Function may import: they are linked, and closed.
const BASE: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];
/// Interfaces of our own that every Function may import.
const ALWAYS: [&str; 5] = ["artifacts", "errors", "parameters", "progress", "session"];

/// Why what was built is no Function with this descriptor.
#[derive(Debug, thiserror::Error)]
pub enum OutlineError {
    /// Not WebAssembly.
    #[error("what the toolchain made is no WebAssembly component")]
    Parse(#[source] BinaryReaderError),
    /// A core module.
    #[error("what the toolchain made is a WebAssembly module and no component")]
    Module,
    /// It exports something else.
    #[error("descriptor.json says {wanted} and the component exports: {}", exports.join(", "))]
    Kind {
        /// The export that is missing.
        wanted: String,
        /// What it exports.
        exports: Vec<String>,
    },
    /// It imports more than it asks for.
    #[error(
        "the component imports {}, which descriptor.json does not ask for; add it to `requests`, or take out the code that needs it",
        imports.join(", ")
    )]
    Imports {
        /// The imports.
        imports: Vec<String>,
    },
}

/// Compares the component with its descriptor; returns what it imports.
///
/// # Errors
/// It is no component, of another kind, or imports what it does not ask for.
pub(super) fn check(component: &[u8], project: &Project) -> Result<Vec<String>, OutlineError> {
    let (imports, exports) = names(component)?;
    let descriptor = &project.descriptor;
    let wanted = format!("sealift:function/{}@{VERSION}", descriptor.kind.as_str());
    if !exports.contains(&wanted) {
        return Err(OutlineError::Kind { wanted, exports });
    }
    let foreign: Vec<String> =
        imports.iter().filter(|import| !is_asked_for(import, project)).cloned().collect();
    if foreign.is_empty() { Ok(imports) } else { Err(OutlineError::Imports { imports: foreign }) }
}

/// The component with its descriptor as the last section.
pub(super) fn describe(mut component: Vec<u8>, descriptor: &[u8]) -> Vec<u8> {
    CustomSection { name: SECTION.into(), data: descriptor.into() }
        .append_to_component(&mut component);
    component
}

fn is_asked_for(import: &str, project: &Project) -> bool {
    let descriptor = &project.descriptor;
    let requests = &descriptor.requests;
    let Some((package, interface)) =
        import.split_once('@').and_then(|(name, _)| name.split_once('/'))
    else {
        return false;
    };
    if let Some(package) = package.strip_prefix("wasi:") {
        return BASE.contains(&package) || (package == "http" && !requests.http.is_empty());
    }
    if package != "sealift:function" {
        return false;
    }
    match interface {
        "upstream" => matches!(descriptor.kind, Kind::Transform | Kind::Sink),
        "downstream" => matches!(descriptor.kind, Kind::Source | Kind::Transform),
        "outcomes" => descriptor.kind == Kind::Observer,
        "wasi-streams" => !requests.http.is_empty(),
        "repository-writer" | "repository-reader" => requests.repository.is_some(),
        "key-store" => requests.unseal_keys.is_some(),
        other => ALWAYS.contains(&other),
    }
}

/// Imports and exports of the outermost level.
fn names(component: &[u8]) -> Result<(Vec<String>, Vec<String>), OutlineError> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(OutlineError::Parse)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(OutlineError::Module);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import.map_err(OutlineError::Parse)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export.map_err(OutlineError::Parse)?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}
