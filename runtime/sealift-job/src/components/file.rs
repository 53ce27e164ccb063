//! A component in a file of this machine. It is compiled each time, since it may change each time.

use std::path::Path;

use sealift_core::plan::ComponentRef;
use sealift_host::{Function, Host, Inspected};

use super::{ComponentError, digest, refused, same_digest};

pub(super) fn inspect(path: &Path, reference: &str) -> Result<Inspected, ComponentError> {
    sealift_host::inspect(&read(path)?).map_err(|source| refused(reference, source))
}

pub(super) fn load(
    path: &Path,
    host: &Host,
    component: &ComponentRef,
) -> Result<Function, ComponentError> {
    let wasm = read(path)?;
    same_digest(component, &digest(&wasm))?;
    host.load(&wasm).map_err(|source| refused(&component.reference, source))
}

fn read(path: &Path) -> Result<Vec<u8>, ComponentError> {
    std::fs::read(path).map_err(|source| ComponentError::Read { path: path.to_path_buf(), source })
}
