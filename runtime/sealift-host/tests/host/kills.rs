//! Uploads: whole, or broken off. Whatever kills a sink, the server never sees the end of half
//! an artifact.

use std::sync::Arc;
use std::time::Duration;

use sealift_host::{Chain, ChainOutcome};
use tokio_util::sync::CancellationToken;

use crate::guests::{host, run, stage};
use crate::ports::network;
use crate::server::{ok, start};

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
