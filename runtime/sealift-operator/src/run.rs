//! The operator from its start to its end.
//!
//! Flow: serve health → stand back while the original runs → become leader → watch → read all →
//! count the sessions that run → work. It ends when told to, when the leader's place is lost, or
//! when the original appears; what is under way may finish.

use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use sealift_core::causes::chain_of_causes;
use sealift_kube::Clock;
use sealift_kube::event::{Event, Recorder, reference};
use sealift_kube::kube::Client;
use sealift_kube::leader::{Candidate, Leadership};
use sealift_kube::watch::Key;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admission::Admission;
use crate::applied::Applied;
use crate::cluster::{Cluster, Queues};
use crate::controller::{
    backup_configuration, backup_session, repository, restore_session, trigger,
};
use crate::engine::{self, Next, Queue, Requests};
use crate::error::Result;
use crate::given_up::GivenUp;
use crate::leftovers;
use crate::metrics::KindMetrics;
use crate::options::Options;
use crate::secret_check::SecretCheck;
use crate::server::{self, Told};
use crate::stage::{Stage, StageCell};
use crate::taken::Taken;
use crate::takeover::Takeover;
use crate::time::Time;
use crate::watching::{Follow, Watches};

/// Reconciliations of one kind at once. Most of one is waiting for the API server, whose own
/// fairness settles at a few dozen requests of one client at a time.
const CONCURRENCY: usize = 8;
/// The leader's Lease.
const LEASE: &str = "sealift-operator";

/// Why the operator ends although nobody told it to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nobody can ask how it is.
    #[error("failed to listen on {address}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The leader's Lease cannot be used.
    #[error("failed to become the leader")]
    Lead(#[source] sealift_kube::Error),
    /// Another process is the leader now.
    #[error("the leader's place is lost")]
    Lost,
    /// The original's operator was started.
    #[error("{0}")]
    Original(String),
    /// A part of the operator ended by itself.
    #[error("a part of the operator has ended")]
    Ended,
}

/// Runs until `stop`, or until it may not go on.
///
/// # Errors
/// Why it may not go on. The process should end then, and be started anew.
pub async fn run(
    client: Client,
    options: Options,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let stage = StageCell::default();
    let kinds = KINDS.map(|kind| Arc::new(KindMetrics::new(kind)));
    let shown: Arc<OnceLock<Arc<Cluster>>> = Arc::default();
    if let Some(address) = options.metrics_address {
        let told =
            Told { stage: stage.clone(), kinds: kinds.to_vec(), cluster: Arc::clone(&shown) };
        let bound = server::serve(address, told, stop.clone())
            .await
            .map_err(|source| RunError::Listen { address, source })?;
        tracing::info!(address = %bound, "serving /metrics, /healthz and /readyz");
    }
    if options.pushgateway.is_none() {
        tracing::warn!(
            "the metrics of sessions are pushed nowhere; start the operator with --pushgateway-url"
        );
    }
    let mut takeover = (!options.takeover).then(|| Takeover::new(&client));
    if let Some(takeover) = &mut takeover {
        let recorder = Recorder::new(client.clone(), "Sealift Operator", options.identity.clone());
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = stand_back(takeover, &stage, &recorder, &*clock) => {}
        }
    }
    let leadership = tokio::select! {
        () = stop.cancelled() => return Ok(()),
        leadership = lead(&client, &options, &clock, &stage) => leadership?,
    };
    let ended =
        work(client, options, clock, &stop, &stage, kinds, &shown, takeover, &leadership).await;
    if let Some(leadership) = leadership {
        leadership.resign().await;
    }
    ended
}

const KINDS: [&str; 5] =
    ["Repository", "BackupConfiguration", "BackupSession", "RestoreSession", "Job"];

async fn stand_back(
    takeover: &mut Takeover,
    stage: &StageCell,
    recorder: &Recorder,
    clock: &dyn Clock,
) {
    if let Some(reason) = takeover.look().await {
        tracing::warn!(%reason, "the operator stands back");
        if let Some(found) = takeover.found() {
            let event = Event::warning("SealiftStandsBack", &reason);
            if let Err(error) = recorder.publish(&reference(&*found), &event, clock.now()).await {
                tracing::warn!(error = %chain_of_causes(&error), "an Event is not written");
            }
        }
        stage.set(Stage::StandingBack(reason));
        takeover.gone().await;
    }
}

async fn lead(
    client: &Client,
    options: &Options,
    clock: &Arc<dyn Clock>,
    stage: &StageCell,
) -> Result<Option<Leadership>, RunError> {
    if !options.leader_election {
        return Ok(None);
    }
    stage.set(Stage::Waiting);
    let candidate = Candidate::new(
        client.clone(),
        &options.namespace,
        LEASE,
        options.identity.clone(),
        Arc::clone(clock),
    );
    candidate.stand().await.map(Some).map_err(RunError::Lead)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one run, put together here only")]
async fn work(
    client: Client,
    options: Options,
    clock: Arc<dyn Clock>,
    stop: &CancellationToken,
    stage: &StageCell,
    kinds: [Arc<KindMetrics>; KINDS.len()],
    shown: &OnceLock<Arc<Cluster>>,
    takeover: Option<Takeover>,
    leadership: &Option<Leadership>,
) -> Result<(), RunError> {
    stage.set(Stage::Reading);
    let time = Time::new(clock);
    time.measure(&client).await;
    leftovers::report(&client, &options.identity, &time).await;
    let applied: Arc<Applied> = Arc::default();
    let watches = Watches::new(&client, options.watch_namespace.as_deref(), &applied);
    let stores = watches.stores();
    let (queues, requests) = queues();
    let follow =
        Follow { stores: stores.clone(), queues: queues.clone(), applied: Arc::clone(&applied) };
    let mut watching: JoinSet<()> = JoinSet::new();
    for watch in watches.read(&follow) {
        watching.spawn(watch);
    }
    let cluster = Arc::new(Cluster {
        secrets: SecretCheck::new(client.clone()),
        applied,
        admission: Admission::new(options.max_concurrent_sessions),
        taken: Taken::default(),
        given_up: GivenUp::default(),
        client,
        stores,
        queues,
        options,
        time,
    });
    // Set once per process.
    let _ = shown.set(Arc::clone(&cluster));
    let draining = CancellationToken::new();
    let lost = leadership.as_ref().map(Leadership::lost).unwrap_or_default();
    let original = original(takeover, &draining);
    tokio::pin!(original);
    let working = async {
        read_all(&cluster).await;
        stage.set(Stage::Working);
        futures::future::join_all(loops(&cluster, requests, kinds, &draining)).await;
    };
    tokio::pin!(working);
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = lost.cancelled() => Err(RunError::Lost),
        reason = &mut original => Err(RunError::Original(reason)),
        _ = watching.join_next() => Err(RunError::Ended),
        () = &mut working => Err(RunError::Ended),
    };
    draining.cancel();
    // Without the leader's place nothing more may be written.
    if !matches!(ended, Err(RunError::Lost)) && stage.get() == Stage::Working {
        working.await;
    }
    ended
}

/// Ends only when the original's operator appears.
async fn original(takeover: Option<Takeover>, stop: &CancellationToken) -> String {
    if let Some(mut takeover) = takeover
        && let Some(reason) = takeover.comes(stop).await
    {
        return reason;
    }
    std::future::pending().await
}

/// Waits for all watches, and counts what runs already.
async fn read_all(cluster: &Cluster) {
    let stores = &cluster.stores;
    futures::join!(
        stores.configurations.ready(),
        stores.sessions.ready(),
        stores.restores.ready(),
        stores.repositories.ready(),
        stores.app_bindings.ready(),
        stores.tasks.ready(),
        stores.functions.ready(),
        stores.namespaces.ready(),
        stores.jobs.ready(),
        stores.pods.ready(),
        stores.cron_jobs.ready(),
        stores.service_accounts.ready(),
        stores.roles.ready(),
        stores.role_bindings.ready(),
    );
    for session in stores.sessions.all() {
        if backup_session::is_running(&session) {
            backup_session::runs(cluster, &session);
        }
    }
    for restore in stores.restores.all() {
        if restore_session::is_running(&restore) {
            restore_session::runs(cluster, &restore);
        }
    }
    tracing::info!(
        configurations = stores.configurations.len(),
        sessions = stores.sessions.len(),
        restores = stores.restores.len(),
        "everything is read"
    );
}

/// The requests of each kind.
struct AllRequests {
    repositories: Requests,
    configurations: Requests,
    sessions: Requests,
    restores: Requests,
    triggers: Requests,
}

fn queues() -> (Queues, AllRequests) {
    let (repositories, repository_requests) = engine::queue();
    let (configurations, configuration_requests) = engine::queue();
    let (sessions, session_requests) = engine::queue();
    let (restores, restore_requests) = engine::queue();
    let (triggers, trigger_requests) = engine::queue();
    (
        Queues { repositories, configurations, sessions, restores, triggers },
        AllRequests {
            repositories: repository_requests,
            configurations: configuration_requests,
            sessions: session_requests,
            restores: restore_requests,
            triggers: trigger_requests,
        },
    )
}

fn loops(
    cluster: &Arc<Cluster>,
    requests: AllRequests,
    kinds: [Arc<KindMetrics>; KINDS.len()],
    stop: &CancellationToken,
) -> Vec<BoxFuture<'static, ()>> {
    let AllRequests { repositories, configurations, sessions, restores, triggers } = requests;
    let [of_repository, of_configuration, of_session, of_restore, of_trigger] = kinds;
    let queues = cluster.queues.clone();
    vec![
        one(cluster, repositories, queues.repositories, of_repository, stop, repository::reconcile),
        one(
            cluster,
            configurations,
            queues.configurations,
            of_configuration,
            stop,
            backup_configuration::reconcile,
        ),
        one(cluster, sessions, queues.sessions, of_session, stop, backup_session::reconcile),
        one(cluster, restores, queues.restores, of_restore, stop, restore_session::reconcile),
        one(cluster, triggers, queues.triggers, of_trigger, stop, trigger::reconcile),
    ]
}

fn one<F, Fut>(
    cluster: &Arc<Cluster>,
    requests: Requests,
    queue: Queue,
    metrics: Arc<KindMetrics>,
    stop: &CancellationToken,
    reconcile: F,
) -> BoxFuture<'static, ()>
where
    F: Fn(Arc<Cluster>, Key) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Next>> + Send + 'static,
{
    let (cluster, stop) = (Arc::clone(cluster), stop.clone());
    Box::pin(async move {
        let with_cluster = |key| reconcile(Arc::clone(&cluster), key);
        engine::run(requests, queue, CONCURRENCY, metrics, stop, with_cluster).await;
    })
}
