//! The built-in Functions of a restore as components: in which order they ask, check and send,
//! and that nothing is given to Vault, or called a restore, that is not whole. What a real Vault
//! does with it is shown where the whole is tested.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sealift_host::ChainOutcome;
use sealift_host::ports::Ports;

use crate::guests::{plugin, run, stage};
use crate::ports::{Keys, Repository, Snapshot, network, plain};
use crate::server::{Server, start, start_hasty};
use crate::snapshots::{answer, noise, posted, snapshot, vault_that};

const NAME: &str = "backup.snap";
const FORCE: (&str, &str) = ("force", "true");

/// A Vault that takes what it gets.
async fn vault() -> Server {
    vault_that(|| answer(204, "")).await
}

/// The keys of the target, with values of their own.
fn keys() -> Arc<Keys> {
    let values = ["v-root-token", "v-unseal-key-0"];
    let values = values.map(|name| (name.to_owned(), b"\"former\"".to_vec()));
    Arc::new(Keys { values: Mutex::new(BTreeMap::from(values)), ..Keys::default() })
}

/// Restores these files of a snapshot.
async fn restore(
    server: &Server,
    keys: &Arc<Keys>,
    files: &[(&str, &[u8])],
    parameters: &[(&str, &str)],
) -> ChainOutcome {
    let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
    let stored = Snapshot { files, breaks: None, hides_bytes: 0 };
    let ports = Ports {
        repository_reader: Some(Arc::new(stored)),
        keys: Some(Arc::clone(keys) as _),
        ..network(&server.url)
    };
    let stages = vec![plugin("restic-download", &[]), plugin("vault-restore", parameters)];
    run(stages, ports).await
}

/// Fails in the sink, with this code and these words.
fn failed(outcome: &ChainOutcome, code: &str, words: &str) {
    let failure = outcome.failure.as_ref().expect("the chain must fail");
    assert_eq!((failure.stage.as_str(), failure.error.code()), ("sink-0", code), "{failure}");
    assert!(failure.to_string().contains(words), "{failure}");
}

const ROOT: (&str, &[u8]) = ("k-root-token", b"\"t\"");
const SHARE: (&str, &[u8]) = ("k-unseal-key-0", b"\"s\"");

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_given_back_whole_and_then_its_keys() {
    let (server, keys, whole) = (vault().await, keys(), snapshot(&noise(600_000)));
    let files = [ROOT, SHARE, (NAME, whole.as_slice())];
    let outcome = restore(&server, &keys, &files, &[FORCE]).await;
    assert_eq!(outcome.failure, None);
    let posted = posted(&server);
    assert_eq!(posted[0].as_deref(), Some(&b""[..]), "it is asked whether it would take one");
    assert!(posted[1].as_deref() == Some(whole.as_slice()), "it is another one");
    let asked = server.seen();
    let posts = asked.iter().filter(|seen| seen.method == "POST");
    assert!(posts.clone().all(|seen| seen.path == "/v1/sys/storage/raft/snapshot-force"));
    assert_eq!(posts.count(), 2);
    let values = keys.values.lock().unwrap().clone();
    assert_eq!((&*values["v-root-token"], &*values["v-unseal-key-0"]), (ROOT.1, SHARE.1));

    // Without force the keys of the target stay what they are.
    let (server, keys) = (vault().await, self::keys());
    let outcome = restore(&server, &keys, &files, &[]).await;
    assert_eq!(outcome.failure, None);
    assert!(keys.values.lock().unwrap().values().all(|value| value == b"\"former\""));
    assert!(keys.staged.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_broken_off_and_never_whole_at_vault() {
    let mut damaged = snapshot(&noise(600_000));
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    let cut = snapshot(&noise(600_000));
    for bytes in [damaged.as_slice(), &cut[..cut.len() - 8], &noise(600_000)] {
        let (server, keys) = (vault().await, keys());
        let outcome = restore(&server, &keys, &[ROOT, SHARE, (NAME, bytes)], &[FORCE]).await;
        failed(&outcome, "data-loss-risk", "Vault was not changed");
        let posted = posted(&server);
        assert!(posted.iter().flatten().all(|body| body.is_empty()), "a whole one arrived");
        assert!(keys.values.lock().unwrap().values().all(|value| value == b"\"former\""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_restored_is_not_even_begun() {
    let whole = snapshot(&noise(1000));
    let file = (NAME, whole.as_slice());
    // Forced without all keys, and not forced without a snapshot.
    for (files, parameters, code, words) in [
        (&[file][..], &[FORCE][..], "invalid-parameter", "has no unseal keys"),
        (&[ROOT, file][..], &[FORCE][..], "invalid-parameter", "lacks unseal-key-0"),
        (&[ROOT, SHARE][..], &[][..], "data-loss-risk", "nothing was restored"),
    ] {
        let (server, keys) = (vault().await, keys());
        let outcome = restore(&server, &keys, files, parameters).await;
        failed(&outcome, code, words);
        assert!(posted(&server).is_empty());
        assert!(keys.values.lock().unwrap().values().all(|value| value == b"\"former\""));
    }
    // A target without a store for them.
    let (server, none) = (vault().await, Arc::new(Keys::default()));
    let outcome = restore(&server, &none, &[ROOT, SHARE, file], &[FORCE]).await;
    failed(&outcome, "invalid-parameter", "set unsealKeys to omit");
    assert!(server.seen().is_empty());
    // A Vault that is sealed.
    let sealed = start(|_| answer(503, r#"{"initialized":true,"sealed":true}"#)).await;
    let outcome = restore(&sealed, &keys(), &[file], &[("waitTimeout", "0")]).await;
    failed(&outcome, "retryable", "still sealed after 0 s");
    assert!(posted(&sealed).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_told_and_asked_for_before_the_snapshot_is_sent() {
    let whole = snapshot(&noise(1000));
    let files = [(NAME, whole.as_slice())];
    // By the token, which the question without a snapshot finds out.
    let server = start(|seen| match seen.method.as_str() {
        "POST" => answer(403, r#"{"errors":["permission denied"]}"#),
        _ => answer(200, r#"{"initialized":true,"sealed":false,"leader_address":"http://me"}"#),
    })
    .await;
    failed(&restore(&server, &keys(), &files, &[]).await, "denied", r#"capabilities = ["update"]"#);
    assert_eq!(posted(&server), [Some(bytes::Bytes::new())]);
    // By what is in it.
    let other = || answer(400, r#"{"errors":["could not verify hash file: other keys"]}"#);
    let server = vault_that(other).await;
    let outcome = restore(&server, &keys(), &files, &[("waitTimeout", "0")]).await;
    failed(&outcome, "invalid-parameter", "set force to true");
}

/// As Vault does, which reads no further than to the first thing that is wrong: what it says counts
/// then, not that the connection is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_the_end_of_the_snapshot_is_told() {
    let server = start_hasty(1000, |seen| match (seen.method.as_str(), &seen.body) {
        ("POST", None) => answer(400, r#"{"errors":["could not verify hash file: other keys"]}"#),
        ("POST", Some(_)) => answer(400, r#"{"errors":["failed to decompress: EOF"]}"#),
        _ => answer(200, r#"{"initialized":true,"sealed":false,"leader_address":"http://me"}"#),
    })
    .await;
    // More than fits into what lies between the two.
    let whole = snapshot(&noise(32 << 20));
    let files = [(NAME, whole.as_slice())];
    let outcome = restore(&server, &keys(), &files, &[("waitTimeout", "0")]).await;
    failed(&outcome, "invalid-parameter", "set force to true");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_come_after_the_snapshot_were_not_checked_and_fail_a_forced_restore() {
    let (whole, late) = (snapshot(&noise(1000)), noise(100_000));
    // The smaller comes first.
    let files = [ROOT, SHARE, (NAME, whole.as_slice()), ("late", late.as_slice())];
    let (server, keys) = (vault().await, keys());
    let outcome = restore(&server, &keys, &files, &[FORCE]).await;
    failed(&outcome, "invalid-state", "late came after backup.snap");
    let (server, keys) = (vault().await, self::keys());
    assert_eq!(restore(&server, &keys, &files, &[]).await.failure, None);
}

/// Vault may have other data then, and whoever must unseal it has to find the keys.
#[tokio::test(flavor = "multi_thread")]
async fn what_vault_may_have_is_said_and_its_keys_are_kept() {
    let whole = snapshot(&noise(1000));
    let files = [ROOT, SHARE, (NAME, whole.as_slice())];
    let keys = || {
        let keys = keys();
        (Arc::clone(&keys), move || keys.values.lock().unwrap()["v-root-token"].clone())
    };
    // It dies with the snapshot: whether it has it, nobody knows.
    let server = vault_that(|| panic!("this Vault dies with the snapshot")).await;
    let (store, root) = keys();
    let outcome = restore(&server, &store, &files, &[FORCE]).await;
    failed(&outcome, "retryable", "Vault may have accepted the snapshot and replaced its data");
    assert_eq!(root(), b"\"former\"");
    // It took it and fell silent, and patience ended.
    let (store, root) = keys();
    let server = vault().await;
    let outcome = restore(&server, &store, &files, &[FORCE, ("waitTimeout", "0")]).await;
    failed(&outcome, "external-failed", "Vault accepted the snapshot and may have replaced");
    failed(&outcome, "external-failed", "were written to their store");
    assert_eq!(root(), ROOT.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_of_nothing_is_neither_stored_nor_restored() {
    for count in ["0", "2"] {
        let repository = Repository::default();
        let ports = Ports { repository_writer: Some(Arc::new(repository.clone())), ..plain() };
        let source = stage("source-goes-wrong", "good", &[("size", "1000"), ("count", count)]);
        let outcome = run(vec![source, plugin("restic-upload", &[])], ports).await;
        let written = repository.written.lock().unwrap();
        if count == "0" {
            failed(&outcome, "data-loss-risk", "there is nothing to store");
            assert!(!written.staged && written.files.is_empty(), "{written:?}");
        } else {
            assert_eq!(outcome.failure, None);
            assert!(written.staged, "{written:?}");
            let names: Vec<&str> = written.files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["artifact-0", "artifact-1"]);
        }
    }
    let outcome = restore(&vault().await, &keys(), &[], &[]).await;
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.stage, "source-0", "{failure}");
    assert!(failure.to_string().contains("has no file in the folder"), "{failure}");
}
