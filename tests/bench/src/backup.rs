//! One backup as Sealift makes it: real components, the real host, a real repository.
//!
//! Only what the source reads is the bench's own: a file instead of a snapshot. Runs in a
//! process of its own, which `chain` measures.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use jiff::Timestamp;
use sealift_core::limits::Limits;
use sealift_core::plan::{Location, SnapshotIdentity};
use sealift_e2e::binaries;
use sealift_host::ports::{Credentials, Events, LogLevel, PortResult, Ports};
use sealift_host::{Chain, ChainOutcome, Function, Host, Stage, inspect};
use sealift_job::components::digest;
use sealift_job::slot::SnapshotSlot;
use sealift_repository::{Chunks, Committed, Options, Repository, Secrets};
use serde::{Deserialize, Serialize};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::PASSWORD;
use crate::figures::{mib, rounded};
use crate::file_source::{FileSource, Marks};
use crate::usage;

/// What a backup says of itself; its costs are measured from outside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    /// From the start of the process to …
    pub(crate) engine_ms: f64,
    pub(crate) components_loaded_ms: f64,
    pub(crate) repository_open_ms: f64,
    pub(crate) first_byte_ms: f64,
    pub(crate) uploaded_bytes: u64,
    pub(crate) stages: Vec<StageSaid>,
}

/// What the host accounted for one stage.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StageSaid {
    pub(crate) name: String,
    pub(crate) cpu_seconds: f64,
    pub(crate) memory_mib: f64,
}

/// Makes a repository with chunks of 1 MiB.
pub(crate) fn init(repository: &Path) -> Result<()> {
    Repository::init(&location(repository)?, &Secrets::new(PASSWORD), Options::default())?;
    Ok(())
}

/// Compiles a component of the tests ahead of time.
pub(crate) fn compile(wasm: &Path, compiled: &Path) -> Result<()> {
    std::fs::write(compiled, Host::new()?.compile(&read(wasm)?)?)
        .with_context(|| format!("failed to write {}", compiled.display()))
}

/// Stores the first `size` bytes of `file`; `copies` is a component that copies every byte.
pub(crate) fn run(
    repository: &Path,
    file: &Path,
    size: u64,
    copies: Option<&Path>,
) -> Result<Said> {
    let host = Host::new()?;
    let engine = usage::since_start()?;
    let mut functions = vec![built_in(&host, "restic-download")?];
    functions.extend(copies.map(|component| load(&host, component)).transpose()?);
    functions.push(built_in(&host, "restic-upload")?);
    let loaded = usage::since_start()?;
    let engine_room = EngineRoom::new(host)?;
    let repository = open(repository, Chunks::Large)?;
    let (opened, opened_at) = (usage::since_start()?, Instant::now());

    let source = FileSource { path: file.to_path_buf(), size, marks: Arc::default() };
    let marks = Arc::clone(&source.marks);
    let ports = Ports { repository_reader: Some(Arc::new(source)), ..ports() };
    let done = engine_room.store(&repository, &functions, ports, BTreeMap::new())?;
    let first_byte = since(&marks.first_byte, opened_at).context("the source read nothing")?;
    Ok(Said {
        engine_ms: millis(engine),
        components_loaded_ms: millis(loaded),
        repository_open_ms: millis(opened),
        first_byte_ms: millis(opened + first_byte),
        uploaded_bytes: done.committed.statistics.uploaded_bytes,
        stages: done
            .outcome
            .stages
            .into_iter()
            .map(|stage| StageSaid {
                name: stage.name,
                cpu_seconds: rounded(stage.cpu.as_secs_f64()),
                memory_mib: mib(stage.peak_memory),
            })
            .collect(),
    })
}

/// Milliseconds from handing a chain of loaded components to the host until the source's code
/// makes its first call, `times` times in one process.
pub(crate) fn starts(repository: &Path, file: &Path, times: u32) -> Result<Vec<f64>> {
    let host = Host::new()?;
    let functions = [built_in(&host, "restic-download")?, built_in(&host, "restic-upload")?];
    let engine_room = EngineRoom::new(host)?;
    let repository = open(repository, Chunks::Large)?;
    (0..times)
        .map(|_| {
            let marks: Arc<Marks> = Arc::default();
            let source =
                FileSource { path: file.to_path_buf(), size: 1, marks: Arc::clone(&marks) };
            let ports = Ports { repository_reader: Some(Arc::new(source)), ..ports() };
            let start = Instant::now();
            engine_room.store(&repository, &functions, ports, BTreeMap::new())?;
            Ok(millis(since(&marks.called, start).context("the source made no call")?))
        })
        .collect()
}

/// A chain that succeeded, and its snapshot.
pub(crate) struct Done {
    pub(crate) outcome: ChainOutcome,
    pub(crate) committed: Committed,
}

/// A host and the threads chains run on.
pub(crate) struct EngineRoom {
    pub(crate) host: Host,
    runtime: Runtime,
}

impl EngineRoom {
    /// With the runtime `sealift` has.
    pub(crate) fn new(host: Host) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        Ok(Self { host, runtime: runtime.context("failed to start the runtime")? })
    }

    /// Runs a chain into the repository and commits; `parameters` are the source's.
    pub(crate) fn store(
        &self,
        repository: &Arc<Repository>,
        functions: &[Function],
        mut ports: Ports,
        mut parameters: BTreeMap<String, String>,
    ) -> Result<Done> {
        let identity = SnapshotIdentity {
            hostname: "bench".to_owned(),
            path: "/bench".to_owned(),
            tags: Vec::new(),
            description: String::new(),
        };
        let slot = Arc::new(SnapshotSlot::new(Arc::clone(repository), identity, Timestamp::now()));
        ports.repository_writer = Some(Arc::clone(&slot) as _);
        let stages = functions
            .iter()
            .map(|function| Stage {
                name: function.descriptor().name.clone(),
                function: function.clone(),
                parameters: std::mem::take(&mut parameters),
                grants: function.descriptor().requests.clone(),
                limits: Limits::default(),
            })
            .collect();
        let before_sink =
            functions.iter().rev().nth(1).map(|function| function.descriptor().name.clone());
        let chain = Chain { stages, ports, cancel: CancellationToken::new(), deadline: None };
        self.runtime.block_on(async {
            let outcome = self.host.run_chain(chain).await;
            if let Some(failure) = &outcome.failure {
                bail!("the chain failed: {failure}");
            }
            let handed_over: Vec<_> = outcome
                .artifacts
                .iter()
                .filter(|artifact| Some(&artifact.stage) == before_sink.as_ref())
                .cloned()
                .collect();
            let committed = slot.commit(&handed_over).await.context("the snapshot was refused")?;
            Ok(Done { outcome, committed })
        })
    }
}

/// Opens a repository, which is made if there is none.
pub(crate) fn open(folder: &Path, chunks: Chunks) -> Result<Arc<Repository>> {
    let options = Options { chunks, ..Options::default() };
    let opened = Repository::open_or_init(&location(folder)?, &Secrets::new(PASSWORD), options);
    Ok(Arc::new(opened?.0))
}

/// A component as it is built into `sealift`: with its compiled form.
pub(crate) fn built_in(host: &Host, name: &str) -> Result<Function> {
    load(host, &binaries::target_folder()?.join("sealift").join("functions").join(name))
}

/// The component `<path>.wasm`, whose compiled form is `<path>.cwasm`.
fn load(host: &Host, path: &Path) -> Result<Function> {
    let refused = || format!("{} cannot be loaded", path.display());
    let descriptor =
        inspect(&read(&path.with_extension("wasm"))?).with_context(refused)?.descriptor;
    let compiled = read(&path.with_extension("cwasm"))?;
    host.load_compiled(descriptor, &compiled, &digest(&compiled)).with_context(refused)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| {
        format!("failed to read {}; `cargo xtask bench` builds what is needed", path.display())
    })
}

fn location(folder: &Path) -> Result<Location> {
    let path = folder.to_str().context("the path of a repository is not UTF-8")?.to_owned();
    Ok(Location::Local { path })
}

/// Ports that lead nowhere.
pub(crate) fn ports() -> Ports {
    Ports {
        repository_writer: None,
        repository_reader: None,
        keys: None,
        credentials: Arc::new(Silence),
        origins: Vec::new(),
        allow_loopback: false,
        facts: BTreeMap::new(),
        events: Arc::new(Silence),
    }
}

/// No credential for anybody, and nobody listens.
struct Silence;

#[async_trait]
impl Credentials for Silence {
    async fn header(&self, _: &str) -> PortResult<Option<(String, Zeroizing<String>)>> {
        Ok(None)
    }
}

impl Events for Silence {
    fn log(&self, _: &str, _: LogLevel, _: &str) {}
    fn phase(&self, _: &str, _: &str) {}
    fn progress(&self, _: &str, _: Option<u64>, _: u64) {}
}

fn since(mark: &std::sync::OnceLock<Instant>, start: Instant) -> Option<Duration> {
    Some(mark.get()?.saturating_duration_since(start))
}

fn millis(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}
