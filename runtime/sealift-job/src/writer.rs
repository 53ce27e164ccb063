//! Connects the host's repository writer to a draft of the snapshot.
//!
//! The host pushes bytes, the repository pulls them: between the two stands a bounded channel
//! for each file. A file ends for the repository only when the Function has finished it; a
//! channel that breaks off is a read error there, never an end. The draft stays here until
//! the session commits it, and committing is the session's alone.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use jiff::Timestamp;
use sealift_core::plan::SnapshotIdentity;
use sealift_host::ArtifactRecord;
use sealift_host::ports::{FileWriter, PortError, PortResult, RepositoryWriter, SnapshotWriter};
use sealift_repository::{Committed, Draft, ErrorClass, FileExpectation, FileReceipt, Repository};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::chain_of_causes;

/// Messages a file's channel holds. The host sends at most 1 MiB at once, so a file that is
/// stored more slowly than it is produced keeps at most 8 MiB here.
const CHANNEL_MESSAGES: usize = 8;

/// The one snapshot of a session, from `begin` to `commit`.
pub struct SnapshotSlot {
    repository: Arc<Repository>,
    identity: SnapshotIdentity,
    started: Timestamp,
    state: Arc<Mutex<SlotState>>,
}

/// How far the snapshot is.
enum SlotState {
    /// Nobody has begun.
    Empty,
    /// A Function is writing.
    Begun,
    /// A Function has handed it over.
    Staged(Box<Draft>, Vec<FileReceipt>),
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
        Self { repository, identity, started, state: Arc::new(Mutex::new(SlotState::Empty)) }
    }

    /// Commits what was staged, if it is what was handed over: each of these artifacts a file of
    /// its name, size and, where it is known, digest, and nothing else. Call it only when every
    /// stage has succeeded.
    ///
    /// # Errors
    /// Nothing was staged, an artifact is missing, or the repository could not prove the
    /// snapshot complete; then no snapshot appears.
    pub async fn commit(&self, handed_over: &[ArtifactRecord]) -> Result<Committed, CommitError> {
        let state = std::mem::replace(&mut *self.state.lock().await, SlotState::Begun);
        let SlotState::Staged(draft, receipts) = state else {
            return Err(CommitError::NothingStaged);
        };
        if receipts.is_empty() {
            return Err(CommitError::NoFiles);
        }
        compare(handed_over, &receipts)?;
        let expected: Vec<FileExpectation> = receipts
            .into_iter()
            .map(|FileReceipt { path, size, sha256 }| FileExpectation {
                path,
                size,
                sha256: Some(sha256),
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
            Some(file) => match &artifact.checksum {
                Some(checksum) if *checksum != format!("sha256:{}", hex::encode(file.sha256)) => {
                    "the snapshot's file has another digest".to_owned()
                }
                _ => continue,
            },
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
        let mut state = self.state.lock().await;
        if !matches!(*state, SlotState::Empty) {
            return Err(PortError::InvalidState(
                "the session's snapshot was begun before".to_owned(),
            ));
        }
        let repository = Arc::clone(&self.repository);
        let identity = self.identity.clone();
        let started = self.started;
        let draft = blocking(move || repository.draft(&identity, started)).await?;
        *state = SlotState::Begun;
        Ok(Box::new(OpenSnapshot {
            draft: Arc::new(Mutex::new(Some(draft))),
            receipts: Arc::default(),
            state: Arc::clone(&self.state),
        }))
    }
}

/// A snapshot a Function is writing.
struct OpenSnapshot {
    /// Absent while a file is being stored, and for ever once storing one has failed.
    draft: Arc<Mutex<Option<Draft>>>,
    receipts: Arc<Mutex<Vec<FileReceipt>>>,
    state: Arc<Mutex<SlotState>>,
}

impl OpenSnapshot {
    fn with_draft(
        &self,
        change: impl FnOnce(&mut Draft) -> Result<(), sealift_repository::Error>,
    ) -> PortResult<()> {
        let mut guard = self.draft.try_lock().map_err(|_| unfinished())?;
        let draft = guard.as_mut().ok_or_else(unfinished)?;
        change(draft).map_err(|error| port_error(&error))
    }
}

#[async_trait]
impl SnapshotWriter for OpenSnapshot {
    fn add_tag(&mut self, tag: &str) -> PortResult<()> {
        self.with_draft(|draft| draft.add_tag(tag))
    }

    fn set_label(&mut self, label: &str) -> PortResult<()> {
        self.with_draft(|draft| draft.set_label(label))
    }

    async fn create(&mut self, path: &str, size: Option<u64>) -> PortResult<Box<dyn FileWriter>> {
        let mut draft = self.draft.lock().await.take().ok_or_else(unfinished)?;
        let (sender, receiver) = mpsc::channel(CHANNEL_MESSAGES);
        let home = Arc::clone(&self.draft);
        let receipts = Arc::clone(&self.receipts);
        let path = path.to_owned();
        let storing = tokio::task::spawn_blocking(move || {
            let receipt = draft
                .add(
                    &path,
                    size,
                    Box::new(ChannelReader { receiver, current: Bytes::new(), ended: false }),
                )
                .map_err(|error| port_error(&error))?;
            let stored = receipt.size;
            receipts.blocking_lock().push(receipt);
            *home.blocking_lock() = Some(draft);
            Ok(stored)
        });
        Ok(Box::new(OpenFile { sender: Some(sender), storing: Some(storing), sent: 0 }))
    }

    async fn stage(self: Box<Self>) -> PortResult<()> {
        let draft = self.draft.lock().await.take().ok_or_else(unfinished)?;
        let receipts = std::mem::take(&mut *self.receipts.lock().await);
        *self.state.lock().await = SlotState::Staged(Box::new(draft), receipts);
        Ok(())
    }
}

fn unfinished() -> PortError {
    PortError::InvalidState("the file before was not finished".to_owned())
}

/// What a file's channel carries.
enum Message {
    Data(Bytes),
    /// The Function finished the file: only now it has an end.
    End,
}

/// A file a Function is writing.
struct OpenFile {
    sender: Option<mpsc::Sender<Message>>,
    storing: Option<JoinHandle<PortResult<u64>>>,
    sent: u64,
}

impl OpenFile {
    /// Why the repository stopped taking bytes.
    async fn failure(&mut self) -> PortError {
        self.sender = None;
        match self.storing.take() {
            Some(storing) => match storing.await {
                Ok(Err(error)) => error,
                Ok(Ok(_)) => PortError::DataLossRisk(
                    "the repository took fewer bytes than were sent".to_owned(),
                ),
                Err(_) => PortError::External("storing the file was interrupted".to_owned()),
            },
            None => unfinished(),
        }
    }
}

#[async_trait]
impl FileWriter for OpenFile {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        let length = bytes.len() as u64;
        let sent = match &self.sender {
            Some(sender) => sender.send(Message::Data(bytes)).await.is_ok(),
            None => false,
        };
        if !sent {
            return Err(self.failure().await);
        }
        self.sent += length;
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> PortResult<u64> {
        let Some(sender) = self.sender.take() else {
            return Err(self.failure().await);
        };
        if sender.send(Message::End).await.is_err() {
            return Err(self.failure().await);
        }
        let Some(storing) = self.storing.take() else {
            return Err(unfinished());
        };
        let stored = storing
            .await
            .map_err(|_| PortError::External("storing the file was interrupted".to_owned()))??;
        if stored != self.sent {
            return Err(PortError::DataLossRisk(format!(
                "the repository stored {stored} of {} bytes",
                self.sent
            )));
        }
        Ok(stored)
    }
}

/// The repository's end of a file's channel.
struct ChannelReader {
    receiver: mpsc::Receiver<Message>,
    current: Bytes,
    ended: bool,
}

impl Read for ChannelReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Message::Data(bytes)) => self.current = bytes,
                Some(Message::End) => self.ended = true,
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::BrokenPipe,
                        "the Function stopped before it finished the file",
                    ));
                }
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current
            .split_to(length)
            .copy_to_slice(buffer.get_mut(..length).ok_or(io::ErrorKind::InvalidInput)?);
        Ok(length)
    }
}

/// Runs a call of the repository on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, sealift_repository::Error> + Send + 'static,
) -> PortResult<T> {
    tokio::task::spawn_blocking(call)
        .await
        .map_err(|_| PortError::External("the repository's thread was interrupted".to_owned()))?
        .map_err(|error| port_error(&error))
}

/// An error of the repository in the words of the port.
pub(crate) fn port_error(error: &sealift_repository::Error) -> PortError {
    let text = chain_of_causes(error);
    match error.class() {
        ErrorClass::Cancelled => PortError::Cancelled(text),
        ErrorClass::Data => PortError::DataLossRisk(text),
        ErrorClass::Invalid => PortError::InvalidState(text),
        ErrorClass::NoRepository | ErrorClass::WrongPassword => PortError::Denied(text),
        ErrorClass::Storage | ErrorClass::Internal => PortError::External(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn artifact(name: &str, size: u64) -> ArtifactRecord {
        ArtifactRecord {
            stage: "source-0".into(),
            name: name.into(),
            size,
            attributes: Vec::new(),
            checksum: None,
        }
    }

    fn file(path: &str, size: u64) -> FileReceipt {
        FileReceipt { path: path.into(), size, sha256: [7; 32] }
    }

    #[test]
    fn what_was_handed_over_and_stored_whole_is_accepted() {
        let mut checked = artifact("a", 1);
        checked.checksum = Some(format!("sha256:{}", hex::encode([7; 32])));
        compare(&[checked, artifact("b", 2)], &[file("b", 2), file("a", 1)]).unwrap();
    }

    #[test]
    fn a_sink_that_forgets_cuts_changes_or_adds_is_found_out() {
        let mut changed = artifact("a", 1);
        changed.checksum = Some(format!("sha256:{}", hex::encode([8; 32])));
        let rows = [
            (compare(&[artifact("a", 1)], &[]), "no file of this name"),
            (compare(&[artifact("a", 2)], &[file("a", 1)]), "handed to the sink with 2 bytes"),
            (compare(&[changed], &[file("a", 1)]), "another digest"),
            (compare(&[artifact("a", 1)], &[file("a", 1), file("b", 1)]), "has 2 files"),
        ];
        for (result, words) in rows {
            let message = result.unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
