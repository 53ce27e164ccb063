//! Uploads: whole, or broken off. Whatever kills a sink, the server never sees the end of half
//! an artifact.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sealift_host::ports::{
    ByteReader, PortResult, Ports, RepositoryReader, SnapshotEntry, SnapshotReader,
};
use sealift_host::{Chain, ChainOutcome};
use tokio_util::sync::CancellationToken;

use crate::guests::{host, run, stage};
use crate::ports::{network, origin, recorded};
use crate::server::{Seen, ok, start};

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_is_uploaded_whole_by_pump_or_by_copy() {
    let server = start(|_| ok("")).await;
    for mode in ["drains", "declares-length", "copies"] {
        let source = stage("source-goes-wrong", "good", &[("size", "3000000"), ("count", "2")]);
        let outcome =
            run(vec![source, stage("sink-uploads", mode, &[])], network(&server.url)).await;
        assert_eq!(outcome.failure, None, "{mode}");
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 6);
    for request in seen {
        let body = request.body.unwrap();
        assert_eq!((request.method.as_str(), body.len()), ("PUT", 3_000_000));
        assert!(body.iter().zip(0_u32..).all(|(byte, n)| u32::from(*byte) == n % 251));
    }
}

/// How many uploads the server took for complete that were not.
async fn completed_halves(source: &str, sink: &str) -> (usize, ChainOutcome) {
    let server = start(|_| ok("")).await;
    let source = stage("source-goes-wrong", source, &[("size", "300000"), ("chunk", "5000")]);
    let outcome = run(vec![source, stage("sink-uploads", sink, &[])], network(&server.url)).await;
    settle().await;
    let halves = server.seen().iter().filter(|request| request.body.is_some()).count();
    (halves, outcome)
}

/// Gives the server's tasks the chance to see what is left on their connections.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_source_left_unfinished_is_never_completed_by_a_sink() {
    for source in ["fails-after-dropping", "leaves-unfinished", "leaks-artifact", "writes-less"] {
        for sink in ["drains", "copies", "declares-length", "completes-anything"] {
            let (halves, outcome) = completed_halves(source, sink).await;
            assert_eq!(halves, 0, "{source} {sink}");
            assert_eq!(outcome.failure.unwrap().stage, "source-0", "{source} {sink}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_at_once_ends_the_function_with_words() {
    let (halves, outcome) = completed_halves("good", "writes-too-much-at-once").await;
    let failure = outcome.failure.unwrap();
    assert_eq!(
        (halves, failure.stage.as_str(), failure.error.code()),
        (0, "sink-0", "trap"),
        "{failure}"
    );
}

/// A session killed at a random moment, in every way it can be: the complete uploads that are
/// not whole are counted over all of them. 60 kills are what every run can afford; the
/// environment variable asks for more (1000 before a release).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_kill_at_any_moment_completes_an_upload() {
    let kills: u64 = std::env::var("SEALIFT_TEST_KILLS").map_or(60, |text| text.parse().unwrap());
    let server = start(|_| ok("")).await;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut cut = 0;
    for kill in 0..kills {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let ports = network(&server.url);
        let sink = ["drains", "copies", "completes-anything"][usize::try_from(kill % 3).unwrap()];
        // The source never finishes: any complete upload is half of an artifact.
        let mode = if kill % 2 == 0 { "sends-and-sleeps" } else { "fails-after-dropping" };
        let stages = vec![
            stage("source-goes-wrong", mode, &[("size", "2000000"), ("chunk", "20000")]),
            stage("sink-uploads", sink, &[]),
        ];
        let cancel = CancellationToken::new();
        let chain = Chain { stages, ports, cancel: cancel.clone(), deadline: None };
        let running = tokio::spawn(async move { host().run_chain(chain).await });
        tokio::time::sleep(Duration::from_micros(random % 30_000)).await;
        if kill % 12 == 0 {
            // Everybody is told, and killed after the grace.
            cancel.cancel();
            let outcome = running.await.unwrap();
            assert!(outcome.failure.is_some());
        } else {
            // The process's own way to go: everything is dropped where it stands.
            running.abort();
            let _ = running.await;
        }
        cut += 1;
    }
    settle().await;
    let complete = server.seen().iter().filter(|request| request.body.is_some()).count();
    let started = server.seen().len();
    println!("{cut} kills, {started} uploads were under way, {complete} completed");
    assert!(started > 0, "the kills must hit uploads");
    assert_eq!(complete, 0);
    assert_eq!(Arc::strong_count(&server.seen), 2, "no connection is left over");
}

/// A repository whose files, dropped with their stage, wait until the server has seen an end of
/// its request, whatever end that is.
#[derive(Clone)]
struct Lingering(Arc<Mutex<Vec<Seen>>>);

#[async_trait]
impl RepositoryReader for Lingering {
    async fn selected(&self) -> PortResult<Box<dyn SnapshotReader>> {
        Ok(Box::new(self.clone()))
    }
    async fn list(
        &self,
        _: &[(String, String)],
        _: Option<&str>,
        _: u32,
    ) -> PortResult<Vec<String>> {
        Ok(Vec::new())
    }
    async fn open(&self, _: &str) -> PortResult<Box<dyn SnapshotReader>> {
        self.selected().await
    }
}

#[async_trait]
impl SnapshotReader for Lingering {
    fn id(&self) -> String {
        "0123abcd".to_owned()
    }
    fn attributes(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    async fn entries(&self, _: &str, _: Option<&str>, _: u32) -> PortResult<Vec<SnapshotEntry>> {
        Ok(Vec::new())
    }
    async fn open(&self, _: &str) -> PortResult<(u64, Box<dyn ByteReader>)> {
        Ok((1, Box::new(File(self.clone()))))
    }
}

struct File(Lingering);

#[async_trait]
impl ByteReader for File {
    async fn next(&mut self) -> PortResult<Option<Bytes>> {
        Ok(None)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let Lingering(seen) = &self.0;
        // What else the runtime has to do goes on meanwhile.
        tokio::task::block_in_place(|| {
            for _ in 0..10_000 {
                if !seen.lock().unwrap().is_empty() {
                    return;
                }
                #[expect(clippy::disallowed_methods, reason = "the pause of a poll")]
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }
}

/// The body of an upload is dropped long before what breaks the connection off: only that its stage
/// is dead by then makes it an upload that broke off.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_stage_that_is_dropped_completes_nothing_however_long_that_takes() {
    let server = start(|_| ok("")).await;
    let (plain, recorder) = recorded();
    let ports = Ports {
        origins: vec![origin(&server.url)],
        repository_reader: Some(Arc::new(Lingering(Arc::clone(&server.seen)))),
        ..plain
    };
    let stages = vec![
        stage("source-restores", "leaves-an-upload", &[]),
        stage("sink-goes-wrong", "reads", &[]),
    ];
    let chain = Chain { stages, ports, cancel: CancellationToken::new(), deadline: None };
    let running = tokio::spawn(async move { host().run_chain(chain).await });
    let under_way = async {
        while !recorder.lines().iter().any(|line| line.contains("under way")) {
            assert!(!running.is_finished(), "it did not begin: {:?}", recorder.lines());
            settle().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), under_way).await.unwrap();
    running.abort();
    let _ = running.await;
    let ended = async {
        while server.seen().is_empty() {
            settle().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    let bodies: Vec<_> = server.seen().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies, [None], "half an upload was taken for a whole one");
}
