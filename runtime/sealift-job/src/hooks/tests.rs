#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
use sealift_core::hook::{AfterHook, HookBody, HookPolicy, HookRequest, Hooks};
use sealift_host::Host;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::cluster::LogEvents;
use crate::components::LocalComponents;
use crate::locks::FileLocks;
use crate::sample;

fn around() -> Surroundings {
    let fake = sample::Fake::new(sample::Answer::Missing, sample::data(&[]));
    Surroundings {
        host: Host::new().unwrap(),
        components: Arc::new(LocalComponents::new(&[], ".".into())),
        objects: Arc::new(fake),
        events: Arc::new(LogEvents::default()),
        cancel: CancellationToken::new(),
        allow_loopback: true,
        locks: Arc::new(FileLocks::new(std::env::temp_dir())),
        interim_dir: std::env::temp_dir(),
        hooks: HookSurroundings::default(),
    }
}

fn report(hooks: Hooks) -> SessionReport {
    let mut plan = sample::plan(std::path::Path::new("/nowhere"));
    plan.hooks = hooks;
    SessionReport::new(plan, Timestamp::now())
}

/// A server that answers every request with this status; what it was sent comes out.
async fn server(answer: &'static str) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            let mut buffer = [0; 4096];
            // Requests of these tests end with their bodies, which end with a dot.
            let whole = |text: &str| {
                text.ends_with('.') || text.starts_with("GET") && text.ends_with("\r\n\r\n")
            };
            while !whole(&text) {
                let length = stream.read(&mut buffer).await.unwrap();
                if length == 0 {
                    break;
                }
                text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
            }
            let head = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            sender.send(text).unwrap();
        }
    });
    (port, receiver)
}

fn post(port: u16, body: &str) -> HookAction {
    HookAction::HttpPost {
        request: HookRequest {
            url: format!("http://127.0.0.1:{port}/token-in-the-path").parse().unwrap(),
            headers: vec![("X-Token".into(), "value".into())],
            ca_pem: None,
        },
        body: HookBody::Text(body.into()),
    }
}

#[tokio::test]
async fn a_hook_after_the_work_is_run_as_its_policy_says_and_told_what_happened() {
    let (port, mut received) = server("200 OK").await;
    let body = "{{ .Target.Name }} {{ .Status.Phase }} {{ .Status.Error }} {{ .RetryLeft }}.";
    let rows = [
        (HookPolicy::Always, true, 0, Some("vault Succeeded  0.")),
        (HookPolicy::Always, false, 1, Some("vault Failed why 1.")),
        (HookPolicy::OnSuccess, false, 0, None),
        (HookPolicy::OnFailure, true, 0, None),
        (HookPolicy::OnFinalRetryFailure, false, 1, None),
        (HookPolicy::OnFinalRetryFailure, false, 0, Some("vault Failed why 0.")),
    ];
    for (policy, succeeded, retry_left, wanted) in rows {
        let hook = AfterHook { policy, action: post(port, body) };
        let report = report(Hooks { before: None, after: Some(hook) });
        let mut around = around();
        around.hooks.retry_left = retry_left;
        let error = (!succeeded).then_some("why");
        let result = after(&report, succeeded, error, &around).await.unwrap();
        match wanted {
            Some(wanted) => {
                assert_eq!(result, HookResult::Succeeded);
                let request = received.recv().await.unwrap();
                assert!(request.starts_with("POST /token-in-the-path HTTP/1.1\r\n"), "{request}");
                assert!(request.contains("x-token: value\r\n"), "{request}");
                assert!(request.ends_with(&format!("\r\n\r\n{wanted}")), "{request}");
            }
            None => {
                let phase = if succeeded { "Succeeded" } else { "Failed" };
                assert_eq!(
                    result,
                    HookResult::Skipped(format!(
                        "Skipping executing postBackup. Reason: executionPolicy is \"{}\" but phase is \"{phase}\".",
                        policy.as_str()
                    ))
                );
                assert!(received.try_recv().is_err());
            }
        }
    }
}

#[tokio::test]
async fn a_hook_that_is_refused_fails_and_its_path_is_not_repeated() {
    let (port, _received) = server("500 No").await;
    let report = report(Hooks { before: Some(post(port, ".")), after: None });
    let result = before(&report, &around()).await.unwrap();
    assert_eq!(
        result,
        HookResult::Failed(format!(
            "http://127.0.0.1:{port} answered 500; a hook succeeds with 200 to 399"
        ))
    );
}

#[tokio::test]
async fn a_hook_nobody_answers_ends_with_the_sessions_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut report = report(Hooks { before: Some(post(port, ".")), after: None });
    report.plan.timeout_seconds = 1;
    let HookResult::Failed(error) = before(&report, &around()).await.unwrap() else {
        panic!("nobody answered");
    };
    assert!(error.contains("within 0 s") || error.contains("within 1 s"), "{error}");
    assert!(!error.contains("token"), "{error}");
}

#[tokio::test]
async fn a_hook_reaches_loopback_only_on_this_machine() {
    let (port, _received) = server("200 OK").await;
    let knock = HookAction::TcpSocket { host: "127.0.0.1".into(), port };
    for action in [post(port, "."), knock] {
        let report = report(Hooks { before: Some(action), after: None });
        let mut around = around();
        assert_eq!(before(&report, &around).await.unwrap(), HookResult::Succeeded);
        around.allow_loopback = false;
        let HookResult::Failed(error) = before(&report, &around).await.unwrap() else {
            panic!("loopback was reached");
        };
        assert!(error.contains("loopback"), "{error}");
    }
}

#[tokio::test]
async fn a_command_needs_a_cluster_and_an_interruption_ends_a_hook() {
    let exec = HookAction::Exec {
        command: vec!["true".into()],
        namespace: "demo".into(),
        service: "vault".into(),
        container: None,
    };
    let mut around = around();
    let result = before(&report(Hooks { before: Some(exec.clone()), after: None }), &around).await;
    assert!(matches!(result, Some(HookResult::Failed(error)) if error.contains("no cluster")));

    struct Forever;
    #[async_trait]
    impl PodExec for Forever {
        async fn exec(
            &self,
            _: &str,
            _: &str,
            _: Option<&str>,
            _: &[String],
        ) -> Result<(), ExecError> {
            std::future::pending().await
        }
    }
    around.hooks.exec = Some(Arc::new(Forever));
    let report = report(Hooks { before: Some(exec), after: None });
    let interrupt = around.cancel.clone();
    let (result, ()) = tokio::join!(before(&report, &around), async { interrupt.cancel() });
    assert_eq!(result, Some(HookResult::Failed("the session was interrupted".into())));
}
