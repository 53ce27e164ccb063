//! Keys by handle: handed on unseen, seen or replaced only by the grant that says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sealift_core::grants::KeyGrant;
use sealift_host::ports::Ports;
use sealift_host::{ChainOutcome, Stage};

use crate::guests::{descriptor, function_with, run, stage};
use crate::ports::{Keys, Repository, network, plain, recorded};
use crate::server::{ok, start};

async fn chain(mode: &str, grant: KeyGrant) -> (ChainOutcome, Arc<Keys>, Repository, Vec<String>) {
    longer(mode, grant, vec![stage("sink-stores", "forwards", &[])]).await
}

async fn longer(
    mode: &str,
    grant: KeyGrant,
    rest: Vec<Stage>,
) -> (ChainOutcome, Arc<Keys>, Repository, Vec<String>) {
    let values = [("root-token", "\"hvs.secret\""), ("unseal-key-0", "\"abcd\"")];
    let values = values.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let keys = Arc::new(Keys { values: Mutex::new(BTreeMap::from(values)), ..Keys::default() });
    let repository = Repository::default();
    let (plain, recorder) = recorded();
    let ports = Ports {
        keys: Some(keys.clone()),
        repository_writer: Some(Arc::new(repository.clone())),
        ..plain
    };
    let mut asking = descriptor("source-leaks-keys");
    asking.requests.unseal_keys = Some(grant);
    let mut source = stage("source-leaks-keys", mode, &[]);
    source.function = function_with(&asking);
    source.grants.unseal_keys = Some(grant);
    let stages = std::iter::once(source).chain(rest).collect();
    let outcome = run(stages, ports).await;
    (outcome, keys, repository, recorder.lines())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_handed_on_as_they_are() {
    let (outcome, _, repository, _) = chain("hands-on", KeyGrant::Copy).await;
    assert_eq!(outcome.failure, None);
    let written = repository.written.lock().unwrap();
    assert_eq!(written.files[0], ("root-token".to_owned(), b"\"hvs.secret\"".to_vec()));
    assert_eq!(written.files[1], ("unseal-key-0".to_owned(), b"\"abcd\"".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn seeing_a_key_needs_the_grant_in_so_many_words() {
    for mode in ["reads", "reads-by-stdin"] {
        for grant in [KeyGrant::Copy, KeyGrant::Write] {
            let (outcome, ..) = chain(mode, grant).await;
            let failure = outcome.failure.unwrap();
            assert_eq!(failure.error.code(), "denied", "{failure}");
            assert!(failure.to_string().contains("`unsealKeys: read`"), "{failure}");
        }
    }
    let (outcome, ..) = chain("reads", KeyGrant::Read).await;
    assert_eq!(outcome.failure, None);
}

/// A transform, with this key grant asked for and given.
fn transform(mode: &str, grant: Option<KeyGrant>) -> Stage {
    let mut asking = descriptor("transform-goes-wrong");
    asking.requests.unseal_keys = grant;
    let mut transform = stage("transform-goes-wrong", mode, &[]);
    transform.function = function_with(&asking);
    transform.grants.unseal_keys = grant;
    transform
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stays_sealed_behind_the_first_pipe_and_is_stored_unseen() {
    // The right of the stage before to see keys is not handed on with them.
    for grant in [KeyGrant::Copy, KeyGrant::Read] {
        let rest = || {
            let (first, mut second) = (transform("forwards", None), transform("forwards", None));
            second.name = "transform-1".to_owned();
            vec![first, second, stage("sink-stores", "forwards", &[])]
        };
        let (outcome, _, repository, _) = longer("hands-on", grant, rest()).await;
        assert_eq!(outcome.failure, None);
        let files = std::mem::take(&mut repository.written.lock().unwrap().files);
        assert_eq!(files[0], ("root-token".to_owned(), b"\"hvs.secret\"".to_vec()));

        let mut reads = rest();
        reads[1].parameters.insert("mode".to_owned(), "copies".to_owned());
        let (outcome, _, repository, lines) = longer("hands-on", grant, reads).await;
        let failure = outcome.failure.clone().unwrap();
        assert_eq!((failure.stage.as_str(), failure.error.code()), ("transform-1", "denied"));
        assert!(failure.to_string().contains("`unsealKeys: read`"), "{failure}");
        let written = repository.written.lock().unwrap();
        let all = format!("{outcome:?} {lines:?} {written:?}");
        assert!(!all.contains("hvs.secret") && written.files.is_empty(), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_stage_sees_a_key_by_its_own_grant_only() {
    let rest = |mode, grant| vec![transform(mode, grant), stage("sink-stores", "forwards", &[])];
    for mode in ["copies", "copies-by-stdio"] {
        for grant in [None, Some(KeyGrant::Copy), Some(KeyGrant::Write)] {
            let (outcome, ..) = longer("hands-on", KeyGrant::Copy, rest(mode, grant)).await;
            let failure = outcome.failure.unwrap();
            assert_eq!(failure.stage, "transform-0", "{failure}");
            assert_eq!(failure.error.code(), "denied", "{failure}");
            assert!(failure.to_string().contains("`unsealKeys: read`"), "{failure}");
        }
        let read = Some(KeyGrant::Read);
        let (outcome, _, repository, _) =
            longer("hands-on", KeyGrant::Copy, rest(mode, read)).await;
        assert_eq!(outcome.failure, None, "{mode}");
        let written = repository.written.lock().unwrap();
        assert_eq!(written.files[0].1, b"\"hvs.secret\"", "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_with_a_key_in_it_is_sealed_from_the_key_on() {
    for mode in ["copies", "copies-by-stdio"] {
        let rest = vec![transform(mode, None), stage("sink-stores", "forwards", &[])];
        let (outcome, _, repository, _) = longer("mixes", KeyGrant::Copy, rest).await;
        assert_eq!(outcome.failure.unwrap().stage, "transform-0");
        assert!(repository.written.lock().unwrap().files.is_empty());
    }
    let rest = vec![transform("forwards", None), stage("sink-stores", "forwards", &[])];
    let (outcome, _, repository, _) = longer("mixes", KeyGrant::Copy, rest).await;
    assert_eq!(outcome.failure, None);
    let written = repository.written.lock().unwrap();
    assert_eq!(written.files[0].1, b"before \"hvs.secret\" after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_never_goes_out_by_http_unseen_either() {
    let server = start(|_| ok("taken")).await;
    for mode in ["drains", "copies"] {
        let values = BTreeMap::from([("root-token".to_owned(), b"\"hvs.secret\"".to_vec())]);
        let keys = Keys { values: Mutex::new(values), ..Keys::default() };
        let ports = Ports { keys: Some(Arc::new(keys)), ..network(&server.url) };
        let source = stage("source-leaks-keys", "hands-on", &[]);
        let outcome = run(vec![source, stage("sink-uploads", mode, &[])], ports).await;
        let failure = outcome.failure.unwrap();
        assert_eq!((failure.stage.as_str(), failure.error.code()), ("sink-0", "denied"), "{mode}");
    }
    let sent = |bytes: &[u8]| bytes.windows(10).any(|window| window == b"hvs.secret");
    assert!(!server.seen().iter().flat_map(|seen| &seen.body).any(|body| sent(body)));
}

#[tokio::test(flavor = "multi_thread")]
async fn replacing_keys_needs_the_grant_and_is_all_or_nothing() {
    for grant in [KeyGrant::Copy, KeyGrant::Read] {
        let (outcome, keys, ..) = chain("swaps", grant).await;
        let failure = outcome.failure.unwrap();
        assert!(failure.to_string().contains("`unsealKeys: write`"), "{failure}");
        assert!(keys.staged.lock().unwrap().is_empty());
    }
    let (outcome, keys, ..) = chain("swaps", KeyGrant::Write).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(keys.values.lock().unwrap()["root-token"], b"\"abcd\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_is_told_to_anybody() {
    let (outcome, _, _, lines) = chain("reads", KeyGrant::Copy).await;
    let all = format!("{outcome:?} {lines:?}");
    assert!(!all.contains("hvs.secret") && !all.contains("abcd"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_guess_does_not_tell_the_digest_of_a_sealed_key() {
    use sha2::Digest as _;
    let digest = hex::encode(sha2::Sha256::digest(b"\"hvs.secret\""));
    // Who may read a key has other ways to see it; what it forwards stays sealed.
    for grant in [KeyGrant::Copy, KeyGrant::Read] {
        let (outcome, _, _, lines) = chain("guesses", grant).await;
        let text = format!("{:?} {:?} {lines:?}", outcome.failure, outcome.stages);
        assert!(text.contains("artifact root-token has another sha256 and 000"), "{text}");
        assert!(!text.contains(&digest), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seeing_a_key_needs_both_keys() {
    let read = Some(KeyGrant::Read);
    for (asked, granted) in [(Some(KeyGrant::Copy), read), (read, Some(KeyGrant::Copy))] {
        // From the store.
        let mut asking = descriptor("source-leaks-keys");
        asking.requests.unseal_keys = asked;
        let mut source = stage("source-leaks-keys", "reads", &[]);
        source.function = function_with(&asking);
        source.grants.unseal_keys = granted;
        let values = BTreeMap::from([("root-token".to_owned(), b"\"hvs.secret\"".to_vec())]);
        let keys = Keys { values: Mutex::new(values), ..Keys::default() };
        let ports = Ports { keys: Some(Arc::new(keys)), ..plain() };
        let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], ports).await;
        assert_eq!(outcome.failure.unwrap().error.code(), "denied", "{asked:?} {granted:?}");
        // From an artifact.
        let mut later = transform("copies", asked);
        later.grants.unseal_keys = granted;
        let rest = vec![later, stage("sink-stores", "forwards", &[])];
        let (outcome, ..) = longer("hands-on", KeyGrant::Copy, rest).await;
        let failure = outcome.failure.unwrap();
        assert_eq!((failure.stage.as_str(), failure.error.code()), ("transform-0", "denied"));
    }
}
