//! What a Function can be given, one file for each interface of the contract.
//!
//! Every file has the same parts: what it keeps between calls (`…Ctx`), the view that borrows it
//! together with the resource table and implements the generated traits, the `HasData` marker
//! with `add_to_linker`, and tests. Which of them a Function gets is decided in `link`; nothing
//! here asks whether it was granted, except where a grant has degrees.

pub(crate) mod artifacts;
pub(crate) mod downstream;
pub(crate) mod key_store;
pub(crate) mod outcomes;
pub(crate) mod parameters;
pub(crate) mod progress;
pub(crate) mod repository_reader;
pub(crate) mod repository_writer;
pub(crate) mod session;
pub(crate) mod stdio;
pub(crate) mod upstream;
pub(crate) mod wasi_streams;

use wasmtime::component::Resource;

/// The same handle, as what the table holds behind it. The table checks the type when it is used.
pub(crate) fn held<Held: 'static>(handle: &Resource<impl Sized + 'static>) -> Resource<Held> {
    Resource::new_own(handle.rep())
}

/// The handle a Function gets for something in the table.
pub(crate) fn handle<Named: 'static>(held: &Resource<impl Sized + 'static>) -> Resource<Named> {
    Resource::new_own(held.rep())
}

/// How every view turns a failure into what the Function sees: it has no say in it.
macro_rules! errors_host {
    ($view:ty) => {
        impl sealift_bindings::v0_1_0::errors::Host for $view {
            fn convert_error(
                &mut self,
                failure: sealift_bindings::v0_1_0::Failure,
            ) -> wasmtime::Result<sealift_bindings::v0_1_0::errors::Error> {
                match failure {
                    sealift_bindings::v0_1_0::Failure::Told(error) => Ok(error),
                    sealift_bindings::v0_1_0::Failure::Trap(error) => Err(error),
                }
            }
        }
    };
}
pub(crate) use errors_host;
