//! One run of one Function: a fresh store, its limits, the call, and the judgement.
//!
//! # Flow
//! check → store → instantiate → call `run` → settle → outcome. Checking happens for all stages
//! of a chain before the first is started.
//!
//! # Guarantees
//! - A stage succeeds only if `run` returned ok, every artifact and file it began was finished,
//!   and it took everything the stage before sent.
//! - A typed error of the Function wins over what it left unfinished; the first cause of a chain
//!   is recorded before anything of the stage is dropped.
//! - Nothing of a stage that is stopped can look complete (`life`).
//! - No text of a Function repeats a credential the host attached for its chain (`secrets`).
//!
//! # Caveats
//! A killed Function gets no chance to clean up; a cancelled one has [`GRACE`], and so has one
//! whose time is up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sealift_bindings::v0_1_0::errors;
use sealift_core::grants::Grants;
use sealift_core::limits::Limits;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::artifact::ArtifactRecord;
use crate::body::Slots;
use crate::capability::downstream::{DownstreamCtx, Records};
use crate::capability::key_store::KeyStoreCtx;
use crate::capability::parameters::Parameters;
use crate::capability::progress::{Log, ProgressCtx, Stderr};
use crate::capability::repository_reader::RepositoryReaderCtx;
use crate::capability::repository_writer::RepositoryWriterCtx;
use crate::capability::stdio::Stdio;
use crate::capability::upstream::UpstreamCtx;
use crate::cause::{FirstCause, Stop};
use crate::edge::{EdgeReader, EdgeWriter};
use crate::engine::Host;
use crate::error::{FunctionError, LimitKind};
use crate::function::Function;
use crate::life::LifeGuard;
use crate::limiter::{LimitReached, Limiter};
use crate::link;
use crate::meter::{CpuTime, Metered};
use crate::network::{self, Bound, HttpHooks, Network};
use crate::outcome::{SessionOutcome, StageOutcome, Status};
use crate::ports::Ports;
use crate::secrets::Secrets;
use crate::state::{HANDLES, State};
use crate::trap;

/// What a cancelled Function has to clean up. Enough for one request to a server nearby.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes a Function hands to the host in one call; larger lists end it. Eight times the largest
/// run of a pipe leaves room for languages that write in large pieces.
const CALL_BYTES: usize = 32 << 20;
/// Random bytes a Function gets in one call.
const RANDOM_BYTES: u64 = 1 << 20;

/// One stage of a chain, or one observer: a Function and everything the plan says of it.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name in the plan.
    pub name: String,
    /// What is run.
    pub function: Function,
    /// Values by the names of the descriptor, as text.
    pub parameters: BTreeMap<String, String>,
    /// What it may do; the descriptor must ask for it too.
    pub grants: Grants,
    /// What it may use up.
    pub limits: Limits,
}

impl Stage {
    /// Kind and name of the component, for messages.
    pub(crate) fn describe(&self) -> String {
        format!("{} {}", self.function.kind().as_str(), self.function.descriptor().name)
    }

    /// The outcome of a stage that was never started.
    pub(crate) fn skipped(&self) -> StageOutcome {
        StageOutcome {
            name: self.name.clone(),
            kind: self.function.kind(),
            status: Status::Skipped,
            error: None,
            statistics: Vec::new(),
            cpu: Duration::ZERO,
            wall: Duration::ZERO,
            peak_memory: 0,
            first_byte: None,
            log_dropped: 0,
            stderr_tail: String::new(),
        }
    }
}

/// What a stage is connected to.
pub(crate) struct Connections {
    pub(crate) ports: Ports,
    pub(crate) stop: Stop,
    pub(crate) upstream: Option<EdgeReader>,
    pub(crate) downstream: Option<EdgeWriter>,
    pub(crate) outcome: Option<Arc<SessionOutcome>>,
    pub(crate) secrets: Arc<Secrets>,
}

/// A stage that passed every check and was given nothing yet.
pub(crate) struct Checked {
    stage: Stage,
    parameters: Parameters,
    grants: Grants,
    bound: Option<Vec<Bound>>,
    linker: Linker<State>,
}

/// Checks grants, parameters and origins of a stage, and links it.
///
/// # Errors
/// It must not be started.
pub(crate) fn check(host: &Host, stage: &Stage, ports: &Ports) -> Result<Checked, FunctionError> {
    link::check(stage.function.descriptor(), stage.function.imports(), &stage.grants)?;
    let parameters =
        Parameters::resolve(&stage.function.descriptor().parameters, &stage.parameters)?;
    let grants = link::effective(&stage.function, &stage.grants);
    let bound = match link::imports_http(&stage.function) {
        true => Some(network::bind(&grants.http, &ports.origins)?),
        false => None,
    };
    let linker = link::linker(host, &stage.function)?;
    Ok(Checked { stage: stage.clone(), parameters, grants, bound, linker })
}

/// How the call ended.
enum Ended {
    Returned(Result<Result<(), errors::Error>, wasmtime::Error>),
    Killed,
}

/// Runs a stage to its end.
pub(crate) async fn run(
    host: &Host,
    checked: Checked,
    connections: Connections,
) -> (StageOutcome, Vec<ArtifactRecord>) {
    let started = Instant::now();
    let Checked { stage, parameters, grants, bound, linker } = checked;
    let stop = connections.stop.clone();
    let life = LifeGuard::new();
    let cpu = CpuTime::default();
    let secrets = Arc::clone(&connections.secrets);
    let events = Arc::clone(&connections.ports.events);
    let log = Log::new(&stage.name, events, stage.limits.log_bytes, Arc::clone(&secrets));
    let network = bound.map(|bound| {
        let (life, stop) = (life.life(), stop.clone());
        let secrets = Arc::clone(&secrets);
        Arc::new(Network::new(&grants.http, bound, &connections.ports, life, stop, secrets))
    });
    let hooks = HttpHooks(network.clone());
    let state = state(&stage, &grants, parameters, connections, life, &log, hooks, started);
    let mut store = store(host, &stage.limits, state, &cpu);

    let component = stage.function.component();
    let export = stage.function.export();
    let mut call = Metered::new(call(&mut store, &linker, component, export), cpu.clone());
    // Whether it was this stage's time that stopped the chain.
    let late = AtomicBool::new(false);
    let time = async {
        tokio::time::sleep(Duration::from_secs(stage.limits.wall_seconds)).await;
        let (name, error) = (stage.name.clone(), out_of_time(&stage.limits));
        let cause = FirstCause { stage: Some(name), artifact: None, error };
        // Not the first: it is being stopped already, and keeps the grace it has.
        late.store(stop.because(cause), Ordering::Relaxed);
        std::future::pending::<()>().await;
    };
    let ended = tokio::select! {
        biased;
        result = &mut call => Ended::Returned(result),
        () = async { stop.wait().await; tokio::time::sleep(GRACE).await } => Ended::Killed,
        () = time => Ended::Killed,
    };
    let late = late.into_inner();
    drop(call);

    let stderr = log.tail();
    let result = match ended {
        Ended::Returned(Ok(Err(error))) if late => {
            let said = FunctionError::from(secrets.error(error)).to_string();
            Err((None, last_words(out_of_time(&stage.limits), &said)))
        }
        _ if late => Err((None, out_of_time(&stage.limits))),
        Ended::Returned(Ok(Ok(()))) => settle(store.data_mut()).await,
        Ended::Returned(Ok(Err(error))) => Err((None, FunctionError::from(secrets.error(error)))),
        Ended::Returned(Err(error)) => {
            let error = trap::explain(&error, &stderr);
            Err((None, store.data().hint.iter().fold(error, |error, hint| error.with_note(hint))))
        }
        Ended::Killed => Err((None, stop.error())),
    };
    let state = store.data();
    let (status, error) = match result {
        Ok(()) => (Status::Succeeded, None),
        Err((artifact, error)) => {
            let artifact = artifact.or_else(|| at(state)).map(|name| secrets.clean(&name, 256));
            let error = annotate(error, network.as_deref()).redacted(&secrets);
            let (status, error) = fail(&stop, &stage, artifact, error, late);
            (status, Some(error))
        }
    };
    let outcome = StageOutcome {
        name: stage.name.clone(),
        kind: stage.function.kind(),
        status,
        error,
        statistics: state.progress.statistics.clone(),
        cpu: cpu.spent(),
        wall: started.elapsed(),
        peak_memory: state.limiter.peak(),
        first_byte: state.downstream.first_byte,
        log_dropped: log.dropped(),
        stderr_tail: stderr,
    };
    let records = std::mem::take(&mut store.data_mut().downstream.finished.kept);
    (outcome, records)
}

#[expect(clippy::too_many_arguments, reason = "every part of the state comes from somewhere else")]
fn state(
    stage: &Stage,
    grants: &Grants,
    parameters: Parameters,
    connections: Connections,
    life: LifeGuard,
    log: &Arc<Log>,
    http_hooks: HttpHooks,
    started: Instant,
) -> State {
    let Connections { ports, stop, upstream, downstream, outcome, secrets } = connections;
    let stdio = Stdio::new(Arc::clone(log));
    let wasi = wasi(&stdio, log);
    State {
        _life: life,
        table: ResourceTable::new(),
        wasi,
        http: WasiHttpCtx::new(),
        http_hooks,
        limiter: Limiter::new(&stage.limits),
        stop,
        secrets,
        stdio,
        slots: Slots::new(),
        upstream: UpstreamCtx {
            reader: upstream,
            grant: grants.unseal_keys,
            ..UpstreamCtx::default()
        },
        downstream: DownstreamCtx {
            writer: downstream,
            stage: stage.name.clone(),
            open: None,
            unfinished: None,
            finished: Records::default(),
            started,
            first_byte: None,
        },
        repository_writer: RepositoryWriterCtx::new(ports.repository_writer),
        repository_reader: RepositoryReaderCtx {
            port: ports.repository_reader,
            grant: grants.repository,
        },
        key_store: KeyStoreCtx { port: ports.keys, grant: grants.unseal_keys },
        parameters,
        facts: Arc::new(ports.facts),
        progress: ProgressCtx::new(Arc::clone(log)),
        outcome,
        hint: None,
    }
}

/// Nothing is inherited: no environment, no arguments, no folders, no sockets.
fn wasi(stdio: &Stdio, log: &Arc<Log>) -> WasiCtx {
    WasiCtxBuilder::new()
        .stdin(stdio.input())
        .stdout(stdio.output())
        .stderr(Stderr(Arc::clone(log)))
        .max_random_size(RANDOM_BYTES)
        .build()
}

fn store(host: &Host, limits: &Limits, state: State, cpu: &CpuTime) -> Store<State> {
    let mut store = Store::new(host.engine(), state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(CALL_BYTES);
    // Every entry of the host's own table belongs to one of them.
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    let seconds = limits.cpu_seconds;
    let cpu = cpu.clone();
    store.epoch_deadline_callback(move |_| {
        if cpu.spent() >= Duration::from_secs(seconds) {
            return Err(LimitReached(FunctionError::Limit {
                which: LimitKind::CpuTime,
                message: format!(
                    "the function ran for {seconds} s and limits.cpuSeconds is {seconds}; \
                     raise it in the Function if it needs more"
                ),
            })
            .into());
        }
        Ok(UpdateDeadline::Yield(1))
    });
    store
}

async fn call(
    store: &mut Store<State>,
    linker: &Linker<State>,
    component: &wasmtime::component::Component,
    export: &str,
) -> Result<Result<(), errors::Error>, wasmtime::Error> {
    let instance = linker.instantiate_async(&mut *store, component).await?;
    let missing = || wasmtime::Error::msg(format!("the component does not export run of {export}"));
    let interface = instance.get_export_index(&mut *store, None, export).ok_or_else(missing)?;
    let run =
        instance.get_export_index(&mut *store, Some(&interface), "run").ok_or_else(missing)?;
    let run = instance.get_typed_func::<(), (Result<(), errors::Error>,)>(&mut *store, &run)?;
    let (result,) = run.call_async(&mut *store, ()).await?;
    Ok(result)
}

/// After ok: whether everything that was begun was ended, on both sides.
async fn settle(state: &mut State) -> Result<(), (Option<String>, FunctionError)> {
    if let Some(name) = state.downstream.unfinished.as_ref().or(state.downstream.open.as_ref()) {
        return Err((
            Some(name.clone()),
            FunctionError::DataLossRisk(format!(
                "the function returned ok and left artifact {name} unfinished"
            )),
        ));
    }
    state.repository_writer.settle()?;
    state.upstream.settle().await?;
    if let Some(writer) = &state.downstream.writer {
        writer.close().await.map_err(|error| (None, error))?;
    }
    Ok(())
}

/// What the stage was at.
fn at(state: &State) -> Option<String> {
    let downstream = state.downstream.open.as_ref().or(state.downstream.unfinished.as_ref());
    downstream
        .or(state.repository_writer.open.as_ref())
        .or(state.upstream.current.as_ref())
        .cloned()
}

fn out_of_time(limits: &Limits) -> FunctionError {
    FunctionError::Limit {
        which: LimitKind::WallTime,
        message: format!(
            "the function did not return within {} s, which is limits.wallTime",
            limits.wall_seconds
        ),
    }
}

/// What a Function still had to say in its grace, unless it only repeats what it was told.
fn last_words(error: FunctionError, said: &str) -> FunctionError {
    if said.contains(&error.to_string()) { error } else { error.with_note(said) }
}

/// Adds what the network knows and the Function could not see.
fn annotate(error: FunctionError, network: Option<&Network>) -> FunctionError {
    let Some((Some(note), retryable)) = network.map(Network::notes) else {
        return error;
    };
    match error {
        FunctionError::External(message) if retryable => {
            FunctionError::Retryable { message, after_seconds: None }.with_note(&note)
        }
        error @ (FunctionError::External(_)
        | FunctionError::Retryable { .. }
        | FunctionError::Denied(_)
        | FunctionError::DataLossRisk(_)
        | FunctionError::Other { .. }
        | FunctionError::Trap { .. }) => error.with_note(&note),
        error => error,
    }
}

/// Records the cause; a stage that fails after another was only dragged along. `late`: the stage
/// recorded it before, when its time was up.
fn fail(
    stop: &Stop,
    stage: &Stage,
    artifact: Option<String>,
    error: FunctionError,
    late: bool,
) -> (Status, FunctionError) {
    let cause = FirstCause { stage: Some(stage.name.clone()), artifact, error: error.clone() };
    let status = if late {
        stop.complete(cause);
        Status::Failed
    } else if stop.because(cause) {
        Status::Failed
    } else {
        Status::Cancelled
    };
    (status, error)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wasmtime_wasi::p2::bindings::random::random::Host as _;

    use super::*;
    use crate::ports::{Events, LogLevel};

    struct Silent;

    impl Events for Silent {
        fn log(&self, _: &str, _: LogLevel, _: &str) {}
        fn phase(&self, _: &str, _: &str) {}
        fn progress(&self, _: &str, _: Option<u64>, _: u64) {}
    }

    #[test]
    fn random_bytes_are_bounded() {
        let log = Log::new("s", Arc::new(Silent), 0, Arc::default());
        let mut wasi = wasi(&Stdio::new(Arc::clone(&log)), &log);
        wasi.random().get_random_bytes(RANDOM_BYTES).unwrap();
        wasi.random().get_random_bytes(RANDOM_BYTES + 1).unwrap_err();
    }
}
