//! What the error of a stage should say besides its own words.
//!
//! `wasi:http` has codes only: a Function that was denied something, or lost its server, sees a
//! code and often hides even that. The words are kept here and added to the stage's error.

use std::sync::{Arc, Mutex};

use wasmtime_wasi_http::Error;

use super::client::Failed;
use crate::secrets::Secrets;

/// Refusals that are kept.
const MOST: usize = 4;
/// Longest of them.
const BYTES: usize = 1024;

/// Refusals, and the last failure. They can repeat what a server said.
#[derive(Debug)]
pub(crate) struct Notes {
    kept: Mutex<Kept>,
    secrets: Arc<Secrets>,
}

#[derive(Debug, Default)]
struct Kept {
    denied: Vec<String>,
    // Forgotten when a request succeeds after it.
    failure: Option<String>,
    retryable: bool,
}

impl Notes {
    /// None yet.
    pub(crate) fn new(secrets: Arc<Secrets>) -> Self {
        Self { kept: Mutex::default(), secrets }
    }

    /// All of them in one text, and whether trying again may help.
    pub(crate) fn told(&self) -> (Option<String>, bool) {
        let Ok(kept) = self.kept.lock() else {
            return (None, false);
        };
        let texts: Vec<&str> =
            kept.denied.iter().chain(&kept.failure).map(String::as_str).collect();
        ((!texts.is_empty()).then(|| texts.join("; ")), kept.retryable)
    }

    /// Keeps why something was refused.
    pub(crate) fn denied(&self, why: &str) -> Error {
        if let Ok(mut kept) = self.kept.lock() {
            let text = format!("denied by the host: {}", self.secrets.clean(why, BYTES));
            if kept.denied.len() < MOST && !kept.denied.contains(&text) {
                kept.denied.push(text);
            }
        }
        Error::HttpRequestDenied
    }

    /// Keeps why something failed.
    pub(crate) fn failed(&self, (error, why): Failed) -> Error {
        self.keep(&why, false);
        error
    }

    /// The same, where the same request may work later.
    pub(crate) fn failed_for_now(&self, (error, why): Failed) -> Error {
        self.keep(&why, true);
        error
    }

    fn keep(&self, why: &str, retryable: bool) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.failure = Some(self.secrets.clean(why, BYTES));
            kept.retryable = retryable;
        }
    }

    /// Forgets the last failure.
    pub(crate) fn succeeded(&self) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.failure = None;
            kept.retryable = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_hold_no_credential_and_come_to_an_end() {
        let secrets = Arc::new(Secrets::default());
        secrets.remember("hvs.of-the-host");
        let notes = Notes::new(secrets);
        for nth in 0..3 * MOST {
            notes.denied(&format!("{nth} hvs.of-the-host"));
            notes.denied(&format!("{nth} hvs.of-the-host"));
        }
        notes.failed((Error::ConnectionTimeout, "late: hvs.of-the-host".to_owned()));
        let (told, retryable) = notes.told();
        let told = told.unwrap_or_default();
        assert!(!told.contains("of-the-host") && told.contains("late: [redacted]"), "{told}");
        assert_eq!(told.matches("denied by the host").count(), MOST, "{told}");
        assert!(!retryable);
        // What was overcome is forgotten, what was denied is not.
        notes.succeeded();
        let (told, _) = notes.told();
        assert!(told.is_some_and(|told| !told.contains("late")));
    }
}
