//! Limits: each ends the Function that reaches it, says which it was, and hurts nobody else.

use std::time::Duration;

use sealift_core::limits::Limits;
use sealift_host::{Chain, ChainOutcome, FunctionError, LimitKind, Stage, Status};
use tokio_util::sync::CancellationToken;

use crate::chains::statistic;
use crate::guests::{host, run, stage};
use crate::ports::{plain, recorded};

fn limited(mode: &str, limits: Limits) -> Stage {
    Stage { limits, ..stage("source-goes-wrong", mode, &[("count", "100000")]) }
}

fn which(outcome: &ChainOutcome) -> LimitKind {
    match &outcome.failure.as_ref().unwrap().error {
        FunctionError::Limit { which, .. } => *which,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_ends_when_its_cpu_time_is_used_up() {
    let source = limited("loops", Limits { cpu_seconds: 1, ..Limits::default() });
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await;
    assert_eq!(which(&outcome), LimitKind::CpuTime);
    assert!(outcome.stages[0].cpu >= Duration::from_secs(1));
    assert!(outcome.failure.unwrap().to_string().contains("limits.cpuSeconds"));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_slow_neighbour_costs_no_cpu_time() {
    // The sink pauses about 80 times; the source waits for longer than it may compute.
    let mut source =
        stage("source-goes-wrong", "good", &[("size", "20000000"), ("chunk", "250000")]);
    source.limits.cpu_seconds = 1;
    let sink =
        stage("sink-goes-wrong", "hands-back-slowly", &[("chunk", "250000"), ("pause", "25")]);
    let outcome = run(vec![source, sink], plain()).await;
    assert_eq!(outcome.failure, None);
    assert!(outcome.stages[0].wall > Duration::from_secs(1), "the test waits for long enough");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_and_the_limit_is_named() {
    let source = limited("eats-memory", Limits { memory_bytes: 32 << 20, ..Limits::default() });
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await;
    assert_eq!(which(&outcome), LimitKind::Memory);
    assert!(outcome.stages[0].peak_memory <= 32 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_are_bounded() {
    for (count, fails) in [("5000", false), ("20000", true)] {
        let source = stage("source-downloads", "hoards-handles", &[("count", count)]);
        let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await;
        let told = outcome.failure.map(|failure| failure.to_string());
        assert_eq!(told.is_some(), fails, "{count}: {told:?}");
        assert!(told.is_none_or(|told| told.contains("handle")), "{count}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleep_ends_with_its_wall_time() {
    let source = limited("sleeps", Limits { wall_seconds: 1, ..Limits::default() });
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await;
    assert_eq!(which(&outcome), LimitKind::WallTime);
    assert_eq!(outcome.stages[1].status, Status::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_out_of_time_is_told_and_stays_the_cause() {
    let (ports, recorder) = recorded();
    let source = stage("source-goes-wrong", "sends-and-sleeps", &[("size", "10")]);
    let mut sink = stage("sink-goes-wrong", "tells-cancellation", &[]);
    sink.limits.wall_seconds = 1;
    let outcome = run(vec![source, sink], ports).await;
    let failure = outcome.failure.clone().unwrap();
    assert_eq!((which(&outcome), failure.stage.as_str()), (LimitKind::WallTime, "sink-0"));
    assert_eq!(failure.artifact.as_deref(), Some("artifact"));
    assert!(!failure.to_string().contains("cancelled"), "it only repeats itself: {failure}");
    assert_eq!(outcome.stages[1].status, Status::Failed);
    assert_eq!(outcome.stages[0].status, Status::Cancelled);
    let told = recorder.lines().into_iter().find(|line| line.contains("told: ")).unwrap();
    assert!(told.contains("limits.wallTime") && told.ends_with(", true"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_in_the_grace_is_kept() {
    let source = stage("source-goes-wrong", "sends-and-sleeps", &[("size", "10")]);
    let mut sink = stage("sink-goes-wrong", "warns-when-cancelled", &[]);
    sink.limits.wall_seconds = 1;
    let failure = run(vec![source, sink], plain()).await.failure.unwrap().to_string();
    assert!(failure.contains("limits.wallTime"), "{failure}");
    assert!(failure.contains("half of it may be there"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_ends_with_its_deadline_and_when_it_is_cancelled() {
    for deadline in [Some(Duration::from_millis(200)), None] {
        let cancel = CancellationToken::new();
        let chain = Chain {
            stages: vec![
                stage("source-goes-wrong", "sleeps", &[]),
                stage("sink-goes-wrong", "reads", &[]),
            ],
            ports: plain(),
            cancel: cancel.clone(),
            deadline,
        };
        let running = tokio::spawn(host().run_chain(chain));
        if deadline.is_none() {
            cancel.cancel();
        }
        let outcome = running.await.unwrap();
        assert!(outcome.stages.iter().all(|stage| stage.status == Status::Cancelled));
        let failure = outcome.failure.clone().unwrap();
        assert_eq!(failure.stage, "", "stopped from outside");
        match deadline {
            Some(_) => assert_eq!(which(&outcome), LimitKind::Deadline),
            None => assert_eq!(failure.to_string(), "cancelled: the session was cancelled"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ignores_the_cancellation_is_killed_and_is_not_the_cause() {
    for sink in ["ignores-cancellation", "never-reads", "sleeps-after-first-run"] {
        let source = stage("source-goes-wrong", "fails-after-dropping", &[("size", "10")]);
        let outcome = run(vec![source, stage("sink-goes-wrong", sink, &[])], plain()).await;
        assert_eq!(outcome.failure.unwrap().stage, "source-0", "{sink}");
        assert_eq!(outcome.stages[1].status, Status::Cancelled, "{sink}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_lines_is_cut_counted_and_cleaned() {
    let (ports, recorder) = recorded();
    let source = limited("floods-log", Limits { log_bytes: 20_000, ..Limits::default() });
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], ports).await;
    assert_eq!(outcome.failure, None);
    let told: usize = recorder.lines().iter().map(String::len).sum();
    assert!(told < 30_000, "{told}");
    assert!(outcome.stages[0].log_dropped > 100_000);
    assert!(recorder.lines().iter().all(|line| !line.chars().any(char::is_control)));
    assert!(outcome.stages[0].stderr_tail.ends_with("error 99999 [31m"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_artifacts_is_taken_in_order() {
    let source = stage("source-goes-wrong", "floods-artifacts", &[("count", "30000")]);
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(statistic(&outcome.stages[1], "artifacts"), 30_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_carries_a_bounded_list() {
    let sink = || stage("sink-goes-wrong", "reads", &[]);
    let fits = stage("source-goes-wrong", "one-write", &[("size", "16000000")]);
    assert_eq!(run(vec![fits, sink()], plain()).await.failure, None);
    let giant = stage("source-goes-wrong", "one-write", &[("size", "40000000")]);
    let failure = run(vec![giant, sink()], plain()).await.failure.unwrap();
    assert_eq!((failure.stage.as_str(), failure.error.code()), ("source-0", "trap"), "{failure}");
}
