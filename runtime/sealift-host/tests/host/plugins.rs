//! Built-in Functions as components: what the code around their tested parts does. That they work
//! with a real Vault and a real Pushgateway is shown where the whole is tested.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use flate2::read::MultiGzDecoder;
use sealift_core::plan::Origin;
use sealift_host::ports::{KeyStore, PortError, PortResult, Ports};
use sealift_host::{ChainFailure, ChainOutcome, SessionOutcome, StageOutcome, Status};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::guests::{host, plugin, run, stage};
use crate::ports::{Keys, Repository, network, origin, plain};
use crate::server::{Answer, Seen, Server, ok, start};
use crate::snapshots::{answer, gzip, noise, snapshot};

const SNAPSHOT: &str = "/v1/sys/storage/raft/snapshot";

/// A Vault that is unsealed and leads, and answers a request for a snapshot with this.
async fn vault(snapshot: impl Fn() -> Answer + Send + Sync + 'static) -> Server {
    start(move |seen: &Seen| match seen.path.as_str() {
        "/v1/sys/health" => ok(r#"{"initialized":true,"sealed":false,"standby":false}"#),
        "/v1/sys/leader" => ok(r#"{"ha_enabled":true,"leader_address":"http://me"}"#),
        SNAPSHOT => snapshot(),
        other => answer(404, other),
    })
    .await
}

async fn backup(ports: Ports, parameters: &[(&str, &str)]) -> ChainFailure {
    let source = plugin("vault-snapshot", parameters);
    let outcome = run(vec![source, stage("sink-goes-wrong", "reads", &[])], ports).await;
    assert!(outcome.artifacts.is_empty(), "{outcome:?}");
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.stage, "source-0", "{failure}");
    failure
}

fn paths(server: &Server) -> Vec<String> {
    server.seen().into_iter().map(|seen| seen.path).collect()
}

const NO_KEYS: (&str, &str) = ("unsealKeys", "omit");

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_refused_or_damaged_is_no_artifact() {
    for (status, body, code, words) in [
        (403, r#"{"errors":["permission denied"]}"#, "denied", r#"capabilities = ["read"]"#),
        (503, r#"{"errors":["Vault is sealed"]}"#, "retryable", "Vault is sealed"),
        (204, "", "external-failed", "204"),
        (200, "no archive at all", "data-loss-risk", "snapshot"),
        (200, "", "data-loss-risk", "snapshot"),
    ] {
        let server = vault(move || answer(status, body)).await;
        let failure = backup(network(&server.url), &[NO_KEYS]).await;
        assert_eq!(failure.error.code(), code, "{status}: {failure}");
        assert!(failure.to_string().contains(words), "{status}: {failure}");
        assert_eq!(paths(&server), ["/v1/sys/health", "/v1/sys/leader", SNAPSHOT]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_is_not_ready_is_asked_for_no_snapshot() {
    let sealed = start(|_| answer(503, r#"{"initialized":true,"sealed":true}"#)).await;
    let failure = backup(network(&sealed.url), &[NO_KEYS, ("waitTimeout", "0")]).await;
    assert!(failure.to_string().contains("still sealed after 0 s"), "{failure}");
    assert!(paths(&sealed).iter().all(|path| path == "/v1/sys/health"));
    let leaderless = start(|seen: &Seen| match seen.path.as_str() {
        "/v1/sys/health" => ok(r#"{"initialized":true,"sealed":false,"standby":true}"#),
        _ => ok(r#"{"ha_enabled":true,"leader_address":""}"#),
    })
    .await;
    let failure = backup(network(&leaderless.url), &[NO_KEYS, ("waitTimeout", "0")]).await;
    assert!(failure.to_string().contains("without a leader"), "{failure}");
    assert!(!paths(&leaderless).iter().any(|path| path == SNAPSHOT));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_without_keys_fails_before_its_vault_is_asked() {
    let server = vault(|| answer(200, "")).await;
    let without = network(&server.url);
    let empty = Ports { keys: Some(Arc::new(Keys::default())), ..network(&server.url) };
    for ports in [without, empty] {
        let failure = backup(ports, &[]).await;
        assert_eq!(failure.error.code(), "invalid-parameter", "{failure}");
        assert!(failure.to_string().contains("set unsealKeys to omit"), "{failure}");
    }
    assert!(server.seen().is_empty());
}

/// Stores a backup of this Vault with these keys.
async fn store(server: &Server, keys: Arc<dyn KeyStore>) -> (ChainOutcome, Repository) {
    let repository = Repository::default();
    let ports = Ports {
        keys: Some(keys),
        repository_writer: Some(Arc::new(repository.clone())),
        ..network(&server.url)
    };
    let stages = vec![plugin("vault-snapshot", &[]), plugin("restic-upload", &[])];
    (run(stages, ports).await, repository)
}

fn unpacked(gzip: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    MultiGzDecoder::new(gzip).read_to_end(&mut tar).unwrap();
    tar
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_the_snapshot_and_every_key_beside_it() {
    let served = snapshot(&noise(300_000));
    let tar = unpacked(&served);
    let server = vault(move || ok(served.clone())).await;
    let values = ["v-root-token", "v-unseal-key-0"];
    let values = values.map(|name| (name.to_owned(), format!("\"of {name}\"").into_bytes()));
    let keys = Keys { values: Mutex::new(BTreeMap::from(values.clone())), ..Keys::default() };
    let (outcome, repository) = store(&server, Arc::new(keys)).await;
    assert_eq!(outcome.failure, None);
    let written = repository.written.lock().unwrap();
    assert!(written.staged);
    assert_eq!(written.files[0].0, "backup.snap");
    assert!(unpacked(&written.files[0].1) == tar, "the tar is another one");
    assert_eq!(written.files[1..], values);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_behind_the_snapshot_fails_the_backup() {
    for behind in [gzip(b""), gzip(b"more"), b"more".to_vec()] {
        let served = [snapshot(&noise(1000)), behind].concat();
        let server = vault(move || ok(served.clone())).await;
        let failure = backup(network(&server.url), &[NO_KEYS]).await;
        assert_eq!(failure.error.code(), "data-loss-risk", "{failure}");
    }
}

/// A store that names a key it does not have.
struct Incomplete;

#[async_trait]
impl KeyStore for Incomplete {
    async fn names(&self) -> PortResult<Vec<String>> {
        Ok(["v-root-token", "v-unseal-key-0"].map(str::to_owned).to_vec())
    }
    async fn read(&self, name: &str) -> PortResult<Zeroizing<Vec<u8>>> {
        match name {
            "v-root-token" => Ok(Zeroizing::new(b"\"t\"".to_vec())),
            _ => Err(PortError::External("it is not there".to_owned())),
        }
    }
    async fn put(&self, _name: &str, _value: Zeroizing<Vec<u8>>) -> PortResult<()> {
        Err(PortError::Denied("a backup puts nothing".to_owned()))
    }
    async fn commit(&self) -> PortResult<()> {
        Err(PortError::Denied("a backup puts nothing".to_owned()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_missing_fails_the_backup_by_its_name() {
    let served = snapshot(&noise(1000));
    let server = vault(move || ok(served.clone())).await;
    let (outcome, repository) = store(&server, Arc::new(Incomplete)).await;
    let failure = outcome.failure.unwrap();
    assert_eq!((failure.stage.as_str(), failure.error.code()), ("source-0", "external-failed"));
    assert!(failure.to_string().contains("unseal key v-unseal-key-0"), "{failure}");
    assert!(!repository.written.lock().unwrap().staged);
}

/// Pushes the metrics of a session that succeeded to a gateway that answers with this status.
async fn push(status: u16) -> (StageOutcome, Server) {
    let server = start(move |_| answer(status, "said\nthe gateway")).await;
    let facts = [
        ("direction", "backup"),
        ("invoker.kind", "BackupConfiguration"),
        ("invoker.name", "vault-backup"),
        ("invoker.namespace", "demo"),
    ];
    let facts: BTreeMap<String, String> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let bound = Origin { name: "pushgateway".to_owned(), ..origin(&server.url) };
    let ports = Ports { origins: vec![bound], facts, ..plain() };
    let outcome = SessionOutcome {
        overall: Status::Succeeded,
        cause: None,
        stages: vec![],
        statistics: vec![("duration-seconds".to_owned(), 1.5)],
        committed: None,
    };
    let observer = plugin("pushgateway-push", &[]);
    let ended = host().run_observer(observer, &outcome, &ports, CancellationToken::new()).await;
    (ended, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_go_in_one_request_and_a_gateway_that_refuses_them_is_told() {
    for (status, code) in [
        (200, None),
        (202, None),
        (401, Some("denied")),
        (400, Some("external-failed")),
        (503, Some("retryable")),
    ] {
        let (ended, server) = push(status).await;
        assert_eq!(ended.error.as_ref().map(|error| error.code()), code, "{status}: {ended:?}");
        let told = ended.error.map(|error| error.to_string()).unwrap_or_default();
        assert!(code.is_none() || told.contains("said the gateway"), "{told}");
        let seen = server.seen();
        let [request] = seen.as_slice() else { panic!("{status}: {seen:?}") };
        let path = "/metrics/job/backupconfiguration-demo-vault-backup";
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", path));
        let body = String::from_utf8(request.body.clone().unwrap().to_vec()).unwrap();
        assert!(body.contains("stash_backup_session_success{"), "{body}");
        assert!(body.contains("} 1.5\n"), "{body}");
        assert_eq!(request.headers["content-length"], body.len().to_string());
        assert!(request.headers["content-type"].to_str().unwrap().contains("version=0.0.4"));
    }
}
