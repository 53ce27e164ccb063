//! Bindings of `sealift:function@0.1.0`, generated from `wit/0.1.0` for its world `host`.
//!
//! Resources are left as the empty types bindgen makes: the host's table knows what lies behind
//! a handle, and a second version of the contract can then hand out the same values.

use wasmtime::component::ResourceTableError;

/// The version of the package, as it stands in the names of a component's imports and exports.
pub const VERSION: &str = "0.1.0";

/// How an imported function fails: with an error the Function sees, or by ending the Function.
#[derive(Debug)]
pub enum Failure {
    /// The contract's error variant; the Function can act on it.
    Told(errors::Error),
    /// The Function broke a rule that leaves nothing to answer, such as using a stale handle.
    Trap(wasmtime::Error),
}

impl From<errors::Error> for Failure {
    fn from(error: errors::Error) -> Self {
        Self::Told(error)
    }
}

impl From<ResourceTableError> for Failure {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

impl From<wasmtime::Error> for Failure {
    fn from(error: wasmtime::Error) -> Self {
        Self::Trap(error)
    }
}

#[expect(missing_docs, reason = "generated; the WIT files hold the documentation")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit/0.1.0",
        world: "sealift:function/host",
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: { "wasi:io": wasmtime_wasi::p2::bindings::io },
        trappable_error_type: { "sealift:function/errors.error" => super::Failure },
    });
}

pub use self::generated::sealift::function::*;
