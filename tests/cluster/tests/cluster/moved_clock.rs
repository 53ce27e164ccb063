//! The operator's clock is wrong, or is moved: sessions are judged by the API server's time.
//!
//! The clock is the operator's port for it, so here the operator runs in this process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Trial;
use sealift_api::planner::ComponentInfo;
use sealift_cluster::Resource;
use sealift_e2e::binaries;
use sealift_kube::Clock;
use sealift_kube::kube::Config;
use sealift_kube::kube::config::{KubeConfigOptions, Kubeconfig};
use sealift_operator::Options;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::acted::{ended, job_of, report, running, succeed};
use crate::conditions;
use crate::operators::instead_of_the_one;
use crate::scene::{BACKUP, CRON_JOB, Scene};
use crate::stage;
use crate::world::{OPERATOR, World, text, trial_alone};

const FIRST: &str = "demo-backup-1700000001";
const SECOND: &str = "demo-backup-1700000002";
const THIRD: &str = "demo-backup-1700000003";
const DAY: i64 = 24 * 3600;

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(world, "fault: a clock two days ahead costs no session its time", |world| {
            instead_of_the_one(world, |world| wrong(world, "clock-ahead", 2 * DAY))
        }),
        trial_alone(world, "fault: a clock two days behind gives no session more time", |world| {
            instead_of_the_one(world, |world| wrong(world, "clock-behind", -2 * DAY))
        }),
        trial_alone(world, "fault: a clock that is moved while sessions run ends none", |world| {
            instead_of_the_one(world, moved)
        }),
    ]
}

/// The machine's clock, and how many seconds it is ahead.
#[derive(Default)]
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.0.load(Ordering::SeqCst));
        Timestamp::now().checked_add(ahead).unwrap_or_default()
    }
}

/// An operator in this process. Dropping it ends it.
struct Operator {
    clock: Arc<Moved>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Operator {
    fn start(scene: &Scene<'_>, ahead: i64) -> Result<Self> {
        let group = Some("system:serviceaccounts");
        let kubeconfig = scene.plane.kubeconfig(&scene.namespace, OPERATOR, group)?;
        let kubeconfig = Kubeconfig::read_from(&kubeconfig)?;
        let options = options(&scene.namespace)?;
        let clock = Arc::new(Moved(AtomicI64::new(ahead)));
        let stop = CancellationToken::new();
        let (of_operator, stopped) = (Arc::clone(&clock), stop.clone());
        let runtime = tokio::runtime::Runtime::new().context("failed to start a runtime")?;
        let thread = std::thread::spawn(move || {
            let ran: Result<()> = runtime.block_on(async {
                let chosen = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(kubeconfig, &chosen).await?;
                let client = sealift_kube::connect::client(config)?;
                sealift_operator::run(client, options, of_operator, stopped).await?;
                Ok(())
            });
            if let Err(error) = ran {
                eprintln!("the operator ended: {error:#}");
            }
        });
        Ok(Self { clock, stop, thread: Some(thread) })
    }

    fn move_clock(&self, ahead: i64) {
        self.clock.0.store(ahead, Ordering::SeqCst);
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn options(namespace: &str) -> Result<Options> {
    Ok(Options {
        image: stage::IMAGE.to_owned(),
        image_pull_secrets: Vec::new(),
        node_selector: BTreeMap::new(),
        pushgateway: None,
        cluster_domain: None,
        watch_namespace: Some(namespace.to_owned()),
        max_concurrent_sessions: 0,
        takeover: true,
        metrics_address: None,
        leader_election: false,
        namespace: namespace.to_owned(),
        identity: "moved-clock".to_owned(),
        pending_limit: Duration::from_secs(600),
        components: components()?,
    })
}

/// The Functions that are built in, as their descriptors tell of them.
fn components() -> Result<BTreeMap<String, ComponentInfo>> {
    let index = binaries::target_folder()?.join("sealift/functions/index.json");
    let found = std::fs::read_to_string(&index)
        .with_context(|| format!("{}; build it with `cargo xtask functions`", index.display()))?;
    let index: Value = serde_json::from_str(&found)?;
    let functions = index["functions"].as_array().context("the index names no functions")?;
    let known = functions.iter().map(|function| {
        let descriptor = &function["descriptor"];
        let reference = format!("builtin:{}", text(function, "/name"));
        let info = ComponentInfo {
            kind: serde_json::from_value(descriptor["kind"].clone())?,
            reference: reference.clone(),
            digest: format!("sha256:{}", text(function, "/wasm_sha256")),
            parameters: descriptor["parameters"].clone(),
            requests: serde_json::from_value(descriptor["requests"].clone())?,
            unknown_size: descriptor["unknownSize"] == true,
        };
        Ok((reference, info))
    });
    known.collect()
}

fn guide<'a>(world: &'a World, number: &str) -> Result<Scene<'a>> {
    let scene = Scene::without_operator(world, number)?;
    scene.apply_guide()?;
    configure(&scene, &json!({"schedule": "0 0 1 1 *", "backupHistoryLimit": 9}))?;
    Ok(scene)
}

fn configure(scene: &Scene<'_>, spec: &Value) -> Result<()> {
    let patch = json!({ "spec": spec });
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    Ok(())
}

fn observed(scene: &Scene<'_>) -> Result<()> {
    scene.wait("it is ready", Resource::BACKUP_CONFIGURATION, BACKUP, |backup| {
        conditions::phase(backup) == "Ready"
            && backup["status"]["observedGeneration"] == backup["metadata"]["generation"]
    })?;
    Ok(())
}

fn at(object: &Value, pointer: &str) -> Result<Timestamp> {
    let time = text(object, pointer);
    time.parse().with_context(|| format!("{pointer} is {time:?}"))
}

/// The session's time is its creation and `timeOut`, whatever the operator's clock says.
fn has_its_time(session: &Value, time_out: i64) -> Result<()> {
    let created = at(session, "/metadata/creationTimestamp")?;
    let deadline = at(session, "/status/sessionDeadline")?;
    let given = deadline.duration_since(created).as_secs();
    ensure!(given == time_out, "the session has {given} s instead of {time_out}");
    Ok(())
}

/// A session that hangs is ended when its time is up, and not before.
fn ends_in_time(scene: &Scene<'_>, session: &str) -> Result<()> {
    configure(scene, &json!({"timeOut": "20s"}))?;
    observed(scene)?;
    scene.session(session)?;
    has_its_time(&running(scene, session)?, 20)?;
    let late = ended(scene, session, "Failed")?;
    let found = conditions::of(&late, "DeadlineExceeded");
    ensure!(found == "True FailedToCompleteWithinDeadline", "DeadlineExceeded: {found}");
    scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, &job_of(session)))?;
    let took = text(&late, "/status/sessionDuration");
    ensure!(!took.contains('h'), "it took {took}");
    // By the API server's time, and not only by the operator's word.
    let now = at(&scene.object(Resource::BACKUP_SESSION, session)?, "/status/sessionDeadline")?;
    ensure!(Timestamp::now() >= now, "it was ended before its time");
    configure(scene, &json!({"timeOut": "2h"}))?;
    observed(scene)
}

fn wrong(world: &World, number: &str, ahead: i64) -> Result<()> {
    let scene = guide(world, number)?;
    let _operator = Operator::start(&scene, ahead)?;
    observed(&scene)?;
    scene.session(FIRST)?;
    has_its_time(&running(&scene, FIRST)?, 2 * 3600)?;
    report(&scene, FIRST, None)?;
    let first = ended(&scene, FIRST, "Succeeded")?;
    let took = text(&first, "/status/sessionDuration");
    ensure!(!took.contains('h'), "it took {took}");
    ends_in_time(&scene, SECOND)?;
    succeed(&scene, THIRD)?;
    Ok(())
}

/// The operator has looked at this session once more, and at its invoker after that.
fn look_again(scene: &Scene<'_>, session: &str, schedule: &str) -> Result<()> {
    let note = json!({"metadata": {"annotations": {"note": schedule}}});
    scene.client().patch(Resource::BACKUP_SESSION, &scene.namespace, session, &note)?;
    configure(scene, &json!({"schedule": schedule}))?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == schedule
    })?;
    observed(scene)
}

fn moved(world: &World) -> Result<()> {
    let scene = guide(world, "clock-moved")?;
    let operator = Operator::start(&scene, 0)?;
    observed(&scene)?;
    scene.session(FIRST)?;
    running(&scene, FIRST)?;
    for (ahead, schedule) in [(2 * DAY, "0 0 2 1 *"), (-3 * DAY, "0 0 3 1 *"), (DAY, "0 0 4 1 *")] {
        operator.move_clock(ahead);
        look_again(&scene, FIRST, schedule)?;
        let session = scene.object(Resource::BACKUP_SESSION, FIRST)?;
        ensure!(conditions::phase(&session) == "Running", "status: {}", session["status"]);
    }
    report(&scene, FIRST, None)?;
    ended(&scene, FIRST, "Succeeded")?;
    // A retry that is due does not wait for days.
    let session = json!({
        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
        "metadata": {"name": SECOND, "namespace": scene.namespace},
        "spec": {"retryLeft": 1, "invoker": {"apiGroup": "stash.appscode.com",
            "kind": "BackupConfiguration", "name": BACKUP}},
    });
    configure(&scene, &json!({"retryConfig": {"maxRetry": 1, "delay": "6s"}}))?;
    observed(&scene)?;
    scene.client().create(Resource::BACKUP_SESSION, &scene.namespace, &session)?;
    report(&scene, SECOND, Some("the Vault is away"))?;
    operator.move_clock(-2 * DAY);
    ended(&scene, SECOND, "Failed")?;
    scene.wait("it is tried again", Resource::BACKUP_SESSION, SECOND, |found| {
        found["status"]["retried"] == true
    })?;
    let names = scene.client().names(Resource::BACKUP_SESSION, &scene.namespace)?;
    let again = names.iter().find(|name| ![FIRST, SECOND].contains(&name.as_str()));
    let again = again.with_context(|| format!("sessions: {names:?}"))?;
    report(&scene, again, None)?;
    ended(&scene, again, "Succeeded")?;
    ends_in_time(&scene, THIRD)
}
