//! C, F and K on a node: that it runs pods as a cluster's does, and what the guide's round left.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::images::Image;
use sealift_cluster::workloads::{storage, vault};
use sealift_e2e::binaries;
use sealift_e2e::restic::Restic;
use serde_json::{Value, json};

use crate::conditions;
use crate::scene::Scene;
use crate::stage;
use crate::world::{World, text, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "node: a Job's pod reaches a Service by its name", job_reaches_service),
        trial(world, "node: a Vault of three nodes is served by its active one", vault_in_pods),
        trial(world, "node: restic keeps a repository in an S3 in a pod", storage_in_a_pod),
        trial(
            world,
            "C01: the CronJob's pod makes a session with the original's name",
            session_name,
        ),
        trial(world, "C03: the Job's one container holds no right it does not need", locked_down),
        trial(world, "C06: the session goes forward through its phases to Succeeded", phases),
        trial(world, "C07: the session's duration is written as before", duration),
        trial(world, "C08: the target's status has the original's actions", target_status),
        trial(world, "C09: the statistics are written as the original writes them", statistics),
        trial(
            world,
            "C10: every condition of a success is True with its reason",
            success_conditions,
        ),
        trial(world, "C11: one event says that the backup succeeded", backup_event),
        trial(world, "C12: the Repository's status knows the backup", repository_status),
        trial(world, "C13: restic finds one sound snapshot of host-0", snapshot),
        trial(world, "C18: no log and no object holds a credential", credentials),
        trial(
            world,
            "K02: the restore goes forward to Succeeded with its conditions",
            restore_status,
        ),
        trial(world, "K03: Vault serves what was backed up once the restore has succeeded", canary),
        trial(world, "K04: one event says that the restore succeeded", restore_event),
    ]
}

/// `kubectl` in a pod, as the pod's ServiceAccount, finds the API server through DNS and Service.
fn job_reaches_service(world: &World) -> Result<()> {
    let scene = Scene::bare(world, "node")?;
    let node = world.node()?;
    let image = Image::of("localhost/kubectl:1", &binaries::server("kubernetes", "kubectl")?)?;
    node.import(&image)?;
    let account = format!("system:serviceaccount:{}:default", scene.namespace);
    scene.kubectl(&["create", "role", "reader", "--verb=get", "--resource=serviceaccounts"])?;
    scene.kubectl(&[
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        &format!("--user={account}"),
    ])?;
    scene.apply(&json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "asks"},
        "spec": {"backoffLimit": 3, "template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "asks",
                "image": image.reference(),
                "imagePullPolicy": "IfNotPresent",
                "args": ["--cache-dir=/tmp/cache", "get", "serviceaccount", "default"],
                // Otherwise it would take the address it is told, and ask no DNS.
                "env": [{"name": "KUBERNETES_SERVICE_HOST", "value": "kubernetes.default.svc.cluster.local"}],
            }],
        }}}}))?;
    scene.wait("the Job succeeds", Resource::JOB, "asks", |job| job["status"]["succeeded"] == 1)?;
    // Through the API server to the kubelet.
    let log = scene.kubectl(&["logs", "job/asks"])?;
    ensure!(log.contains("default"), "log: {log}");
    Ok(())
}

fn vault_in_pods(world: &World) -> Result<()> {
    let scene = Scene::bare(world, "node-vault")?;
    let vault = vault::start(scene.plane, world.node()?, &scene.namespace, 3)?;
    vault.enable_kv()?;
    vault.put("canary", "kept by three")?;
    ensure!(vault.get("canary")? == "kept by three");
    // The Service leads where Vault put its label: to one pod.
    let slices = format!(
        "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices?labelSelector=kubernetes.io/service-name=vault",
        scene.namespace
    );
    scene.client().wait("the Service has the active node alone", &slices, |slices| {
        let endpoints = slices?.pointer("/items/0/endpoints")?.as_array()?;
        (endpoints.len() == 1).then_some(())
    })
}

fn storage_in_a_pod(world: &World) -> Result<()> {
    let scene = Scene::bare(world, "node-s3")?;
    let s3 = storage::start(scene.plane, world.node()?, &scene.namespace, "backups")?;
    let place = format!("s3:{}/{}/of-a-row", s3.outside_endpoint, s3.bucket);
    let restic = Restic::new(place, stage::PASSWORD)?.with_environment(&[
        ("AWS_ACCESS_KEY_ID", &s3.access_key),
        ("AWS_SECRET_ACCESS_KEY", &s3.secret_key),
    ]);
    restic.init()?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("notes.txt"), "kept in a pod")?;
    restic.backup(folder.path(), "a-row")?;
    ensure!(restic.snapshots()?.len() == 1);
    restic.check()
}

fn session_name(world: &World) -> Result<()> {
    let round = world.round()?;
    let name = text(&round.session, "/metadata/name");
    let seconds = name.strip_prefix("demo-backup-").unwrap_or_default();
    ensure!(
        seconds.len() == 10 && seconds.bytes().all(|byte| byte.is_ascii_digit()),
        "name: {name}"
    );
    let invoker = json!({"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": "demo-backup"});
    ensure!(round.session["spec"]["invoker"] == invoker, "spec: {}", round.session["spec"]);
    ensure!(text(&round.session, "/metadata/ownerReferences/0/name") == "demo-backup");
    Ok(())
}

fn locked_down(world: &World) -> Result<()> {
    let pod = &world.round()?.job["spec"]["template"]["spec"];
    let containers = pod["containers"].as_array().cloned().unwrap_or_default();
    ensure!(containers.len() == 1 && pod.get("initContainers").is_none(), "pod: {pod}");
    let context = &containers[0]["securityContext"];
    ensure!(
        context["allowPrivilegeEscalation"] == false
            && context["readOnlyRootFilesystem"] == true
            && context["capabilities"]["drop"] == json!(["ALL"]),
        "securityContext: {context}"
    );
    let seccomp =
        [&context["seccompProfile"]["type"], &pod["securityContext"]["seccompProfile"]["type"]];
    ensure!(seccomp.iter().any(|kind| **kind == "RuntimeDefault"), "seccompProfile: {seccomp:?}");
    Ok(())
}

fn phases(world: &World) -> Result<()> {
    forward(&world.round()?.phases)
}

/// Never backwards, and at the end Succeeded.
fn forward(phases: &[String]) -> Result<()> {
    let order = ["", "Pending", "Running", "Succeeded"];
    let places: Option<Vec<usize>> =
        phases.iter().map(|phase| order.iter().position(|known| known == phase)).collect();
    let places = places.unwrap_or_default();
    ensure!(places.is_sorted() && places.last() == Some(&3), "phases: {phases:?}");
    Ok(())
}

fn duration(world: &World) -> Result<()> {
    is_duration(text(&world.round()?.session, "/status/sessionDuration"))
}

/// Hours, minutes and seconds in whole numbers, the first two where they are due.
fn is_duration(duration: &str) -> Result<()> {
    let units: Vec<char> = duration.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    let numbers = duration.split(['h', 'm', 's']).filter(|number| !number.is_empty()).count();
    ensure!(
        matches!(units.as_slice(), ['s'] | ['m', 's'] | ['h', 's'] | ['h', 'm', 's'])
            && numbers == units.len(),
        "duration: {duration}"
    );
    Ok(())
}

fn target_status(world: &World) -> Result<()> {
    let target = &world.round()?.session["status"]["targets"][0];
    for (field, wanted) in [
        ("totalHosts", json!(1)),
        ("phase", json!("Succeeded")),
        ("preBackupActions", json!(["InitializeBackendRepository"])),
        (
            "postBackupActions",
            json!(["ApplyRetentionPolicy", "VerifyRepositoryIntegrity", "SendRepositoryMetrics"]),
        ),
    ] {
        ensure!(target[field] == wanted, "{field}: {target}");
    }
    let reference = &target["ref"];
    ensure!(reference["kind"] == "AppBinding" && reference["name"] == "vault", "ref: {reference}");
    Ok(())
}

fn statistics(world: &World) -> Result<()> {
    let round = world.round()?;
    let stats = &round.session["status"]["targets"][0]["stats"][0];
    ensure!(stats["hostname"] == "host-0" && stats["phase"] == "Succeeded", "stats: {stats}");
    ensure!(stats["error"].is_null() && stats["duration"].is_string(), "stats: {stats}");
    let snapshot = &stats["snapshots"][0];
    let id = text(snapshot, "/name");
    let known = round.snapshots.iter().any(|known| text(known, "/id").starts_with(id));
    ensure!((8..=64).contains(&id.len()) && known, "snapshot: {snapshot}");
    for field in ["totalSize", "uploaded"] {
        let size = text(snapshot, &format!("/{field}"));
        let (number, unit) = size.split_once(' ').unwrap_or_default();
        let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let right = match unit {
            "B" => decimals == 0,
            "KiB" | "MiB" | "GiB" | "TiB" => decimals == 3,
            _ => false,
        };
        ensure!(right && number.parse::<f64>().is_ok(), "{field}: {size:?}");
    }
    let time = text(snapshot, "/processingTime");
    ensure!(matches!(time.split(':').count(), 2 | 3), "processingTime: {time}");
    for field in ["totalFiles", "newFiles", "modifiedFiles", "unmodifiedFiles"] {
        ensure!(
            snapshot["fileStats"][field].is_i64() || snapshot["fileStats"][field].is_u64(),
            "{snapshot}"
        );
    }
    Ok(())
}

fn success_conditions(world: &World) -> Result<()> {
    let session = &world.round()?.session;
    for (kind, wanted) in [
        ("BackendRepositoryInitialized", "True BackendRepositoryFound"),
        ("RetentionPolicyApplied", "True SuccessfullyAppliedRetentionPolicy"),
        ("RepositoryIntegrityVerified", "True SuccessfullyVerifiedRepositoryIntegrity"),
        ("BackupHistoryCleaned", "True SuccessfullyCleanedBackupHistory"),
    ] {
        let found = conditions::of(session, kind);
        ensure!(found == wanted, "{kind}: {found:?} in {}", session["status"]["conditions"]);
    }
    let found = conditions::at(session, "/status/targets/0/conditions", "BackupExecutorEnsured");
    ensure!(found == "True SuccessfullyEnsuredBackupExecutor", "BackupExecutorEnsured: {found}");
    Ok(())
}

fn backup_event(world: &World) -> Result<()> {
    one_event(
        &world.round()?.session_events,
        "Host Backup Succeeded",
        &["host-0", "AppBinding", "vault"],
    )
}

fn one_event(events: &[Value], reason: &str, words: &[&str]) -> Result<()> {
    let found: Vec<&Value> = events.iter().filter(|event| event["reason"] == reason).collect();
    ensure!(found.len() == 1, "events: {events:?}");
    ensure!(
        found[0]["type"] == "Normal" && found[0]["source"]["component"] == "Status Updater",
        "event: {}",
        found[0]
    );
    for word in words {
        ensure!(text(found[0], "/message").contains(word), "message: {}", found[0]["message"]);
    }
    Ok(())
}

fn repository_status(world: &World) -> Result<()> {
    let round = world.round()?;
    let status = &round.repository["status"];
    ensure!(status["integrity"] == true && status["snapshotCount"] == 1, "status: {status}");
    ensure!(
        status["lastBackupTime"] == round.session["metadata"]["creationTimestamp"],
        "lastBackupTime: {status}"
    );
    ensure!(status["snapshotsRemovedOnLastCleanup"].is_number(), "status: {status}");
    Ok(())
}

fn snapshot(world: &World) -> Result<()> {
    let round = world.round()?;
    ensure!(round.snapshots.len() == 1, "snapshots: {:?}", round.snapshots);
    ensure!(round.snapshots[0]["hostname"] == "host-0", "snapshot: {}", round.snapshots[0]);
    round.check.clone().map_err(|error| anyhow::anyhow!(error))
}

fn credentials(world: &World) -> Result<()> {
    let round = world.round()?;
    for (place, text) in &round.texts {
        for secret in &round.secrets {
            ensure!(!secret.is_empty() && !text.contains(secret.as_str()), "{place}: a credential");
        }
    }
    Ok(())
}

fn restore_status(world: &World) -> Result<()> {
    let round = world.round()?;
    forward(&round.restore_phases)?;
    let status = &round.restore["status"];
    ensure!(status["totalHosts"] == 1, "status: {status}");
    ensure!(status["stats"][0]["phase"] == "Succeeded", "status: {status}");
    is_duration(text(&round.restore, "/status/sessionDuration"))?;
    for (kind, wanted) in [
        ("RepositoryFound", "True RepositoryAvailable"),
        ("BackendSecretFound", "True BackendSecretAvailable"),
        ("ValidationPassed", "True ResourceValidationPassed"),
        ("RestoreTargetFound", "True TargetAvailable"),
    ] {
        let found = conditions::of(&round.restore, kind);
        ensure!(found == wanted, "{kind}: {found:?} in {status}");
    }
    Ok(())
}

fn canary(world: &World) -> Result<()> {
    let [before, changed, after] = &world.round()?.canary;
    ensure!(before != changed, "the secret was not changed in between");
    ensure!(after == before, "after the restore Vault serves {after:?}");
    Ok(())
}

fn restore_event(world: &World) -> Result<()> {
    one_event(&world.round()?.restore_events, "Host Restore Succeeded", &["host-0"])
}
