//! E03: pods that end before their Job has, or never start. What a kubelet or a scheduler says of
//! them is written by the rows: this control plane has neither.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::acted::{ended, job_of, pod_of, running, succeed};
use crate::operators::instead_of_the_one;
use crate::scene::Scene;
use crate::world::{World, text, trial, trial_alone};

const SESSION: &str = "demo-backup-1700000001";
const NEXT: &str = "demo-backup-1700000002";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(
            world,
            "E03: a pod that does not start is given up, whatever keeps it",
            never_starts,
        ),
        trial(world, "E03: what ended a pod is told, and the next session runs", killed),
        trial(world, "E03: a pod that only looks like the Job's ends no session", looks_alike),
    ]
}

/// Writes what is said of the pod of a session's Job.
fn say(scene: &Scene<'_>, status: impl FnOnce(&Value) -> Value) -> Result<()> {
    say_of(scene, &pod_of(scene, &job_of(SESSION))?, status)
}

/// Writes what is said of any pod.
fn say_of(scene: &Scene<'_>, pod: &Value, status: impl FnOnce(&Value) -> Value) -> Result<()> {
    let patch = json!({"status": status(&pod["spec"]["containers"][0])});
    let name = text(pod, "/metadata/name");
    scene.client().patch_status(Resource::POD, &scene.namespace, name, &patch)?;
    Ok(())
}

/// A container in this state.
fn in_state(container: &Value, state: &Value) -> Value {
    json!([{"name": container["name"], "image": container["image"], "imageID": "",
        "ready": false, "restartCount": 0, "state": state}])
}

/// A pod on a node whose container waits for this.
fn waiting(reason: &'static str) -> impl FnOnce(&Value) -> Value {
    move |container| {
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": in_state(container, &json!({"waiting": {"reason": reason}}))})
    }
}

fn never_starts(world: &World) -> Result<()> {
    let scene = |number: &str| {
        let scene = Scene::ready(world, number)?;
        scene.session(SESSION)?;
        running(&scene, SESSION)?;
        Ok::<_, anyhow::Error>(scene)
    };
    // Nobody says anything of the first.
    let unseen = scene("never-seen")?;
    let mounting = scene("never-mounted")?;
    say(&mounting, waiting("ContainerCreating"))?;
    let pulling = scene("never-pulled")?;
    say(&pulling, waiting("ErrImagePull"))?;
    let homeless = scene("never-placed")?;
    say(&homeless, |_| {
        json!({"conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/3 nodes are available"}]})
    })?;
    let all = [
        (&unseen, "no scheduler took the pod"),
        (&mounting, "still ContainerCreating"),
        (&pulling, "ErrImagePull"),
        (&homeless, "0/3 nodes are available"),
    ];
    instead_of_the_one(world, |world| {
        let mut hasty = world.another_operator("hasty", &["--pending-limit=1"])?;
        hasty.wait_until_ready()?;
        for (scene, words) in all {
            let session = ended(scene, SESSION, "Failed").with_context(|| hasty.log_tail())?;
            let error = text(&session, "/status/targets/0/stats/0/error");
            ensure!(error.contains(words), "error: {error}: {}", session["status"]);
            // It is ended, too: later sessions are not kept waiting.
            scene
                .client()
                .wait_until_gone(&Resource::JOB.path(&scene.namespace, &job_of(SESSION)))?;
        }
        Ok(())
    })
}

fn killed(world: &World) -> Result<()> {
    type Say = fn(&Value) -> Value;
    let rows: [(&str, Say, &str); 3] = [
        (
            "killed-memory",
            |container| {
                let state = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
                json!({"phase": "Failed", "containerStatuses": in_state(container, &state)})
            },
            "limits.memory",
        ),
        (
            "killed-evicted",
            |_| json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}),
            "evicted: low on memory",
        ),
        (
            "killed-drained",
            |_| {
                json!({"phase": "Failed", "conditions": [{"type": "DisruptionTarget",
                    "status": "True", "reason": "EvictionByEvictionAPI",
                    "message": "the node is drained"}]})
            },
            "the node is drained",
        ),
    ];
    for (number, status, words) in rows {
        let scene = Scene::ready(world, number)?;
        scene.session(SESSION)?;
        running(&scene, SESSION)?;
        say(&scene, status)?;
        let session = ended(&scene, SESSION, "Failed")?;
        let error = text(&session, "/status/targets/0/stats/0/error");
        ensure!(error.contains(words), "error: {error}: {}", session["status"]);
        succeed(&scene, NEXT)?;
    }
    Ok(())
}

/// Every pod we make has these labels; whoever may make pods can make one that has them, with the
/// record of a success.
fn looks_alike(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "looks-alike")?;
    scene.session(SESSION)?;
    running(&scene, SESSION)?;
    let own = pod_of(&scene, &job_of(SESSION))?;
    let body = json!({"metadata": {"generateName": "other-",
        "labels": {"app.kubernetes.io/managed-by": "stash.appscode.com"}},
        "spec": {"containers": [{"name": "c", "image": "none"}]}});
    // Dates are in seconds, and the newest pod counts.
    let pods = Resource::POD.list(&scene.namespace);
    let other = scene.client().wait("another pod is newer", &pods, |_| {
        let made = scene.client().create(Resource::POD, &scene.namespace, &body).ok()?;
        let at = |pod: &Value| text(pod, "/metadata/creationTimestamp").to_owned();
        (at(&made) > at(&own)).then_some(made)
    })?;
    let record = json!({"version": "sealift.outcome/v1", "ending": "Succeeded",
        "snapshot": "a1b2c3d4", "startedSeconds": 1_700_000_000, "finishedSeconds": 1_700_000_002,
        "observed": true, "statusWritten": false});
    say_of(&scene, &other, |container| {
        let state = json!({"terminated":
            {"exitCode": 0, "reason": "Completed", "message": record.to_string()}});
        json!({"phase": "Succeeded", "containerStatuses": in_state(container, &state)})
    })?;
    say(&scene, |container| {
        let state = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
        json!({"phase": "Failed", "containerStatuses": in_state(container, &state)})
    })?;
    let session = ended(&scene, SESSION, "Failed")?;
    let error = text(&session, "/status/targets/0/stats/0/error");
    ensure!(error.contains("limits.memory"), "error: {error}: {}", session["status"]);
    Ok(())
}
