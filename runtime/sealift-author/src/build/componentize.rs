//! A core module of Go or C becomes a component.
//!
//! Their compilers know WASI's first preview only. The world is embedded into the module, and the
//! adapter that ships with wasmtime turns the first preview into WASI 0.2. An import that is not
//! in the world is an error here, so that a Function cannot ask for less than it uses.

use std::error::Error;
use std::path::Path;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::contract::WORLD;

/// Why a module cannot become a component. wit-component's errors say in words what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ComponentizeError {
    /// The world cannot be read.
    #[error("the world in wit/ cannot be read")]
    World(#[source] Box<dyn Error + Send + Sync>),
    /// The module does not take the world.
    #[error("the world cannot be put into the module")]
    Embed(#[source] Box<dyn Error + Send + Sync>),
    /// The module and the world do not fit.
    #[error(
        "the module does not fit the world in wit/world.wit; what it imports and the world has not, `requests` of descriptor.json must ask for"
    )]
    Encode(#[source] Box<dyn Error + Send + Sync>),
}

/// Makes a component of a module, for the world in the folder `wit`.
///
/// # Errors
/// The world cannot be read, or the module imports or exports other things than it says.
pub(super) fn componentize(module: &[u8], wit: &Path) -> Result<Vec<u8>, ComponentizeError> {
    let mut resolve = Resolve::default();
    let (package, _) =
        resolve.push_dir(wit).map_err(|error| ComponentizeError::World(error.into()))?;
    let world = resolve
        .select_world(&[package], Some(WORLD))
        .map_err(|error| ComponentizeError::World(error.into()))?;
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|error| ComponentizeError::Embed(error.into()))?;
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true);
    encoder.module(&module).map_err(|error| ComponentizeError::Encode(error.into()))?;
    encoder
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)
        .map_err(|error| ComponentizeError::Encode(error.into()))?;
    encoder.encode().map_err(|error| ComponentizeError::Encode(error.into()))
}
