//! The names, sizes and fingerprints by which artifacts are told apart and proven.

use sealift_core::fingerprint::Fingerprint;

use crate::Error;

/// What was read of an artifact, counted and fingerprinted on its way into the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReceipt {
    /// Path below the snapshot's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of the bytes.
    pub fingerprint: Fingerprint,
}

/// What the producer of an artifact finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileExpectation {
    /// Path below the snapshot's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Of the bytes.
    pub fingerprint: Fingerprint,
}

impl FileExpectation {
    /// Whether the receipt is of what was expected.
    ///
    /// # Errors
    /// What does not agree.
    pub(crate) fn agrees(&self, receipt: &FileReceipt) -> Result<(), Error> {
        let refuse = |cause: String| Err(Error::NotProven { artifact: self.path.clone(), cause });
        if receipt.size != self.size {
            return refuse(format!(
                "its producer finished {} bytes, {} were stored",
                self.size, receipt.size
            ));
        }
        if receipt.fingerprint != self.fingerprint {
            return refuse("other bytes than its producer finished were stored".to_owned());
        }
        Ok(())
    }
}

/// Refuses a path that could lie outside of the snapshot's folder or that restic could not hold.
pub(crate) fn check_path(path: &str) -> Result<(), Error> {
    let refuse = |reason: &str| {
        Err(Error::Invalid { subject: format!("artifact {path:?}"), reason: reason.to_owned() })
    };
    if path.is_empty() || path.len() > 4096 {
        return refuse("its name must have 1 to 4096 bytes");
    }
    if path.chars().any(char::is_control) {
        return refuse("its name must not hold control characters");
    }
    for part in path.split('/') {
        match part {
            "" => return refuse("its name must be relative, without empty parts"),
            "." | ".." => return refuse("its name must not hold . or .. as a part"),
            _ if part.len() > 255 => return refuse("no part of its name may exceed 255 bytes"),
            _ => {}
        }
    }
    Ok(())
}

/// The folders above a path, outermost first: `a/b/c` lies in `a` and `a/b`.
pub(crate) fn folders_above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').filter_map(|(at, _)| path.get(..at)).filter(|folder| !folder.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for path in ["", "/a", "a/", "a//b", ".", "a/../b", "..", "a\0b", "a\nb"] {
            assert!(check_path(path).is_err(), "{path:?}");
        }
        assert!(check_path(&"x".repeat(256)).is_err());
        assert!(check_path(&format!("{}x", "x/".repeat(2048))).is_err());
        for path in ["backup.snap", "a/b.c", "..a", "k8s.kubevault.com.demo.vault-root-token"] {
            check_path(path).unwrap();
        }
    }

    #[test]
    fn folders_above_are_listed_outermost_first() {
        assert_eq!(folders_above("/a/b/c").collect::<Vec<_>>(), ["/a", "/a/b"]);
        assert_eq!(folders_above("a").count(), 0);
    }
}
