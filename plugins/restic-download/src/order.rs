//! Which entries of a snapshot are sent, and in which order. Pure.
//!
//! The smallest come first: keys and settings are with the sink before the bulk, so that it can
//! check everything before it changes anything.

use sealift_function::repository::{Entry, EntryKind};
use sealift_function::{Error, Result};

/// The files to send, in order.
///
/// # Errors
/// There is no file, or something that a chain cannot carry: a restore that leaves out a part
/// is none.
pub(crate) fn files(snapshot: &str, entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let mut files = Vec::new();
    for entry in entries {
        match &entry.kind {
            EntryKind::File => files.push(entry),
            EntryKind::Folder => {}
            EntryKind::Other(kind) => {
                return Err(Error::ExternalFailed(format!(
                    "{} of snapshot {snapshot} is a {kind}; only files can be restored",
                    entry.path
                )));
            }
        }
    }
    if files.is_empty() {
        return Err(Error::ExternalFailed(format!(
            "snapshot {snapshot} has no file in the folder of this target; \
             choose another snapshot in rules.snapshots"
        )));
    }
    files.sort_by(|a, b| (a.size, &a.path).cmp(&(b.size, &b.path)));
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn entry(path: &str, kind: EntryKind, size: u64) -> Entry {
        Entry { path: path.to_owned(), kind, size }
    }

    #[test]
    fn keys_come_before_the_snapshot_of_vault() {
        let files = files(
            "4bba301e",
            vec![
                entry("backup.snap", EntryKind::File, 26_500_000),
                entry("empty", EntryKind::Folder, 0),
                entry("k8s-root-token", EntryKind::File, 28),
                entry("k8s-unseal-key-1", EntryKind::File, 66),
                entry("k8s-unseal-key-0", EntryKind::File, 66),
            ],
        )
        .unwrap();
        let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(
            names,
            ["k8s-root-token", "k8s-unseal-key-0", "k8s-unseal-key-1", "backup.snap"]
        );
    }

    #[test]
    fn a_snapshot_without_files_is_an_error() {
        let error = files("4bba301e", vec![entry("a", EntryKind::Folder, 0)]).unwrap_err();
        assert!(error.to_string().contains("snapshot 4bba301e has no file"), "{error}");
    }

    #[test]
    fn what_a_chain_cannot_carry_is_an_error() {
        let link = EntryKind::Other("symlink".to_owned());
        let error = files("4bba301e", vec![entry("backup.snap", link, 0)]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "backup.snap of snapshot 4bba301e is a symlink; only files can be restored"
        );
    }
}
