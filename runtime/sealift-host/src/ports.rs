//! The ports of the host: what it asks of the world outside a chain.
//!
//! The host runs Functions and moves bytes; where snapshots are stored, where keys lie and
//! where secrets come from is behind these traits. `sealift-job` connects them to the real
//! repository, keys and network. Implementations must not be called by anything but the host,
//! and every method may be cancelled by dropping its future: what was half done is then thrown
//! away, never completed.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use zeroize::Zeroizing;

/// What went wrong behind a port, in the words of the contract's error variant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// The outside answered that this may not be done.
    #[error("{0}")]
    Denied(String),
    /// Trying again later may help.
    #[error("{0}")]
    Retryable(String),
    /// The outside failed.
    #[error("{0}")]
    External(String),
    /// Going on could lose or damage data.
    #[error("{0}")]
    DataLossRisk(String),
    /// The session was cancelled.
    #[error("{0}")]
    Cancelled(String),
    /// The call does not fit the state, such as a second `begin`.
    #[error("{0}")]
    InvalidState(String),
}

/// Result of a port.
pub type PortResult<T> = Result<T, PortError>;

/// A run of bytes from a port, read in order.
#[async_trait]
pub trait ByteReader: Send {
    /// The next bytes, never empty; none = the end, and everything arrived.
    ///
    /// # Errors
    /// The bytes broke off. An error is never followed by `None`.
    async fn next(&mut self) -> PortResult<Option<Bytes>>;
}

/// Writes the one snapshot of a session.
#[async_trait]
pub trait RepositoryWriter: Send + Sync {
    /// Begins the snapshot; at most once in a session.
    async fn begin(&self) -> PortResult<Box<dyn SnapshotWriter>>;
}

/// A snapshot being written. Dropped without `stage`, it is thrown away.
#[async_trait]
pub trait SnapshotWriter: Send {
    /// Adds a tag.
    fn add_tag(&mut self, tag: &str) -> PortResult<()>;
    /// Sets the label.
    fn set_label(&mut self, label: &str) -> PortResult<()>;
    /// Begins a file at this relative path; the one before must be finished. `size` is exact;
    /// none needs an interim volume and is refused where there is none.
    async fn create(&mut self, path: &str, size: Option<u64>) -> PortResult<Box<dyn FileWriter>>;
    /// Hands everything to the commit gate. The snapshot appears only when the whole chain
    /// has succeeded and `sealift-job` commits it.
    async fn stage(self: Box<Self>) -> PortResult<()>;
}

/// A file being written. Dropped without `finish`, it and its snapshot are thrown away.
#[async_trait]
pub trait FileWriter: Send {
    /// Writes bytes; waits while the repository is slower.
    async fn write(&mut self, bytes: Bytes) -> PortResult<()>;
    /// Ends the file and returns its size once the repository has taken all of it.
    async fn finish(self: Box<Self>) -> PortResult<u64>;
}

/// Reads snapshots.
#[async_trait]
pub trait RepositoryReader: Send + Sync {
    /// The snapshot the plan selected.
    async fn selected(&self) -> PortResult<Box<dyn SnapshotReader>>;
    /// Identifiers of the snapshots that carry all of these attributes, after this one, at most `limit`.
    async fn list(
        &self,
        filter: &[(String, String)],
        after: Option<&str>,
        limit: u32,
    ) -> PortResult<Vec<String>>;
    /// Any snapshot.
    async fn open(&self, id: &str) -> PortResult<Box<dyn SnapshotReader>>;
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Path relative to the plan's folder.
    pub path: String,
    /// `file` or `dir`.
    pub kind: String,
    /// Bytes.
    pub size: u64,
}

/// A snapshot being read.
#[async_trait]
pub trait SnapshotReader: Send + Sync {
    /// Its full identifier.
    fn id(&self) -> String;
    /// Hostname, time, tags and what else is known of it.
    fn attributes(&self) -> Vec<(String, String)>;
    /// Entries whose path begins with `prefix`, in order, after this one, at most `limit`.
    async fn entries(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> PortResult<Vec<SnapshotEntry>>;
    /// A file's size and bytes.
    async fn open(&self, path: &str) -> PortResult<(u64, Box<dyn ByteReader>)>;
}

/// Unseal keys and root token of the target.
///
/// A value is carried in the layout of the original's files: a JSON string.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The names the plan expects, in order, whether present or not.
    async fn names(&self) -> PortResult<Vec<String>>;
    /// One value.
    async fn read(&self, name: &str) -> PortResult<Zeroizing<Vec<u8>>>;
    /// Remembers a new value; the right to write is checked here, nothing is written yet.
    async fn put(&self, name: &str, value: Zeroizing<Vec<u8>>) -> PortResult<()>;
    /// Writes what was put, all or nothing; replaced values are kept.
    async fn commit(&self) -> PortResult<()>;
}

/// Headers the host adds to requests; the value is a secret.
#[async_trait]
pub trait Credentials: Send + Sync {
    /// Header name and value for this origin; none = no credential is bound to it.
    async fn header(&self, origin: &str) -> PortResult<Option<(String, Zeroizing<String>)>>;
}

/// Everything a chain is connected to.
#[derive(Clone)]
pub struct Ports {
    /// For grant `repository: write`.
    pub repository_writer: Option<std::sync::Arc<dyn RepositoryWriter>>,
    /// For grants `repository: read-selected` and `read-all`.
    pub repository_reader: Option<std::sync::Arc<dyn RepositoryReader>>,
    /// For grants on `unsealKeys`.
    pub keys: Option<std::sync::Arc<dyn KeyStore>>,
    /// Credential headers by origin.
    pub credentials: std::sync::Arc<dyn Credentials>,
    /// The origins names are bound to.
    pub origins: Vec<sealift_core::plan::Origin>,
    /// Whether loopback addresses may be reached where an origin itself is loopback (`sealift run`).
    pub allow_loopback: bool,
    /// What `session.fact` answers; the keys stand in `wit/README.md`.
    pub facts: BTreeMap<String, String>,
    /// Told of progress, logs and statistics.
    pub events: std::sync::Arc<dyn Events>,
}

impl fmt::Debug for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ports").field("origins", &self.origins).finish_non_exhaustive()
    }
}

/// What a chain tells while it runs. Text comes from Functions: bounded and free of control characters.
pub trait Events: Send + Sync {
    /// A log line of a Function.
    fn log(&self, stage: &str, level: LogLevel, message: &str);
    /// What the Function is doing now.
    fn phase(&self, stage: &str, text: &str);
    /// Total and done bytes of a stage, as far as they are known.
    fn progress(&self, stage: &str, total: Option<u64>, done: u64);
}

/// Level of a Function's log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// For authors.
    Debug,
    /// For operators.
    Info,
    /// For operators, and something is not as it should be.
    Warn,
}
