//! The components that are part of the binary.
//!
//! The compiled form of one came with this binary and is checked against its own digest before it
//! is loaded; where it is for another engine, the component is compiled here.

use sealift_core::plan::ComponentRef;
use sealift_host::{Function, Host, Inspected};

use super::{ComponentError, refused, same_digest};
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
    pub(super) fn inspect(&self, reference: &str) -> Result<Inspected, ComponentError> {
        sealift_host::inspect(&self.unpack(self.wasm)?).map_err(|source| refused(reference, source))
    }

    pub(super) fn load(
        &self,
        host: &Host,
        component: &ComponentRef,
    ) -> Result<Function, ComponentError> {
        let reference = &component.reference;
        same_digest(component, self.digest)?;
        let wasm = self.unpack(self.wasm)?;
        if self.engine == host.engine_hash() {
            let inspected =
                sealift_host::inspect(&wasm).map_err(|source| refused(reference, source))?;
            let compiled = self.unpack(self.compiled)?;
            return host
                .load_compiled(inspected.descriptor, &compiled, self.compiled_digest)
                .map_err(|source| refused(reference, source));
        }
        tracing::warn!(reference, "the compiled form does not fit this engine; compiling");
        host.load(&wasm).map_err(|source| refused(reference, source))
    }

    fn unpack(&self, packed: Packed) -> Result<Vec<u8>, ComponentError> {
        packed.unpack().map_err(|source| ComponentError::Unpack { name: self.name, source })
    }
}
