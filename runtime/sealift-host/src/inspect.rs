//! Reading a component without compiling it: kind, imports, descriptor.
//!
//! What a component is follows from its bytes alone: the interface it exports is its kind, what
//! it imports is what it wants, and its descriptor says the rest. Only the outermost level
//! counts; a section of an inner module is not the component's. Whether the code is valid is
//! found out by compiling it (`engine`).

use std::collections::BTreeMap;

use sealift_core::grants::Grants;
use sealift_core::plan::Kind;
use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload};

use crate::capability::parameters::Parameters;
use crate::descriptor::{Descriptor, SECTION, SECTION_BYTES};
use crate::error::FunctionError;
use crate::link;

/// The contract this host serves.
pub const CONTRACT: &str = sealift_bindings::v0_1_0::VERSION;
const PACKAGE: &str = "sealift:function/";
const KINDS: [Kind; 4] = [Kind::Source, Kind::Transform, Kind::Sink, Kind::Observer];

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Not WebAssembly, or damaged.
    #[error("these bytes are not a WebAssembly component")]
    Parse(#[source] wasmparser::BinaryReaderError),
    /// A core module.
    #[error(
        "this is a WebAssembly module and not a component; build it for wasm32-wasip2 or wrap it with `wasm-tools component new`"
    )]
    Module,
    /// No kind.
    #[error("the component exports none of source, transform, sink and observer of sealift:function@{CONTRACT}; its exports are: {}", exports.join(", "))]
    NoKind {
        /// What it exports.
        exports: Vec<String>,
    },
    /// More than one kind.
    #[error("the component exports {}; a function has exactly one kind", kinds.join(" and "))]
    SeveralKinds {
        /// The kinds.
        kinds: Vec<String>,
    },
    /// Another version of the contract.
    #[error(
        "the component is built against {found} of the contract and this host serves {CONTRACT}; build it again with an SDK for {CONTRACT}, or use a Sealift that serves {found}"
    )]
    ContractVersion {
        /// What it needs.
        found: String,
    },
    /// An interface of the right name without what belongs in it.
    #[error(
        "the component exports {export} without the function `run: func() -> result<_, error>` that contract {CONTRACT} asks for; build it again with an SDK for {CONTRACT}"
    )]
    NoRun {
        /// The exported interface.
        export: String,
    },
    /// No descriptor.
    #[error(
        "the component has no descriptor: custom section {SECTION} is missing; `cargo xtask functions` and `sealift function build` add it"
    )]
    NoDescriptor,
    /// Two descriptors.
    #[error("the component has more than one descriptor (custom section {SECTION})")]
    SeveralDescriptors,
    /// A descriptor that cannot be read.
    #[error("the descriptor of the component is not well-formed")]
    ReadDescriptor(#[source] serde_json::Error),
    /// A descriptor that is too long.
    #[error("the descriptor of the component has {size} bytes and may have {SECTION_BYTES}")]
    LongDescriptor {
        /// Bytes.
        size: usize,
    },
    /// Descriptor and component disagree.
    #[error("the descriptor says {said} and the component exports {exported}")]
    KindMismatch {
        /// In the descriptor.
        said: &'static str,
        /// In the component.
        exported: &'static str,
    },
    /// Compiling failed.
    #[error("the component {name} cannot be compiled")]
    Compile {
        /// The component.
        name: String,
        /// Why.
        #[source]
        source: wasmtime::Error,
    },
    /// Interfaces of the right name with other things in them.
    #[error(
        "the component {name} imports an interface that is not the one this host has under this name; build it again with an SDK for contract {CONTRACT}"
    )]
    ImportTypes {
        /// The component.
        name: String,
        /// What differs.
        #[source]
        source: wasmtime::Error,
    },
    /// A compiled form that is not the expected one.
    #[error("the compiled form of {name} has digest {found} and {expected} was expected")]
    Digest {
        /// The component.
        name: String,
        /// Of the bytes given.
        found: String,
        /// Of the bytes wanted.
        expected: String,
    },
    /// A compiled form of another engine.
    #[error("the compiled form of {name} is not for this engine; compile it again")]
    Deserialize {
        /// The component.
        name: String,
        /// Why.
        #[source]
        source: wasmtime::Error,
    },
}

/// What the bytes of a component say.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspected {
    /// What it is.
    pub kind: Kind,
    /// Version of the contract it exports.
    pub contract: String,
    /// Name of the exported interface, version included.
    pub export: String,
    /// Names of everything it imports, versions included, in order.
    pub imports: Vec<String>,
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// Bytes.
    pub size: u64,
    /// `sha256:<hex>` of the bytes.
    pub digest: String,
}

impl Inspected {
    /// Whether a Function with these grants could be started; the host checks the same again.
    ///
    /// # Errors
    /// Everything that is missing, each with the line of YAML to add.
    pub fn check_grants(&self, grants: &Grants) -> Result<(), FunctionError> {
        link::check(&self.descriptor, &self.imports, grants)
    }

    /// Whether these parameters, as text, fit the descriptor; the host checks the same again.
    ///
    /// # Errors
    /// The first wrong one, by name.
    pub fn check_parameters(&self, given: &BTreeMap<String, String>) -> Result<(), FunctionError> {
        Parameters::resolve(&self.descriptor.parameters, given).map(drop)
    }
}

/// Reads a component without compiling it.
///
/// # Errors
/// It is not a component, of no kind, of another contract, or without a descriptor.
pub fn inspect(wasm: &[u8]) -> Result<Inspected, LoadError> {
    let Outline { exports, imports, descriptors } = outline(wasm)?;
    let (kind, export, contract) = kind_of(exports)?;
    let mut descriptors = descriptors.into_iter();
    let json = descriptors.next().ok_or(LoadError::NoDescriptor)?;
    if descriptors.next().is_some() {
        return Err(LoadError::SeveralDescriptors);
    }
    if json.len() > SECTION_BYTES {
        return Err(LoadError::LongDescriptor { size: json.len() });
    }
    let descriptor: Descriptor = serde_json::from_slice(json).map_err(LoadError::ReadDescriptor)?;
    check_kind(&descriptor, kind)?;
    Ok(Inspected {
        kind,
        contract,
        export,
        imports,
        descriptor,
        size: wasm.len() as u64,
        digest: digest(wasm),
    })
}

/// `sha256:<hex>`.
pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// Refuses a descriptor for another kind.
pub(crate) fn check_kind(descriptor: &Descriptor, kind: Kind) -> Result<(), LoadError> {
    if descriptor.kind == kind {
        return Ok(());
    }
    Err(LoadError::KindMismatch { said: descriptor.kind.as_str(), exported: kind.as_str() })
}

/// Kind, name of the export and version, from the names of all exports.
pub(crate) fn kind_of(exports: Vec<String>) -> Result<(Kind, String, String), LoadError> {
    let mut found = Vec::new();
    for export in &exports {
        let Some((interface, version)) =
            export.strip_prefix(PACKAGE).and_then(|rest| rest.split_once('@'))
        else {
            continue;
        };
        if let Some(kind) = KINDS.into_iter().find(|kind| kind.as_str() == interface) {
            found.push((kind, export.clone(), version.to_owned()));
        }
    }
    if found.len() > 1 {
        let kinds = found.into_iter().map(|(_, export, _)| export).collect();
        return Err(LoadError::SeveralKinds { kinds });
    }
    let Some((kind, export, version)) = found.pop() else {
        return Err(LoadError::NoKind { exports });
    };
    if !is_served(&version) {
        return Err(LoadError::ContractVersion { found: version });
    }
    Ok((kind, export, version))
}

/// Whether this host serves a version: versions that differ in the last number only add.
pub(crate) fn is_served(version: &str) -> bool {
    let compatible = |version: &str| version.rsplit_once('.').map(|(head, _)| head.to_owned());
    compatible(version) == compatible(CONTRACT)
}

struct Outline<'a> {
    exports: Vec<String>,
    imports: Vec<String>,
    descriptors: Vec<&'a [u8]>,
}

fn outline(wasm: &[u8]) -> Result<Outline<'_>, LoadError> {
    let mut outline = Outline { exports: Vec::new(), imports: Vec::new(), descriptors: Vec::new() };
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(LoadError::Parse)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(LoadError::Module);
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    outline.imports.push(import.map_err(LoadError::Parse)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    outline.exports.push(export.map_err(LoadError::Parse)?.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                outline.descriptors.push(section.data());
            }
            _ => {}
        }
    }
    Ok(outline)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn what_is_no_component_is_named() {
        assert!(matches!(inspect(b"hello"), Err(LoadError::Parse(_))));
        assert!(matches!(inspect(b""), Err(LoadError::Parse(_))));
        assert!(matches!(inspect(b"\0asm\x01\0\0\0"), Err(LoadError::Module)));
        assert!(matches!(inspect(EMPTY_COMPONENT), Err(LoadError::NoKind { .. })));
    }

    #[test]
    fn the_kind_is_the_exported_interface_of_a_served_version() {
        let kind =
            |exports: &[&str]| kind_of(exports.iter().map(|name| (*name).to_owned()).collect());
        let (found, export, version) = kind(&["memory", "sealift:function/sink@0.1.0"]).unwrap();
        assert_eq!(
            (found, export.as_str(), version.as_str()),
            (Kind::Sink, "sealift:function/sink@0.1.0", "0.1.0")
        );
        assert!(kind(&["sealift:function/source@0.1.7"]).is_ok());
        assert!(matches!(
            kind(&["sealift:function/source@0.2.0"]),
            Err(LoadError::ContractVersion { .. })
        ));
        assert!(matches!(kind(&["sealift:function/source"]), Err(LoadError::NoKind { .. })));
        let two = kind(&["sealift:function/source@0.1.0", "sealift:function/sink@0.1.0"]);
        assert!(matches!(two, Err(LoadError::SeveralKinds { .. })));
    }

    #[test]
    fn a_descriptor_is_found_at_the_end_and_only_once() {
        let descriptor = Descriptor {
            name: "x".into(),
            version: "1".into(),
            summary: String::new(),
            kind: Kind::Source,
            contract: CONTRACT.into(),
            parameters: serde_json::json!({"description": "x".repeat(300)}),
            requests: sealift_core::grants::Grants::default(),
            unknown_size: true,
        };
        let once = descriptor.append_to(EMPTY_COMPONENT).unwrap();
        let found = outline(&once).unwrap().descriptors;
        let [json] = found.as_slice() else { unreachable!("{found:?}") };
        assert_eq!(serde_json::from_slice::<Descriptor>(json).unwrap(), descriptor);
        let twice = descriptor.append_to(&once).unwrap();
        assert_eq!(outline(&twice).unwrap().descriptors.len(), 2);
    }
}
