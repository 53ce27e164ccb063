//! Reading a component without compiling it: kind, imports, descriptor.
//!
//! What a component is follows from its bytes alone: the interface it exports is its kind, what
//! it imports is what it wants, and its descriptor says the rest. Whether it keeps within what can
//! be compiled is asked in `bounds`, whether its code does what it should by nobody before it runs.

use sealift_core::grants::Grants;
use sealift_core::plan::Kind;
use sha2::{Digest, Sha256};

use crate::access::{self, Refused};
use crate::contract::{self, CURRENT, PACKAGE};
use crate::descriptor::Descriptor;
use crate::outline::Outline;
use crate::section;

const KINDS: [Kind; 4] = [Kind::Source, Kind::Transform, Kind::Sink, Kind::Observer];

/// Why bytes are no component of a Function.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Not WebAssembly, or damaged.
    #[error("these bytes are not a WebAssembly component")]
    Parse(#[source] wasmparser::BinaryReaderError),
    /// A core module.
    #[error(
        "this is a WebAssembly module and not a component; build it for wasm32-wasip2 or wrap it with `wasm-tools component new`"
    )]
    Module,
    /// No kind.
    #[error("the component exports none of source, transform, sink and observer of sealift:function@{CURRENT}; its exports are: {}", exports.join(", "))]
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
        "the component is built against {found} of the contract and this host serves {CURRENT}; build it again with an SDK for {CURRENT}, or use a Sealift that serves {found}"
    )]
    ContractVersion {
        /// What it needs.
        found: String,
    },
    /// No descriptor.
    #[error(
        "the component has no descriptor: custom section {} is missing; `cargo xtask functions` and `sealift function build` add it",
        section::NAME
    )]
    NoDescriptor,
    /// Two descriptors.
    #[error("the component has more than one descriptor (custom section {})", section::NAME)]
    SeveralDescriptors,
    /// A descriptor that cannot be read.
    #[error("the descriptor of the component is not well-formed")]
    ReadDescriptor(#[source] serde_json::Error),
    /// A descriptor that is too long.
    #[error(
        "the descriptor of the component has {size} bytes and may have {}",
        section::MOST_BYTES
    )]
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
    pub fn check_grants(&self, grants: &Grants) -> Result<(), Refused> {
        access::check(&self.descriptor, &self.imports, grants)
    }
}

/// Reads a component without compiling it.
///
/// # Errors
/// It is not a component, of no kind, of another contract, or without a descriptor.
pub fn inspect(wasm: &[u8]) -> Result<Inspected, InspectError> {
    let outline = Outline::of(wasm)?;
    let Exported { kind, export, contract } = exported(&outline.exports)?;
    let json = outline.descriptor()?.ok_or(InspectError::NoDescriptor)?;
    let descriptor: Descriptor =
        serde_json::from_slice(json).map_err(InspectError::ReadDescriptor)?;
    descriptor.check_kind(kind)?;
    Ok(Inspected {
        kind,
        contract,
        export,
        imports: outline.imports,
        descriptor,
        size: wasm.len() as u64,
        digest: digest(wasm),
    })
}

/// `sha256:<hex>`.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// What a component is, by what it exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The kind.
    pub kind: Kind,
    /// Name of the interface, version included.
    pub export: String,
    /// Version of the contract.
    pub contract: String,
}

/// What a component with these exports is.
///
/// # Errors
/// None or several of the kinds are among them, or one of a version that is not served.
pub fn exported(exports: &[String]) -> Result<Exported, InspectError> {
    let mut found = exports.iter().filter_map(|export| {
        let (path, version) = export.split_once('@')?;
        let (package, interface) = path.split_once('/')?;
        let kind = KINDS.into_iter().find(|kind| kind.as_str() == interface)?;
        let contract = version.to_owned();
        (package == PACKAGE).then(|| Exported { kind, export: export.clone(), contract })
    });
    let Some(first) = found.next() else {
        return Err(InspectError::NoKind { exports: exports.to_vec() });
    };
    let others: Vec<Exported> = found.collect();
    if !others.is_empty() {
        let kinds = std::iter::once(first).chain(others).map(|one| one.export).collect();
        return Err(InspectError::SeveralKinds { kinds });
    }
    if !contract::is_served(&first.contract) {
        return Err(InspectError::ContractVersion { found: first.contract });
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_kind_is_the_exported_interface_of_a_served_version() {
        let of = |exports: &[&str]| {
            exported(&exports.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
        };
        let found = of(&["memory", "sealift:function/sink@0.1.0"]).unwrap();
        assert_eq!(
            (found.kind, found.export.as_str(), found.contract.as_str()),
            (Kind::Sink, "sealift:function/sink@0.1.0", "0.1.0")
        );
        assert!(of(&["sealift:function/source@0.1.7"]).is_ok());
        assert!(matches!(
            of(&["sealift:function/source@0.2.0"]),
            Err(InspectError::ContractVersion { found }) if found == "0.2.0"
        ));
        for none in ["sealift:function/source", "other:function/source@0.1.0", "source@0.1.0"] {
            assert!(matches!(of(&[none]), Err(InspectError::NoKind { .. })), "{none}");
        }
        let two = of(&["sealift:function/source@0.1.0", "sealift:function/sink@0.2.0"]);
        assert!(matches!(two, Err(InspectError::SeveralKinds { kinds }) if kinds.len() == 2));
    }
}
