//! Where components come from: those built into the binary, and files.
//!
//! A component is taken only if its digest is the plan's. The compiled form of a built-in one
//! came with this binary and is checked against its own digest before it is loaded; a file is
//! compiled here.

use std::path::PathBuf;

use sealift_core::plan::ComponentRef;
use sealift_host::{Function, Host, Inspected, LoadError};
use sha2::{Digest, Sha256};

use crate::packed::Packed;

/// A component that is part of the binary.
#[derive(Debug, Clone, Copy)]
pub struct BuiltIn {
    /// Name behind `builtin:`.
    pub name: &'static str,
    /// `sha256:<hex>` of `wasm`.
    pub digest: &'static str,
    /// `sha256:<hex>` of `compiled`.
    pub compiled_digest: &'static str,
    /// Hash of the engine `compiled` was made for.
    pub engine: &'static str,
    /// The component.
    pub wasm: Packed,
    /// Its compiled form.
    pub compiled: Packed,
}

impl BuiltIn {
    fn wasm(&self) -> Result<Vec<u8>, ComponentError> {
        self.unpack(self.wasm)
    }

    fn unpack(&self, packed: Packed) -> Result<Vec<u8>, ComponentError> {
        packed.unpack().map_err(|source| ComponentError::Unpack { name: self.name, source })
    }
}

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// No built-in component has this name.
    #[error("unknown built-in component {name:?}; there are {known}")]
    UnknownBuiltIn {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// What the binary holds of a built-in component cannot be unpacked.
    #[error(
        "failed to unpack the built-in component {name:?}; this sealift is damaged, install it again"
    )]
    Unpack {
        /// The component.
        name: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The reference is neither `builtin:` nor `file:`.
    #[error("{reference:?} is no reference to a component; write builtin:NAME or file:PATH")]
    UnknownReference {
        /// The reference.
        reference: String,
    },
    /// The file cannot be read.
    #[error("failed to read the component {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It is not the component the plan was made for.
    #[error(
        "component {reference} has digest {found}, but the plan names {planned}; make the plan again"
    )]
    Changed {
        /// The reference.
        reference: String,
        /// Its digest now.
        found: String,
        /// The plan's.
        planned: String,
    },
    /// It is no component of a Function, or of a version that is not served.
    #[error("component {reference} is refused")]
    Refused {
        /// The reference.
        reference: String,
        /// The cause.
        #[source]
        source: LoadError,
    },
}

/// Finds components.
pub trait Components: Send + Sync {
    /// Looks at a component without compiling it.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    fn inspect(&self, reference: &str) -> Result<Inspected, ComponentError>;

    /// Loads the component a plan pinned.
    ///
    /// # Errors
    /// It cannot be read, is none, or is another one than the plan's.
    fn load(&self, host: &Host, component: &ComponentRef) -> Result<Function, ComponentError>;
}

/// The components of `sealift run`: built-in ones and files.
#[derive(Debug)]
pub struct LocalComponents {
    built_in: &'static [BuiltIn],
    folder: PathBuf,
}

impl LocalComponents {
    /// Files are looked for relative to `folder`.
    #[must_use]
    pub fn new(built_in: &'static [BuiltIn], folder: PathBuf) -> Self {
        Self { built_in, folder }
    }

    fn built_in(&self, name: &str) -> Result<&'static BuiltIn, ComponentError> {
        self.built_in.iter().find(|built_in| built_in.name == name).ok_or_else(|| {
            let known: Vec<_> = self.built_in.iter().map(|built_in| built_in.name).collect();
            ComponentError::UnknownBuiltIn { name: name.to_owned(), known: known.join(", ") }
        })
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, ComponentError> {
        let path = self.folder.join(path);
        std::fs::read(&path).map_err(|source| ComponentError::Read { path, source })
    }
}

impl Components for LocalComponents {
    fn inspect(&self, reference: &str) -> Result<Inspected, ComponentError> {
        let inspected = match Source::of(reference)? {
            Source::BuiltIn(name) => sealift_host::inspect(&self.built_in(name)?.wasm()?),
            Source::File(path) => sealift_host::inspect(&self.read(path)?),
        };
        inspected.map_err(|source| refused(reference, source))
    }

    fn load(&self, host: &Host, component: &ComponentRef) -> Result<Function, ComponentError> {
        let reference = &component.reference;
        match Source::of(reference)? {
            Source::BuiltIn(name) => {
                let built_in = self.built_in(name)?;
                same_digest(component, built_in.digest)?;
                let wasm = built_in.wasm()?;
                if built_in.engine == host.engine_hash() {
                    let inspected = sealift_host::inspect(&wasm)
                        .map_err(|source| refused(reference, source))?;
                    let compiled = built_in.unpack(built_in.compiled)?;
                    return host
                        .load_compiled(inspected.descriptor, &compiled, built_in.compiled_digest)
                        .map_err(|source| refused(reference, source));
                }
                tracing::warn!(reference, "the compiled form does not fit this engine; compiling");
                host.load(&wasm).map_err(|source| refused(reference, source))
            }
            Source::File(path) => {
                let wasm = self.read(path)?;
                same_digest(component, &digest(&wasm))?;
                host.load(&wasm).map_err(|source| refused(reference, source))
            }
        }
    }
}

/// The two kinds of references.
enum Source<'a> {
    BuiltIn(&'a str),
    File(&'a str),
}

impl<'a> Source<'a> {
    fn of(reference: &'a str) -> Result<Self, ComponentError> {
        if let Some(name) = reference.strip_prefix("builtin:") {
            // A manifest may pin the digest; the plan carries it in a field of its own.
            Ok(Self::BuiltIn(name.split_once('@').map_or(name, |(name, _)| name)))
        } else if let Some(path) = reference.strip_prefix("file:") {
            Ok(Self::File(path))
        } else {
            Err(ComponentError::UnknownReference { reference: reference.to_owned() })
        }
    }
}

fn refused(reference: &str, source: LoadError) -> ComponentError {
    ComponentError::Refused { reference: reference.to_owned(), source }
}

fn same_digest(component: &ComponentRef, found: &str) -> Result<(), ComponentError> {
    if component.digest == found {
        return Ok(());
    }
    Err(ComponentError::Changed {
        reference: component.reference.clone(),
        found: found.to_owned(),
        planned: component.digest.clone(),
    })
}

/// `sha256:<hex>` of these bytes.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const ONE: BuiltIn = BuiltIn {
        name: "one",
        digest: "sha256:1",
        compiled_digest: "sha256:2",
        engine: "",
        wasm: Packed { frame: b"no frame", size: 12 },
        compiled: Packed { frame: b"no frame", size: 15 },
    };

    fn packed(bytes: &[u8]) -> Packed {
        Packed { frame: Vec::leak(zstd::bulk::compress(bytes, 1).unwrap()), size: bytes.len() }
    }

    #[test]
    fn a_built_in_component_that_cannot_be_unpacked_is_named() {
        let built_in = Vec::leak(vec![ONE]);
        let components = LocalComponents::new(built_in, PathBuf::new());
        let component =
            ComponentRef { reference: "builtin:one".to_owned(), digest: "sha256:1".to_owned() };
        let loaded = components.load(&Host::new().unwrap(), &component).unwrap_err();
        let inspected = components.inspect("builtin:one").unwrap_err();
        for error in [loaded, inspected] {
            assert!(matches!(error, ComponentError::Unpack { name: "one", .. }), "{error:?}");
        }
    }

    #[test]
    fn a_component_that_is_not_the_planned_one_is_not_even_looked_into() {
        let wasm = packed(b"no component");
        let built_in = Vec::leak(vec![BuiltIn { wasm, ..ONE }]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one.wasm"), b"no component").unwrap();
        let components = LocalComponents::new(built_in, folder.path().to_owned());
        let host = Host::new().unwrap();
        let load = |reference: &str, digest: &str| {
            let component =
                ComponentRef { reference: reference.to_owned(), digest: digest.to_owned() };
            components.load(&host, &component).unwrap_err()
        };
        for reference in ["builtin:one", "file:one.wasm"] {
            let error = load(reference, "sha256:0");
            assert!(matches!(error, ComponentError::Changed { .. }), "{error:?}");
        }
        // With the planned digest it is looked into.
        let error = load("builtin:one", "sha256:1");
        assert!(matches!(error, ComponentError::Refused { .. }), "{error:?}");
        let error = load("file:one.wasm", &digest(b"no component"));
        assert!(matches!(error, ComponentError::Refused { .. }), "{error:?}");
    }
}
