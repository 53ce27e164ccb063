//! Checks that a repository is whole.
//!
//! The structure: every snapshot's tree, every blob in the index, every pack in the storage with
//! its size. With `read_data` every used pack is read, decrypted and hashed as well; only that
//! finds a flipped bit.

use rustic_core::{CheckOptions, RusticError};

use crate::{Error, Repository, StorageError, error};

/// Threads of the engine that were told to end hold the index a moment longer. It gives them 100 ms,
/// which a busy machine may need for other things, and then panics with these words, before it has
/// read any data.
const TOO_EARLY: &str = "index still in use";
/// How often it may be too early: more often is another cause.
const ATTEMPTS: u32 = 10;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// In the order they were found.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether there is no error among the findings.
    #[must_use]
    pub fn ok(&self) -> bool {
        !self.findings.iter().any(|finding| finding.error)
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether data cannot be restored; otherwise it is a remark, such as a pack nobody uses.
    pub error: bool,
    /// What it is, one line.
    pub text: String,
}

impl Repository {
    /// Checks the repository.
    ///
    /// # Errors
    /// It could not be checked: the storage failed, or the session was cancelled. Damage is a
    /// finding, not an error.
    pub fn check(&self, read_data: bool) -> Result<CheckReport, Error> {
        let operation = "checking the repository";
        let mut attempts = 0;
        let (outcome, failure) = loop {
            attempts += 1;
            let gate = self.shut_gate();
            let engine = self.engine(&gate)?;
            let options = CheckOptions::default().read_data(read_data);
            let (outcome, failure) = gate.run_on(operation, || engine.check(options));
            if attempts == ATTEMPTS || !was_too_early(&outcome) {
                break (outcome, failure);
            }
        };
        let findings = outcome.map(|results| {
            let findings = results.0.into_iter();
            findings
                .map(|(level, error)| Finding {
                    error: format!("{level:?}") != "Warn",
                    text: text(&error),
                })
                .collect()
        });
        report(operation, findings, failure)
    }
}

fn was_too_early<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Panicked { detail, .. }) if detail.starts_with(TOO_EARLY))
}

/// What a check came to. `failure` is the last call to the storage that failed, which the engine
/// may have swallowed.
fn report(
    operation: &'static str,
    findings: Result<Vec<Finding>, Error>,
    failure: Option<StorageError>,
) -> Result<CheckReport, Error> {
    // Whatever was found in a storage that answers no more is no damage.
    if let Some(StorageError::Cancelled { .. }) = failure {
        return Err(Error::Cancelled { operation });
    }
    match (findings, failure) {
        (Ok(findings), failure) => {
            let report = CheckReport { findings };
            match failure {
                // A call that failed and was not reported: a check that saw less than all.
                Some(source) if report.ok() => Err(Error::Storage { operation, source }),
                _ => Ok(report),
            }
        }
        (Err(_), Some(source)) => Err(Error::Storage { operation, source }),
        // A snapshot or an index that cannot be decrypted or parsed.
        (Err(error), None) => {
            Ok(CheckReport { findings: vec![Finding { error: true, text: error.chain() }] })
        }
    }
}

/// What the engine found, in one line.
///
/// Two things of it are left out: the report of many lines it makes of a failed call, and its
/// advice to repair the index, which makes the repository forget what is missing.
fn text(found: &(dyn std::error::Error + 'static)) -> String {
    let told = found.to_string();
    let cause = found.source().and_then(|source| {
        let boxed = source.downcast_ref::<Box<RusticError>>();
        boxed.map(|boxed| &**boxed).or_else(|| source.downcast_ref::<RusticError>())
    });
    let before = |end: &str| told.split(end).next().unwrap_or_default().trim();
    match cause {
        // The report begins after the colon.
        Some(cause) => format!("{}: {}", before(" : "), error::one_line(cause)),
        None => one_line(before("To repair:")),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn findings(error: bool) -> Vec<Finding> {
        vec![Finding { error, text: "a pack is missing".to_owned() }]
    }

    fn report(
        findings: Result<Vec<Finding>, Error>,
        failure: Option<StorageError>,
    ) -> Result<CheckReport, Error> {
        super::report("checking", findings, failure)
    }

    #[test]
    fn only_the_one_panic_that_passes_by_itself_is_tried_again() {
        let panicked = |detail: &str| -> Result<(), Error> {
            Err(Error::Panicked { operation: "checking", detail: detail.to_owned() })
        };
        assert!(was_too_early(&panicked("index still in use: Index { .. }")));
        assert!(!was_too_early(&panicked("called `Option::unwrap()` on a `None` value")));
        assert!(!was_too_early(&Ok(())));
        let other = Error::Engine { operation: "checking", detail: TOO_EARLY.to_owned() };
        assert!(!was_too_early::<()>(&Err(other)));
    }

    #[test]
    fn a_check_that_was_cancelled_says_nothing_of_damage() {
        let cancelled =
            || Some(StorageError::Cancelled { operation: "read", object: "pack".to_owned() });
        for error in [true, false] {
            let told = report(Ok(findings(error)), cancelled()).unwrap_err();
            assert!(matches!(told, Error::Cancelled { .. }), "{told:?}");
        }
    }

    #[test]
    fn a_check_that_saw_less_than_all_finds_nothing_good() {
        let failed = || {
            let (object, detail) = ("pack".to_owned(), "the disk is full".to_owned());
            Some(StorageError::Failed { operation: "list", object, detail })
        };
        for findings in [vec![], findings(false)] {
            let told = report(Ok(findings), failed()).unwrap_err();
            assert!(matches!(told, Error::Storage { .. }), "{told:?}");
        }
        // What it did find is damage nevertheless, and told.
        assert!(!report(Ok(findings(true)), failed()).unwrap().ok());
        let unreadable = || Err(Error::Engine { operation: "checking", detail: "x".to_owned() });
        assert!(matches!(report(unreadable(), failed()), Err(Error::Storage { .. })));
        assert!(!report(unreadable(), None).unwrap().ok());
        assert!(report(Ok(findings(false)), None).unwrap().ok());
    }
}
