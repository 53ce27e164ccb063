//! What the guests of the tests share: bindings of the raw contract, and reading their parameters.
//!
//! They stand on the contract itself and not on the SDK, because what they do wrong is what the
//! SDK would not let them do. No component of its own.

#[doc(hidden)]
pub use wit_bindgen;

/// The beginning of every guest: `guest!(source, "package tests:guest; world guest { … }")`.
///
/// It makes module `bindings` of the world, exports the type `Function`, for which the guest
/// implements `Guest`, and brings in `Error`, `parameters` and two readers of parameters.
#[macro_export]
macro_rules! guest {
    ($kind:ident, $world:tt) => {
        #[allow(
            unsafe_code,
            missing_docs,
            unreachable_pub,
            clippy::all,
            clippy::allow_attributes_without_reason,
            clippy::expect_used,
            clippy::indexing_slicing,
            clippy::panic,
            clippy::unwrap_used,
            reason = "generated"
        )]
        mod bindings {
            $crate::wit_bindgen::generate!({
                inline: $world,
                path: "../../../wit/0.1.0",
                world: "tests:guest/guest",
                runtime_path: "::guest_contract::wit_bindgen::rt",
                generate_all,
            });
        }

        use bindings::exports::sealift::function::$kind::Guest;
        use bindings::sealift::function::errors::Error;
        use bindings::sealift::function::parameters;

        struct Function;
        bindings::export!(Function with_types_in bindings);

        /// A parameter; empty if it was not given.
        #[allow(dead_code, reason = "not every guest has one")]
        fn text(name: &str) -> String {
            parameters::text(name).ok().flatten().unwrap_or_default()
        }

        /// A number; `otherwise` if it was not given.
        #[allow(dead_code, reason = "not every guest has one")]
        fn number(name: &str, otherwise: u64) -> u64 {
            let given = parameters::integer(name).ok().flatten();
            given.and_then(|number| u64::try_from(number).ok()).unwrap_or(otherwise)
        }
    };
}
