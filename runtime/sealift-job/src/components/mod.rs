//! Where components come from: those built into the binary, files, and registries.
//!
//! A component is taken only if its digest is the plan's. `built_in` and `file` have theirs at
//! hand; `registry` fetches them before the plan is made, since only then it is known what a
//! reference leads to.

mod built_in;
mod file;
mod registry;

use std::path::PathBuf;
use std::sync::Arc;

use sealift_core::component::{ImageKind, classify};
use sealift_core::plan::ComponentRef;
use sealift_host::{EngineError, Function, Host, Inspected, LoadError};
use sha2::{Digest, Sha256};

pub use self::built_in::BuiltIn;
pub use self::registry::{FetchError, Fetched, Registries};

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
    /// The reference is of no form there is.
    #[error(
        "{reference:?} is no reference to a component; write builtin:NAME, file:PATH or REGISTRY/REPOSITORY@sha256:DIGEST"
    )]
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
    /// It lies in a registry and has not been fetched.
    #[error("component {reference} was not fetched from its registry")]
    NotFetched {
        /// The reference.
        reference: String,
    },
    /// It lies in a registry and was not taken.
    #[error(transparent)]
    Fetch(Arc<FetchError>),
    /// The compiler does not take it.
    #[error("component {reference} cannot be compiled")]
    Compile {
        /// The reference.
        reference: String,
        /// The cause.
        #[source]
        source: EngineError,
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

/// The components of this machine: built-in ones, files, and what was fetched from registries.
pub struct LocalComponents {
    built_in: &'static [BuiltIn],
    folder: PathBuf,
    registries: Option<Registries>,
}

impl LocalComponents {
    /// Files are looked for relative to `folder`. There are no registries.
    #[must_use]
    pub fn new(built_in: &'static [BuiltIn], folder: PathBuf) -> Self {
        Self { built_in, folder, registries: None }
    }

    /// The same, with registries.
    #[must_use]
    pub fn with_registries(self, registries: Registries) -> Self {
        Self { registries: Some(registries), ..self }
    }

    /// The registries, if there are any.
    #[must_use]
    pub fn registries(&self) -> Option<&Registries> {
        self.registries.as_ref()
    }

    fn built_in(&self, name: &str) -> Result<&'static BuiltIn, ComponentError> {
        self.built_in.iter().find(|built_in| built_in.name == name).ok_or_else(|| {
            let known: Vec<_> = self.built_in.iter().map(|built_in| built_in.name).collect();
            ComponentError::UnknownBuiltIn { name: name.to_owned(), known: known.join(", ") }
        })
    }

    fn fetched(&self, reference: &str) -> Result<Arc<Fetched>, ComponentError> {
        match self.registries.as_ref().and_then(|registries| registries.fetched(reference)) {
            Some(Ok(fetched)) => Ok(fetched),
            Some(Err(error)) => Err(ComponentError::Fetch(error)),
            None => Err(ComponentError::NotFetched { reference: reference.to_owned() }),
        }
    }
}

impl Components for LocalComponents {
    fn inspect(&self, reference: &str) -> Result<Inspected, ComponentError> {
        match Source::of(reference)? {
            Source::BuiltIn(name) => self.built_in(name)?.inspect(reference),
            Source::File(path) => file::inspect(&self.folder.join(path), reference),
            Source::Registry => Ok(self.fetched(reference)?.inspected.clone()),
        }
    }

    fn load(&self, host: &Host, component: &ComponentRef) -> Result<Function, ComponentError> {
        let reference = &component.reference;
        match Source::of(reference)? {
            Source::BuiltIn(name) => self.built_in(name)?.load(host, component),
            Source::File(path) => file::load(&self.folder.join(path), host, component),
            Source::Registry => self.fetched(reference)?.load(host, component),
        }
    }
}

/// The kinds of references.
enum Source<'a> {
    BuiltIn(&'a str),
    File(&'a str),
    Registry,
}

impl<'a> Source<'a> {
    fn of(reference: &'a str) -> Result<Self, ComponentError> {
        if let Some(name) = reference.strip_prefix("builtin:") {
            // A manifest may pin the digest; the plan carries it in a field of its own.
            Ok(Self::BuiltIn(name.split_once('@').map_or(name, |(name, _)| name)))
        } else if let Some(path) = reference.strip_prefix("file:") {
            Ok(Self::File(path))
        } else if matches!(classify(reference, None), ImageKind::Registry(_)) {
            Ok(Self::Registry)
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
    use crate::packed::Packed;

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

    #[test]
    fn what_lies_in_a_registry_is_not_there_before_it_was_fetched() {
        let components = LocalComponents::new(&[], PathBuf::new());
        let error = components.inspect("ghcr.io/acme/export:1").unwrap_err();
        assert!(matches!(error, ComponentError::NotFetched { .. }), "{error:?}");
        let error = components.inspect("acme/export:1").unwrap_err();
        assert!(matches!(error, ComponentError::UnknownReference { .. }), "{error:?}");
    }
}
