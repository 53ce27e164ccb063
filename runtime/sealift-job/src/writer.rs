//! Connects the host's repository writer to a draft of the snapshot.
//!
//! The host pushes bytes, the repository pulls them: between the two stands a bounded channel
//! for each file. A file ends for the repository only when the Function has finished it; a
//! channel that breaks off is a read error there, never an end. A snapshot that is staged goes
//! to the session's `slot`; nothing is committed here.

use std::io::{self, Read};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use sealift_host::ports::{FileWriter, PortError, PortResult, SnapshotWriter};
use sealift_repository::{Draft, Error, ErrorClass, FileReceipt};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::chain_of_causes;

/// Messages a file's channel holds. The host sends at most 1 MiB at once, so a file that is
/// stored more slowly than it is produced keeps at most 8 MiB here.
const CHANNEL_MESSAGES: usize = 8;

/// A snapshot that a Function has handed over.
pub(crate) struct Staged {
    pub(crate) draft: Draft,
    pub(crate) receipts: Vec<FileReceipt>,
}

/// Where a snapshot is put when it is staged; empty until then.
pub(crate) type Handover = Arc<Mutex<Option<Staged>>>;

/// A snapshot a Function is writing.
pub(crate) struct OpenSnapshot {
    /// Absent while a file is being stored, and for ever once storing one has failed.
    draft: Arc<Mutex<Option<Draft>>>,
    receipts: Arc<Mutex<Vec<FileReceipt>>>,
    handover: Handover,
}

impl OpenSnapshot {
    /// An empty snapshot.
    pub(crate) fn new(draft: Draft, handover: Handover) -> Self {
        Self { draft: Arc::new(Mutex::new(Some(draft))), receipts: Arc::default(), handover }
    }

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
        *self.handover.lock().await = Some(Staged { draft, receipts });
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
    if let Error::UnknownSize { .. } | Error::InterimFull { .. } = error {
        // The user must change something; the Function that writes is not to blame.
        return PortError::Denied(text);
    }
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

    /// What a reader gives after these messages, if the Function then goes.
    fn read(messages: Vec<Message>) -> (io::Result<usize>, Vec<u8>) {
        let (sender, receiver) = mpsc::channel(CHANNEL_MESSAGES);
        messages.into_iter().for_each(|message| drop(sender.try_send(message)));
        drop(sender);
        let mut reader = ChannelReader { receiver, current: Bytes::new(), ended: false };
        let mut bytes = Vec::new();
        (reader.read_to_end(&mut bytes), bytes)
    }

    #[test]
    fn a_function_that_stops_does_not_end_its_file() {
        let half = || Message::Data(Bytes::from_static(b"half"));
        let (result, bytes) = read(vec![half()]);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(bytes, b"half");
        let (result, _) = read(vec![half(), half(), Message::End]);
        assert_eq!(result.unwrap(), 8);
    }

    #[tokio::test]
    async fn a_file_of_which_less_was_stored_than_sent_is_not_finished() {
        let (sender, mut receiver) = mpsc::channel(CHANNEL_MESSAGES);
        let storing = tokio::spawn(async move {
            while let Some(Message::Data(_)) = receiver.recv().await {}
            Ok(3)
        });
        let mut file = Box::new(OpenFile { sender: Some(sender), storing: Some(storing), sent: 0 });
        file.write(Bytes::from_static(b"four")).await.unwrap();
        let error = file.finish().await.unwrap_err();
        assert!(matches!(error, PortError::DataLossRisk(_)), "{error:?}");
    }
}
