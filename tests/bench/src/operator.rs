//! `bench operator`: what the operator costs a cluster with thousands of BackupConfigurations.
//!
//! Flow: a control plane with all objects → the operator is started → all are Ready and nobody
//! asks anything → a time of rest → the operator is killed and started again → a session of many
//! of them at once. No pod runs: the bench writes what Jobs would write.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sealift_cluster::Resource;
use sealift_cluster::namespaces;
use sealift_e2e::binaries;
use serde::Serialize;

use crate::figures::rounded;
use crate::operator_meter::{Counters, Held, Meter, Requests};
use crate::operator_scene::{PLACES, Scene, wait_slowly};
use crate::operator_sessions::{self, AtOnce};
use crate::report::talk;

/// Between two looks at the counters or at all objects.
const LOOK: Duration = Duration::from_secs(2);
/// Nobody asks anything: at most so many requests a second for so long. At rest there are Secrets
/// to look for, and watches that begin anew.
const QUIET_RATE: f64 = 2.0;
const QUIET_TIME: Duration = Duration::from_secs(6);

/// How much of it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Size {
    /// BackupConfigurations, each with a Repository and a target of its own.
    pub(crate) objects: usize,
    /// Namespaces they are in.
    pub(crate) namespaces: usize,
    /// How many of them get a session at once.
    pub(crate) sessions: usize,
    /// How many of these sessions are played to their end.
    pub(crate) played: usize,
    /// How long the time of rest is.
    pub(crate) rest_seconds: u64,
}

/// The figures of `bench operator`.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    size: Size,
    places: usize,
    cores: usize,
    /// With no object of ours touched yet.
    first_start: Start,
    rest: Rest,
    /// With everything in place.
    restart: Start,
    sessions: Option<AtOnce>,
}

#[derive(Debug, Serialize)]
struct Start {
    /// Until `/readyz` says yes: everything is read.
    seconds_until_working: f64,
    /// Until every BackupConfiguration is Ready.
    seconds_until_all_ready: f64,
    /// Until the operator asks nothing more.
    seconds_until_quiet: f64,
    operator: Held,
    requests_per_object: f64,
    requests: Requests,
}

#[derive(Debug, Serialize)]
struct Rest {
    operator_requests_per_second: f64,
    cpu_seconds_per_minute: f64,
    operator: Held,
    requests: Requests,
}

/// Runs the bench.
pub(crate) fn run(size: Size) -> Result<Figures> {
    namespaces::enter()?;
    let program = match std::env::var_os("SEALIFT_PROGRAM") {
        Some(path) => PathBuf::from(path),
        None => binaries::sealift()?,
    };
    if size.objects == 0 || size.namespaces == 0 || size.sessions > size.objects {
        bail!("there must be objects in namespaces, and no more sessions than objects");
    }
    talk(&format!("a control plane with {} BackupConfigurations", size.objects));
    let mut scene = Scene::new(program, size.objects, size.namespaces)?;
    talk("the operator meets them");
    let (first_start, meter) = start(&mut scene)?;
    talk(&format!("{} seconds of rest", size.rest_seconds));
    let rest = rest(&scene, &meter, size.rest_seconds)?;
    talk("the operator is killed and started again");
    let (restart, meter) = start(&mut scene)?;
    let sessions = match size.sessions {
        0 => None,
        count => {
            talk(&format!("{count} sessions at once"));
            Some(operator_sessions::run(&scene, &meter, count, size.played)?)
        }
    };
    Ok(Figures {
        size,
        places: PLACES,
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        first_start,
        rest,
        restart,
        sessions,
    })
}

fn start(scene: &mut Scene) -> Result<(Start, Meter)> {
    let before = Counters::read(scene.client())?;
    let began = Instant::now();
    let meter = Meter::of(scene.start_operator()?);
    let working = began.elapsed();
    let mut looks = 0;
    let all = scene.backups.len();
    let ready = wait_slowly("all BackupConfigurations are Ready", LOOK, || {
        looks += 1;
        let phases = scene.phases(Resource::BACKUP_CONFIGURATION)?;
        Ok((phases.get("Ready") == Some(&all)).then(|| began.elapsed()))
    })
    .with_context(|| scene.operator_log())?;
    let quiet = quiet(scene, began)?;
    let own = BTreeMap::from([("LIST backupconfigurations".to_owned(), looks)]);
    let requests = Counters::read(scene.client())?.since(&before, &own);
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests and objects")]
    let per_object =
        (requests.operator_reads + requests.operator_writes) as f64 / scene.backups.len() as f64;
    let start = Start {
        seconds_until_working: seconds(working),
        seconds_until_all_ready: seconds(ready),
        seconds_until_quiet: seconds(quiet),
        operator: meter.held()?,
        requests_per_object: rounded(per_object),
        requests,
    };
    Ok((start, meter))
}

/// When the operator stopped asking, as time since `began`.
fn quiet(scene: &Scene, began: Instant) -> Result<Duration> {
    let mut since = (Instant::now(), Counters::read(scene.client())?.operator());
    wait_slowly("the operator asks nothing more", LOOK, || {
        let now = Counters::read(scene.client())?.operator();
        let (at, then) = since;
        let allowed = QUIET_RATE * at.elapsed().as_secs_f64().max(LOOK.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a number of requests")]
        let asked = now.saturating_sub(then) as f64;
        if asked > allowed {
            since = (Instant::now(), now);
            return Ok(None);
        }
        Ok((at.elapsed() >= QUIET_TIME).then(|| at.duration_since(began)))
    })
}

fn rest(scene: &Scene, meter: &Meter, seconds: u64) -> Result<Rest> {
    let (before, held) = (Counters::read(scene.client())?, meter.held()?);
    let began = Instant::now();
    let length = Duration::from_secs(seconds);
    wait_slowly(
        "the time of rest is over",
        LOOK,
        || Ok((began.elapsed() >= length).then_some(())),
    )?;
    let requests = Counters::read(scene.client())?.since(&before, &BTreeMap::new());
    let took = began.elapsed().as_secs_f64();
    let operator = meter.held()?;
    #[expect(clippy::cast_precision_loss, reason = "a number of requests")]
    let asked = (requests.operator_reads + requests.operator_writes) as f64;
    Ok(Rest {
        operator_requests_per_second: rounded(asked / took),
        cpu_seconds_per_minute: rounded((operator.cpu_seconds - held.cpu_seconds) * 60.0 / took),
        operator,
        requests,
    })
}

/// Whole milliseconds are more than is known.
pub(crate) fn seconds(time: Duration) -> f64 {
    rounded(time.as_secs_f64())
}
