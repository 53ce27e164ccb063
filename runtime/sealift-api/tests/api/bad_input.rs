//! Objects that do not make a plan: every message names object and field, and says what to do.

use crate::fixture::{Case, backup, restore};

fn check(name: &str, case: &Case) {
    let complaint = case.complaint();
    assert_ne!(complaint, "no complaint", "{name}");
    insta::with_settings!({ snapshot_suffix => name, omit_expression => true }, {
        insta::assert_snapshot!("bad_input", complaint);
    });
}

fn edited(file: &str, from: &str, to: &str) -> Case {
    let mut case = backup();
    case.edit(file, from, to);
    case
}

const TASK: &str =
    "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nmetadata: {name: vault-backup-1.10.3}\n";
const FUNCTION: &str = "apiVersion: stash.appscode.com/v1beta1\nkind: Function\nmetadata: {name: vault-backup-1.10.3}\n";

fn with_task(spec: &str) -> Case {
    let mut case = backup();
    case.set("task.yaml", &format!("{TASK}spec: {spec}\n"));
    case
}

fn with_function(spec: &str) -> Case {
    let mut case = backup();
    case.set("function.yaml", &format!("{FUNCTION}spec: {spec}\n"));
    case
}

#[test]
fn missing_objects() {
    for file in ["repository.yaml", "app-binding.yaml", "secrets.yaml", "invoker.yaml"] {
        let mut case = backup();
        case.remove(file);
        check(&format!("without-{}", file.trim_end_matches(".yaml")), &case);
    }
}

#[test]
fn doubled_objects() {
    let mut case = backup();
    let twice = case.files[2].1.clone();
    case.set("again.yaml", &twice);
    check("twice", &case);
}

#[test]
fn several_problems_at_once() {
    let mut case = edited("invoker.yaml", "*/5 * * * *", "61 * * * *");
    case.edit("invoker.yaml", "keepLast: 5", "keepLast: -5");
    case.edit("invoker.yaml", "timeOut: 2h", "timeOut: 2d");
    case.remove("repository.yaml");
    check("several", &case);
}

#[test]
fn fields_of_the_invoker() {
    for (name, from, to) in [
        ("cron", "*/5 * * * *", "every five minutes"),
        ("timeout", "timeOut: 2h", "timeOut: 2d"),
        ("timeout-zero", "timeOut: 2h", "timeOut: 0s"),
        ("retention-negative", "keepLast: 5", "keepLast: -1"),
        ("driver", "driver: Restic", "driver: VolumeSnapshotter"),
        ("driver-unknown", "driver: Restic", "driver: Rustic"),
        ("target-kind", "kind: AppBinding", "kind: Deployment"),
        ("target-group", "appcatalog.appscode.com/v1alpha1", "example.com/v1"),
        ("task-unknown", "spec:\n", "spec:\n  task: {name: vault-backup-9}\n"),
        (
            "hooks",
            "spec:\n",
            "spec:\n  hooks: {preBackup: {exec: {command: [a]}}, postBackup: {exec: {command: [b]}}}\n",
        ),
        ("no-repository", "  repository:\n    name: gcp-demo-repo\n    namespace: demo\n", ""),
        (
            "no-retention",
            "  retentionPolicy:\n    name: 'keep-last-5'\n    keepLast: 5\n    prune: true\n",
            "",
        ),
        ("retry", "spec:\n", "spec:\n  retryConfig: {maxRetry: -1, delay: 10 minutes}\n"),
        ("list-for-object", "spec:\n", "spec:\n  task: []\n"),
        ("alias", "  target:\n", "  target:\n    alias: \"a\\nb\"\n"),
    ] {
        check(name, &edited("invoker.yaml", from, to));
    }
}

#[test]
fn fields_of_the_repository() {
    let local = "    local:\n      mountPath: /safe/data\n      subPath: demo-vault\n      hostPath:\n        path: /data/stash-test/repo\n";
    for (name, from, to) in [
        ("no-storage", local, ""),
        ("two-storages", local, "    local: {mountPath: /a}\n    rest: {url: http://a}\n"),
        ("storage-gcs", local, "    gcs: {bucket: b, prefix: p}\n"),
        ("storage-rest-url", local, "    rest: {url: 'ftp://a'}\n"),
        ("storage-s3-empty", local, "    s3: {endpoint: '', bucket: ''}\n"),
        ("storage-s3-missing", local, "    s3: {endpoint: e}\n"),
        ("mount-relative", "mountPath: /safe/data", "mountPath: safe/data"),
        ("mount-parent", "mountPath: /safe/data", "mountPath: /safe/../etc"),
        ("mount-reserved", "mountPath: /safe/data", "mountPath: /stash/x"),
        ("sub-path", "subPath: demo-vault", "subPath: ../other"),
        ("no-secret-name", "    storageSecretName: repository-creds\n", ""),
        ("other-secret", "repository-creds", "gcs-secret"),
    ] {
        check(name, &edited("repository.yaml", from, to));
    }
    check("no-password", &edited("secrets.yaml", "RESTIC_PASSWORD", "RESTIC_PASWORD"));
}

#[test]
fn fields_of_the_app_binding() {
    let service = "    service:\n      name: vault\n      port: 8200\n      scheme: http\n";
    let unsealer = "    unsealer:\n      mode:\n        kubernetesSecret:\n          secretName: vault-keys\n      secretShares: 5\n      secretThreshold: 3\n";
    for (name, from, to) in [
        ("no-address", service, "    caBundle: ''\n"),
        ("address-scheme", "scheme: http", "scheme: postgresql"),
        ("address-port", "port: 8200", "port: 0"),
        ("address-name", "      name: vault\n      port", "      name: vault@evil\n      port"),
        ("address-url", service, "    url: vault\n"),
        ("ca-bundle", service, "    url: https://v\n    caBundle: YQ==\n"),
        ("no-token", "    backupTokenSecretRef:\n      name: vault-backup-token\n", ""),
        ("storage-of-vault", "backend: raft", "backend: postgresql"),
        ("no-vault", "kind: VaultServerConfiguration", "kind: Other"),
        ("no-unsealer", unsealer, ""),
        (
            "unsealer-cloud",
            "kubernetesSecret:\n          secretName: vault-keys",
            "awsKmsSsm:\n          kmsKeyID: k",
        ),
        ("unsealer-empty", "secretName: vault-keys", "secretName: ''"),
        ("shares", "secretShares: 5", "secretShares: 0"),
        ("threshold", "secretThreshold: 3", "secretThreshold: 6"),
        ("parameters-type", "secretShares: 5", "secretShares: five"),
        ("keys-missing", "secretShares: 5", "secretShares: 7"),
        (
            "list-for-parameter",
            "unsealer:\n      mode:\n        kubernetesSecret:\n          secretName: vault-keys\n",
            "unsealer:\n      mode: []\n",
        ),
        ("transform", "spec:\n", "spec:\n  secretTransforms: [{}]\n"),
        ("no-task", "backupTask:", "otherTask:"),
    ] {
        check(name, &edited("app-binding.yaml", from, to));
    }
}

#[test]
fn tasks() {
    check("step-unknown", &with_task("{steps: [{name: vault-backup-2}]}"));
    check("no-steps", &with_task("{}"));
    check(
        "two-sources",
        &with_task("{steps: [{name: vault-backup-1.10.3}, {name: restic-download}]}"),
    );
    check(
        "observer-first",
        &with_task("{steps: [{name: update-status}, {name: vault-backup-1.10.3}]}"),
    );
    check("no-source", &with_task("{steps: [{name: restic-upload}]}"));
    check(
        "step-variable",
        &with_task("{steps: [{name: vault-backup-1.10.3, params: [{name: a, value: '${nope}'}]}]}"),
    );
    check(
        "wrong-sink",
        &with_task("{steps: [{name: vault-backup-1.10.3}, {name: vault-restore-1.10.3}]}"),
    );
}

#[test]
fn functions() {
    check(
        "variable",
        &with_function("{image: 'builtin:vault-snapshot', args: ['--key-prefix=${prefix}']}"),
    );
    check(
        "expression",
        &with_function("{image: 'builtin:vault-snapshot', args: ['--key-prefix=${keyPrefix']}"),
    );
    check(
        "image-container",
        &with_function("{image: 'stashed/stash-postgres:14.0', args: [backup-pg]}"),
    );
    check("image-none", &with_function("{args: []}"));
    check("image-builtin", &with_function("{image: 'builtin:vault-snapshots'}"));
    check("image-file", &with_function("{image: 'file:other.wasm'}"));
    check("command", &with_function("{image: 'builtin:vault-snapshot', command: [sh]}"));
    check(
        "argument",
        &with_function(
            "{image: 'builtin:vault-snapshot', args: [--keyprefix=x, --wait-timeout=soon, backup]}",
        ),
    );
    check(
        "permission",
        &with_function(
            "{image: 'builtin:vault-snapshot', permissions: {http: [{name: targets}], disk: write, repository: all}}",
        ),
    );
    check(
        "limit",
        &with_function(
            "{image: 'builtin:vault-snapshot', limits: {cpu: 1, memory: lots, wallTime: 30h}}",
        ),
    );
    check(
        "alias-flag",
        &with_function("{image: 'stashed/stash-vault:1', args: [backup-vault, --new-flag=1]}"),
    );
}

#[test]
fn a_file_component_is_refused_in_a_pod() {
    let mut case = with_function("{image: 'file:author.wasm'}");
    case.options.environment = sealift_api::planner::Environment::Pod;
    check("file-in-pod", &case);
}

#[test]
fn restores() {
    let mut case = restore();
    case.set(
        "task.yaml",
        &format!(
            "{}spec: {{steps: [{{name: vault-backup-1.10.3}}]}}\n",
            TASK.replace("backup", "restore")
        ),
    );
    check("restore-without-sink", &case);
    let mut case = restore();
    case.edit("invoker.yaml", "spec:\n", "spec:\n  hooks: {preRestore: {exec: {command: [a]}}}\n");
    check("restore-hooks", &case);
    let mut case = restore();
    case.edit(
        "invoker.yaml",
        "    name: gcp-demo-repo\n",
        "    name: other\n    namespace: elsewhere\n",
    );
    check("restore-repository", &case);
    let cloud = "awsKmsSsm:\n          kmsKeyID: k";
    let mut case = restore();
    case.edit("app-binding.yaml", "kubernetesSecret:\n          secretName: vault-keys", cloud);
    assert_eq!(case.complaint(), "no complaint", "without force no key is touched");
    case.edit(
        "invoker.yaml",
        "spec:\n",
        "spec:\n  task: {params: [{name: force, value: 'true'}]}\n",
    );
    check("restore-force-cloud", &case);
    case.edit("app-binding.yaml", "    unsealer:\n      mode:\n        awsKmsSsm:\n          kmsKeyID: k\n      secretShares: 5\n      secretThreshold: 3\n", "");
    check("restore-force-no-unsealer", &case);
}

#[test]
fn a_function_of_another_kind_cannot_fill_a_place() {
    let mut case = with_task("{steps: [{name: vault-backup-1.10.3}]}");
    case.set(
        "function.yaml",
        &FUNCTION
            .replace("vault-backup-1.10.3", "restic-upload")
            .replace("kind: Function", "kind: Function\nspec: {image: 'builtin:restic-download'}"),
    );
    check("filler", &case);
}

/// What `validate` finds in files that hold no invoker.
#[test]
fn objects_on_their_own() {
    let mut case = with_function(
        "{image: 'stashed/stash-postgres:14.0', permissions: {disk: all}, limits: {cpu: 1}}",
    );
    case.set(
        "task.yaml",
        &format!("{TASK}spec: {{steps: [{{name: nobody}}, {{name: '${{x}}'}}]}}\n"),
    );
    case.edit("repository.yaml", "mountPath: /safe/data", "mountPath: safe");
    for file in ["secrets.yaml", "app-binding.yaml", "invoker.yaml"] {
        case.remove(file);
    }
    let components = crate::fixture::components();
    let error =
        sealift_api::planner::check_alone(&case.objects().unwrap(), &components).unwrap_err();
    let texts: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(texts.join("\n"));
    let good = backup().objects().unwrap();
    assert_eq!(sealift_api::planner::check_alone(&good, &components), Ok(()));
}

/// A variable there is part of the text: nobody's param decides what may be done.
#[test]
fn no_param_reaches_permissions_and_limits() {
    for (field, said) in [
        ("permissions: {repository: '${path}'}", "spec.permissions.repository"),
        ("limits: {memory: '${path}'}", "expected an amount of memory"),
    ] {
        let told =
            with_function(&format!("{{image: 'builtin:vault-snapshot', {field}}}")).complaint();
        assert!(told.contains(said) && !told.contains("spec.task.params"), "{told}");
    }
}
