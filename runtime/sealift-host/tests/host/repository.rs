//! The repository's two interfaces: whole snapshots only, by paths that stay inside.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealift_core::grants::RepositoryGrant;
use sealift_host::ports::{PortError, Ports};
use sealift_host::{ChainOutcome, Stage};

use crate::chains::statistic;
use crate::guests::{descriptor, function_with, run, stage};
use crate::ports::{Repository, Snapshot, plain};

fn pattern(size: u32) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

async fn store(source: &str, sink: &str, repository: &Repository) -> ChainOutcome {
    let ports = Ports { repository_writer: Some(Arc::new(repository.clone())), ..plain() };
    let source = stage("source-goes-wrong", source, &[("size", "100000"), ("count", "2")]);
    run(vec![source, stage("sink-stores", sink, &[])], ports).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_staged_with_all_its_files() {
    for mode in ["forwards", "copies"] {
        let repository = Repository::default();
        assert_eq!(store("good", mode, &repository).await.failure, None);
        let written = repository.written.lock().unwrap();
        assert!(written.staged);
        assert_eq!(
            (written.tags.as_slice(), written.label.as_deref()),
            (["tested".to_owned()].as_slice(), Some("label"))
        );
        let expected = [
            ("artifact-0".to_owned(), pattern(100_000)),
            ("artifact-1".to_owned(), pattern(100_000)),
        ];
        assert_eq!(written.files, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_snapshot_is_never_staged_and_never_a_success() {
    for (source, sink, culprit, words) in [
        ("good", "never-stages", "sink-0", "did not stage the snapshot"),
        ("good", "stages-half", "sink-0", "unfinished"),
        ("good", "writes-more", "sink-0", "was created with 100000 bytes and gets 100001"),
        ("good", "climbs-out", "sink-0", "is not a path in a snapshot"),
        ("good", "takes-the-hosts-tag", "sink-0", "the host's own"),
        ("good", "begins-twice", "sink-0", "one snapshot"),
        ("writes-less", "stages-anything", "source-0", "got 99999"),
        ("fails-after-dropping", "stages-anything", "source-0", "on fire"),
        ("panics", "stages-anything", "source-0", "boom"),
        ("leaves-unfinished", "forwards", "source-0", "unfinished"),
    ] {
        let repository = Repository::default();
        let failure = store(source, sink, &repository).await.failure.unwrap();
        assert_eq!(failure.stage, culprit, "{source} {sink}: {failure}");
        assert!(failure.to_string().contains(words), "{source} {sink}: {failure}");
        let written = repository.written.lock().unwrap();
        assert!(!written.staged, "{source} {sink}: {written:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_repository_fails_the_chain_with_its_own_words() {
    for at in ["begin", "create", "write", "finish", "stage"] {
        let repository = Repository { fails_at: Some(at), ..Repository::default() };
        let failure = store("good", "forwards", &repository).await.failure.unwrap();
        assert_eq!((failure.stage.as_str(), failure.error.code()), ("sink-0", "retryable"), "{at}");
        assert!(failure.to_string().ends_with(&format!("failed at {at}")), "{failure}");
        assert!(!repository.written.lock().unwrap().staged);
    }
    let lossy = Repository { fails_at: Some("losing a byte"), ..Repository::default() };
    let failure = store("good", "forwards", &lossy).await.failure.unwrap();
    assert!(failure.to_string().contains("took 99999 bytes"), "{failure}");
}

async fn restore(mode: &str, grant: RepositoryGrant, snapshot: Snapshot) -> ChainOutcome {
    let ports = Ports { repository_reader: Some(Arc::new(snapshot)), ..plain() };
    let mut source = stage("source-restores", mode, &[]);
    source.grants.repository = Some(grant);
    run(vec![source, stage("sink-goes-wrong", "reads", &[])], ports).await
}

fn snapshot() -> Snapshot {
    let files =
        BTreeMap::from([("a".to_owned(), pattern(300_000)), ("b/c".to_owned(), pattern(7))]);
    Snapshot { files, breaks: None, hides_bytes: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_selected_snapshot_is_restored_whole() {
    let outcome = restore("selected", RepositoryGrant::ReadSelected, snapshot()).await;
    assert_eq!(outcome.failure, None);
    let sink = &outcome.stages[1];
    assert_eq!((statistic(sink, "bytes"), statistic(sink, "wrong")), (300_007.0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_snapshots_need_the_stronger_grant() {
    let outcome = restore("lists-all", RepositoryGrant::ReadSelected, snapshot()).await;
    let failure = outcome.failure.unwrap();
    assert!(failure.to_string().contains("`repository: read-all`"), "{failure}");
    let outcome = restore("lists-all", RepositoryGrant::ReadAll, snapshot()).await;
    assert_eq!(outcome.failure, None);
    // What the Function grants is not what its component asked for.
    let mut asking = descriptor("source-restores");
    asking.requests.repository = Some(RepositoryGrant::ReadSelected);
    let mut source = stage("source-restores", "lists-all", &[]);
    source.function = function_with(&asking);
    source.grants.repository = Some(RepositoryGrant::ReadAll);
    let ports = Ports { repository_reader: Some(Arc::new(snapshot())), ..plain() };
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], ports).await;
    let failure = outcome.failure.unwrap();
    assert!(failure.to_string().contains("`repository: read-all`"), "{failure}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_breaks_off_or_ends_early_is_never_an_artifact() {
    let broken = PortError::External("pack is damaged".to_owned());
    for (snapshot, words) in [
        (Snapshot { breaks: Some(broken), ..snapshot() }, "pack is damaged"),
        (Snapshot { hides_bytes: 1, ..snapshot() }, "only 299999 of 300000"),
    ] {
        let outcome = restore("selected", RepositoryGrant::ReadSelected, snapshot).await;
        let failure = outcome.failure.unwrap();
        assert!(failure.stage == "source-0" && failure.to_string().contains(words), "{failure}");
        assert!(outcome.artifacts.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_hoarded_come_to_an_end_and_bodies_that_were_read_do_not_count() {
    let failure =
        restore("hoards", RepositoryGrant::ReadSelected, snapshot()).await.failure.unwrap();
    assert_eq!(failure.error.code(), "invalid-state");
    assert!(failure.to_string().contains("more than 64 bodies"), "{failure}");
    let outcome = restore("reads-and-keeps", RepositoryGrant::ReadSelected, snapshot()).await;
    assert_eq!(outcome.failure, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_repository_says_so() {
    let sink: Stage = stage("sink-stores", "forwards", &[]);
    let outcome = run(vec![stage("source-goes-wrong", "good", &[]), sink], plain()).await;
    assert!(outcome.failure.unwrap().to_string().contains("no repository to write to"));
}
