//! That the node of the tests runs pods as a cluster's does. The rows of the list that need pods
//! stand on this.

use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::images::Image;
use sealift_e2e::binaries;
use serde_json::json;

use crate::scene::Scene;
use crate::world::{World, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(world, "node: a Job's pod reaches a Service by its name", job_reaches_service)]
}

/// `kubectl` in a pod, as the pod's ServiceAccount, finds the API server through DNS and Service.
fn job_reaches_service(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "node")?;
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
    anyhow::ensure!(log.contains("default"), "log: {log}");
    Ok(())
}
