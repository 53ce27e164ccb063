//! M: a cluster that Stash leaves to Sealift. Its objects were let in by loose definitions and
//! carry what its operator wrote; these rows have a control plane of their own, since all others
//! begin with our definitions.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::client::Client;
use sealift_cluster::operator::Operator;
use sealift_cluster::{ControlPlane, Kubectl, Resource};
use sealift_e2e::binaries;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::acted::pod_ends;
use crate::conditions;
use crate::scene::{BACKUP, CRON_JOB, REPOSITORY, Scene};
use crate::stage;
use crate::world::{World, text, trial};

/// As kmodules once wrote a generation: with the hash of the spec.
const OLD_GENERATION: &str = "1$6208915667192219204";
const DONE: [(&str, &str); 3] = [
    ("demo-backup-1650000001", "Succeeded"),
    ("demo-backup-1650000002", "Failed"),
    ("demo-backup-1650000003", "Skipped"),
];
const RESTORES: [(&str, &str); 2] =
    [("vault-restore-session", "Succeeded"), ("vault-restore-before", "Failed")];
/// Their Jobs are gone, or have died.
const LOST: &str = "demo-backup-1650000004";
const LOST_RESTORE: &str = "vault-restore-lost";
const DEAD: &str = "other-backup-1650000004";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "M01 M02: objects of Stash are taken over as it left them", taken_over),
        trial(
            world,
            "M05: what Stash leaves in the cluster is reported with its remedy",
            leftovers,
        ),
    ]
}

/// A cluster that Stash was used in. Dropping it ends it.
struct Left {
    operator: Option<Operator>,
    plane: ControlPlane,
    folder: TempDir,
}

impl Left {
    fn new(world: &World) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sealift-left-").tempdir()?;
        let plane = ControlPlane::start(&folder.path().join("plane"), world.address())?;
        let left = Self { operator: None, plane, folder };
        left.define_loosely()?;
        Ok(left)
    }

    /// The definitions of ours with schemas that let everything in.
    fn define_loosely(&self) -> Result<()> {
        for file in definitions()? {
            let mut crd: Value = serde_saphyr::from_str(&std::fs::read_to_string(&file)?)?;
            let versions = crd["spec"]["versions"].as_array_mut().context("it has no versions")?;
            for version in versions {
                version["schema"]["openAPIV3Schema"] =
                    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
            }
            self.kubectl().apply(&crd.to_string(), &["--server-side"])?;
        }
        self.established()
    }

    /// As the README says: our definitions take their place.
    fn define(&self) -> Result<()> {
        let crds = deploy("crds");
        let apply = ["apply", "--server-side", "--force-conflicts", "-f"];
        self.kubectl().succeed(&[apply.as_slice(), &[&crds]].concat())?;
        self.kubectl().succeed(&[apply.as_slice(), &[&deploy("catalog")]].concat())?;
        self.established()
    }

    fn established(&self) -> Result<()> {
        let crds = deploy("crds");
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", &crds];
        self.kubectl().succeed(&wait)?;
        Ok(())
    }

    fn start_operator(&mut self) -> Result<()> {
        let kubeconfig =
            self.plane.kubeconfig("operator", "sealift-operator", Some("system:masters"))?;
        let image = format!("--image={}", stage::IMAGE);
        let folder = self.folder.path().join("operator");
        self.operator = Some(Operator::start(&folder, &kubeconfig, &[&image])?);
        Ok(())
    }

    /// Nothing went wrong with any object.
    fn ensure_content(&self) -> Result<()> {
        let operator = self.operator.as_ref().context("there is no operator")?;
        let metrics = operator.metrics()?;
        let failed: Vec<&str> = metrics
            .lines()
            .filter(|line| line.starts_with("sealift_reconcile_total{"))
            .filter(|line| !line.contains("class=\"\""))
            .collect();
        ensure!(failed.is_empty(), "{failed:?}\n{}", operator.log_tail());
        let unread = metrics
            .lines()
            .filter(|line| line.starts_with("sealift_objects_unreadable{"))
            .find(|line| !line.ends_with(" 0"));
        ensure!(unread.is_none(), "{unread:?}\n{}", operator.log_tail());
        Ok(())
    }

    fn kubectl(&self) -> &Kubectl {
        self.plane.kubectl()
    }

    fn client(&self) -> &Client {
        self.plane.client()
    }

    fn scene(&self, namespace: &str) -> Result<Scene<'_>> {
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        self.kubectl().apply(&object.to_string(), &[])?;
        Ok(Scene { plane: &self.plane, namespace: namespace.to_owned() })
    }
}

fn deploy(folder: &str) -> String {
    binaries::source_root().join("deploy").join(folder).to_string_lossy().into_owned()
}

fn definitions() -> Result<Vec<std::path::PathBuf>> {
    std::fs::read_dir(deploy("crds"))?.map(|entry| Ok(entry?.path())).collect()
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "as Stash said it",
        "lastTransitionTime": "2022-04-15T05:20:01Z"})
}

/// The guide's objects with finalizers and status of Stash.
fn seed(scene: &Scene<'_>) -> Result<()> {
    let old = json!({"observedGeneration": OLD_GENERATION});
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    let mut repository = scene.repository()?;
    repository["metadata"]["finalizers"] = json!(["stash"]);
    scene.apply(&repository)?;
    let mut status = old.clone();
    status["size"] = json!("75.867 KiB");
    status["snapshotCount"] = json!(3);
    status["integrity"] = json!(true);
    status["firstBackupTime"] = json!("2022-04-15T05:20:01Z");
    status["lastBackupTime"] = json!("2022-04-15T05:30:01Z");
    state(scene, Resource::REPOSITORY, REPOSITORY, &status)?;
    for name in [BACKUP, "other-backup"] {
        let mut backup = scene.backup()?;
        backup["metadata"]["name"] = json!(name);
        backup["metadata"]["finalizers"] = json!(["stash.appscode.com"]);
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        // With the default of one, the end of the lost session would remove those before it.
        backup["spec"]["backupHistoryLimit"] = json!(10);
        scene.apply(&backup)?;
        let mut status = old.clone();
        status["phase"] = json!("Ready");
        status["conditions"] =
            json!([condition("CronJobCreated", "True", "CronJobCreationSucceeded")]);
        state(scene, Resource::BACKUP_CONFIGURATION, name, &status)?;
    }
    trigger(scene)?;
    for (name, phase) in DONE {
        session(scene, name, BACKUP, phase)?;
    }
    for (name, phase) in RESTORES {
        restore(scene, name, phase)?;
    }
    session(scene, LOST, BACKUP, "Running")?;
    restore(scene, LOST_RESTORE, "Running")?;
    session(scene, DEAD, "other-backup", "Running")?;
    dead_job(scene)
}

fn state(scene: &Scene<'_>, resource: Resource, name: &str, status: &Value) -> Result<()> {
    let patch = json!({ "status": status });
    scene.client().patch_status(resource, &scene.namespace, name, &patch)?;
    Ok(())
}

/// What older releases called it, with two dashes.
fn trigger(scene: &Scene<'_>) -> Result<()> {
    let labels = json!({"app.kubernetes.io/managed-by": "stash.appscode.com"});
    let uid = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?["metadata"]["uid"].clone();
    let owner = json!([{"apiVersion": "stash.appscode.com/v1beta1", "controller": true,
        "blockOwnerDeletion": true, "kind": "BackupConfiguration", "name": BACKUP, "uid": uid}]);
    let name = format!("stash-trigger--{BACKUP}");
    let meta = json!({"name": name, "labels": labels, "ownerReferences": owner});
    let container = json!({"name": "stash-trigger", "image": "appscode/stash",
        "args": ["create-backupsession", "--invoker-name=demo-backup"]});
    let pod = json!({"spec": {"restartPolicy": "Never", "containers": [container]}});
    scene.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}))?;
    scene.apply(&json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta,
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": pod}}}}))
}

fn session(scene: &Scene<'_>, name: &str, of: &str, phase: &str) -> Result<()> {
    let uid = scene.object(Resource::BACKUP_CONFIGURATION, of)?["metadata"]["uid"].clone();
    let object = json!({"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
        "metadata": {"name": name, "namespace": scene.namespace,
            "labels": {"stash.appscode.com/invoker-name": of,
                "stash.appscode.com/invoker-type": "BackupConfiguration"},
            "ownerReferences": [{"apiVersion": "stash.appscode.com/v1beta1", "controller": true,
                "blockOwnerDeletion": true, "kind": "BackupConfiguration", "name": of, "uid": uid}]},
        "spec": {"retryLeft": 1, "invoker": {"apiGroup": "stash.appscode.com",
            "kind": "BackupConfiguration", "name": of}}});
    scene.client().create(Resource::BACKUP_SESSION, &scene.namespace, &object)?;
    let target = json!({"ref": {"apiVersion": "appcatalog.appscode.com/v1alpha1",
        "kind": "AppBinding", "name": "vault", "namespace": scene.namespace}, "totalHosts": 1});
    let host = |phase: &str| json!({"hostname": "host-0", "phase": phase, "duration": "4s"});
    let status = match phase {
        "Skipped" => json!({"phase": phase,
            "conditions": [condition("BackupSkipped", "True", "SkippedTakingNewBackup")]}),
        "Running" => json!({"phase": phase, "targets": [merged(&target, &json!({
            "phase": "Running",
            "conditions": [condition("BackupExecutorEnsured", "True",
                "SuccessfullyEnsuredBackupExecutor")]}))]}),
        done => json!({"phase": done, "sessionDuration": "7s",
            "targets": [merged(&target, &json!({"phase": done, "stats": [host(done)]}))],
            "conditions": [condition("MetricsPushed", "False", "FailedToPushMetrics")]}),
    };
    state(scene, Resource::BACKUP_SESSION, name, &status)
}

fn restore(scene: &Scene<'_>, name: &str, phase: &str) -> Result<()> {
    let mut restore = scene.restore()?;
    restore["metadata"]["name"] = json!(name);
    restore["metadata"]["finalizers"] = json!(["stash.appscode.com"]);
    scene.apply(&restore)?;
    let status = match phase {
        "Running" => json!({"phase": phase, "totalHosts": 1, "conditions":
            [condition("RestoreJobCreated", "True", "RestoreJobCreationSucceeded")]}),
        done => json!({"phase": done, "totalHosts": 1, "sessionDuration": "12s",
            "stats": [{"hostname": "host-0", "phase": done, "duration": "10s"}],
            "conditions": [condition("MetricsPushed", "False", "FailedToPushMetrics")]}),
    };
    state(scene, Resource::RESTORE_SESSION, name, &status)
}

fn merged(one: &Value, other: &Value) -> Value {
    let mut both = one.clone();
    for (key, value) in other.as_object().into_iter().flatten() {
        both[key] = value.clone();
    }
    both
}

/// The Job of a session, failed: its container was killed.
fn dead_job(scene: &Scene<'_>) -> Result<()> {
    let name = format!("stash-backup-{DEAD}-0");
    let uid = scene.object(Resource::BACKUP_SESSION, DEAD)?["metadata"]["uid"].clone();
    let container = json!({"name": "vault-backup-1-10-3-0", "image": "appscode/stash-vault"});
    let labels = json!({"app.kubernetes.io/managed-by": "stash.appscode.com",
        "app.kubernetes.io/component": "stash-backup"});
    scene.apply(&json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "labels": labels, "ownerReferences": [{
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession", "name": DEAD,
            "uid": uid, "controller": true, "blockOwnerDeletion": true}]},
        "spec": {"backoffLimit": 0, "template": {
            "metadata": {"labels": labels},
            "spec": {"restartPolicy": "Never", "containers": [container]}}}}))?;
    pod_ends(scene, &name, 137, "OOMKilled", "")?;
    scene.wait("the Job has failed", Resource::JOB, &name, |job| {
        let conditions = job["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|found| found["type"] == "Failed")
    })?;
    Ok(())
}

fn taken_over(world: &World) -> Result<()> {
    let mut left = Left::new(world)?;
    seed(&left.scene("demo")?)?;
    let before = all(&left.scene("demo")?)?;
    left.define()?;
    left.start_operator()?;
    let scene = left.scene("demo")?;

    let backup = scene.wait_for_phase(BACKUP, "Ready")?;
    ensure!(backup["metadata"]["finalizers"] == json!(["stash.appscode.com"]), "{backup}");
    observed(&scene, Resource::BACKUP_CONFIGURATION, BACKUP)?;
    let repository = observed(&scene, Resource::REPOSITORY, REPOSITORY)?;
    ensure!(repository["metadata"]["finalizers"] == json!(["stash"]), "{repository}");
    let status = &repository["status"];
    ensure!(
        status["snapshotCount"] == 3 && status["firstBackupTime"] == "2022-04-15T05:20:01Z",
        "{status}"
    );
    scene.wait("the CronJob has one dash", Resource::CRON_JOB, CRON_JOB, |_| true)?;
    let old = format!("stash-trigger--{BACKUP}");
    scene.client().wait_until_gone(&Resource::CRON_JOB.path(&scene.namespace, &old))?;
    scene.client().wait_until_gone(&Resource::SERVICE_ACCOUNT.path(&scene.namespace, &old))?;

    // M02: what was left Running ends, and says why.
    for (name, said) in [(LOST, "was deleted"), (DEAD, "OOMKilled")] {
        let session = crate::acted::ended(&scene, name, "Failed")?;
        let error = text(&session, "/status/targets/0/stats/0/error");
        ensure!(error.contains(said), "{name}: {}", session["status"]);
    }
    let what = "the lost restore has failed";
    let restore = scene.wait(what, Resource::RESTORE_SESSION, LOST_RESTORE, |restore| {
        conditions::phase(restore) == "Failed"
    })?;
    let error = text(&restore, "/status/stats/0/error");
    ensure!(error.contains("was deleted"), "{}", restore["status"]);

    // The schedule goes on: the next session is not skipped.
    let next = "demo-backup-1700000001";
    scene.session(next)?;
    let job = crate::acted::job_of(next);
    scene.wait("the next session has its Job", Resource::JOB, &job, |_| true)?;
    crate::acted::running(&scene, next)?;

    // M01: an edit is taken, and nothing that was done is done again.
    let patch = json!({"spec": {"schedule": "0 7 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 7 * * *"
    })?;
    observed(&scene, Resource::BACKUP_CONFIGURATION, BACKUP)?;
    let after = all(&scene)?;
    for (name, _) in DONE.iter().chain(&RESTORES) {
        let of = |all: &[Value]| {
            all.iter().find(|found| found["metadata"]["name"] == *name).cloned().unwrap_or_default()
        };
        let (was, is) = (of(&before), of(&after));
        ensure!(!was.is_null() && was["status"] == is["status"], "{name} was {was} and is {is}");
    }
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    let known = [job, format!("stash-backup-{DEAD}-0")];
    ensure!(jobs.iter().all(|job| known.contains(job)), "Jobs: {jobs:?}");
    let sessions = scene.client().names(Resource::BACKUP_SESSION, &scene.namespace)?;
    ensure!(sessions.len() == 6, "sessions: {sessions:?}");
    left.ensure_content()?;

    // The finalizers Stash left do not hold anything up.
    scene.kubectl(&["delete", "bc", BACKUP, "other-backup", "--wait=false"])?;
    scene.kubectl(&["delete", "repository.stash.appscode.com", REPOSITORY, "--wait=false"])?;
    scene.kubectl(&["delete", "restoresession", "--all", "--wait=false"])?;
    for name in [BACKUP, "other-backup"] {
        let path = Resource::BACKUP_CONFIGURATION.path(&scene.namespace, name);
        scene.client().wait_until_gone(&path)?;
    }
    scene.client().wait_until_gone(&Resource::REPOSITORY.path(&scene.namespace, REPOSITORY))?;
    for (name, _) in RESTORES {
        scene.client().wait_until_gone(&Resource::RESTORE_SESSION.path(&scene.namespace, name))?;
    }
    left.ensure_content()
}

/// Every session and restore.
fn all(scene: &Scene<'_>) -> Result<Vec<Value>> {
    let mut all = scene.client().list(Resource::BACKUP_SESSION, &scene.namespace)?;
    all.extend(scene.client().list(Resource::RESTORE_SESSION, &scene.namespace)?);
    Ok(all)
}

/// Waits until the generation that was observed is a number, and the newest.
fn observed(scene: &Scene<'_>, resource: Resource, name: &str) -> Result<Value> {
    scene.wait(&format!("{name} is observed"), resource, name, |object| {
        let observed = &object["status"]["observedGeneration"];
        observed.is_i64() && *observed == object["metadata"]["generation"]
    })
}

const GROUPS: [&str; 3] = [
    "v1alpha1.repositories.stash.appscode.com",
    "v1alpha1.admission.stash.appscode.com",
    "v1beta1.admission.stash.appscode.com",
];
const WEBHOOKS: &str = "admission.stash.appscode.com";

fn leftovers(world: &World) -> Result<()> {
    let mut left = Left::new(world)?;
    for name in GROUPS {
        let (version, group) = name.split_once('.').unwrap_or_default();
        left.kubectl().apply(
            &json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
                "metadata": {"name": name},
                "spec": {"group": group, "version": version, "insecureSkipTLSVerify": true,
                    "groupPriorityMinimum": 10000, "versionPriority": 15,
                    "service": {"namespace": "stash", "name": "stash", "port": 443}}})
            .to_string(),
            &[],
        )?;
    }
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let rule = json!({"apiGroups": ["stash.appscode.com"], "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE"], "resources": ["backupconfigurations"]});
        let hook = json!({"name": "backupconfiguration.admission.stash.appscode.com",
            "rules": [rule], "failurePolicy": "Fail", "sideEffects": "None",
            "admissionReviewVersions": ["v1beta1", "v1"],
            "clientConfig": {"service": {"namespace": "default", "name": "kubernetes",
                "path": "/apis/admission.stash.appscode.com/v1beta1/backupconfigurations"}}});
        left.kubectl().apply(
            &json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                "metadata": {"name": WEBHOOKS}, "webhooks": [hook]})
            .to_string(),
            &[],
        )?;
    }
    left.define()?;
    // They do disturb: nobody answers for the groups, and no object can be made.
    for name in GROUPS {
        let path = format!("/apis/apiregistration.k8s.io/v1/apiservices/{name}");
        left.client().wait("the APIService is not available", &path, |service| {
            (conditions::of(service?, "Available").starts_with("False")).then_some(())
        })?;
    }
    let scene = left.scene("left")?;
    let refused = scene.apply(&scene.backup()?).err().map(|error| format!("{error:#}"));
    let refused = refused.context("no webhook disturbs anybody")?;
    ensure!(refused.contains("failed calling webhook"), "{refused}");
    left.start_operator()?;

    // Each is reported with the command that removes it, and that command is enough.
    let events = left.client().list(Resource::EVENT, "default")?;
    let said: Vec<&str> = events
        .iter()
        .filter(|event| event["reason"] == "LeftoverOfOriginal" && event["type"] == "Warning")
        .map(|event| text(event, "/message"))
        .collect();
    for (kind, name) in GROUPS.map(|name| ("apiservice", name)).into_iter().chain([
        ("mutatingwebhookconfiguration", WEBHOOKS),
        ("validatingwebhookconfiguration", WEBHOOKS),
    ]) {
        let command = format!("kubectl delete {kind} {name}");
        ensure!(said.iter().any(|message| message.ends_with(&command)), "{command}: {said:?}");
    }
    ensure!(said.len() == 5, "{said:?}");
    for message in said {
        let command = message.split_once("kubectl ").map(|(_, command)| command);
        let words: Vec<&str> = command.unwrap_or_default().split(' ').collect();
        left.kubectl().succeed(&words)?;
    }
    left.kubectl().succeed(&["api-resources"])?;
    let scene = left.scene("left")?;
    scene.apply_guide()?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    left.kubectl().succeed(&["delete", "namespace", "left", "--wait=false"])?;
    left.client().wait_until_gone("/api/v1/namespaces/left")
}
