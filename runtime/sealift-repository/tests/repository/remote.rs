//! Repositories on restic's REST server and in an S3 bucket, over TLS and without.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sealift_core::plan::{Location, Retention};
use sealift_repository::{ErrorClass, Login, Options, Repository, Secrets};
use zeroize::Zeroizing;

use crate::servers::{
    Server, binary, certificate, restic_ok, start_on_a_free_port, start_on_any_port,
};
use crate::support::{PASSWORD, at, backup, noise, read, small};

const REST_PASSWORD: &str = "p@ss/word: 7";
/// User `bob`, the password above, as SHA-1.
const HTPASSWD: &str = "bob:{SHA}dTy6Jf0OPxnBGU6dVCNskDUn+Qs=";
const S3_KEY: &str = "access-key-of-the-test";
const S3_SECRET: &str = "secret/key+of=the-test";

fn login(user: &str, password: &str) -> Login {
    Login { user: Zeroizing::new(user.to_owned()), password: Zeroizing::new(password.to_owned()) }
}

/// Everything a repository is for, once.
fn exercise(location: &Location, secrets: &Secrets) -> (Repository, String) {
    let error = Repository::open(location, secrets, small()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::NoRepository, "{error:?}");
    let repository = Repository::init(location, secrets, small()).unwrap();
    Repository::init(location, secrets, small()).unwrap_err();
    let (again, created) = Repository::open_or_init(location, secrets, small()).unwrap();
    assert!(!created);
    let bytes = noise(1, 20 << 20);
    backup(&again, "2026-11-19T01:00:00Z", &[("backup.snap", b"older")]).unwrap();
    let committed = backup(
        &repository,
        "2026-11-20T01:00:00Z",
        &[("backup.snap", &bytes), ("keys/root-token", b"\"token\"")],
    )
    .unwrap();
    let id = committed.snapshot.id;
    assert_eq!(read(&repository, &id, "backup.snap").unwrap(), bytes);
    assert_eq!(read(&repository, &id, "keys/root-token").unwrap(), b"\"token\"");
    let now = at("2026-11-20T02:00:00Z");
    let retention = Retention { keep_last: 1, ..Retention::default() };
    assert_eq!(repository.forget(&retention, now).unwrap().removed.len(), 1);
    repository.prune(now, false).unwrap();
    assert!(repository.check(true).unwrap().ok());
    assert_eq!(repository.resume().unwrap(), sealift_repository::Resumed::default());
    let statistics = repository.statistics().unwrap();
    assert_eq!(statistics.snapshots, 1);
    assert!(statistics.pack_bytes > 20 << 20);
    let wrong = Secrets { password: Zeroizing::new("wrong".to_owned()), ..secrets.clone() };
    let error = Repository::open(location, &wrong, small()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::WrongPassword, "{error:?}");
    (repository, id)
}

fn rest_server(folder: &Path, arguments: &[&str]) -> Server {
    let data = folder.join("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join(".htpasswd"), HTPASSWD).unwrap();
    let mut command = Command::new(binary("rest-server"));
    command.arg("--path").arg(&data).args(["--listen", "127.0.0.1:0"]).args(arguments);
    start_on_any_port(command, "start server on ")
}

fn rest_secrets() -> Secrets {
    Secrets { rest: Some(login("bob", REST_PASSWORD)), ..Secrets::new(PASSWORD) }
}

#[test]
fn a_repository_on_a_rest_server_over_tls_with_its_own_ca() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, certificate, key) = certificate(folder.path());
    let server = rest_server(
        folder.path(),
        &["--tls", "--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()],
    );
    let location = Location::Rest { url: format!("https://127.0.0.1:{}/team/vault/", server.port) };
    let secrets = Secrets { ca_pem: Some(pem), ..rest_secrets() };
    exercise(&location, &secrets);
    restic_ok(
        folder.path().join("data/team/vault").to_str().unwrap(),
        &["check", "--read-data"],
        &[],
    );

    // Without the CA, without a login, with a wrong one: errors, never a new repository.
    let no_ca = Secrets { ca_pem: None, ..secrets.clone() };
    let no_login = Secrets { rest: None, ..secrets.clone() };
    let wrong_login = Secrets { rest: Some(login("bob", "another-p@ss")), ..secrets.clone() };
    let quick = Options { request_timeout: std::time::Duration::from_secs(5), ..small() };
    for (secrets, said) in [(no_ca, ""), (no_login, "401"), (wrong_login, "401")] {
        let error = Repository::open_or_init(&location, &secrets, quick.clone()).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
        let text = format!("{} {error:?}", error.chain());
        assert!(text.contains(said), "{text}");
        for secret in [REST_PASSWORD, "p%40ss", "another-p@ss", "another-p", PASSWORD] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[test]
fn a_login_inside_the_url_is_refused_without_being_shown() {
    let location = Location::Rest { url: "https://bob:hidden-word@127.0.0.1:1/".to_owned() };
    let error = Repository::open(&location, &rest_secrets(), small()).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("REST_SERVER_PASSWORD") && !text.contains("hidden-word"), "{text}");
}

#[test]
fn an_append_only_server_takes_backups_and_refuses_forget() {
    let folder = tempfile::tempdir().unwrap();
    let server = rest_server(folder.path(), &["--append-only"]);
    let location = Location::Rest { url: format!("http://127.0.0.1:{}/", server.port) };
    let repository = Repository::init(&location, &rest_secrets(), small()).unwrap();
    for time in ["2026-11-19T01:00:00Z", "2026-11-20T01:00:00Z"] {
        backup(&repository, time, &[("a", time.as_bytes())]).unwrap();
    }
    let retention = Retention { keep_last: 1, ..Retention::default() };
    let error = repository.forget(&retention, at("2026-11-20T02:00:00Z")).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    assert!(error.chain().contains("403"), "{}", error.chain());
    assert_eq!(repository.snapshots().unwrap().len(), 2);
}

pub(crate) fn s3_server(folder: &Path, arguments: &[&str]) -> Server {
    let root = folder.join("root");
    std::fs::create_dir_all(root.join("backups")).unwrap();
    let program = binary("versitygw");
    start_on_a_free_port(|port| {
        let mut command = Command::new(&program);
        command
            .env("ROOT_ACCESS_KEY", S3_KEY)
            .env("ROOT_SECRET_KEY", S3_SECRET)
            .args(["--quiet", "--port", &format!("127.0.0.1:{port}")])
            .args(arguments)
            .arg("posix")
            .arg(&root);
        command
    })
}

pub(crate) fn s3_location(endpoint: String, prefix: &str, insecure_tls: bool) -> Location {
    Location::S3 {
        endpoint,
        bucket: "backups".to_owned(),
        prefix: prefix.to_owned(),
        region: "us-east-1".to_owned(),
        insecure_tls,
    }
}

pub(crate) fn s3_secrets() -> Secrets {
    Secrets { s3: Some(login(S3_KEY, S3_SECRET)), ..Secrets::new(PASSWORD) }
}

#[test]
fn a_repository_in_a_bucket_that_restic_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let server = s3_server(folder.path(), &[]);
    let endpoint = format!("http://127.0.0.1:{}", server.port);
    let location = s3_location(endpoint.clone(), "/demo/vault/", false);
    exercise(&location, &s3_secrets());
    let keys = [("AWS_ACCESS_KEY_ID", S3_KEY), ("AWS_SECRET_ACCESS_KEY", S3_SECRET)];
    let repository = format!("s3:{endpoint}/backups/demo/vault");
    let said = restic_ok(&repository, &["check", "--read-data"], &keys);
    assert!(said.contains("no errors were found"), "{said}");

    // Objects that only look like files of the repository, in folders of their own, are none.
    let root = folder.path().join("root/backups/demo/vault");
    let before = Repository::open(&location, &s3_secrets(), small()).unwrap();
    let before = before.statistics().unwrap();
    for stray in ["snapshots/old", "data/old", "data/00/old", "index/old"] {
        std::fs::create_dir_all(root.join(stray)).unwrap();
        std::fs::write(root.join(stray).join("ab".repeat(32)), "no file of ours").unwrap();
    }
    let repository = Repository::open(&location, &s3_secrets(), small()).unwrap();
    assert_eq!(repository.statistics().unwrap(), before);
    assert_eq!(repository.snapshots().unwrap().len(), 1);
    assert_eq!(repository.resume().unwrap(), sealift_repository::Resumed::default());

    // Something else under a prefix is left alone.
    std::fs::create_dir_all(folder.path().join("root/backups/other")).unwrap();
    std::fs::write(folder.path().join("root/backups/other/letters.txt"), "dear").unwrap();
    let other = s3_location(endpoint.clone(), "other", false);
    let error = Repository::open_or_init(&other, &s3_secrets(), small()).unwrap_err();
    assert!(error.to_string().contains("letters.txt"), "{error}");

    // Wrong keys and a bucket that is not there are errors, never a new repository.
    let wrong = Secrets { s3: Some(login(S3_KEY, "another-secret-key")), ..s3_secrets() };
    let error = Repository::open_or_init(&location, &wrong, small()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    let text = format!("{} {error:?}", error.chain());
    assert!(!text.contains("another-secret-key") && !text.contains(S3_SECRET), "{text}");
    let Location::S3 { endpoint, prefix, region, .. } = location else { panic!() };
    let missing = Location::S3 {
        endpoint,
        bucket: "no-such-bucket".to_owned(),
        prefix,
        region,
        insecure_tls: false,
    };
    let error = Repository::open_or_init(&missing, &s3_secrets(), small()).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
}

#[test]
fn a_bucket_over_tls_needs_its_ca_unless_insecure_tls_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, certificate, key) = certificate(folder.path());
    let server = s3_server(
        folder.path(),
        &["--cert", certificate.to_str().unwrap(), "--key", key.to_str().unwrap()],
    );
    let location = |insecure| {
        // As a manifest has it: no scheme means TLS.
        s3_location(format!("127.0.0.1:{}", server.port), "demo", insecure)
    };
    let with_ca = Secrets { ca_pem: Some(pem), ..s3_secrets() };
    let repository = Repository::init(&location(false), &with_ca, small()).unwrap();
    let committed = backup(&repository, "2026-11-20T01:00:00Z", &[("a", b"over TLS")]).unwrap();
    let quick = Options { request_timeout: std::time::Duration::from_secs(5), ..small() };
    let error = Repository::open(&location(false), &s3_secrets(), quick).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    let insecure = Repository::open(&location(true), &s3_secrets(), small()).unwrap();
    assert_eq!(read(&insecure, &committed.snapshot.id, "a").unwrap(), b"over TLS");
}

/// A server that refuses every request and repeats in its answer who asked, as Amazon's does.
fn repeating_refusal() -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 8192]);
            let body = format!(
                "<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>{S3_KEY}</AWSAccessKeyId></Error>"
            );
            let _ = stream.write_all(
                format!(
                    "HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
                .as_bytes(),
            );
        }
    });
    format!("http://{address}")
}

#[test]
fn an_access_key_that_a_server_repeats_stands_in_no_error() {
    let location = s3_location(repeating_refusal(), "demo", false);
    // Init looks into the bucket before there is a gate.
    for error in [
        Repository::init(&location, &s3_secrets(), small()).unwrap_err(),
        Repository::open(&location, &s3_secrets(), small()).unwrap_err(),
    ] {
        assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
        let text = format!("{} {error:?}", error.chain());
        assert!(!text.contains(S3_KEY), "{text}");
    }
    let error = Repository::init(&location, &s3_secrets(), small()).unwrap_err();
    assert!(error.chain().contains("<AWSAccessKeyId>[redacted]<"), "{}", error.chain());
}

#[test]
fn a_proxy_in_the_environment_is_not_asked_for_a_bucket() {
    const INSIDE: &str = "SEALIFT_TEST_WITH_A_PROXY";
    if std::env::var_os(INSIDE).is_none() {
        // The environment of a process that has threads cannot be changed: a second process.
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "remote::a_proxy_in_the_environment_is_not_asked_for_a_bucket"])
            .env(INSIDE, "1")
            .envs(["http_proxy", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, repeating_refusal())))
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = s3_server(folder.path(), &[]);
    for host in ["127.0.0.1", "localhost"] {
        let location = s3_location(format!("http://{host}:{}", server.port), host, false);
        Repository::init(&location, &s3_secrets(), small()).unwrap();
    }
}

#[test]
fn a_repository_may_be_dropped_by_asynchronous_code() {
    let folder = tempfile::tempdir().unwrap();
    let server = s3_server(folder.path(), &[]);
    let location = s3_location(format!("http://127.0.0.1:{}", server.port), "async", false);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let repository = tokio::task::spawn_blocking(move || {
            Repository::init(&location, &s3_secrets(), small()).unwrap()
        })
        .await
        .unwrap();
        drop(repository);
    });
}

/// Answers every request over TLS with a redirect to there.
fn redirecting(folder: &Path, to: String) -> u16 {
    use std::io::{Read, Write};
    let (_, certificate, key) = certificate(folder);
    let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\ncontent-length: 0\r\n\
                 connection: close\r\n\r\n"
            );
            // A client that went away is the next one's place.
            let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
        }
    });
    port
}

#[test]
fn a_bucket_over_tls_never_leads_to_one_without() {
    let folder = tempfile::tempdir().unwrap();
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    plain.set_nonblocking(true).unwrap();
    let port = redirecting(folder.path(), format!("http://{}/", plain.local_addr().unwrap()));
    let quick = Options { request_timeout: std::time::Duration::from_secs(3), ..small() };
    let location = s3_location(format!("https://127.0.0.1:{port}"), "demo", true);
    let error = Repository::open(&location, &s3_secrets(), quick).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Storage, "{error:?}");
    let error = plain.accept().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "somebody connected");
}
