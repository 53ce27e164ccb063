//! The four kinds of Function, one trait each, and what [`export!`](crate::export) calls.

use serde::de::DeserializeOwned;

use crate::artifact::Upstream;
use crate::bindings::sealift::function::errors as raw;
use crate::error::Result;
use crate::outcomes::Outcome;
use crate::outgoing::Downstream;
use crate::parameters;

/// Produces artifacts: the first stage of a chain.
pub trait Source {
    /// Its parameters; [`NoParameters`](crate::NoParameters) = none.
    type Parameters: DeserializeOwned;

    /// Sends every artifact, then returns.
    ///
    /// # Errors
    /// The chain fails and nothing is committed.
    fn run(parameters: Self::Parameters, downstream: Downstream) -> Result<()>;
}

/// Turns artifacts into others: any stage between the first and the last.
pub trait Transform {
    /// Its parameters.
    type Parameters: DeserializeOwned;

    /// Takes every artifact and sends what becomes of it.
    ///
    /// # Errors
    /// The chain fails and nothing is committed.
    fn run(parameters: Self::Parameters, upstream: Upstream, downstream: Downstream) -> Result<()>;
}

/// Consumes artifacts: the last stage of a chain.
pub trait Sink {
    /// Its parameters.
    type Parameters: DeserializeOwned;

    /// Takes every artifact, then returns.
    ///
    /// # Errors
    /// The chain fails and nothing is committed.
    fn run(parameters: Self::Parameters, upstream: Upstream) -> Result<()>;
}

/// Told of the outcome when everything is over; it cannot change it.
pub trait Observer {
    /// Its parameters.
    type Parameters: DeserializeOwned;

    /// Passes the outcome on.
    ///
    /// # Errors
    /// The session gets a warning, and the observer is run again.
    fn run(parameters: Self::Parameters, outcome: Outcome) -> Result<()>;
}

#[doc(hidden)]
pub fn run_source<F: Source>() -> std::result::Result<(), raw::Error> {
    Ok(F::run(parameters::read()?, Downstream::new())?)
}

#[doc(hidden)]
pub fn run_transform<F: Transform>() -> std::result::Result<(), raw::Error> {
    Ok(F::run(parameters::read()?, Upstream::new(), Downstream::new())?)
}

#[doc(hidden)]
pub fn run_sink<F: Sink>() -> std::result::Result<(), raw::Error> {
    Ok(F::run(parameters::read()?, Upstream::new())?)
}

#[doc(hidden)]
pub fn run_observer<F: Observer>() -> std::result::Result<(), raw::Error> {
    Ok(F::run(parameters::read()?, Outcome::read())?)
}

/// Makes a type the Function of this component: `export!(source, MyFunction)`.
///
/// The first word is the kind: `source`, `transform`, `sink` or `observer`; the type implements
/// the trait of that name. On anything but WebAssembly it does nothing, so that the crate also
/// builds, and its logic is tested, natively.
#[macro_export]
macro_rules! export {
    (source, $function:ty) => {
        $crate::__export!(source, export_source, run_source, $function);
    };
    (transform, $function:ty) => {
        $crate::__export!(transform, export_transform, run_transform, $function);
    };
    (sink, $function:ty) => {
        $crate::__export!(sink, export_sink, run_sink, $function);
    };
    (observer, $function:ty) => {
        $crate::__export!(observer, export_observer, run_observer, $function);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($kind:ident, $export:ident, $run:ident, $function:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, unused, reason = "generated")]
        const _: () = {
            struct Exported;

            impl $crate::bindings::$kind::exports::sealift::function::$kind::Guest for Exported {
                fn run()
                -> ::core::result::Result<(), $crate::bindings::sealift::function::errors::Error>
                {
                    $crate::kinds::$run::<$function>()
                }
            }

    $crate::bindings::$kind::$export!(Exported with_types_in $crate::bindings::$kind);
        };
    };
}
