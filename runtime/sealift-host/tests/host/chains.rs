//! Chains that go well: every way bytes can take arrives whole and in order.

use sealift_host::{FunctionError, StageOutcome, Status};

use crate::guests::{run, stage};
use crate::ports::plain;

pub(crate) fn statistic(stage: &StageOutcome, name: &str) -> f64 {
    stage.statistics.iter().find(|(known, _)| known == name).unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_arrive_whole_and_in_order_whichever_way_they_take() {
    let size = "3000007";
    for (source, between, sink) in [
        ("good", vec![], "reads"),
        ("unknown-size", vec![], "reads"),
        ("stdout", vec![], "reads"),
        ("good", vec![], "reads-stdin"),
        ("good", vec![], "reads-all-but-the-end"),
        ("good", vec!["copies"], "reads"),
        ("good", vec!["forwards"], "reads"),
        ("good", vec!["copies-by-stdio"], "reads"),
        ("stdout", vec!["copies-by-stdio", "forwards", "copies"], "reads-stdin"),
    ] {
        let mut stages =
            vec![stage("source-goes-wrong", source, &[("size", size), ("chunk", "65537")])];
        for (index, mode) in between.iter().enumerate() {
            let mut transform = stage("transform-goes-wrong", mode, &[]);
            transform.name = format!("transform-{index}");
            stages.push(transform);
        }
        stages.push(stage("sink-goes-wrong", sink, &[("chunk", "40000")]));
        let outcome = run(stages, plain()).await;
        assert_eq!(outcome.failure, None, "{source} {between:?} {sink}");
        assert!(outcome.stages.iter().all(|stage| stage.status == Status::Succeeded));
        let last = outcome.stages.last().unwrap();
        assert_eq!(statistic(last, "bytes"), 3_000_007.0, "{source} {between:?} {sink}");
        assert_eq!(statistic(last, "wrong"), 0.0, "{source} {between:?} {sink}");
        assert_eq!(outcome.artifacts.len(), 1 + between.len());
        assert!(outcome.artifacts.iter().all(|record| record.size == 3_000_007));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_artifacts_keep_their_order_and_their_attributes() {
    let source = stage("source-goes-wrong", "good", &[("size", "100"), ("count", "50")]);
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], plain()).await;
    assert_eq!(outcome.failure, None);
    let sink = &outcome.stages[1];
    assert_eq!((statistic(sink, "artifacts"), statistic(sink, "bytes")), (50.0, 5000.0));
    assert_eq!(statistic(sink, "attributes"), 100.0, "the early and the late one of each");
    let names: Vec<&str> = outcome.artifacts.iter().map(|record| record.name.as_str()).collect();
    let expected: Vec<String> = (0..50).map(|index| format!("artifact-{index}")).collect();
    assert_eq!(names, expected);
    let attributes = &outcome.artifacts[7].attributes;
    assert_eq!(attributes[1], ("index".to_owned(), "7".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_tells_what_a_stage_used() {
    let source = stage("source-goes-wrong", "good", &[("size", "1000000")]);
    let outcome = run(vec![source, stage("sink-goes-wrong", "discards", &[])], plain()).await;
    assert_eq!(outcome.failure, None);
    let source = &outcome.stages[0];
    assert!(source.peak_memory > 0 && source.cpu <= source.wall && source.first_byte.is_some());
    assert_eq!(statistic(source, "bytes"), 1_000_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_flows_is_bounded_by_the_pipe_and_not_by_its_size() {
    // 256 MiB through a pipe of 4 MiB, while the source's memory stays what its chunks need.
    let source = stage(
        "source-goes-wrong",
        "good",
        &[("size", "16777216"), ("count", "16"), ("chunk", "1048576")],
    );
    let outcome = run(vec![source, stage("sink-goes-wrong", "discards", &[])], plain()).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(statistic(&outcome.stages[1], "bytes"), 268_435_456.0);
    assert!(outcome.stages[0].peak_memory < 16 << 20, "{}", outcome.stages[0].peak_memory);
}

#[tokio::test]
async fn one_thread_is_enough_for_a_chain() {
    let stages = vec![
        stage("source-goes-wrong", "good", &[("size", "20000000"), ("chunk", "1000000")]),
        stage("copies-bytes", "", &[]),
        stage("sink-goes-wrong", "reads", &[]),
    ];
    let outcome = run(stages, plain()).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(statistic(&outcome.stages[2], "bytes"), 20_000_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standard_output_waits_for_a_slow_reader_without_waking_for_nothing() {
    // Many times the pipe's bound: the output has to wait, and ten idle wakes would end it.
    let source = stage("source-goes-wrong", "stdout", &[("size", "20000000"), ("chunk", "100000")]);
    let sink = stage("sink-goes-wrong", "hands-back-slowly", &[("chunk", "1000000")]);
    let outcome = run(vec![source, sink], plain()).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(statistic(&outcome.stages[1], "bytes"), 20_000_000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_was_promised_is_checked() {
    let sink = || stage("sink-goes-wrong", "reads", &[]);
    let bytes: Vec<u8> = (0..1000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
    let right = {
        use sha2::Digest;
        hex::encode(sha2::Sha256::digest(&bytes))
    };
    let source = stage("source-goes-wrong", "digest", &[("digest", &right)]);
    let outcome = run(vec![source, sink()], plain()).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.artifacts[0].checksum, Some(format!("sha256:{right}")));
    let source = stage("source-goes-wrong", "digest", &[("digest", &"0".repeat(64))]);
    let outcome = run(vec![source, sink()], plain()).await;
    let failure = outcome.failure.unwrap();
    assert!(matches!(failure.error, FunctionError::DataLossRisk(_)), "{failure}");
    assert!(failure.to_string().contains(&right), "nothing in it is sealed: {failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_a_source_transforms_and_a_sink() {
    let source = || stage("source-goes-wrong", "good", &[]);
    let sink = || stage("sink-goes-wrong", "reads", &[]);
    let transform = || stage("transform-goes-wrong", "forwards", &[]);
    for stages in [
        vec![],
        vec![source()],
        vec![sink(), source()],
        vec![transform(), sink()],
        vec![source(), sink(), sink()],
    ] {
        let count = stages.len();
        let outcome = run(stages, plain()).await;
        assert!(outcome.failure.is_some());
        assert_eq!(outcome.stages.len(), count);
        assert!(outcome.stages.iter().all(|stage| stage.status == Status::Skipped));
    }
}
