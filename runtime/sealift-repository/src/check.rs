//! Checks that a repository is whole.
//!
//! The structure: every snapshot's tree, every blob in the index, every pack in the storage with
//! its size. With `read_data` every used pack is read, decrypted and hashed as well; only that
//! finds a flipped bit.

use rustic_core::CheckOptions;

use crate::{Error, Repository, StorageError};

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
        let gate = self.shut_gate();
        let engine = self.engine(&gate)?;
        let operation = "checking the repository";
        let (outcome, failure) =
            gate.run_on(operation, || engine.check(CheckOptions::default().read_data(read_data)));
        if let Some(StorageError::Cancelled { .. }) = failure {
            return Err(Error::Cancelled { operation });
        }
        let mut report = CheckReport::default();
        match outcome {
            Ok(results) => {
                for (level, error) in results.0 {
                    report.findings.push(Finding {
                        error: format!("{level:?}") != "Warn",
                        text: one_line(&error.to_string()),
                    });
                }
                // A call that failed and was not reported: a check that saw less than all.
                if let Some(source) = failure
                    && report.ok()
                {
                    return Err(Error::Storage { operation, source });
                }
            }
            Err(error) => match failure {
                Some(source) => return Err(Error::Storage { operation, source }),
                // A snapshot or an index that cannot be decrypted or parsed.
                None => report.findings.push(Finding { error: true, text: error.chain() }),
            },
        }
        Ok(report)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
