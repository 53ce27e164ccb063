//! An observer that calls every function of the contract an observer can call, and says what it
//! was told.
//!
//! It is built against version 0.1.0, which never changes; the host's tests run it.

#![allow(unsafe_code, reason = "the macro of the exports makes unsafe functions")]

guest_contract::guest!(
    observer,
    "package tests:guest; world guest { include sealift:function/observer-function@0.1.0; }"
);

use bindings::sealift::function::outcomes::{self, Status};
use bindings::sealift::function::progress::{Level, log};

impl Guest for Function {
    fn run() -> Result<(), Error> {
        let overall = outcomes::overall();
        let level = if overall == Status::Succeeded { Level::Info } else { Level::Warn };
        log(level, &format!("{} {}", status(overall), told(outcomes::cause())));
        for stage in outcomes::stages() {
            let (kind, name, ended) = (stage.kind(), stage.name(), status(stage.status()));
            let figures = stage.statistics();
            log(
                Level::Debug,
                &format!("{kind} {name} {ended} {} {figures:?}", told(stage.error())),
            );
        }
        let (figures, committed) = (outcomes::statistics(), outcomes::committed());
        log(Level::Info, &format!("{figures:?} {committed:?}"));
        Ok(())
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
        Status::Skipped => "skipped",
    }
}

/// Every case of an error has its own words, so that none can take the place of another.
fn told(error: Option<Error>) -> String {
    match error {
        None => "no error".to_owned(),
        Some(Error::InvalidParameter(it)) => format!("invalid {}: {}", it.field, it.message),
        Some(Error::Denied(it)) => format!("denied: {it}"),
        Some(Error::Retryable(it)) => format!("again after {:?}: {}", it.after_seconds, it.message),
        Some(Error::ExternalFailed(it)) => format!("failed outside: {it}"),
        Some(Error::DataLossRisk(it)) => format!("risk: {it}"),
        Some(Error::Cancelled(it)) => format!("cancelled: {it}"),
        Some(Error::InvalidState(it)) => format!("state: {it}"),
        Some(Error::Other(it)) => format!("other {}: {}", it.code, it.message),
    }
}
