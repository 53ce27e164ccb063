//! An observer that tells what it sees of the session, panics, or never ends.

#![allow(
    unsafe_code,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "the macro of the exports makes unsafe functions; going wrong is what a guest is for"
)]

guest_contract::guest!(
    observer,
    "package tests:guest; world guest { include sealift:function/observer-function@0.1.0; }"
);

use bindings::sealift::function::{outcomes, progress};

impl Guest for Function {
    fn run() -> Result<(), Error> {
        match parameters::text("mode")?.as_deref() {
            Some("panics") => panic!("observer boom"),
            Some("spins") => loop {
                std::hint::spin_loop();
            },
            _ => {}
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
