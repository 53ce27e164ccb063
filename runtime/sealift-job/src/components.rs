//! Where components come from: those built into the binary, and files.
//!
//! A component is taken only if its digest is the plan's. The compiled form of a built-in one
//! came with this binary and is checked against its own digest before it is loaded; a file is
//! compiled here.

use std::path::PathBuf;

use sealift_core::plan::ComponentRef;
use sealift_host::{Function, Host, Inspected, LoadError};
use sha2::{Digest, Sha256};

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
    pub wasm: &'static [u8],
    /// Its compiled form.
    pub compiled: &'static [u8],
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
            Source::BuiltIn(name) => sealift_host::inspect(self.built_in(name)?.wasm),
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
                if built_in.engine == host.engine_hash() {
                    let inspected = sealift_host::inspect(built_in.wasm)
                        .map_err(|source| refused(reference, source))?;
                    return host
                        .load_compiled(
                            inspected.descriptor,
                            built_in.compiled,
                            built_in.compiled_digest,
                        )
                        .map_err(|source| refused(reference, source));
                }
                tracing::warn!(reference, "the compiled form does not fit this engine; compiling");
                host.load(built_in.wasm).map_err(|source| refused(reference, source))
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

    #[test]
    fn a_component_that_is_not_the_planned_one_is_not_even_looked_into() {
        const BUILT_IN: &[BuiltIn] = &[BuiltIn {
            name: "one",
            digest: "sha256:1",
            compiled_digest: "sha256:2",
            engine: "",
            wasm: b"no component",
            compiled: b"no machine code",
        }];
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one.wasm"), b"no component").unwrap();
        let components = LocalComponents::new(BUILT_IN, folder.path().to_owned());
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
