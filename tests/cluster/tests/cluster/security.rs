//! Security decisions that only a cluster can show; SECURITY.md names the tests of the others.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::conditions;
use crate::process::Prepared;
use crate::scene::{BACKUP, REPOSITORY, STORAGE_SECRET, Scene};
use crate::world::{World, text, trial};

const SESSION: &str = "demo-backup-1700000000";
const JOB: &str = "stash-backup-demo-backup-1700000000-0";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = vec![
        trial(world, "security: a status that somebody forged opens nothing", forged_status),
        trial(world, "security: the Job's pod is of the restricted standard", restricted),
        trial(world, "security: a plan is written by nobody but the operator", plan_of_another),
    ];
    for (address, word) in [
        ("127.0.0.1", "loopback"),
        ("[::1]", "loopback"),
        ("169.254.169.254", "link-local"),
        ("0.0.0.0", "unspecified"),
    ] {
        let name = format!("security: a Job never sends a token to the {word} address {address}");
        trials.push(trial(world, name, move |world| no_token_to(world, address, word)));
    }
    trials
}

/// Where the Repository's owner allows nobody, no word in any status changes that: what a user
/// may write there is no more than what a user may write anywhere.
fn forged_status(world: &World) -> Result<()> {
    let storage = Scene::new(world, "forged-storage")?;
    storage.apply(&storage.storage_secret())?;
    let mut repository = storage.repository()?;
    repository["spec"]["usagePolicy"] = json!({"allowedNamespaces": {"from": "Same"}});
    storage.apply(&repository)?;
    let scene = Scene::new(world, "forged")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.vault_secrets())?;
    let mut backup = scene.backup()?;
    backup["spec"]["repository"] = json!({"name": REPOSITORY, "namespace": storage.namespace});
    scene.apply(&backup)?;
    let judged = scene.wait_for_phase(BACKUP, "Invalid")?;

    let yes = |kind: &str| {
        json!({"type": kind, "status": "True", "reason": "Forged", "message": "",
            "lastTransitionTime": judged["metadata"]["creationTimestamp"]})
    };
    let kinds = ["ValidationPassed", "RepositoryFound", "BackendSecretFound", "BackupTargetFound"];
    let forged: Vec<Value> = kinds.into_iter().map(yes).collect();
    let status = json!({"status": {"phase": "Ready", "conditions": forged,
        "observedGeneration": judged["metadata"]["generation"]}});
    scene.client().patch_status(
        Resource::BACKUP_CONFIGURATION,
        &scene.namespace,
        BACKUP,
        &status,
    )?;
    let references = json!({"status": {"references": [{"apiGroup": "stash.appscode.com",
        "kind": "BackupConfiguration", "name": BACKUP, "namespace": scene.namespace}]}});
    storage.client().patch_status(
        Resource::REPOSITORY,
        &storage.namespace,
        REPOSITORY,
        &references,
    )?;
    scene.session(SESSION)?;
    let running = json!({"status": {"phase": "Running", "targets": [{"ref": {
        "apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": "vault",
    }, "totalHosts": 1}]}});
    scene.client().patch_status(Resource::BACKUP_SESSION, &scene.namespace, SESSION, &running)?;

    scene.wait_for_phase(BACKUP, "Invalid")?;
    scene.wait("the session ends", Resource::BACKUP_SESSION, SESSION, |session| {
        ["Failed", "Skipped", "Invalid"].contains(&conditions::phase(session))
    })?;
    for namespace in [&scene.namespace, &storage.namespace] {
        for resource in [Resource::JOB, Resource::ROLE, Resource::ROLE_BINDING] {
            let made = scene.client().names(resource, namespace)?;
            ensure!(made.is_empty(), "made in {namespace}: {} {made:?}", resource.plural);
        }
    }
    Ok(())
}

/// Pod Security's admission judges the very pod, in a namespace that enforces the standard.
fn restricted(world: &World) -> Result<()> {
    let scene = Scene::new(world, "restricted")?;
    scene.apply_guide()?;
    // The guide asks for root, as the original's image needed it.
    let patch = json!({"spec": {"runtimeSettings": null}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    scene.session(SESSION)?;
    let job = scene.wait("the Job exists", Resource::JOB, JOB, |_| true)?;
    let label = "pod-security.kubernetes.io/enforce=restricted";
    scene.kubectl(&["label", "namespace", &scene.namespace, label])?;
    let cron_job = scene.object(Resource::CRON_JOB, crate::scene::CRON_JOB)?;
    for template in [&job["spec"]["template"], &cron_job["spec"]["jobTemplate"]["spec"]["template"]]
    {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "judged", "namespace": scene.namespace},
            "spec": template["spec"],
        });
        let arguments = ["create", "--dry-run=server", "-f", "-"];
        let said = scene.program().run_with(&arguments, Some(&pod.to_string()))?;
        ensure!(said.code == Some(0) && said.stderr.is_empty(), "{}", said.text());
        let spec = &pod["spec"];
        let containers = spec["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
        ensure!(containers.len() == 1 && spec["initContainers"].is_null(), "{containers:?}");
        let container = &containers[0];
        ensure!(container["securityContext"]["readOnlyRootFilesystem"] == true, "{container:#}");
        for field in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] {
            ensure!(spec[field].is_null() || spec[field] == false, "{field} is on");
        }
        // What is mounted is what `sealift job` is told of, or writes to; a trigger needs nothing.
        let mounts: Vec<&str> = container["volumeMounts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|mount| text(mount, "/mountPath"))
            .collect();
        let is_job = container["args"][0] == "job";
        let wanted: &[&str] = if is_job { &["/etc/sealift/plan", "/stash-tmp"] } else { &[] };
        ensure!(mounts.iter().all(|path| wanted.contains(path)), "{mounts:?}");
        ensure!(wanted.iter().all(|path| mounts.contains(path)), "{mounts:?}");
    }
    Ok(())
}

/// A ConfigMap of the plan's name, made before the session by somebody who may make ConfigMaps,
/// is not what the Job runs.
fn plan_of_another(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "foreign-plan")?;
    let name = format!("sealift-plan-{SESSION}");
    scene.session("demo-backup-1600000000")?;
    let first = "stash-backup-demo-backup-1600000000-0";
    scene.wait("the first Job exists", Resource::JOB, first, |_| true)?;
    let map = scene.object(Resource::CONFIG_MAP, "sealift-plan-demo-backup-1600000000")?;
    let foreign = text(&map, "/data/plan.json").replace("vault-backup-token", "vault-keys");
    let foreign = foreign.replace("demo-backup-1600000000", SESSION);
    scene.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
        "metadata": {"name": name}, "data": {"plan.json": foreign}}))?;
    crate::acted::report(&scene, "demo-backup-1600000000", None)?;
    crate::acted::ended(&scene, "demo-backup-1600000000", "Succeeded")?;
    scene.session(SESSION)?;
    scene.wait("the Job exists", Resource::JOB, JOB, |_| true)?;
    let map = scene.object(Resource::CONFIG_MAP, &name)?;
    ensure!(text(&map, "/data/plan.json") != foreign, "the foreign plan is run");
    ensure!(text(&map, "/data/plan.json").contains("vault-backup-token"), "{map}");
    Ok(())
}

/// The AppBinding names an address that no Vault of a cluster has.
fn no_token_to(world: &World, address: &str, word: &str) -> Result<()> {
    let folder = TempDir::new()?;
    let number: String = address.chars().filter(char::is_ascii_alphanumeric).collect();
    let scene = Scene::new(world, &format!("address-{number}"))?;
    // Somebody listens at loopback, and must not be asked.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to listen")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let mut binding = scene.app_binding()?;
    binding["spec"]["clientConfig"] = json!({"url": format!("http://{address}:{port}")});
    let mut repository = scene.repository()?;
    repository["spec"]["backend"] = json!({
        "local": {
            "mountPath": folder.path().join("repository"),
            "hostPath": {"path": "/nowhere"},
        },
        "storageSecretName": STORAGE_SECRET,
    });
    let mut backup = scene.backup()?;
    backup["spec"]["task"] = json!({
        "name": "vault-backup-1.10.3", "params": [{"name": "waitTimeout", "value": "1"}],
    });
    for object in [&binding, &scene.storage_secret(), &scene.vault_secrets(), &repository, &backup]
    {
        scene.apply(object)?;
    }
    scene.wait_for_phase(BACKUP, "Ready")?;
    scene.session(SESSION)?;
    let ran = Prepared::of(&scene, JOB)?.run()?;
    ensure!(ran.code == Some(1) || ran.code == Some(2), "{:?}: {}", ran.code, ran.left);
    let session = scene.object(Resource::BACKUP_SESSION, SESSION)?;
    let error = text(&session, "/status/targets/0/stats/0/error");
    ensure!(error.contains(word), "the error names no {word} address: {error} {}", ran.log);
    let asked = listener.accept();
    ensure!(asked.is_err(), "loopback was asked: {asked:?}");
    Ok(())
}
