//! `/metrics`, `/healthz`, `/readyz`: what the cluster asks of the operator itself.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::expectation;
use crate::metrics::{Gauge, KindMetrics, render};
use crate::stage::StageCell;

/// Any pod may ask. Of more connections the oldest gives way, so that whoever holds many open keeps
/// nobody from an answer: without one, the operator would be restarted.
const CONNECTIONS: usize = 64;
/// How long a connection may say nothing. Longer than the usual interval between scrapes, so that
/// a scraper keeps its connection.
const IDLE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(200);

/// What is told.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) stage: StageCell,
    pub(crate) kinds: Vec<Arc<KindMetrics>>,
    pub(crate) cluster: Arc<OnceLock<Arc<Cluster>>>,
}

/// Listens; the requests are served until told to stop.
pub(crate) async fn serve(
    address: SocketAddr,
    told: Told,
    stop: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tokio::spawn(async move {
        let mut open: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection to the metrics server failed");
                    // Without a file descriptor to spare the next one fails at once.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            open.retain(|connection| !connection.is_finished());
            if open.len() >= CONNECTIONS
                && let Some(oldest) = open.pop_front()
            {
                oldest.abort();
            }
            let told = told.clone();
            let connection = tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = told.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let mut http = http1::Builder::new();
                http.timer(TokioTimer::new()).header_read_timeout(IDLE);
                if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                    tracing::debug!(%error, "a connection to the metrics server broke off");
                }
            });
            open.push_back(connection.abort_handle());
        }
    });
    Ok(bound)
}

impl Told {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, text) = match request.uri().path() {
            "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
            "/readyz" => self.ready(),
            "/metrics" => (StatusCode::OK, render(&self.kinds, &self.gauges())),
            _ => (StatusCode::NOT_FOUND, "there are /metrics, /healthz and /readyz\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
        response
    }

    fn ready(&self) -> (StatusCode, String) {
        let stage = self.stage.get();
        let mut text = format!("{}\n", stage.text());
        let mut ready = stage.is_ready();
        for (kind, seen, trouble) in self.cluster.get().iter().flat_map(|it| it.stores.health()) {
            if let Some(trouble) = trouble {
                text.push_str(&format!("{kind}: {trouble}\n"));
            }
            ready = ready && seen;
        }
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, text)
    }

    fn gauges(&self) -> Vec<Gauge> {
        let Some(cluster) = self.cluster.get() else { return Vec::new() };
        let mut gauges = Vec::new();
        let mut add = |name, help, labels: String, value: f64| {
            gauges.push(Gauge { name, help, labels, value });
        };
        let told = |kind: &str, phase: &str, count: usize| {
            (format!("kind=\"{kind}\",phase=\"{phase}\""), number(count))
        };
        let backups = by_phase(cluster.stores.sessions.all(), |session| {
            session.status.as_ref()?.phase.map(|phase| format!("{phase:?}"))
        });
        let restores = by_phase(cluster.stores.restores.all(), |session| {
            session.status.as_ref()?.phase.map(|phase| format!("{phase:?}"))
        });
        for (kind, counts) in [("BackupSession", backups), ("RestoreSession", restores)] {
            // Those without an object are told, too: an alarm needs a series to look at.
            for phase in PHASES {
                let (labels, value) = told(kind, phase, counts.get(phase).copied().unwrap_or(0));
                add("sealift_sessions", "Sessions by kind and phase.", labels, value);
            }
        }
        for (kind, queue) in cluster.queues.by_kind() {
            add(
                "sealift_reconcile_queue_depth",
                "Objects that are due and wait for their turn.",
                format!("kind=\"{kind}\""),
                number(queue.depth()),
            );
        }
        let (running, waiting) = cluster.admission.counts();
        add(
            "sealift_sessions_running",
            "BackupSessions and RestoreSessions that hold a place.",
            String::new(),
            number(running),
        );
        add(
            "sealift_sessions_waiting",
            "BackupSessions and RestoreSessions that wait for a place.",
            String::new(),
            number(waiting),
        );
        for (kind, seen, trouble) in cluster.stores.health() {
            let works = seen && trouble.is_none();
            add(
                "sealift_watch_works",
                "Whether the watch of a kind works.",
                format!("kind=\"{kind}\""),
                f64::from(u8::from(works)),
            );
        }
        for (kind, count) in cluster.stores.unreadable() {
            add(
                "sealift_objects_unreadable",
                "Objects that are left alone because they cannot be read.",
                format!("kind=\"{kind}\""),
                number(count),
            );
        }
        gauges.extend(expectation::gauges(&cluster.stores, cluster.now()));
        gauges
    }
}

/// `None` is a session that nobody has looked at yet.
const PHASES: [&str; 8] =
    ["None", "Pending", "Running", "Skipped", "Succeeded", "Failed", "Invalid", "Unknown"];

fn by_phase<Session>(
    sessions: Vec<Arc<Session>>,
    phase: impl Fn(&Session) -> Option<String>,
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for session in sessions {
        *counts.entry(phase(&session).unwrap_or_else(|| "None".to_owned())).or_default() += 1;
    }
    counts
}

#[expect(clippy::cast_precision_loss, reason = "a number of objects")]
fn number(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn whoever_holds_all_connections_keeps_nobody_from_an_answer() {
        let stop = CancellationToken::new();
        let told = Told { stage: StageCell::default(), kinds: Vec::new(), cluster: Arc::default() };
        let address = serve("127.0.0.1:0".parse().unwrap(), told, stop.clone()).await.unwrap();
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut asking = TcpStream::connect(address).await.unwrap();
        let request = b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
        asking.write_all(request).await.unwrap();
        let mut answer = String::new();
        let read = asking.read_to_string(&mut answer);
        // Well before the silent ones would be given up.
        tokio::time::timeout(IDLE / 2, read).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        // The oldest had to go.
        let mut oldest = silent.remove(0);
        assert_eq!(oldest.read(&mut [0]).await.unwrap(), 0);
        stop.cancel();
    }
}
