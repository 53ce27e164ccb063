//! The network by name: reached only as granted, with TLS, credential and redirects done by the
//! host, and never with half an answer taken for a whole one.

use std::sync::Arc;

use sealift_core::grants::HttpGrant;
use sealift_core::plan::Origin;
use sealift_host::ports::Ports;
use sealift_host::{ChainFailure, ChainOutcome, Stage, Status};

use crate::chains::statistic;
use crate::guests::{descriptor, function_with, http, run, stage};
use crate::ports::{Repository, Token, network, origin, plain, recorded};
use crate::server::{Server, certificate, ok, redirect, start, start_raw, start_tls};

fn pattern(size: u32) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

async fn get(mode: &str, parameters: &[(&str, &str)], ports: Ports) -> ChainOutcome {
    fetch(stage("source-downloads", mode, parameters), ports).await
}

async fn fetch(source: Stage, ports: Ports) -> ChainOutcome {
    run(vec![source, stage("sink-goes-wrong", "reads", &[])], ports).await
}

fn failed(outcome: ChainOutcome) -> ChainFailure {
    let failure = outcome.failure.expect("the chain must fail");
    assert_eq!(failure.stage, "source-0", "{failure}");
    assert!(outcome.artifacts.is_empty());
    failure
}

fn with_token(mut ports: Ports) -> Ports {
    ports.credentials = Arc::new(Token(Some(("X-Vault-Token", "hvs.of-the-host"))));
    ports
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_becomes_an_artifact_by_forwarding_or_copying() {
    let server = start(|_| ok(pattern(3_000_000))).await;
    // `drops-the-head` lets go of everything but the bytes before the first is read.
    for mode in ["forwards", "copies", "drops-the-head"] {
        let outcome = get(mode, &[("path", "/v1/snap?a=b")], network(&server.url)).await;
        assert_eq!(outcome.failure, None, "{mode}");
        let sink = &outcome.stages[1];
        assert_eq!(
            (statistic(sink, "bytes"), statistic(sink, "wrong")),
            (3_000_000.0, 0.0),
            "{mode}"
        );
    }
    let seen = server.seen();
    assert_eq!(seen[0].path, "/v1/snap?a=b");
    assert_eq!(seen[0].headers["host"], server.authority(), "the origin's host, not the name");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credential_is_the_hosts_and_cannot_be_shadowed_or_seen() {
    let server = start(|_| ok("x")).await;
    let headers = [("headers", "x-vault-token=guess,x-vault-namespace=ns")];
    let outcome = get("forwards", &headers, with_token(network(&server.url))).await;
    assert_eq!(outcome.failure, None);
    let headers = &server.seen()[0].headers;
    let tokens: Vec<_> = headers.get_all("x-vault-token").iter().collect();
    assert_eq!(tokens, ["hvs.of-the-host"]);
    assert_eq!(headers["x-vault-namespace"], "ns");
    assert!(!format!("{outcome:?}").contains("hvs.of-the-host"));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_the_connection_are_the_hosts() {
    let server = start(|_| ok("x")).await;
    let headers = [("headers", "te=trailers,trailer=x,x-vault-namespace=ns")];
    let outcome = get("forwards", &headers, network(&server.url)).await;
    assert_eq!(outcome.failure, None);
    let headers = &server.seen()[0].headers;
    assert_eq!(headers["x-vault-namespace"], "ns");
    assert!(!headers.contains_key("te") && !headers.contains_key("trailer"), "{headers:?}");
}

/// A server that answers with the credential it was given, as a proxy in debug mode does.
async fn echo(status: u16) -> Server {
    start(move |seen| {
        let token = seen.headers["x-vault-token"].to_str().unwrap();
        let mut answer = ok(format!("denied X-Vault-Token: {token}"));
        *answer.status_mut() = status.try_into().unwrap();
        answer
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_a_server_echoes_is_told_nowhere() {
    let server = echo(403).await;
    for mode in ["repeats-the-answer", "panics-with-the-answer"] {
        let (plain, recorder) = recorded();
        let ports = with_token(Ports { origins: vec![origin(&server.url)], ..plain });
        let outcome = get(mode, &[], ports).await;
        let failure = outcome.failure.as_ref().unwrap().to_string();
        assert!(failure.contains("denied X-Vault-Token: [redacted]"), "{failure}");
        let source = &outcome.stages[0];
        assert!(source.stderr_tail.contains("X-Vault-Token: [redacted]"), "{}", source.stderr_tail);
        let told: Vec<&str> = outcome.artifacts[0].attributes.iter().map(|(_, v)| &**v).collect();
        assert_eq!(told, ["denied X-Vault-Token: [redacted]"; 2]);
        let lines = recorder.lines();
        // A log, a phase, a statistic without a name, and the line on standard error.
        let redacted = lines.iter().filter(|line| line.contains("[redacted]")).count();
        assert!(redacted >= 4, "{lines:?}");
        let all = format!("{outcome:?} {lines:?} {}", serde_json::to_string(&outcome).unwrap());
        assert!(!all.contains("hvs.of-the-host"), "{all}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_part_of_a_credential_is_left_where_an_error_is_cut() {
    // The longest message of a Function has 4 KiB: they end at every byte of the credential.
    for before in 4075..4096 {
        let server = start(move |seen| {
            let token = seen.headers["x-vault-token"].to_str().unwrap();
            ok(format!("{}{token}{}", "-".repeat(before), "+".repeat(4096)))
        })
        .await;
        let failure =
            failed(get("fails-with-the-answer", &[], with_token(network(&server.url))).await);
        assert!(!failure.to_string().contains("hv"), "{before}: {failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_is_named_by_a_credential_names_it_nowhere() {
    let server = echo(200).await;
    let outcome = get("names-by-the-answer", &[], with_token(network(&server.url))).await;
    let failure = outcome.failure.as_ref().unwrap();
    let name = failure.artifact.as_deref().unwrap_or_default();
    assert!(name.contains("X-Vault-Token: [redacted]"), "{name}");
    assert!(!format!("{outcome:?}").contains("hvs."), "{outcome:?}");
    // Nor where the host finds the words itself.
    let outcome = get("leaves-what-it-named", &[], with_token(network(&server.url))).await;
    let error = outcome.stages[0].error.as_ref().unwrap().to_string();
    assert!(error.contains("left artifact denied X-Vault-Token: [redacted]"), "{error}");
    assert!(!format!("{outcome:?}").contains("hvs."), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_stage_tells_no_credential_that_an_artifact_brought() {
    let (server, repository) = (echo(200).await, Repository::default());
    let ports = Ports {
        repository_writer: Some(Arc::new(repository.clone())),
        ..with_token(network(&server.url))
    };
    let source = stage("source-downloads", "forwards", &[]);
    let outcome = run(vec![source, stage("sink-stores", "tags-content", &[])], ports).await;
    assert_eq!(outcome.failure, None);
    let written = repository.written.lock().unwrap();
    assert_eq!(written.tags[1], "denied X-Vault-Token: [redacted]");
    // What is in an artifact is data and stays as it is.
    assert_eq!(written.files[0].1, b"denied X-Vault-Token: hvs.of-the-host");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_denied_is_told_even_when_the_function_hides_it() {
    let server = start(|_| ok("x")).await;
    for (host, path, words) in [
        ("example.org", "/", "host example.org is not granted"),
        ("169.254.169.254", "/latest/meta-data", "host 169.254.169.254 is not granted"),
        ("target:1234", "/v1/x", "a name has no port"),
        ("user@target", "/v1/x", "user name"),
        ("target", "/v2/x", "paths: [\"/v2/x\"]"),
        ("target", "/v1/../v2/x", "no . and no .. parts"),
        ("target", "/v1/%2e%2e/v2/x", "no . and no .. parts"),
    ] {
        let mut source =
            stage("source-downloads", "hides-the-reason", &[("host", host), ("path", path)]);
        source.grants.http = vec![http(&["GET"], &["/v1/*"])];
        let failure = failed(fetch(source, network(&server.url)).await);
        let text = failure.to_string();
        assert!(text.contains("something went wrong") && text.contains(words), "{text}");
    }
    let mut source = stage("source-downloads", "forwards", &[("method", "PUT"), ("path", "/v1/x")]);
    source.grants.http = vec![http(&["GET"], &["/v1/*"])];
    assert!(
        failed(fetch(source, network(&server.url)).await).to_string().contains("methods: [PUT]")
    );
    assert!(server.seen().is_empty(), "nothing went out");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unbound_name_and_a_server_that_is_not_there_are_told() {
    let text = failed(get("forwards", &[], plain()).await).to_string();
    assert!(text.contains("name target is not bound"), "{text}");
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let text = failed(get("forwards", &[], network(&gone)).await).to_string();
    assert!(text.contains("cannot connect to 127.0.0.1"), "{text}");
    let text = failed(get("forwards", &[], network("http://nowhere.invalid")).await).to_string();
    assert!(text.contains("nowhere.invalid does not resolve"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_answer_is_never_a_whole_one() {
    for (answer, words) in [
        // Ends when the connection does: half of it would look like all of it.
        (&b"HTTP/1.1 200 OK\r\n\r\nhalf"[..], "neither a length nor chunks"),
        (b"HTTP/1.0 200 OK\r\n\r\nhalf", "neither a length nor chunks"),
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhalf", "neither a length nor chunks"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", ""),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", ""),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nha", ""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 9\r\n\r\nhalf", ""),
        (b"garbage\r\n\r\n", ""),
    ] {
        let server = start_raw(answer).await;
        for mode in ["forwards", "copies"] {
            let failure = failed(get(mode, &[], network(&server.url)).await);
            assert!(failure.to_string().contains(words), "{failure}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_length_and_a_kept_pollable_are_errors_with_words() {
    let server = start(|_| ok(pattern(1000))).await;
    let failure = failed(get("expects-one-more", &[], network(&server.url)).await);
    assert_eq!(failure.error.code(), "data-loss-risk");
    assert!(failure.to_string().contains("only 1000 of 1001"), "{failure}");
    for (mode, code) in [("keeps-a-pollable", "trap"), ("leaks-a-pollable", "invalid-state")] {
        let failure = failed(get(mode, &[], network(&server.url)).await);
        assert_eq!(failure.error.code(), code);
        assert!(failure.to_string().contains("still has a pollable"), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_followed_to_allowed_hosts_with_the_credential() {
    let leader = start(|_| ok(pattern(10))).await;
    let to = format!("{}/v1/snap?a=b", leader.url);
    let standby = start(move |_| redirect(307, &to)).await;
    let listed =
        Origin { redirect_hosts: vec![leader.authority().to_owned()], ..origin(&standby.url) };
    let ports = with_token(Ports { origins: vec![listed], ..plain() });
    let outcome = get("forwards", &[("path", "/v1/snap?a=b"), ("times", "3")], ports).await;
    assert_eq!(outcome.failure, None);
    let seen = leader.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.path == "/v1/snap?a=b"));
    assert!(seen.iter().all(|request| request.headers["x-vault-token"] == "hvs.of-the-host"));
    assert_eq!(standby.seen().len(), 1, "later requests go to the leader at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_elsewhere_is_refused_and_sees_no_credential() {
    let thief = start(|_| ok("x")).await;
    let to = format!("{}/v1/snap", thief.url);
    let server = start(move |_| redirect(308, &to)).await;
    let failure = failed(get("forwards", &[], with_token(network(&server.url))).await);
    assert!(
        failure.to_string().contains(&format!("redirects to {}", thief.authority())),
        "{failure}"
    );
    assert!(failure.to_string().contains("allowedHosts"), "{failure}");
    assert!(thief.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_stays_inside_the_grant_and_comes_to_an_end() {
    let server = start(|_| redirect(307, "/v1/again")).await;
    let failure = failed(get("forwards", &[("path", "/v1/again")], network(&server.url)).await);
    assert!(failure.to_string().contains("more than 2 times"), "{failure}");
    assert_eq!(server.seen().len(), 3);
    let server = start(|_| redirect(307, "/v1/secret/data")).await;
    let mut source = stage("source-downloads", "forwards", &[("path", "/v1/sys/snap")]);
    source.grants.http = vec![http(&["GET"], &["/v1/sys/*"])];
    let failure = failed(fetch(source, with_token(network(&server.url))).await);
    assert!(failure.to_string().contains("/v1/secret/data"), "{failure}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_body_is_never_sent_twice() {
    let leader = start(|_| ok("x")).await;
    let to = format!("{}/v1/restore", leader.url);
    let standby = start(move |_| redirect(307, &to)).await;
    let listed =
        Origin { redirect_hosts: vec![leader.authority().to_owned()], ..origin(&standby.url) };
    let ports = Ports { origins: vec![listed], ..plain() };
    let parameters = [("method", "PUT"), ("content", "once"), ("path", "/v1/restore")];
    let failure = failed(get("forwards", &parameters, ports).await);
    assert_eq!(failure.error.code(), "retryable", "{failure}");
    assert!(failure.to_string().contains("never sent twice"), "{failure}");
    assert!(leader.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn https_never_becomes_http() {
    let plain_server = start(|_| ok("x")).await;
    let to = format!("{}/v1/x", plain_server.url);
    let certificate = certificate(&["127.0.0.1"]);
    let server = start_tls(&certificate, move |_| redirect(307, &to)).await;
    let mut bound = origin(&server.url);
    bound.ca_pem = Some(certificate.ca_pem.clone());
    bound.redirect_hosts = vec![plain_server.authority().to_owned()];
    let ports = with_token(Ports { origins: vec![bound], ..plain() });
    let failure = failed(get("forwards", &[], ports).await);
    assert!(failure.to_string().contains("https to http"), "{failure}");
    assert!(plain_server.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_ca_of_the_origin_and_nothing_else() {
    let (right, other) = (certificate(&["127.0.0.1", "vault.test"]), certificate(&["127.0.0.1"]));
    let server: Server = start_tls(&right, |_| ok("x")).await;
    let bound = |change: &dyn Fn(&mut Origin)| {
        let mut bound = origin(&server.url);
        change(&mut bound);
        Ports { origins: vec![bound], ..plain() }
    };
    let ca = |pem: &str| Some(pem.to_owned());
    let good: [&dyn Fn(&mut Origin); 3] = [
        &|origin| origin.ca_pem = ca(&right.ca_pem),
        &|origin| {
            origin.ca_pem = ca(&right.ca_pem);
            origin.server_name = Some("vault.test".to_owned());
        },
        &|origin| origin.insecure_skip_tls_verify = true,
    ];
    for change in good {
        assert_eq!(get("forwards", &[], bound(change)).await.failure, None);
    }
    let bad: [(&dyn Fn(&mut Origin), &str); 5] = [
        (&|_| {}, "TLS failed"),
        (&|origin| origin.ca_pem = ca(&other.ca_pem), "TLS failed"),
        (
            &|origin| {
                origin.ca_pem = ca(&right.ca_pem);
                origin.server_name = Some("other.test".to_owned());
            },
            "TLS failed",
        ),
        (&|origin| origin.ca_pem = ca("no certificate"), "holds no certificate"),
        (
            &|origin| {
                origin.ca_pem = ca("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            },
            "CA certificate of origin target is not usable",
        ),
    ];
    for (change, words) in bad {
        let failure = failed(get("forwards", &[], bound(change)).await);
        assert!(failure.to_string().contains(words), "{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_cannot_be_used_starts_nothing() {
    let mut bound = origin("https://vault.test");
    bound.ca_pem = Some("no certificate".to_owned());
    for bound in [bound, origin("ftp://vault.test/"), origin("data:text/plain,x")] {
        let outcome = get("forwards", &[], Ports { origins: vec![bound], ..plain() }).await;
        assert_eq!(outcome.stages[1].status, Status::Skipped);
        assert_eq!(failed(outcome).error.code(), "denied");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_is_reached_only_where_the_origin_itself_says_so() {
    let server = start(|_| ok("x")).await;
    let closed = Ports { allow_loopback: false, ..network(&server.url) };
    let failure = failed(get("forwards", &[], closed).await);
    assert!(failure.to_string().contains("loopback"), "{failure}");

    // A name that resolves to loopback is not an origin that is loopback ...
    let port = server.authority().rsplit(':').next().unwrap().to_owned();
    let mut named = origin(&format!("http://vault.test:{port}"));
    named.addresses = vec![format!("127.0.0.1:{port}"), "169.254.1.1:80".to_owned()];
    let ports = Ports { origins: vec![named.clone()], ..plain() };
    let failure = failed(get("forwards", &[], ports).await);
    assert!(failure.to_string().contains("is loopback and never connected to"), "{failure}");
    assert!(server.seen().is_empty());
    // ... unless the user bound it to loopback, and to nothing else, by hand.
    named.addresses.pop();
    let outcome = get("forwards", &[], Ports { origins: vec![named], ..plain() }).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(server.seen()[0].headers["host"], format!("vault.test:{port}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_hoarded_come_to_an_end() {
    let server = start(|_| ok(pattern(1000))).await;
    assert_eq!(get("forwards", &[("times", "60")], network(&server.url)).await.failure, None);
    let failure = failed(get("forwards", &[("times", "70")], network(&server.url)).await);
    assert!(failure.to_string().contains("too many answers are open"), "{failure}");
    assert_eq!(server.seen().len(), 60 + 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_of_an_origin_stands_before_every_request() {
    let server = start(|_| ok("x")).await;
    let ports = network(&format!("{}/prefix/", server.url));
    assert_eq!(get("forwards", &[("path", "/v1/x")], ports).await.failure, None);
    assert_eq!(server.seen()[0].path, "/prefix/v1/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_of_an_origin_are_its_own_and_not_those_of_its_leader() {
    let leader = start(|_| ok(pattern(10))).await;
    let to = format!("{}/v1/snap", leader.url);
    let standby = start(move |_| redirect(307, &to)).await;
    let port = standby.authority().rsplit(':').next().unwrap().to_owned();
    let bound = Origin {
        addresses: vec![format!("127.0.0.1:{port}")],
        redirect_hosts: vec![leader.authority().to_owned()],
        ..origin(&format!("http://vault.test:{port}"))
    };
    let outcome = get("forwards", &[], Ports { origins: vec![bound], ..plain() }).await;
    assert_eq!(outcome.failure, None);
    assert_eq!((standby.seen().len(), leader.seen().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_the_component_does_not_ask_for_is_not_even_looked_at() {
    let vault = start(|_| ok("v")).await;
    let mut source = stage("source-downloads", "forwards", &[]);
    let more = HttpGrant { name: "pushgateway".to_owned(), ..source.grants.http[0].clone() };
    source.grants.http.push(more);
    let unusable = Origin { name: "pushgateway".to_owned(), ..origin("ftp://metrics.x") };
    let ports = Ports { origins: vec![origin(&vault.url), unusable], ..plain() };
    assert_eq!(fetch(source, ports).await.failure, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_leads_to_its_own_origin() {
    let (vault, metrics) = (start(|_| ok("v")).await, start(|_| ok("m")).await);
    let mut asking = descriptor("source-downloads");
    asking
        .requests
        .http
        .push(HttpGrant { name: "pushgateway".to_owned(), ..asking.requests.http[0].clone() });
    let mut source = stage("source-downloads", "forwards", &[("host", "pushgateway")]);
    source.function = function_with(&asking);
    source.grants = asking.requests.clone();
    let second = Origin { name: "pushgateway".to_owned(), ..origin(&metrics.url) };
    let ports = Ports { origins: vec![origin(&vault.url), second], ..plain() };
    assert_eq!(fetch(source, ports).await.failure, None);
    assert_eq!((vault.seen().len(), metrics.seen().len()), (0, 1));
}
