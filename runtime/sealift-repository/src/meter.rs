//! Counts an artifact's bytes and takes their fingerprint while rustic_core reads them.
//!
//! What stands in the ledger afterwards is what was really read, to the end, not what somebody
//! meant to send. rustic_core turns a reader's error into a warning and goes on; here the error is
//! kept for the commit gate.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use sealift_core::fingerprint::Fingerprinter;

use crate::{CancelFlag, Error, FileReceipt};

/// What came of one artifact; empty until its end was seen or an error.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome(Arc<Mutex<Option<Result<FileReceipt, Error>>>>);

impl Outcome {
    /// The receipt, or why there is none.
    pub(crate) fn receipt(&self, artifact: &str) -> Result<FileReceipt, Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_else(|| {
            Err(Error::NotProven {
                artifact: artifact.to_owned(),
                cause: "it was not read to its end".to_owned(),
            })
        })
    }

    fn set(&self, outcome: Result<FileReceipt, Error>) {
        // The first word counts: a reader may be asked again after its end or its error.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(outcome);
    }
}

/// A reader that keeps a ledger of what passes through it.
pub(crate) struct Meter {
    inner: Box<dyn Read + Send>,
    artifact: String,
    size: Option<u64>,
    read: u64,
    passing: Fingerprinter,
    cancel: CancelFlag,
    outcome: Outcome,
}

impl Meter {
    /// Around `inner`, which must hold exactly `size` bytes if that is given.
    pub(crate) fn new(
        artifact: &str,
        size: Option<u64>,
        inner: Box<dyn Read + Send>,
        cancel: CancelFlag,
    ) -> (Self, Outcome) {
        let outcome = Outcome::default();
        let meter = Self {
            inner,
            artifact: artifact.to_owned(),
            size,
            read: 0,
            passing: Fingerprinter::new(),
            cancel,
            outcome: outcome.clone(),
        };
        (meter, outcome)
    }

    fn fail(&self, error: Error) -> io::Error {
        let text = error.chain();
        self.outcome.set(Err(error));
        io::Error::other(text)
    }

    fn wrong_size(&self, cause: String) -> io::Error {
        self.fail(Error::NotProven { artifact: self.artifact.clone(), cause })
    }
}

impl Read for Meter {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_cancelled() {
            return Err(self.fail(Error::Cancelled { operation: "reading an artifact" }));
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = match self.inner.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                return Err(self.fail(Error::Artifact {
                    artifact: self.artifact.clone(),
                    read: self.read,
                    source: Arc::new(error),
                }));
            }
        };
        if count == 0 {
            if let Some(size) = self.size
                && self.read != size
            {
                return Err(self.wrong_size(format!(
                    "it was announced with {size} bytes and ended after {}",
                    self.read
                )));
            }
            self.outcome.set(Ok(FileReceipt {
                path: self.artifact.clone(),
                size: self.read,
                fingerprint: self.passing.finish(),
            }));
            return Ok(0);
        }
        let Some(bytes) = buffer.get(..count) else {
            return Err(
                self.wrong_size("its reader claims more bytes than there was room for".to_owned())
            );
        };
        self.passing.update(bytes);
        self.read += count as u64;
        if let Some(size) = self.size
            && self.read > size
        {
            return Err(
                self.wrong_size(format!("it was announced with {size} bytes and is larger"))
            );
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use sealift_core::fingerprint::Fingerprint;

    use super::*;

    fn read_all(
        size: Option<u64>,
        bytes: &'static [u8],
    ) -> (io::Result<u64>, Result<FileReceipt, Error>) {
        let (mut meter, outcome) = Meter::new("a", size, Box::new(bytes), CancelFlag::new());
        let copied = io::copy(&mut meter, &mut io::sink());
        (copied, outcome.receipt("a"))
    }

    #[test]
    fn the_receipt_holds_count_and_fingerprint_of_what_was_read() {
        let (copied, receipt) = read_all(Some(3), b"abc");
        assert_eq!(copied.unwrap(), 3);
        let receipt = receipt.unwrap();
        assert_eq!(receipt.size, 3);
        assert_eq!(receipt.fingerprint, Fingerprint::of(b"abc"));
    }

    #[test]
    fn too_few_and_too_many_bytes_are_errors_never_ends() {
        for (size, said) in [(4, "ended after 3"), (2, "is larger")] {
            let (copied, receipt) = read_all(Some(size), b"abc");
            copied.unwrap_err();
            assert!(receipt.unwrap_err().to_string().contains(said));
        }
    }

    #[test]
    fn what_was_not_read_to_its_end_has_no_receipt() {
        let (mut meter, outcome) =
            Meter::new("a", Some(3), Box::new(b"abc".as_slice()), CancelFlag::new());
        meter.read_exact(&mut [0; 3]).unwrap();
        assert!(outcome.receipt("a").unwrap_err().to_string().contains("not read to its end"));
    }

    #[test]
    fn a_cancelled_read_is_an_error() {
        let cancel = CancelFlag::new();
        let (mut meter, outcome) =
            Meter::new("a", Some(3), Box::new(b"abc".as_slice()), cancel.clone());
        cancel.cancel();
        meter.read(&mut [0; 3]).unwrap_err();
        assert!(matches!(outcome.receipt("a"), Err(Error::Cancelled { .. })));
    }
    #[test]
    fn an_end_after_an_error_is_no_end() {
        struct Hiccup(bool);
        impl Read for Hiccup {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Ok(0);
                }
                Err(io::Error::other("connection reset"))
            }
        }
        let (mut meter, outcome) =
            Meter::new("a", None, Box::new(Hiccup(false)), CancelFlag::new());
        meter.read(&mut [0; 3]).unwrap_err();
        let _ = meter.read(&mut [0; 3]);
        let error = outcome.receipt("a").unwrap_err();
        assert!(error.chain().contains("connection reset"), "{}", error.chain());
    }
}
