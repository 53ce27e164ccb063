//! Connects the host's repository reader to snapshots.
//!
//! Paths are relative to the folder the original stores its files in; both of its interim
//! paths are looked into, whichever the snapshot was made with.

use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sealift_host::ports::{
    ByteReader, PortError, PortResult, RepositoryReader, SnapshotEntry, SnapshotReader,
};
use sealift_repository::{EntryKind, Repository, SnapshotInfo};
use tokio::sync::mpsc;

use crate::writer::blocking;

/// Bytes read at once from the repository.
const READ_BYTES: usize = 256 << 10;
/// Reads that wait for the chain; with [`READ_BYTES`] 1 MiB.
const READS_AHEAD: usize = 4;

/// The snapshot a plan selected.
pub struct SelectedSnapshot {
    repository: Arc<Repository>,
    selected: SnapshotInfo,
    folders: Vec<String>,
}

impl SelectedSnapshot {
    /// Reads this snapshot of this repository; its files lie in the first of the folders it has.
    #[must_use]
    pub fn new(repository: Arc<Repository>, selected: SnapshotInfo, folders: Vec<String>) -> Self {
        Self { repository, selected, folders }
    }

    async fn reader(&self, info: SnapshotInfo) -> PortResult<Box<dyn SnapshotReader>> {
        let repository = Arc::clone(&self.repository);
        let folders = self.folders.clone();
        let reader = blocking(move || repository.reader(&info.id, &folders)).await?;
        Ok(Box::new(OpenSnapshot { reader }))
    }

    async fn snapshots(&self) -> PortResult<Vec<SnapshotInfo>> {
        let repository = Arc::clone(&self.repository);
        blocking(move || repository.snapshots()).await
    }
}

#[async_trait]
impl RepositoryReader for SelectedSnapshot {
    async fn selected(&self) -> PortResult<Box<dyn SnapshotReader>> {
        self.reader(self.selected.clone()).await
    }

    async fn list(
        &self,
        filter: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> PortResult<Vec<String>> {
        let mut ids: Vec<String> = self
            .snapshots()
            .await?
            .into_iter()
            .filter(|info| {
                let attributes = attributes(info);
                filter.iter().all(|wanted| attributes.contains(wanted))
            })
            .map(|info| info.id)
            .filter(|id| after.is_none_or(|after| id.as_str() > after))
            .collect();
        ids.sort_unstable();
        ids.truncate(limit as usize);
        Ok(ids)
    }

    async fn open(&self, id: &str) -> PortResult<Box<dyn SnapshotReader>> {
        let info = self
            .snapshots()
            .await?
            .into_iter()
            .find(|info| info.id == id)
            .ok_or_else(|| PortError::External(format!("no snapshot has the id {id:?}")))?;
        self.reader(info).await
    }
}

/// A snapshot being read.
struct OpenSnapshot {
    reader: sealift_repository::SnapshotReader,
}

#[async_trait]
impl SnapshotReader for OpenSnapshot {
    fn id(&self) -> String {
        self.reader.snapshot().id.clone()
    }

    fn attributes(&self) -> Vec<(String, String)> {
        attributes(self.reader.snapshot())
    }

    async fn entries(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> PortResult<Vec<SnapshotEntry>> {
        Ok(self
            .reader
            .entries()
            .iter()
            .filter(|entry| entry.path.starts_with(prefix))
            .filter(|entry| after.is_none_or(|after| entry.path.as_str() > after))
            .take(limit as usize)
            .map(|entry| SnapshotEntry {
                path: entry.path.clone(),
                kind: match entry.kind {
                    EntryKind::File => "file",
                    EntryKind::Dir => "dir",
                    EntryKind::Other => "other",
                }
                .to_owned(),
                size: entry.size,
            })
            .collect())
    }

    async fn open(&self, path: &str) -> PortResult<(u64, Box<dyn ByteReader>)> {
        let reader = self.reader.clone();
        let path = path.to_owned();
        let file = blocking(move || reader.open(&path)).await?;
        let size = file.size();
        let (sender, receiver) = mpsc::channel(READS_AHEAD);
        tokio::task::spawn_blocking(move || pump(file, &sender));
        Ok((size, Box::new(FileReader { receiver })))
    }
}

/// Reads a file until its end, an error, or until nobody listens.
fn pump(mut file: impl Read, sender: &mpsc::Sender<PortResult<Option<Bytes>>>) {
    loop {
        let mut buffer = vec![0; READ_BYTES];
        let message = match file.read(&mut buffer) {
            Ok(0) => Ok(None),
            Ok(length) => {
                buffer.truncate(length);
                Ok(Some(Bytes::from(buffer)))
            }
            Err(error) => Err(PortError::DataLossRisk(format!(
                "reading from the repository failed: {}",
                crate::chain_of_causes(&error)
            ))),
        };
        let last = !matches!(message, Ok(Some(_)));
        if sender.blocking_send(message).is_err() || last {
            return;
        }
    }
}

/// The chain's end of a file being read.
struct FileReader {
    receiver: mpsc::Receiver<PortResult<Option<Bytes>>>,
}

#[async_trait]
impl ByteReader for FileReader {
    async fn next(&mut self) -> PortResult<Option<Bytes>> {
        self.receiver.recv().await.unwrap_or_else(|| {
            Err(PortError::External("reading from the repository was interrupted".to_owned()))
        })
    }
}

/// What is known of a snapshot, for Functions.
fn attributes(info: &SnapshotInfo) -> Vec<(String, String)> {
    let mut attributes = vec![
        ("hostname".to_owned(), info.hostname.clone()),
        ("time".to_owned(), info.time.to_string()),
    ];
    attributes.extend(info.tags.iter().map(|tag| ("tag".to_owned(), tag.clone())));
    attributes.extend(info.paths.iter().map(|path| ("path".to_owned(), path.clone())));
    attributes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    use jiff::Timestamp;
    use sealift_core::plan::SnapshotIdentity;
    use sealift_repository::FileExpectation;

    use crate::sample;

    struct BreaksOff(bool);

    impl Read for BreaksOff {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(std::io::Error::other("the disk is on fire"));
            }
            Ok(buffer.len().min(3))
        }
    }

    #[tokio::test]
    async fn a_file_that_breaks_off_and_a_reader_that_died_are_errors_never_ends() {
        let (sender, receiver) = mpsc::channel(READS_AHEAD);
        tokio::task::spawn_blocking(move || pump(BreaksOff(false), &sender)).await.unwrap();
        let mut reader = FileReader { receiver };
        assert_eq!(reader.next().await.unwrap().unwrap().len(), 3);
        let error = reader.next().await.unwrap_err();
        assert!(matches!(&error, PortError::DataLossRisk(text) if text.contains("on fire")));
        // Its thread is gone now.
        let error = reader.next().await.unwrap_err();
        assert!(matches!(error, PortError::External(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_snapshot_is_opened_by_its_whole_identifier_and_lists_have_pages() {
        let folder = tempfile::tempdir().unwrap();
        let repository = sample::repository(&folder.path().join("r"));
        let identity = SnapshotIdentity {
            hostname: "host-0".into(),
            path: "/data".into(),
            tags: Vec::new(),
            description: String::new(),
        };
        let mut ids = Vec::new();
        for _ in 0..3 {
            let mut draft = repository.draft(&identity, Timestamp::now()).unwrap();
            let file = draft.add("a", Some(1), Box::new(b"a".as_slice())).unwrap();
            let (path, size, fingerprint) = (file.path, file.size, file.fingerprint);
            let committed = draft.commit(&[FileExpectation { path, size, fingerprint }]).unwrap();
            ids.push(committed.snapshot.id);
        }
        ids.sort_unstable();
        let selected = repository.snapshots().unwrap().remove(0);
        let reader = SelectedSnapshot::new(repository, selected, vec!["/data".into()]);
        assert_eq!(reader.list(&[], None, 2).await.unwrap(), ids[..2]);
        assert_eq!(reader.list(&[], Some(&ids[1]), 2).await.unwrap(), ids[2..]);
        assert!(reader.list(&[("hostname".into(), "x".into())], None, 9).await.unwrap().is_empty());
        for id in &ids {
            assert_eq!(reader.open(id).await.unwrap().id(), *id);
        }
        let error = reader.open(&"0".repeat(64)).await.err().unwrap();
        assert!(matches!(error, PortError::External(_)), "{error:?}");
    }
}
