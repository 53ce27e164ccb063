//! A leader that a redirect led to: asked at once from then on, and no longer once it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sealift_core::plan::Origin;
use sealift_host::ChainOutcome;
use sealift_host::ports::Ports;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::guests::{run, stage};
use crate::ports::{origin, plain};
use crate::server::{Server, ok, redirect, start};

const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server that gives these answers, one to each connection, and is gone before the last is given.
async fn mortal(answers: &'static [&'static [u8]]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut listener = Some(listener);
        for (nth, answer) in answers.iter().enumerate() {
            let (mut stream, _) = listener.as_ref().unwrap().accept().await.unwrap();
            if nth + 1 == answers.len() {
                listener = None;
            }
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    url
}

/// A server that is not there any more.
fn dead() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A standby that sends each request on to the next of these; after them it serves by itself.
async fn standby(leaders: &[&str]) -> (Server, Ports) {
    let to: Vec<String> = leaders.iter().map(|leader| (*leader).to_owned()).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let server = start(move |_| match to.get(asked.fetch_add(1, Ordering::SeqCst)) {
        Some(leader) => redirect(307, &format!("{leader}/v1/x")),
        None => ok("served"),
    })
    .await;
    let allowed = leaders.iter().map(|leader| leader.split("//").nth(1).unwrap().to_owned());
    let bound = Origin { redirect_hosts: allowed.collect(), ..origin(&server.url) };
    (server, Ports { origins: vec![bound], ..plain() })
}

async fn get(mode: &str, parameters: &[(&str, &str)], ports: Ports) -> ChainOutcome {
    let mut given = vec![("path", "/v1/x")];
    given.extend(parameters);
    let source = stage("source-downloads", mode, &given);
    run(vec![source, stage("sink-goes-wrong", "reads", &[])], ports).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_followed_leader_that_died_is_left_for_the_one_the_origin_names_now() {
    let (first, second) = (mortal(&[GOOD]).await, start(|_| ok("ok")).await);
    let (standby, ports) = standby(&[&first, &second.url]).await;
    let outcome = get("forwards", &[("times", "3")], ports).await;
    assert_eq!(outcome.failure, None);
    assert_eq!((standby.seen().len(), second.seen().len()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_names_a_dead_leader_is_asked_once_for_a_request() {
    let (standby, ports) = standby(&[&dead(), &dead(), &dead()]).await;
    let text = get("forwards", &[], ports).await.failure.unwrap().to_string();
    assert!(text.contains("cannot connect to"), "{text}");
    assert_eq!(standby.seen().len(), 1);
    // The next request asks it again.
    let (standby, ports) = self::standby(&[&dead()]).await;
    assert_eq!(get("goes-on", &[("times", "2")], ports).await.failure, None);
    assert_eq!(standby.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_may_have_reached_a_leader_is_never_repeated() {
    let leader = mortal(&[GOOD, b"HTTP/1.1 200 OK\r\n"]).await;
    let (standby, ports) = standby(&[&leader]).await;
    let failure = get("forwards", &[("times", "2")], ports).await.failure;
    assert!(failure.is_some());
    assert_eq!(standby.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_body_does_not_go_back_to_the_origin_by_itself() {
    let (standby, ports) = standby(&[&dead()]).await;
    // Sent on to the leader; not sent, the leader is dead; sent to the origin again.
    let parameters = [("method", "PUT"), ("content", "whole"), ("times", "3")];
    assert_eq!(get("goes-on", &parameters, ports).await.failure, None);
    let bodies: Vec<_> = standby.seen().into_iter().map(|request| request.body.unwrap()).collect();
    assert_eq!(bodies, ["whole", "whole"]);
}
