//! Observers: they see the outcome, and their own failure is theirs alone.

use sealift_host::{FunctionError, OutcomeKind, OutcomeStage, SessionOutcome, Status};
use tokio_util::sync::CancellationToken;

use crate::guests::{host, stage};
use crate::ports::recorded;

fn outcome() -> SessionOutcome {
    let error = FunctionError::Retryable { message: "later".to_owned(), after_seconds: Some(7) };
    SessionOutcome {
        overall: Status::Failed,
        cause: Some(error.clone()),
        stages: vec![
            OutcomeStage {
                name: "vault-backup".to_owned(),
                kind: OutcomeKind::Stage,
                status: Status::Succeeded,
                error: None,
                statistics: vec![("bytes".to_owned(), 5.0)],
            },
            OutcomeStage {
                name: "keep-last".to_owned(),
                kind: OutcomeKind::Retention,
                status: Status::Failed,
                error: Some(error),
                statistics: vec![],
            },
        ],
        statistics: vec![("duration-seconds".to_owned(), 1.5)],
        committed: Some("0123abcd".to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_sees_the_whole_outcome() {
    let (ports, recorder) = recorded();
    let observer = stage("observer-goes-wrong", "tells", &[]);
    let ended = host().run_observer(observer, &outcome(), &ports, CancellationToken::new()).await;
    assert_eq!((ended.status, ended.error), (Status::Succeeded, None));
    assert_eq!(
        recorder.lines(),
        [
            "observer-0 Info overall Status::Failed cause Some(Error::Retryable(RetryError { message: \"later\", after-seconds: Some(7) }))",
            "observer-0 Info stage vault-backup Status::Succeeded None [(\"bytes\", 5.0)]",
            "observer-0 Info retention keep-last Status::Failed Some(Error::Retryable(RetryError { message: \"later\", after-seconds: Some(7) })) []",
            "observer-0 Info statistics [(\"duration-seconds\", 1.5)] committed Some(\"0123abcd\")",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_observer_fails_alone_and_a_source_is_no_observer() {
    let (ports, _) = recorded();
    let observer = stage("observer-goes-wrong", "panics", &[]);
    let ended = host().run_observer(observer, &outcome(), &ports, CancellationToken::new()).await;
    assert_eq!(ended.status, Status::Failed);
    assert!(ended.error.unwrap().to_string().contains("observer boom"));
    let source = stage("source-goes-wrong", "good", &[]);
    let ended = host().run_observer(source, &outcome(), &ports, CancellationToken::new()).await;
    assert!(ended.error.unwrap().to_string().contains("cannot be run as an observer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_that_never_ends_is_ended_with_the_session() {
    let (ports, _) = recorded();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let observer = stage("observer-goes-wrong", "spins", &[]);
    let ended = host().run_observer(observer, &outcome(), &ports, cancel).await;
    // Not by its limits, which would be its own failure.
    assert_eq!(ended.status, Status::Cancelled);
    assert!(ended.error.unwrap().to_string().contains("the session was cancelled"));
}

#[test]
fn an_outcome_survives_being_recorded() {
    let json = serde_json::to_string(&outcome()).unwrap();
    assert_eq!(serde_json::from_str::<SessionOutcome>(&json).unwrap(), outcome());
}
