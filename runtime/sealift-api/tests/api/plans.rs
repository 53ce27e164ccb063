//! Whole plans, and what changes them.

use sealift_api::planner::Environment;
use sealift_core::plan::{Direction, GrantsFrom, Location};

use crate::fixture::{backup, restore, text};

#[test]
fn the_guides_backup_becomes_this_plan() {
    insta::assert_yaml_snapshot!(backup().plan().unwrap());
}

#[test]
fn the_guides_restore_becomes_this_plan() {
    insta::assert_yaml_snapshot!(restore().plan().unwrap());
}

#[test]
fn a_plan_is_the_same_whatever_the_order_of_the_files() {
    let expected = backup().plan().unwrap();
    let mut case = backup();
    case.files.reverse();
    assert_eq!(case.plan().unwrap(), expected);
    assert_eq!(
        serde_json::to_string(&case.plan().unwrap()).unwrap(),
        serde_json::to_string(&expected).unwrap()
    );
}

#[test]
fn a_plan_survives_being_written_and_read() {
    for plan in [backup().plan().unwrap(), restore().plan().unwrap()] {
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<sealift_core::plan::Plan>(&text).unwrap(), plan);
    }
}

/// The guide's Function for another Vault: an image of the original, defaults edited.
#[test]
fn the_guides_edited_function_runs_as_the_component_that_takes_its_place() {
    let mut case = restore();
    let function = text("manifests/kubevault-stash/guide-restore/03-function.yaml")
        .replace("${force:=false}", "${force:=true}")
        .replace("${oldKeyPrefix:=}", "${oldKeyPrefix:=k8s.old.demo.vault}");
    case.set("function.yaml", &function);
    let plan = case.plan().unwrap();
    let stage = &plan.stages[1];
    assert_eq!(stage.component.reference, "builtin:vault-restore");
    assert_eq!(stage.grants_from, GrantsFrom::Catalog);
    assert_eq!(stage.parameters["force"], "true");
    assert_eq!(stage.parameters["keyPrefix"], "k8s.kubevault.com.demo.vault");
    let keys = plan.keys.unwrap();
    assert_eq!(keys.snapshot_prefix, "k8s.old.demo.vault");
    assert_eq!(keys.prefix, "k8s.kubevault.com.demo.vault");
    insta::assert_snapshot!(plan.notes.join("\n"), @"Function vault-restore-1.10.3: image stashed/stash-vault:1.10.3 is not used, builtin:vault-restore takes its place");
}

/// The other way of the guide: params, and no Function is touched.
#[test]
fn params_of_the_user_win_over_those_of_the_addon() {
    let mut case = restore();
    case.edit(
        "invoker.yaml",
        "spec:\n",
        "spec:\n  task:\n    params:\n    - {name: force, value: \"true\"}\n    - {name: keyPrefix, value: mine}\n",
    );
    let plan = case.plan().unwrap();
    assert_eq!(plan.stages[1].parameters["force"], "true");
    assert_eq!(plan.keys.unwrap().prefix, "mine");
    assert_eq!(plan.task, "vault-restore-1.10.3");
}

/// The original's two-step Task, with both of its Functions.
#[test]
fn the_originals_two_step_task_is_filled_up() {
    let mut case = backup();
    case.set(
        "catalog.yaml",
        r"
apiVersion: stash.appscode.com/v1beta1
kind: Task
metadata: {name: vault-backup-1.10.3}
spec:
  steps:
  - name: vault-backup-1.10.3
    params: [{name: outputDir, value: /stash-tmp/output}]
  - name: update-status
    params: [{name: outputDir, value: /stash-tmp/output}]
---
apiVersion: stash.appscode.com/v1beta1
kind: Function
metadata: {name: vault-backup-1.10.3}
spec:
  image: ghcr.io/stashed/stash-vault:1.10.3-v18
  args:
  - backup-vault
  - --provider=${REPOSITORY_PROVIDER:=}
  - --insecure-tls=${REPOSITORY_INSECURE_TLS:=}
  - --path=${REPOSITORY_PREFIX:=}
  - --hostname=${HOSTNAME:=}
  - --vault-args=${args:=}
  - --wait-timeout=${waitTimeout:=300}
  - --interim-data-dir=${INTERIM_DATA_DIR}
  - --backupsession=${BACKUP_SESSION:=}
  - --retention-keep-last=${RETENTION_KEEP_LAST:=0}
  - --retention-prune=${RETENTION_PRUNE:=false}
  - --output-dir=${outputDir:=}
  - --license-apiservice=${LICENSE_APISERVICE:=}
  - --key-prefix=${keyPrefix:=}
---
apiVersion: stash.appscode.com/v1beta1
kind: Function
metadata: {name: update-status}
spec:
  image: appscode/stash:0.10.0
  args: [update-status, '--namespace=${NAMESPACE:=default}', '--prom-job-name=${PROMETHEUS_JOB_NAME:=}']
",
    );
    let plan = case.plan().unwrap();
    let names: Vec<&str> =
        plan.stages.iter().chain(&plan.observers).map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["vault-backup-1-10-3-0", "restic-upload-1", "update-status-2"]);
    let ours = backup().plan().unwrap();
    assert_eq!(plan.stages[0].grants, ours.stages[0].grants);
    assert_eq!(plan.stages[0].parameters, ours.stages[0].parameters);
    assert_eq!(plan.keys, ours.keys);
}

/// An author's one-step Task: a component from a file, everything else is filled.
#[test]
fn an_authors_one_step_task_gets_only_what_it_was_granted() {
    let mut case = backup();
    case.set(
        "author.yaml",
        r"
apiVersion: stash.appscode.com/v1beta1
kind: Task
metadata: {name: mine}
spec: {steps: [{name: mine}]}
---
apiVersion: stash.appscode.com/v1beta1
kind: Function
metadata: {name: mine}
spec:
  image: file:author.wasm
  args: ['--message=${message}']
",
    );
    case.edit(
        "invoker.yaml",
        "spec:\n",
        "spec:\n  task:\n    name: mine\n    params: [{name: message, value: 'héllo \"x\"'}]\n",
    );
    let plan = case.plan().unwrap();
    let stage = &plan.stages[0];
    assert_eq!(stage.parameters["message"], "héllo \"x\"");
    assert_eq!(stage.grants, sealift_core::grants::Grants::default());
    assert_eq!(stage.grants_from, GrantsFrom::None);
    // Nobody may reach the target, so it is not bound, and no credential is named.
    assert!(plan.origins.iter().all(|origin| origin.name == "pushgateway"));
    assert_eq!(plan.keys, None);

    case.edit(
        "author.yaml",
        "  args:",
        "  permissions: {http: [{name: target, methods: [GET], paths: [/v1/kv/*]}], repository: write}\n  args:",
    );
    let plan = case.plan().unwrap();
    let stage = &plan.stages[0];
    assert_eq!(stage.grants_from, GrantsFrom::Function);
    // The component did not ask for the repository: a permission alone opens nothing.
    assert_eq!(stage.grants.repository, None);
    assert_eq!(stage.grants.http[0].paths, ["/v1/kv/*"]);
    assert!(plan.origins.iter().any(|origin| origin.name == "target"));
}

#[test]
fn a_param_cannot_widen_a_grant() {
    let mut case = backup();
    case.set(
        "author.yaml",
        r"
apiVersion: stash.appscode.com/v1beta1
kind: Function
metadata: {name: vault-backup-1.10.3}
spec:
  image: builtin:vault-snapshot
  permissions: {http: [{name: target, methods: [GET], paths: ['${path:=/v1/sys/health}']}]}
",
    );
    insta::assert_snapshot!(case.complaint());
}

#[test]
fn without_pushgateway_no_metrics_are_pushed_and_a_note_says_so() {
    let mut case = backup();
    case.options.pushgateway = None;
    let plan = case.plan().unwrap();
    assert_eq!(plan.observers, []);
    assert!(plan.origins.iter().all(|origin| origin.name == "target"));
    assert_eq!(
        plan.notes,
        ["Function pushgateway-push: left out, because no Pushgateway is known here"]
    );
}

#[test]
fn in_a_cluster_an_observer_without_pushgateway_stays_so_that_its_session_can_say_so() {
    let mut case = backup();
    case.options.environment = Environment::Pod;
    case.options.pushgateway = None;
    let plan = case.plan().unwrap();
    assert_eq!(plan.observers.len(), 1);
    assert!(plan.origins.iter().all(|origin| origin.name == "target"));
    assert_eq!(plan.notes, Vec::<String>::new());
}

#[test]
fn in_a_pod_secrets_are_not_looked_at_and_a_local_repository_is_its_mount() {
    let mut case = backup();
    case.remove("secrets.yaml");
    case.options.environment = Environment::Pod;
    let plan = case.plan().unwrap();
    assert_eq!(plan.repository.location, Location::Local { path: "/safe/data".into() });
}

#[test]
fn an_interim_volume_changes_the_path_of_the_snapshot() {
    let mut case = backup();
    case.edit(
        "invoker.yaml",
        "spec:\n",
        "spec:\n  interimVolumeTemplate:\n    metadata: {name: v1}\n    spec: {accessModes: [ReadWriteOnce]}\n",
    );
    let Direction::Backup(identity) = case.plan().unwrap().direction else { panic!("a backup") };
    assert_eq!(identity.path, "/stash-interim-volume/data");
}

#[test]
fn an_alias_is_the_hostname() {
    let mut case = backup();
    case.edit("invoker.yaml", "  target:\n", "  target:\n    alias: vault-a\n");
    let plan = case.plan().unwrap();
    assert_eq!(plan.target.hostname, "vault-a");
    let Direction::Backup(identity) = plan.direction else { panic!("a backup") };
    assert_eq!(identity.hostname, "vault-a");
}

#[test]
fn keys_can_be_left_out() {
    let mut case = backup();
    case.edit(
        "invoker.yaml",
        "spec:\n",
        "spec:\n  task:\n    params: [{name: unsealKeys, value: omit}]\n",
    );
    case.edit("app-binding.yaml", "    unsealer:\n      mode:\n        kubernetesSecret:\n          secretName: vault-keys\n      secretShares: 5\n      secretThreshold: 3\n", "");
    let plan = case.plan().unwrap();
    assert_eq!(plan.keys, None);
    assert_eq!(plan.stages[0].parameters["unsealKeys"], "omit");
}

#[test]
fn storages_are_located() {
    for (backend, expected) in [
        (
            "s3: {endpoint: s3.amazonaws.com, bucket: b, prefix: /a/b/, region: us-west-1}",
            Location::S3 {
                endpoint: "s3.amazonaws.com".into(),
                bucket: "b".into(),
                prefix: "/a/b/".into(),
                region: "us-west-1".into(),
                insecure_tls: false,
            },
        ),
        (
            "s3: {endpoint: 'https://minio:9000', bucket: b, insecureTLS: true}",
            Location::S3 {
                endpoint: "https://minio:9000".into(),
                bucket: "b".into(),
                prefix: String::new(),
                region: String::new(),
                insecure_tls: true,
            },
        ),
        (
            "rest: {url: 'http://rest-server.demo.svc:8000/stash-backup-demo'}",
            Location::Rest { url: "http://rest-server.demo.svc:8000/stash-backup-demo".into() },
        ),
        ("local: {mountPath: /safe/data/}", Location::Local { path: "/safe/data".into() }),
    ] {
        let mut case = backup();
        case.edit(
            "repository.yaml",
            "    local:\n      mountPath: /safe/data\n      subPath: demo-vault\n      hostPath:\n        path: /data/stash-test/repo\n",
            &format!("    {backend}\n"),
        );
        assert_eq!(case.plan().unwrap().repository.location, expected);
    }
}

#[test]
fn a_service_may_write_its_scheme_in_capitals_and_bring_its_certificates() {
    let mut case = backup();
    case.edit(
        "app-binding.yaml",
        "      scheme: http\n",
        "      scheme: HTTPS\n      namespace: other\n      path: /vault\n    serverName: vault.example\n    caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==\n",
    );
    let plan = case.plan().unwrap();
    let target = &plan.origins[0];
    assert_eq!(target.url.as_str(), "https://vault.other.svc:8200/vault");
    assert_eq!(target.server_name.as_deref(), Some("vault.example"));
    assert_eq!(target.ca_pem.as_deref(), Some("-----BEGIN CERTIFICATE-----\n"));
}

#[test]
fn the_type_of_the_app_binding_names_the_target_in_metrics() {
    let mut case = backup();
    case.edit("app-binding.yaml", "spec:\n", "spec:\n  type: kubevault.com/vaultservers\n");
    let target = case.plan().unwrap().target;
    assert_eq!((&*target.metrics_group, &*target.metrics_kind), ("kubevault.com", "vaultservers"));
    case.edit("app-binding.yaml", "kubevault.com/vaultservers", "VaultServer");
    let target = case.plan().unwrap().target;
    assert_eq!(
        (&*target.metrics_group, &*target.metrics_kind),
        ("appcatalog.appscode.com", "appbindings")
    );
}

#[test]
fn a_deadline_bounds_the_session_and_its_stages() {
    let plan = backup().plan().unwrap();
    assert_eq!(plan.timeout_seconds, 7200);
    assert!(plan.stages.iter().all(|stage| stage.limits.wall_seconds <= 7200));
    let mut case = backup();
    case.edit("invoker.yaml", "timeOut: 2h", "timeOut: 48h");
    let plan = case.plan().unwrap();
    assert_eq!(plan.timeout_seconds, 20 * 3600);
    assert_eq!(plan.notes, ["spec.timeOut: 48h is shortened to the longest session, 20h"]);
}

/// On a rebuilt cluster the Secret for the keys does not exist yet: the restore makes it.
#[test]
fn a_restore_does_not_need_the_secret_of_the_keys() {
    let mut case = restore();
    let (_, secrets) = case.files.iter().find(|(name, _)| name == "secrets.yaml").unwrap().clone();
    let without: Vec<&str> =
        secrets.split("---").filter(|text| !text.contains("vault-keys")).collect();
    case.set("secrets.yaml", &without.join("---"));
    assert_eq!(case.complaint(), "no complaint");
}

#[test]
fn the_address_of_a_target_brings_no_query_along() {
    let mut case = backup();
    let service = "    service:\n      name: vault\n      port: 8200\n      scheme: http\n";
    case.edit("app-binding.yaml", service, "    url: http://v:8200/base?token=hidden-word#here\n");
    let plan = case.plan().unwrap();
    assert_eq!(plan.origins[0].url.as_str(), "http://v:8200/base");
    assert!(!serde_json::to_string(&plan).unwrap().contains("hidden-word"));
}

/// A standby names its leader's pod; an address from elsewhere has no namespace.
#[test]
fn redirects_may_lead_into_the_namespace_of_the_service() {
    let mut case = backup();
    let plan = case.plan().unwrap();
    assert_eq!(plan.origins[0].redirect_domains, ["demo.svc", "demo.svc.cluster.local"]);
    let service = "    service:\n      name: vault\n      port: 8200\n      scheme: http\n";
    case.edit("app-binding.yaml", service, "    url: http://v.demo.svc:8200\n");
    assert!(case.plan().unwrap().origins[0].redirect_domains.is_empty());
}

#[test]
fn an_allowed_host_is_a_host_and_nothing_else() {
    let with = |hosts: &str| {
        let mut case = backup();
        case.edit(
            "invoker.yaml",
            "spec:\n",
            &format!("spec:\n  task: {{params: [{{name: allowedHosts, value: '{hosts}'}}]}}\n"),
        );
        case
    };
    let plan = with("Vault-0.internal:8200, vault-1").plan().unwrap();
    assert_eq!(plan.origins[0].redirect_hosts, ["vault-0.internal:8200", "vault-1"]);
    for wrong in ["http://vault-1", "vault-1/path", "me@vault-1", "vault-1?x", "vault 1"] {
        let found = with(wrong).complaint();
        assert!(found.contains("is not a host"), "{wrong}: {found}");
    }
}

#[test]
fn a_repository_stays_within_its_volume() {
    let mut case = backup();
    case.edit("repository.yaml", "subPath: demo-vault", "subPath: /etc");
    let found = case.complaint();
    assert!(found.contains("is not a path within the volume"), "{found}");
}
