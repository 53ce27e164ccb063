//! A repository with one snapshot of one file that lies on this machine: what the source of the
//! chain reads, at the cost of reading a file.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use sealift_host::ports::{
    ByteReader, PortError, PortResult, RepositoryReader, SnapshotEntry, SnapshotReader,
};
use tokio::sync::mpsc;

/// The name of the file in the snapshot.
const NAME: &str = "data.bin";
/// As `sealift-job` reads from a real repository.
const READ_BYTES: usize = 256 << 10;
/// See [`READ_BYTES`].
const READS_AHEAD: usize = 4;

/// When things happened for the first time.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// The source asked for the snapshot: its first call.
    pub(crate) called: OnceLock<Instant>,
    /// The source had its first bytes.
    pub(crate) first_byte: OnceLock<Instant>,
}

/// The first `size` bytes of a file.
#[derive(Debug, Clone)]
pub(crate) struct FileSource {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) marks: Arc<Marks>,
}

#[async_trait]
impl RepositoryReader for FileSource {
    async fn selected(&self) -> PortResult<Box<dyn SnapshotReader>> {
        self.marks.called.get_or_init(Instant::now);
        Ok(Box::new(self.clone()))
    }

    async fn list(
        &self,
        _: &[(String, String)],
        _: Option<&str>,
        _: u32,
    ) -> PortResult<Vec<String>> {
        Err(PortError::Denied("a bench has one snapshot".to_owned()))
    }

    async fn open(&self, _: &str) -> PortResult<Box<dyn SnapshotReader>> {
        Err(PortError::Denied("a bench has one snapshot".to_owned()))
    }
}

#[async_trait]
impl SnapshotReader for FileSource {
    fn id(&self) -> String {
        "0".repeat(64)
    }

    fn attributes(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    async fn entries(
        &self,
        _: &str,
        after: Option<&str>,
        _: u32,
    ) -> PortResult<Vec<SnapshotEntry>> {
        let entry =
            SnapshotEntry { path: NAME.to_owned(), kind: "file".to_owned(), size: self.size };
        Ok(if after.is_none() { vec![entry] } else { Vec::new() })
    }

    async fn open(&self, _: &str) -> PortResult<(u64, Box<dyn ByteReader>)> {
        let file = File::open(&self.path).map_err(|error| external(&error))?.take(self.size);
        let (sender, receiver) = mpsc::channel(READS_AHEAD);
        tokio::task::spawn_blocking(move || pump(file, &sender));
        Ok((self.size, Box::new(Pumped { receiver, marks: Arc::clone(&self.marks) })))
    }
}

/// Reads to the end, to an error, or until nobody listens.
fn pump(mut file: impl Read, sender: &mpsc::Sender<PortResult<Option<Bytes>>>) {
    loop {
        let mut buffer = Vec::with_capacity(READ_BYTES);
        let message = match (&mut file).take(READ_BYTES as u64).read_to_end(&mut buffer) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(Bytes::from(buffer))),
            Err(error) => Err(external(&error)),
        };
        let last = !matches!(message, Ok(Some(_)));
        if sender.blocking_send(message).is_err() || last {
            return;
        }
    }
}

fn external(error: &std::io::Error) -> PortError {
    PortError::External(error.to_string())
}

struct Pumped {
    receiver: mpsc::Receiver<PortResult<Option<Bytes>>>,
    marks: Arc<Marks>,
}

#[async_trait]
impl ByteReader for Pumped {
    async fn next(&mut self) -> PortResult<Option<Bytes>> {
        let next = self.receiver.recv().await;
        self.marks.first_byte.get_or_init(Instant::now);
        next.unwrap_or_else(|| Err(PortError::External("the file's thread ended".to_owned())))
    }
}
