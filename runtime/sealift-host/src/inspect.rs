//! Questions about a component that are answered before anything is compiled or started.
//!
//! What its bytes say is read by `sealift-component`; here are the errors of loading one, and what
//! a start would refuse, as the host itself would put it.

use std::collections::BTreeMap;

use sealift_component::bounds::BoundsError;
use sealift_component::contract::CURRENT;
use sealift_component::{InspectError, Inspected};
use sealift_core::grants::Grants;

use crate::capability::parameters::Parameters;
use crate::error::FunctionError;
use crate::link;

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// No component of a Function.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// Too large, too deep or not valid.
    #[error("the component {name} is not compiled")]
    Bounds {
        /// The component.
        name: String,
        /// Why.
        #[source]
        source: BoundsError,
    },
    /// An interface of the right name without what belongs in it.
    #[error(
        "the component exports {export} without the function `run: func() -> result<_, error>` that contract {CURRENT} asks for; build it again with an SDK for {CURRENT}"
    )]
    NoRun {
        /// The exported interface.
        export: String,
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
        "the component {name} imports an interface that is not the one this host has under this name; build it again with an SDK for contract {CURRENT}"
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

/// Reads a component without compiling it.
///
/// # Errors
/// It is not a component, of no kind, of another contract, or without a descriptor.
pub fn inspect(wasm: &[u8]) -> Result<Inspected, LoadError> {
    Ok(sealift_component::inspect(wasm)?)
}

/// Whether a Function with these grants could be started; a start checks the same again.
///
/// # Errors
/// Everything that is missing, each with the line of YAML to add.
pub fn check_grants(inspected: &Inspected, grants: &Grants) -> Result<(), FunctionError> {
    link::check(&inspected.descriptor, &inspected.imports, grants)
}

/// Whether these parameters, as text, fit the descriptor; a start checks the same again.
///
/// # Errors
/// The first wrong one, by name.
pub fn check_parameters(
    inspected: &Inspected,
    given: &BTreeMap<String, String>,
) -> Result<(), FunctionError> {
    Parameters::resolve(&inspected.descriptor.parameters, given).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generated bindings and the table of what is served are two places.
    #[test]
    fn the_contract_that_is_served_is_that_of_the_bindings() {
        assert_eq!(CURRENT, sealift_bindings::v0_1_0::VERSION);
    }
}
