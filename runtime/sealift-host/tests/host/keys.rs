//! Keys by handle: handed on unseen, seen or replaced only by the grant that says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sealift_core::grants::KeyGrant;
use sealift_host::ChainOutcome;
use sealift_host::ports::Ports;

use crate::guests::{descriptor, function_with, run, stage};
use crate::ports::{Keys, Repository, recorded};

async fn chain(mode: &str, grant: KeyGrant) -> (ChainOutcome, Arc<Keys>, Repository, Vec<String>) {
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
    let outcome = run(vec![source, stage("sink-stores", "forwards", &[])], ports).await;
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
