//! Stages that break their promises: each fails its chain, with the stage, the artifact and the
//! cause that are to blame.

use sealift_host::ports::{Events, LogLevel, Ports};
use sealift_host::{ChainOutcome, Class, Status};

use crate::guests::{run, stage};
use crate::ports::{plain, recorded};

async fn chain(source: &str, sink: &str) -> ChainOutcome {
    let source = stage("source-goes-wrong", source, &[("size", "100000"), ("chunk", "1000")]);
    run(vec![source, stage("sink-goes-wrong", sink, &[("chunk", "1000")])], plain()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_cause_is_named_with_stage_artifact_and_code() {
    for (source, sink, stage, artifact, code, words) in [
        (
            "writes-more",
            "reads",
            "source-0",
            Some("artifact"),
            "data-loss-risk",
            "declared with 100000 bytes",
        ),
        ("writes-less", "reads", "source-0", Some("artifact"), "data-loss-risk", "got 99999"),
        (
            "hides-writing-less",
            "reads",
            "source-0",
            Some("artifact"),
            "data-loss-risk",
            "left artifact artifact unfinished",
        ),
        (
            "leaves-unfinished",
            "reads",
            "source-0",
            Some("artifact"),
            "data-loss-risk",
            "unfinished",
        ),
        ("leaks-artifact", "reads", "source-0", Some("artifact"), "data-loss-risk", "unfinished"),
        (
            "fails-after-dropping",
            "reads",
            "source-0",
            Some("artifact"),
            "external-failed",
            "the disk is on fire",
        ),
        ("opens-two", "reads", "source-0", Some("first"), "invalid-state", "first is still open"),
        (
            "writes-after-as-stdout",
            "reads",
            "source-0",
            Some("artifact"),
            "invalid-state",
            "as-stdout",
        ),
        ("panics", "reads", "source-0", None, "trap", "boom with a secret-free message"),
        ("exits", "reads", "source-0", None, "trap", "exit with code 1"),
        (
            "good",
            "returns-early",
            "sink-0",
            Some("artifact-0"),
            "data-loss-risk",
            "it took nothing of artifact artifact-0",
        ),
        ("good", "drops-bodies", "sink-0", Some("artifact-0"), "invalid-state", "still open"),
        ("good", "receives-twice", "sink-0", Some("artifact-0"), "invalid-state", "still open"),
        (
            "good",
            "reads-first-run-only",
            "sink-0",
            Some("artifact-0"),
            "data-loss-risk",
            "did not take all bytes",
        ),
        (
            "good",
            "reads-half-of-stdin",
            "sink-0",
            Some("artifact-0"),
            "data-loss-risk",
            "returned ok",
        ),
        (
            "good",
            "fails-after-first-run",
            "sink-0",
            Some("artifact-0"),
            "external-failed",
            "no space",
        ),
        ("good", "fails-at-once", "sink-0", None, "external-failed", "no space"),
        ("good", "panics-at-once", "sink-0", None, "trap", "sink boom"),
        // A sink that does not look at errors still cannot make a broken artifact whole.
        (
            "writes-less",
            "swallows-errors",
            "source-0",
            Some("artifact"),
            "data-loss-risk",
            "got 99999",
        ),
    ] {
        let outcome = chain(source, sink).await;
        let failure =
            outcome.failure.clone().unwrap_or_else(|| panic!("{source} {sink} succeeded"));
        let seen = format!("{source} {sink}: {failure}");
        assert_eq!(failure.stage, stage, "{seen}");
        assert_eq!(failure.artifact.as_deref(), artifact, "{seen}");
        assert_eq!(failure.error.code(), code, "{seen}");
        assert!(failure.to_string().contains(words), "{seen}");
        let failed: Vec<&str> = outcome
            .stages
            .iter()
            .filter(|stage| stage.status == Status::Failed)
            .map(|stage| stage.name.as_str())
            .collect();
        assert_eq!(failed, [stage], "{seen}: the others were only dragged along");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_typed_error_comes_through_with_its_class() {
    for (code, class) in [
        ("invalid-parameter", Class::Invalid),
        ("denied", Class::Invalid),
        ("retryable", Class::Transient),
        ("external-failed", Class::Failed),
        ("data-loss-risk", Class::Failed),
        ("cancelled", Class::Transient),
        ("invalid-state", Class::Internal),
        ("my-own-code", Class::Failed),
    ] {
        let source = stage("source-goes-wrong", "fails", &[("code", code)]);
        let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await;
        let failure = outcome.failure.unwrap();
        assert_eq!((failure.error.code(), failure.error.class()), (code, class));
        assert_eq!(failure.stage, "source-0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_reads_as_one_line_with_stage_and_function() {
    let outcome = chain("fails-after-dropping", "reads").await;
    assert_eq!(
        outcome.failure.unwrap().to_string(),
        "stage source-0 (source source-goes-wrong), artifact artifact: the disk is on fire"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_is_told_of_the_failure_and_never_sees_an_end() {
    for source in ["fails-after-dropping", "panics", "leaves-unfinished", "writes-less"] {
        let (ports, recorder) = recorded();
        let source_stage = stage("source-goes-wrong", source, &[("size", "100000")]);
        let sink = stage("sink-goes-wrong", "tells-cancellation", &[]);
        let outcome = run(vec![source_stage, sink], ports).await;
        assert_eq!(outcome.failure.unwrap().stage, "source-0");
        assert_eq!(outcome.stages[1].status, Status::Cancelled);
        let told = recorder.lines().into_iter().find(|line| line.contains("told: ")).unwrap();
        assert!(told.contains("stage source-0: ") && told.ends_with(", true"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transform_cannot_finish_an_artifact_whose_source_broke_off() {
    for source in ["fails-after-dropping", "leaves-unfinished", "writes-less"] {
        let stages = vec![
            stage("source-goes-wrong", source, &[("size", "100000")]),
            stage("transform-goes-wrong", "swallows-errors", &[]),
            stage("sink-goes-wrong", "reads", &[]),
        ];
        let outcome = run(stages, plain()).await;
        assert_eq!(outcome.failure.unwrap().stage, "source-0");
        assert!(outcome.artifacts.is_empty(), "{source}: {:?}", outcome.artifacts);
        assert!(outcome.stages.iter().all(|stage| stage.status != Status::Succeeded));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_told_without_the_hosts_own_frames() {
    let outcome = chain("panics", "reads").await;
    let text = format!("{:?}", outcome.failure.unwrap());
    assert!(text.contains("run") && text.contains("boom"), "{text}");
    for host in ["wasmtime", "tokio", "src/stage.rs", "/rustc/", "sealift_host"] {
        assert!(!text.contains(host), "{host} in {text}");
    }
}

/// Falls over when it is told something.
struct Falls;

impl Events for Falls {
    fn log(&self, _: &str, _: LogLevel, _: &str) {
        panic!("a port fell over")
    }
    fn phase(&self, _: &str, _: &str) {}
    fn progress(&self, _: &str, _: Option<u64>, _: u64) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_whose_task_fell_over_has_failed_and_is_the_cause() {
    let ports = Ports { events: std::sync::Arc::new(Falls), ..plain() };
    let source = stage("source-goes-wrong", "floods-log", &[]);
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], ports).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.error.code(), "internal", "{failure}");
    assert!(failure.to_string().contains("a stage's task ended"), "{failure}");
    assert_eq!(outcome.stages[0].status, Status::Failed);
}
