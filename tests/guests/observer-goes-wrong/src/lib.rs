//! An observer that tells what it sees of the session, or panics.

#![allow(
    unsafe_code,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the macro of the exports makes unsafe functions; going wrong is what a guest is for"
)]

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
    wit_bindgen::generate!({
        inline: "package tests:guest; world guest { include sealift:function/observer-function@0.1.0; }",
        path: "../../../wit/0.1.0",
        world: "tests:guest/guest",
        generate_all,
    });
}

use bindings::exports::sealift::function::observer::Guest;
use bindings::sealift::function::errors::Error;
use bindings::sealift::function::{outcomes, parameters, progress};

struct Observer;
bindings::export!(Observer with_types_in bindings);

impl Guest for Observer {
    fn run() -> Result<(), Error> {
        if parameters::text("mode")?.as_deref() == Some("panics") {
            panic!("observer boom");
        }
        let tell = |line: String| progress::log(progress::Level::Info, &line);
        tell(format!("overall {:?} cause {:?}", outcomes::overall(), outcomes::cause()));
        for stage in outcomes::stages() {
            tell(format!(
                "{} {} {:?} {:?} {:?}",
                stage.kind(),
                stage.name(),
                stage.status(),
                stage.error(),
                stage.statistics()
            ));
        }
        tell(format!(
            "statistics {:?} committed {:?}",
            outcomes::statistics(),
            outcomes::committed()
        ));
        Ok(())
    }
}
