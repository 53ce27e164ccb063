//! That the node runs pods as a cluster's does, and that a CronJob's pod makes the session.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::images::Image;
use sealift_cluster::workloads::{storage, vault};
use sealift_e2e::binaries;
use sealift_e2e::restic::Restic;
use serde_json::json;

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
