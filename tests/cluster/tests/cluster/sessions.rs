//! C and D, as far as no pod must run: what a session makes, and when it is skipped.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::conditions;
use crate::scene::{BACKUP, STORAGE_SECRET, Scene};
use crate::world::{World, text, trial};

const SESSION: &str = "demo-backup-1700000000";
const JOB: &str = "stash-backup-demo-backup-1700000000-0";
const ACCOUNT: &str = "backupconfiguration-demo-backup-0";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "B15: runtime settings reach the Job's pod", runtime_settings),
        trial(world, "C02: a session gets the invoker's and the target's labels", labels),
        trial(world, "C03: the Job has the original's name and is the session's", job),
        trial(world, "C04: the Job runs as the original's ServiceAccount", account),
        trial(world, "C04: a ServiceAccount of the user is used and none is made", own_account),
        trial(world, "C05: the Job's rights are those of its session", rights),
        trial(world, "C17: interim volume and temporary folder are as asked for", interim),
        trial(world, "C18: no object but the Secrets holds a credential", credentials),
        trial(world, "D01: a session with the old label alone gets its Job", old_label),
        trial(world, "D03: a session of `kubectl stash trigger` gets its Job", generated_name),
        trial(world, "D05: a session of an invoker that is not ready is skipped", not_ready),
        trial(world, "D08: the spec of a session is immutable", immutable),
        trial(world, "D09: a session without an invoker ends and says so", no_invoker),
        trial(
            world,
            "G06: a RestoreSession waits for the Secret and then makes one Job",
            restore_waits,
        ),
        trial(world, "K01: the guide's RestoreSession gets the original's Job", restore_job),
    ]
}

fn session_job(scene: &Scene<'_>) -> Result<Value> {
    scene.session(SESSION)?;
    scene.wait("the Job exists", Resource::JOB, JOB, |_| true)
}

fn pod(job: &Value) -> &Value {
    &job["spec"]["template"]["spec"]
}

fn runtime_settings(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B15")?;
    let wanted_pod = json!({
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "backups", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "Exists"}]}]}}},
        "priorityClassName": "system-node-critical",
    });
    let mut settings = wanted_pod.clone();
    settings["podLabels"] = json!({"team": "payments"});
    settings["podAnnotations"] = json!({"note": "a backup"});
    settings["serviceAccountAnnotations"] = json!({"role": "arn:of-a-role"});
    let container = json!({
        "env": [{"name": "WORD", "value": "of-the-user"}],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
    });
    let patch = json!({"spec": {"runtimeSettings": {"pod": settings, "container": container}}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the edit is observed", Resource::BACKUP_CONFIGURATION, BACKUP, |backup| {
        backup["status"]["observedGeneration"] == backup["metadata"]["generation"]
            && conditions::phase(backup) == "Ready"
    })?;
    let job = session_job(&scene)?;
    for (field, wanted) in wanted_pod.as_object().into_iter().flatten() {
        ensure!(pod(&job)[field] == *wanted, "{field}: {}", pod(&job)[field]);
    }
    let template = &job["spec"]["template"]["metadata"];
    ensure!(template["labels"]["team"] == "payments", "labels: {}", template["labels"]);
    ensure!(
        template["annotations"]["note"] == "a backup",
        "annotations: {}",
        template["annotations"]
    );
    let first = &pod(&job)["containers"][0];
    ensure!(
        first["env"].as_array().is_some_and(|all| all.contains(&container["env"][0])),
        "env: {}",
        first["env"]
    );
    ensure!(first["envFrom"] == container["envFrom"], "envFrom: {}", first["envFrom"]);
    // The guide asks for both.
    let context = &first["securityContext"];
    ensure!(context["runAsUser"] == 0 && context["runAsGroup"] == 0, "securityContext: {context}");
    let account = scene.object(Resource::SERVICE_ACCOUNT, ACCOUNT)?;
    ensure!(
        account["metadata"]["annotations"]["role"] == "arn:of-a-role",
        "annotations: {}",
        account["metadata"]["annotations"]
    );
    Ok(())
}

fn labels(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "C02")?;
    let patch = json!({"metadata": {"labels": {"team": "payments"}}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.session(SESSION)?;
    scene.wait("the session is labelled", Resource::BACKUP_SESSION, SESSION, |session| {
        let labels = &session["metadata"]["labels"];
        [
            ("invoker-type", "BackupConfiguration"),
            ("invoker-name", BACKUP),
            ("target-kind", "AppBinding"),
            ("target-name", "vault"),
            ("target-namespace", scene.namespace.as_str()),
        ]
        .iter()
        .all(|(label, value)| labels[format!("stash.appscode.com/{label}")] == *value)
            && labels["team"] == "payments"
            && text(session, "/metadata/ownerReferences/0/name") == BACKUP
    })?;
    Ok(())
}

fn job(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "C03")?;
    scene.edit(&json!({"metadata": {"labels": {"team": "payments"}},
        "spec": {"backupHistoryLimit": 2}}))?;
    let job = session_job(&scene)?;
    let owner = &job["metadata"]["ownerReferences"][0];
    ensure!(
        owner["kind"] == "BackupSession" && owner["name"] == SESSION && owner["controller"] == true,
        "owner: {owner}"
    );
    ensure!(job["spec"]["backoffLimit"] == 0, "backoffLimit: {}", job["spec"]["backoffLimit"]);
    ensure!(pod(&job)["restartPolicy"] == "Never", "restartPolicy: {}", pod(&job)["restartPolicy"]);
    for pointer in ["/metadata/labels", "/spec/template/metadata/labels"] {
        let labels = job.pointer(pointer).cloned().unwrap_or_default();
        ensure!(
            labels["app.kubernetes.io/component"] == "stash-backup"
                && labels["app.kubernetes.io/managed-by"] == "stash.appscode.com"
                && labels["team"] == "payments",
            "{pointer}: {labels}"
        );
    }
    Ok(())
}

fn account(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "C04")?;
    let job = session_job(&scene)?;
    ensure!(pod(&job)["serviceAccountName"] == ACCOUNT, "pod: {}", pod(&job));
    scene.object(Resource::SERVICE_ACCOUNT, ACCOUNT)?;
    Ok(())
}

fn own_account(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "C04-own")?;
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "mine", "namespace": scene.namespace}});
    scene.apply(&account)?;
    let patch = json!({"spec": {"runtimeSettings": {"pod": {"serviceAccountName": "mine"}}}});
    scene.edit(&patch)?;
    let job = session_job(&scene)?;
    ensure!(pod(&job)["serviceAccountName"] == "mine", "pod: {}", pod(&job));
    let accounts = scene.client().names(Resource::SERVICE_ACCOUNT, &scene.namespace)?;
    ensure!(!accounts.contains(&ACCOUNT.to_owned()), "ServiceAccounts: {accounts:?}");
    Ok(())
}

fn rights(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "C05")?;
    session_job(&scene)?;
    let who = format!("--as=system:serviceaccount:{}:{ACCOUNT}", scene.namespace);
    let asked = |verb: &str, what: &str| -> Result<String> {
        let arguments = ["-n", &scene.namespace, "auth", "can-i", verb, what, &who];
        Ok(scene.program().run(&arguments)?.stdout.trim().to_owned())
    };
    let storage = format!("secrets/{STORAGE_SECRET}");
    for what in [storage.as_str(), "secrets/vault-backup-token", "secrets/vault-keys"] {
        ensure!(asked("get", what)? == "yes", "the Job may not get {what}");
    }
    for (verb, what) in [
        ("get", "secrets/other"),
        ("list", "secrets"),
        ("update", storage.as_str()),
        ("delete", "backupconfigurations.stash.appscode.com"),
        ("create", "pods/exec"),
        ("create", "pods"),
    ] {
        ensure!(asked(verb, what)? == "no", "the Job may {verb} {what}");
    }
    Ok(())
}

fn interim(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "C17")?;
    let claim =
        json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    let patch = json!({"spec": {
        "interimVolumeTemplate": {"metadata": {"name": "v1"}, "spec": claim},
        "tempDir": {"medium": "Memory", "sizeLimit": "1Gi"},
    }});
    scene.edit(&patch)?;
    let job = session_job(&scene)?;
    let name = format!("{SESSION}-v1");
    let path = format!("/api/v1/namespaces/{}/persistentvolumeclaims/{name}", scene.namespace);
    let volume = scene.client().wait("the interim volume exists", &path, |claim| claim.cloned())?;
    ensure!(volume["spec"]["accessModes"] == claim["accessModes"], "spec: {}", volume["spec"]);
    ensure!(volume["spec"]["resources"] == claim["resources"], "spec: {}", volume["spec"]);
    ensure!(text(&volume, "/metadata/ownerReferences/0/name") == SESSION, "{}", volume["metadata"]);
    let volumes = pod(&job)["volumes"].as_array().cloned().unwrap_or_default();
    let temporary = volumes.iter().find(|volume| volume["name"] == "stash-tmp-dir");
    let empty = temporary.map(|volume| volume["emptyDir"].clone()).unwrap_or_default();
    ensure!(empty == json!({"medium": "Memory", "sizeLimit": "1Gi"}), "emptyDir: {empty}");
    let mounts = pod(&job)["containers"][0]["volumeMounts"].to_string();
    for place in ["\"/stash-tmp\"", "\"/stash-interim-volume\""] {
        ensure!(mounts.contains(place), "mounts: {mounts}");
    }
    scene.client().delete(Resource::BACKUP_SESSION, &scene.namespace, SESSION)?;
    // The claim is protected as long as the pod is there.
    scene.client().wait_until_gone(&path)
}

fn credentials(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "C18")?;
    session_job(&scene)?;
    for resource in [
        Resource::BACKUP_CONFIGURATION,
        Resource::BACKUP_SESSION,
        Resource::REPOSITORY,
        Resource::CRON_JOB,
        Resource::JOB,
        Resource::CONFIG_MAP,
        Resource::POD,
        Resource::EVENT,
        Resource::ROLE,
    ] {
        let objects = Value::from(scene.client().list(resource, &scene.namespace)?).to_string();
        ensure!(!objects.contains("sentinel-"), "{} hold a credential: {objects}", resource.plural);
    }
    let log = world.operator()?.log_tail();
    ensure!(!log.contains("sentinel-"), "the operator logs a credential: {log}");
    Ok(())
}

fn old_label(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "D01")?;
    let session = json!({
        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
        "metadata": {"name": SESSION, "namespace": scene.namespace, "labels": {
            "stash.appscode.com/backup-configuration": BACKUP,
        }},
        "spec": {"invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": BACKUP}},
    });
    scene.client().create(Resource::BACKUP_SESSION, &scene.namespace, &session)?;
    scene.wait("the Job exists", Resource::JOB, JOB, |_| true)?;
    Ok(())
}

fn generated_name(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "D03")?;
    let session = json!({
        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
        "metadata": {"generateName": "demo-backup-", "namespace": scene.namespace, "labels": {"app": "stash"}},
        "spec": {"invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": BACKUP}},
    });
    let made = scene.client().create(Resource::BACKUP_SESSION, &scene.namespace, &session)?;
    let job = format!("stash-backup-{}-0", text(&made, "/metadata/name"));
    scene.wait("the Job exists", Resource::JOB, &job, |_| true)?;
    Ok(())
}

fn not_ready(world: &World) -> Result<()> {
    let scene = Scene::new(world, "D05")?;
    scene.apply(&scene.backup()?)?;
    scene.wait_for_phase(BACKUP, "NotReady")?;
    scene.session(SESSION)?;
    let session =
        scene.wait("the session is skipped", Resource::BACKUP_SESSION, SESSION, |session| {
            conditions::phase(session) == "Skipped"
        })?;
    let found = conditions::of(&session, "BackupSkipped");
    ensure!(found == "True SkippedTakingNewBackup", "BackupSkipped: {found}");
    let wanted = format!(
        "Skipped taking backup. Reason: BackupConfiguration {}/{BACKUP} is not ready.",
        scene.namespace
    );
    let message = conditions::message(&session, "BackupSkipped");
    ensure!(message == wanted, "message: {message}");
    let mut jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    // The CronJob may have been due while the configuration was ready.
    jobs.retain(|job| !job.starts_with("stash-trigger-"));
    ensure!(jobs.is_empty(), "Jobs: {jobs:?}");
    Ok(())
}

fn immutable(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "D08")?;
    scene.session(SESSION)?;
    scene.apply(&scene.restore()?)?;
    for (kind, name, patch) in [
        ("backupsession", SESSION, r#"{"spec":{"invoker":{"name":"another"}}}"#),
        (
            "restoresession",
            "vault-restore-session",
            r#"{"spec":{"repository":{"name":"another"}}}"#,
        ),
    ] {
        let arguments =
            ["-n", &scene.namespace, "patch", kind, name, "--type", "merge", "-p", patch];
        let said = scene.program().run(&arguments)?;
        ensure!(
            said.code != Some(0) && said.stderr.contains("immutable"),
            "{kind}: {}",
            said.text()
        );
    }
    Ok(())
}

fn no_invoker(world: &World) -> Result<()> {
    let scene = Scene::new(world, "D09")?;
    scene.session(SESSION)?;
    let session = scene.wait("the session ends", Resource::BACKUP_SESSION, SESSION, |session| {
        matches!(conditions::phase(session), "Failed" | "Skipped")
    })?;
    let conditions = session["status"]["conditions"].to_string();
    ensure!(conditions.contains(BACKUP), "conditions: {conditions}");
    Ok(())
}

fn restore_waits(world: &World) -> Result<()> {
    let scene = Scene::new(world, "G06")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    scene.apply(&scene.restore()?)?;
    let name = "vault-restore-session";
    let waiting =
        scene.wait("it waits for the Secret", Resource::RESTORE_SESSION, name, |restore| {
            conditions::of(restore, "BackendSecretFound") == "False BackendSecretNotAvailable"
        })?;
    ensure!(matches!(conditions::phase(&waiting), "" | "Pending"), "status: {}", waiting["status"]);
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    ensure!(jobs.is_empty(), "Jobs: {jobs:?}");
    scene.apply(&scene.storage_secret())?;
    scene
        .wait("the Job exists", Resource::JOB, "stash-restore-vault-restore-session-0", |_| true)?;
    Ok(())
}

fn restore_job(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "K01")?;
    scene.apply(&scene.restore()?)?;
    let name = "stash-restore-vault-restore-session-0";
    let job = scene.wait("the Job exists", Resource::JOB, name, |_| true)?;
    let account = "restoresession-vault-restore-session-0";
    ensure!(pod(&job)["serviceAccountName"] == account, "pod: {}", pod(&job));
    ensure!(
        text(&job, "/metadata/ownerReferences/0/kind") == "RestoreSession",
        "{}",
        job["metadata"]["ownerReferences"]
    );
    Ok(())
}
