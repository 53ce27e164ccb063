//! The one snapshot of a session, from `begin` to `commit`.
//!
//! A Function writes it through `writer` and hands it over; committing is the session's alone,
//! and only of what was handed to the sink.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use sealift_core::plan::SnapshotIdentity;
use sealift_host::ArtifactRecord;
use sealift_host::ports::{PortError, PortResult, RepositoryWriter, SnapshotWriter};
use sealift_repository::{Committed, FileExpectation, FileReceipt, Repository};

use crate::writer::{Handover, OpenSnapshot, Staged, blocking};

/// The one snapshot of a session, from `begin` to `commit`.
pub struct SnapshotSlot {
    repository: Arc<Repository>,
    identity: SnapshotIdentity,
    started: Timestamp,
    begun: AtomicBool,
    handover: Handover,
}

/// Why there is nothing to commit, or the commit failed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The sink returned ok without a snapshot.
    #[error("the chain ended without handing a snapshot to the repository")]
    NothingStaged,
    /// A snapshot without files would be a backup of nothing.
    #[error("the chain handed over a snapshot without files")]
    NoFiles,
    /// The sink returned ok without having stored an artifact whole.
    #[error("artifact {name} was handed to the sink with {size} bytes, but {stored}")]
    NotStored {
        /// The artifact.
        name: String,
        /// Its bytes.
        size: u64,
        /// What the snapshot has instead.
        stored: String,
    },
    /// There are other files than artifacts.
    #[error("{artifacts} artifacts were handed to the sink, but the snapshot has {files} files")]
    Count {
        /// Artifacts that reached the sink.
        artifacts: usize,
        /// Files of the snapshot.
        files: usize,
    },
    /// The repository refused.
    #[error("failed to commit the snapshot")]
    Commit(#[source] sealift_repository::Error),
    /// The thread that committed died.
    #[error("the commit was interrupted")]
    Interrupted(#[source] tokio::task::JoinError),
}

impl SnapshotSlot {
    /// An empty slot for a snapshot with this identity.
    #[must_use]
    pub fn new(
        repository: Arc<Repository>,
        identity: SnapshotIdentity,
        started: Timestamp,
    ) -> Self {
        Self {
            repository,
            identity,
            started,
            begun: AtomicBool::new(false),
            handover: Arc::default(),
        }
    }

    /// Commits what was staged, if it is what was handed over: each of these artifacts a file of
    /// its name, size and fingerprint, and nothing else. Call it only when every
    /// stage has succeeded.
    ///
    /// # Errors
    /// Nothing was staged, an artifact is missing, or the repository could not prove the
    /// snapshot complete; then no snapshot appears.
    pub async fn commit(&self, handed_over: &[ArtifactRecord]) -> Result<Committed, CommitError> {
        let staged = self.handover.lock().await.take();
        let Staged { draft, receipts } = staged.ok_or(CommitError::NothingStaged)?;
        if receipts.is_empty() {
            return Err(CommitError::NoFiles);
        }
        compare(handed_over, &receipts)?;
        let expected: Vec<FileExpectation> = receipts
            .into_iter()
            .map(|FileReceipt { path, size, fingerprint }| FileExpectation {
                path,
                size,
                fingerprint,
            })
            .collect();
        tokio::task::spawn_blocking(move || draft.commit(&expected))
            .await
            .map_err(CommitError::Interrupted)?
            .map_err(CommitError::Commit)
    }
}

/// Whether every artifact that was handed to the sink is a whole file of the snapshot. The sink
/// is a Function like any other: it may have forgotten one, or stored half of it as a whole.
fn compare(handed_over: &[ArtifactRecord], receipts: &[FileReceipt]) -> Result<(), CommitError> {
    let stored: BTreeMap<&str, &FileReceipt> =
        receipts.iter().map(|receipt| (receipt.path.as_str(), receipt)).collect();
    for artifact in handed_over {
        let differs = match stored.get(artifact.name.as_str()) {
            None => "the snapshot has no file of this name".to_owned(),
            Some(file) if file.size != artifact.size => {
                format!("the snapshot's file has {}", file.size)
            }
            Some(file) if artifact.fingerprint != Some(file.fingerprint) => {
                "the snapshot's file has as many, but others".to_owned()
            }
            Some(_) => continue,
        };
        return Err(CommitError::NotStored {
            name: artifact.name.clone(),
            size: artifact.size,
            stored: differs,
        });
    }
    if handed_over.len() != receipts.len() {
        return Err(CommitError::Count { artifacts: handed_over.len(), files: receipts.len() });
    }
    Ok(())
}

#[async_trait]
impl RepositoryWriter for SnapshotSlot {
    async fn begin(&self) -> PortResult<Box<dyn SnapshotWriter>> {
        if self.begun.swap(true, Ordering::SeqCst) {
            return Err(PortError::InvalidState(
                "the session's snapshot was begun before".to_owned(),
            ));
        }
        let repository = Arc::clone(&self.repository);
        let identity = self.identity.clone();
        let started = self.started;
        let draft = blocking(move || repository.draft(&identity, started)).await?;
        Ok(Box::new(OpenSnapshot::new(draft, Arc::clone(&self.handover))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    use sealift_core::fingerprint::Fingerprint;

    fn artifact(name: &str, size: u64) -> ArtifactRecord {
        ArtifactRecord {
            stage: "source-0".into(),
            name: name.into(),
            size,
            attributes: Vec::new(),
            checksum: None,
            fingerprint: Some(Fingerprint::of(name.as_bytes())),
        }
    }

    fn file(path: &str, size: u64) -> FileReceipt {
        FileReceipt { path: path.into(), size, fingerprint: Fingerprint::of(path.as_bytes()) }
    }

    #[test]
    fn what_was_handed_over_and_stored_whole_is_accepted() {
        let handed_over = [artifact("a", 1), artifact("b", 2)];
        compare(&handed_over, &[file("b", 2), file("a", 1)]).unwrap();
    }

    #[test]
    fn a_sink_that_forgets_cuts_changes_or_adds_is_found_out() {
        let mut changed = artifact("a", 1);
        changed.fingerprint = Some(Fingerprint::of(b"other"));
        let mut from_before = artifact("a", 1);
        from_before.fingerprint = None;
        let rows = [
            (compare(&[artifact("a", 1)], &[]), "no file of this name"),
            (compare(&[artifact("a", 2)], &[file("a", 1)]), "handed to the sink with 2 bytes"),
            (compare(&[changed], &[file("a", 1)]), "as many, but others"),
            (compare(&[from_before], &[file("a", 1)]), "as many, but others"),
            (compare(&[artifact("a", 1)], &[file("a", 1), file("b", 1)]), "has 2 files"),
        ];
        for (result, words) in rows {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[tokio::test]
    async fn a_session_has_one_snapshot_and_it_holds_what_was_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let repository = crate::sample::repository(&folder.path().join("r"));
        let identity = SnapshotIdentity {
            hostname: "host-0".into(),
            path: "/data".into(),
            tags: Vec::new(),
            description: String::new(),
        };
        let slot = || SnapshotSlot::new(repository.clone(), identity.clone(), Timestamp::now());

        let nothing = slot();
        let error = nothing.commit(&[]).await.unwrap_err();
        assert!(matches!(error, CommitError::NothingStaged), "{error:?}");

        let empty = slot();
        empty.begin().await.unwrap().stage().await.unwrap();
        let error = empty.begin().await.err().unwrap();
        assert!(matches!(error, PortError::InvalidState(_)), "{error:?}");
        let error = empty.commit(&[]).await.unwrap_err();
        assert!(matches!(error, CommitError::NoFiles), "{error:?}");

        let more = slot();
        let mut snapshot = more.begin().await.unwrap();
        let mut file = snapshot.create("a", Some(1)).await.unwrap();
        file.write(bytes::Bytes::from_static(b"a")).await.unwrap();
        file.finish().await.unwrap();
        snapshot.stage().await.unwrap();
        let error = more.commit(&[]).await.unwrap_err();
        assert!(matches!(error, CommitError::Count { artifacts: 0, files: 1 }), "{error:?}");
        assert!(repository.snapshots().unwrap().is_empty());
    }
}
