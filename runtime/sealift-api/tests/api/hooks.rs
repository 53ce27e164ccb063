//! Hooks: what is planned of them, and what is refused before any Job.

use sealift_api::planner::Environment;
use sealift_core::hook::{HookAction, HookBody, HookPolicy, HookRequest, Hooks};

use crate::fixture::{Case, backup, restore};

/// The guide's backup in a cluster, with these hooks.
fn with(mut case: Case, hooks: &str) -> Case {
    case.edit("invoker.yaml", "spec:\n", &format!("spec:\n  hooks: {hooks}\n"));
    case.options.environment = Environment::Pod;
    case.options.target_addresses.clear();
    case.set("repository.yaml", "apiVersion: stash.appscode.com/v1alpha1\nkind: Repository\nmetadata: {name: gcp-demo-repo, namespace: demo}\nspec: {backend: {s3: {endpoint: s3.demo, bucket: b}, storageSecretName: gcs-secret}}\n");
    case
}

fn planned(hooks: &str) -> Hooks {
    let case = with(backup(), hooks);
    case.plan().unwrap_or_else(|error| panic!("{error}")).hooks
}

fn request(url: &str) -> HookRequest {
    HookRequest { url: url.parse().unwrap(), headers: Vec::new(), ca_pem: None }
}

#[test]
fn a_command_runs_in_a_pod_behind_the_service_of_the_app_binding() {
    let hooks = planned(
        "{preBackup: {exec: {command: [sh, -c, \"echo {{ .Target.Name }}\"]}, containerName: vault}}",
    );
    assert_eq!(hooks.after, None);
    assert_eq!(
        hooks.before,
        Some(HookAction::Exec {
            command: vec!["sh".into(), "-c".into(), "echo {{ .Target.Name }}".into()],
            namespace: "demo".into(),
            service: "vault".into(),
            container: Some("vault".into()),
        })
    );
}

#[test]
fn a_request_goes_to_the_host_or_else_to_the_target() {
    let hooks = planned(
        "{preBackup: {httpGet: {port: 8200, path: /v1/sys/health?a=b}}, \
          postBackup: {executionPolicy: OnFinalRetryFailure, httpPost: {host: hooks.demo, port: '8443', \
          scheme: HTTPS, path: done, httpHeaders: [{name: X-Token, value: t}], body: '{{ .Status.Phase }}'}}}",
    );
    assert_eq!(
        hooks.before,
        Some(HookAction::HttpGet {
            request: request("http://vault.demo.svc:8200/v1/sys/health?a=b")
        })
    );
    let after = hooks.after.unwrap();
    assert_eq!(after.policy, HookPolicy::OnFinalRetryFailure);
    assert_eq!(
        after.action,
        HookAction::HttpPost {
            request: HookRequest {
                headers: vec![("X-Token".into(), "t".into())],
                ..request("https://hooks.demo:8443/done")
            },
            body: HookBody::Text("{{ .Status.Phase }}".into()),
        }
    );
    let hooks = planned(
        "{preBackup: {tcpSocket: {port: 8200}}, \
          postBackup: {httpPost: {host: '::1', port: 80, form: [{key: a, values: [b, c]}]}}}",
    );
    assert_eq!(
        hooks.before,
        Some(HookAction::TcpSocket { host: "vault.demo.svc".into(), port: 8200 })
    );
    let after = hooks.after.unwrap();
    assert_eq!(after.policy, HookPolicy::Always);
    assert_eq!(
        after.action,
        HookAction::HttpPost {
            request: request("http://[::1]:80/"),
            body: HookBody::Form(vec![("a".into(), vec!["b".into(), "c".into()])]),
        }
    );
}

#[test]
fn what_cannot_work_is_named_before_any_job() {
    let rows = [
        ("{preBackup: {}}", "preBackup: names no action"),
        (
            "{preBackup: {exec: {command: [a]}, tcpSocket: {port: 1}}}",
            "preBackup: exec, tcpSocket are set",
        ),
        ("{preBackup: {exec: {}}}", "preBackup.exec.command: is empty"),
        (
            "{preBackup: {exec: {command: [a, '{{ .Nmae }}']}}}",
            "preBackup.exec.command[1]: .Nmae is not known; known are .Invoker.APIGroup",
        ),
        (
            "{postBackup: {httpPost: {port: 80, body: '{{ range .A }}'}}}",
            "postBackup.httpPost.body: \"range\" is not supported",
        ),
        (
            "{postBackup: {httpPost: {port: 80, body: b, form: [{key: a}]}}}",
            "postBackup.httpPost: body and form are both set",
        ),
        ("{preBackup: {httpGet: {port: http}}}", "preBackup.httpGet.port: is no port"),
        ("{preBackup: {tcpSocket: {port: 70000}}}", "preBackup.tcpSocket.port: is no port"),
        (
            "{preBackup: {httpGet: {port: 80, scheme: ftp}}}",
            "preBackup.httpGet.scheme: \"ftp\" is no scheme",
        ),
        (
            "{preBackup: {httpGet: {port: 80, host: 'http://a/secret'}}}",
            "preBackup.httpGet.host: is no host",
        ),
        (
            "{preBackup: {httpGet: {port: 80, httpHeaders: [{name: 'a b', value: secret}]}}}",
            "preBackup.httpGet.httpHeaders[0]: is no header",
        ),
    ];
    for (hooks, words) in rows {
        let complaint = with(backup(), hooks).complaint();
        let wanted = format!("Invalid: BackupConfiguration demo/demo-backup: spec.hooks.{words}");
        assert!(complaint.starts_with(&wanted), "{hooks}: {complaint}");
        assert!(!complaint.contains("secret"), "{complaint}");
    }
    let restore = with(
        restore(),
        "{postRestore: {executionPolicy: OnFinalRetryFailure, tcpSocket: {port: 1}}}",
    );
    assert!(
        restore
            .complaint()
            .contains("postRestore.executionPolicy: OnFinalRetryFailure is for backups")
    );
}
