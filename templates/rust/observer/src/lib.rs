//! Says in one line of the log how the session ended. An error of an observer is reported and
//! changes nothing.

use sealift_function::outcomes::Status;
use sealift_function::{NoParameters, Observer, Outcome, Result, progress, session};

/// The Function.
#[derive(Debug)]
pub struct Function;

impl Observer for Function {
    type Parameters = NoParameters;

    fn run(_: NoParameters, outcome: Outcome) -> Result<()> {
        let name = session::fact("session.name");
        let cause = outcome.cause.map(|cause| cause.to_string());
        let said = sentence(name.as_deref(), outcome.status, cause.as_deref());
        if outcome.status == Status::Succeeded {
            progress::info(&said);
        } else {
            progress::warn(&said);
        }
        Ok(())
    }
}

sealift_function::export!(observer, Function);

/// How a session ended, in a sentence.
fn sentence(session: Option<&str>, status: Status, cause: Option<&str>) -> String {
    let status = format!("{status:?}").to_lowercase();
    let ended = format!("{} has {status}", session.unwrap_or("the session"));
    match cause {
        Some(cause) => format!("{ended}: {cause}"),
        None => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_where_there_is_one() {
        let said = sentence(Some("nightly-1"), Status::Succeeded, None);
        assert_eq!(said, "nightly-1 has succeeded");
        let said = sentence(None, Status::Failed, Some("disk full"));
        assert_eq!(said, "the session has failed: disk full");
    }
}
