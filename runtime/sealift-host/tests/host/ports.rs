//! Ports in memory, which remember what was done to them and fail where they are told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use sealift_core::plan::Origin;
use sealift_host::ports::{
    ByteReader, Credentials, Events, FileWriter, KeyStore, LogLevel, PortError, PortResult, Ports,
    RepositoryReader, RepositoryWriter, SnapshotEntry, SnapshotReader, SnapshotWriter,
};
use zeroize::Zeroizing;

/// Ports of a session without repository, keys and network.
pub(crate) fn plain() -> Ports {
    recorded().0
}

/// The same, and what the chain tells.
pub(crate) fn recorded() -> (Ports, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let ports = Ports {
        repository_writer: None,
        repository_reader: None,
        keys: None,
        credentials: Arc::new(Token(None)),
        origins: Vec::new(),
        allow_loopback: true,
        facts: BTreeMap::from([("driver".to_owned(), "Restic".to_owned())]),
        events: recorder.clone(),
    };
    (ports, recorder)
}

/// An origin `target` at this URL.
pub(crate) fn origin(url: &str) -> Origin {
    Origin {
        name: "target".to_owned(),
        url: url.parse().unwrap(),
        ca_pem: None,
        server_name: None,
        insecure_skip_tls_verify: false,
        credential: None,
        redirect_hosts: Vec::new(),
        redirect_domains: Vec::new(),
        addresses: Vec::new(),
    }
}

/// Ports that reach a server.
pub(crate) fn network(url: &str) -> Ports {
    Ports { origins: vec![origin(url)], ..plain() }
}

#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Events for Recorder {
    fn log(&self, stage: &str, level: LogLevel, message: &str) {
        self.0.lock().unwrap().push(format!("{stage} {level:?} {message}"));
    }
    fn phase(&self, stage: &str, text: &str) {
        self.0.lock().unwrap().push(format!("{stage} phase {text}"));
    }
    fn progress(&self, _stage: &str, _total: Option<u64>, _done: u64) {}
}

/// The credential of every origin.
pub(crate) struct Token(pub(crate) Option<(&'static str, &'static str)>);

#[async_trait]
impl Credentials for Token {
    async fn header(&self, _origin: &str) -> PortResult<Option<(String, Zeroizing<String>)>> {
        Ok(self.0.map(|(name, value)| (name.to_owned(), Zeroizing::new(value.to_owned()))))
    }
}

/// A repository that keeps what is written, and fails at one operation.
#[derive(Default, Clone)]
pub(crate) struct Repository {
    pub(crate) written: Arc<Mutex<Written>>,
    pub(crate) fails_at: Option<&'static str>,
}

#[derive(Default, Debug)]
pub(crate) struct Written {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) tags: Vec<String>,
    pub(crate) label: Option<String>,
    pub(crate) staged: bool,
}

impl Repository {
    fn check(&self, operation: &str) -> PortResult<()> {
        match self.fails_at {
            Some(at) if at == operation => {
                Err(PortError::Retryable(format!("the repository failed at {operation}")))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl RepositoryWriter for Repository {
    async fn begin(&self) -> PortResult<Box<dyn SnapshotWriter>> {
        self.check("begin")?;
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl SnapshotWriter for Repository {
    fn add_tag(&mut self, tag: &str) -> PortResult<()> {
        self.written.lock().unwrap().tags.push(tag.to_owned());
        Ok(())
    }
    fn set_label(&mut self, label: &str) -> PortResult<()> {
        self.written.lock().unwrap().label = Some(label.to_owned());
        Ok(())
    }
    async fn create(&mut self, path: &str, _size: Option<u64>) -> PortResult<Box<dyn FileWriter>> {
        self.check("create")?;
        Ok(Box::new(File { repository: self.clone(), path: path.to_owned(), bytes: Vec::new() }))
    }
    async fn stage(self: Box<Self>) -> PortResult<()> {
        self.check("stage")?;
        self.written.lock().unwrap().staged = true;
        Ok(())
    }
}

struct File {
    repository: Repository,
    path: String,
    bytes: Vec<u8>,
}

#[async_trait]
impl FileWriter for File {
    async fn write(&mut self, bytes: Bytes) -> PortResult<()> {
        self.repository.check("write")?;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }
    async fn finish(self: Box<Self>) -> PortResult<u64> {
        self.repository.check("finish")?;
        let mut size = self.bytes.len() as u64;
        if self.repository.fails_at == Some("losing a byte") {
            size -= 1;
        }
        self.repository.written.lock().unwrap().files.push((self.path, self.bytes));
        Ok(size)
    }
}

/// A repository with one snapshot of these files; `breaks` ends every file early.
#[derive(Clone)]
pub(crate) struct Snapshot {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) breaks: Option<PortError>,
    pub(crate) hides_bytes: usize,
}

#[async_trait]
impl RepositoryReader for Snapshot {
    async fn selected(&self) -> PortResult<Box<dyn SnapshotReader>> {
        Ok(Box::new(self.clone()))
    }
    async fn list(
        &self,
        _filter: &[(String, String)],
        _after: Option<&str>,
        _limit: u32,
    ) -> PortResult<Vec<String>> {
        Ok(vec!["0123abcd".to_owned()])
    }
    async fn open(&self, _id: &str) -> PortResult<Box<dyn SnapshotReader>> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl SnapshotReader for Snapshot {
    fn id(&self) -> String {
        "0123abcd".to_owned()
    }
    fn attributes(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    async fn entries(
        &self,
        prefix: &str,
        _after: Option<&str>,
        limit: u32,
    ) -> PortResult<Vec<SnapshotEntry>> {
        assert!(limit <= 1000, "the host clamps");
        let entry = |(path, bytes): (&String, &Vec<u8>)| SnapshotEntry {
            path: path.clone(),
            kind: "file".to_owned(),
            size: bytes.len() as u64,
        };
        Ok(self.files.iter().filter(|(path, _)| path.starts_with(prefix)).map(entry).collect())
    }
    async fn open(&self, path: &str) -> PortResult<(u64, Box<dyn ByteReader>)> {
        let bytes = self.files.get(path).cloned().unwrap();
        let size = bytes.len() as u64;
        let shown = bytes[..bytes.len() - self.hides_bytes].to_vec();
        Ok((size, Box::new(Runs { bytes: Bytes::from(shown), breaks: self.breaks.clone() })))
    }
}

struct Runs {
    bytes: Bytes,
    breaks: Option<PortError>,
}

#[async_trait]
impl ByteReader for Runs {
    async fn next(&mut self) -> PortResult<Option<Bytes>> {
        if let Some(error) = &self.breaks {
            return Err(error.clone());
        }
        let length = self.bytes.len().min(64 << 10);
        Ok((length > 0).then(|| self.bytes.split_to(length)))
    }
}

/// Keys in memory.
#[derive(Default)]
pub(crate) struct Keys {
    pub(crate) values: Mutex<BTreeMap<String, Vec<u8>>>,
    pub(crate) staged: Mutex<BTreeMap<String, Vec<u8>>>,
}

#[async_trait]
impl KeyStore for Keys {
    async fn names(&self) -> PortResult<Vec<String>> {
        Ok(self.values.lock().unwrap().keys().cloned().collect())
    }
    async fn read(&self, name: &str) -> PortResult<Zeroizing<Vec<u8>>> {
        let values = self.values.lock().unwrap();
        let value =
            values.get(name).ok_or_else(|| PortError::External(format!("no key {name}")))?;
        Ok(Zeroizing::new(value.clone()))
    }
    async fn put(&self, name: &str, value: Zeroizing<Vec<u8>>) -> PortResult<()> {
        self.staged.lock().unwrap().insert(name.to_owned(), value.to_vec());
        Ok(())
    }
    async fn commit(&self) -> PortResult<()> {
        self.values.lock().unwrap().append(&mut self.staged.lock().unwrap());
        Ok(())
    }
}
