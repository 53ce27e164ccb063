//! What the Job of a session does to its status, and kubelet to that of its pod, done by hand: for
//! rows about what the operator makes of it, where no chain must run.

use anyhow::{Context, Result};
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::conditions;
use crate::scene::Scene;
use crate::world::text;

/// The name of a session's Job.
pub fn job_of(session: &str) -> String {
    format!("stash-backup-{session}-0")
}

/// A BackupSession of any BackupConfiguration, with these labels.
pub fn session(
    scene: &Scene<'_>,
    name: &str,
    configuration: &str,
    labels: &Value,
) -> Result<Value> {
    let session = json!({
        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
        "metadata": {"name": name, "namespace": scene.namespace, "labels": labels},
        "spec": {"invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": configuration}},
    });
    scene.client().create(Resource::BACKUP_SESSION, &scene.namespace, &session)
}

/// Waits until a session has its Job and says so.
pub fn running(scene: &Scene<'_>, session: &str) -> Result<Value> {
    scene.wait(&format!("{session} is Running"), Resource::BACKUP_SESSION, session, |found| {
        conditions::phase(found) == "Running"
    })
}

/// Writes what the Job of a running session writes at its end.
pub fn report(scene: &Scene<'_>, session: &str, error: Option<&str>) -> Result<()> {
    let found = running(scene, session)?;
    let mut targets = found["status"]["targets"].clone();
    let target = targets.get_mut(0).with_context(|| format!("no target: {}", found["status"]))?;
    let host = match error {
        None => json!({"hostname": "host-0", "phase": "Succeeded", "duration": "2s",
            "snapshots": [{"name": "a1b2c3d4", "totalSize": "1.000 KiB"}]}),
        Some(error) => {
            json!({"hostname": "host-0", "phase": "Failed", "duration": "2s", "error": error})
        }
    };
    target["stats"] = json!([host]);
    target["phase"] = host["phase"].clone();
    let mut conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.push(json!({"type": "MetricsPushed", "status": "True",
        "reason": "SuccessfullyPushedMetrics", "message": "Successfully pushed metrics.",
        "lastTransitionTime": found["metadata"]["creationTimestamp"]}));
    let patch = json!({"status": {"targets": targets, "conditions": conditions}});
    scene.client().patch_status(Resource::BACKUP_SESSION, &scene.namespace, session, &patch)?;
    Ok(())
}

/// Waits for the final phase of a session.
pub fn ended(scene: &Scene<'_>, session: &str, phase: &str) -> Result<Value> {
    scene.wait(&format!("{session} is {phase}"), Resource::BACKUP_SESSION, session, |found| {
        conditions::phase(found) == phase
    })
}

/// A whole session that succeeds.
pub fn succeed(scene: &Scene<'_>, session: &str) -> Result<Value> {
    scene.session(session)?;
    report(scene, session, None)?;
    ended(scene, session, "Succeeded")
}

/// Waits until exactly these sessions are there.
pub fn sessions_are(scene: &Scene<'_>, wanted: &[&str]) -> Result<()> {
    let path = Resource::BACKUP_SESSION.list(&scene.namespace);
    scene.client().wait(&format!("the sessions are {wanted:?}"), &path, |list| {
        let items = list?["items"].as_array()?;
        let mut names: Vec<&str> =
            items.iter().filter_map(|item| item["metadata"]["name"].as_str()).collect();
        names.sort_unstable();
        (names == wanted).then_some(())
    })
}

/// The pod of a Job.
pub fn pod_of(scene: &Scene<'_>, job: &str) -> Result<Value> {
    let path = Resource::POD.list(&scene.namespace);
    scene.client().wait("the Job has a pod", &path, |list| {
        let pods = list?["items"].as_array()?;
        pods.iter().find(|pod| pod["metadata"]["ownerReferences"][0]["name"] == job).cloned()
    })
}

/// What kubelet says of a Job's pod that has ended, and of what its container left.
pub fn pod_ends(scene: &Scene<'_>, job: &str, code: i32, reason: &str, left: &str) -> Result<()> {
    let pod = pod_of(scene, job)?;
    let container = &pod["spec"]["containers"][0];
    let now = &pod["metadata"]["creationTimestamp"];
    let ended = json!({"exitCode": code, "reason": reason, "message": left,
        "startedAt": now, "finishedAt": now});
    let phase = if code == 0 { "Succeeded" } else { "Failed" };
    let status = json!({"phase": phase, "containerStatuses": [{
        "name": container["name"], "image": container["image"], "imageID": "", "ready": false,
        "restartCount": 0, "state": {"terminated": ended}}]});
    let name = text(&pod, "/metadata/name");
    let patch = json!({ "status": status });
    scene.client().patch_status(Resource::POD, &scene.namespace, name, &patch)?;
    Ok(())
}
