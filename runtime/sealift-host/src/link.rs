//! What a Function gets: its imports, linked one by one, and nothing else.
//!
//! Whether it may have them is `sealift_component::access`'s question, and the table of what there
//! is is its `need`; here each need becomes what the linker is given. What was not imported is not
//! linked either. Degrees of a grant are checked in `capability` and `network`.

use sealift_component::Descriptor;
use sealift_component::access;
use sealift_component::need::{Interface, Need, need};
use sealift_core::grants::Grants;
use wasmtime::component::Linker;

use crate::capability::{
    artifacts, downstream, key_store, outcomes, parameters, progress, repository_reader,
    repository_writer, session, upstream, wasi_streams,
};
use crate::engine::Host;
use crate::error::FunctionError;
use crate::function::Function;
use crate::state::State;

/// What the grants and the requests of a Function have in common.
pub(crate) fn effective(function: &Function, grants: &Grants) -> Grants {
    function.descriptor().requests.intersection(grants)
}

/// Whether a Function can make requests at all.
pub(crate) fn imports_http(function: &Function) -> bool {
    function.imports().iter().any(|import| matches!(need(import), Ok(Need::Http)))
}

/// Refuses a Function that imports what it was not granted.
///
/// # Errors
/// Everything that is missing, each with the line to add.
pub(crate) fn check(
    descriptor: &Descriptor,
    imports: &[String],
    grants: &Grants,
) -> Result<(), FunctionError> {
    access::check(descriptor, imports, grants)
        .map_err(|refused| FunctionError::Denied(refused.to_string()))
}

/// Compares the types of all imports with what would be linked. One that nobody has is not told
/// here: [`check`] refuses it, in the words of the grants.
///
/// # Errors
/// The first import of a known name and another type.
pub(crate) fn check_types(host: &Host, function: &Function) -> wasmtime::Result<()> {
    match linker(host, function) {
        Ok(linker) => linker.instantiate_pre(function.component()).map(drop),
        Err(_) => Ok(()),
    }
}

/// Links exactly what is imported. [`check`] has passed.
pub(crate) fn linker(host: &Host, function: &Function) -> Result<Linker<State>, FunctionError> {
    let mut linker = host.base();
    let mut http = false;
    for import in function.imports() {
        let need = need(import).map_err(|unknown| FunctionError::Denied(unknown.to_string()))?;
        let added = match need {
            Need::Nothing => Ok(()),
            Need::Ours(interface) | Need::Kinds(_, interface) => adder(interface)(&mut linker),
            Need::RepositoryWriter => repository_writer::add_to_linker(&mut linker),
            Need::RepositoryReader => repository_reader::add_to_linker(&mut linker),
            Need::Keys => key_store::add_to_linker(&mut linker),
            // Its two interfaces are linked together.
            Need::Http if http => Ok(()),
            Need::Http => {
                http = true;
                wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)
            }
        };
        added.map_err(|error| FunctionError::Internal(format!("linking {import}: {error:#}")))?;
    }
    Ok(linker)
}

/// What puts an interface of the contract into a linker.
fn adder(interface: Interface) -> fn(&mut Linker<State>) -> wasmtime::Result<()> {
    match interface {
        Interface::Artifacts => artifacts::add_to_linker,
        Interface::Parameters => parameters::add_to_linker,
        Interface::Progress => progress::add_to_linker,
        Interface::Session => session::add_to_linker,
        Interface::WasiStreams => wasi_streams::add_to_linker,
        Interface::Upstream => upstream::add_to_linker,
        Interface::Downstream => downstream::add_to_linker,
        Interface::Outcomes => outcomes::add_to_linker,
    }
}
