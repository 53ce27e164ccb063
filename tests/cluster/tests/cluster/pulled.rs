//! The Secrets an image is pulled with, and what else a pod needs to run at all: they reach the Job
//! and the CronJob, and one that is missing is named.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::json;

use crate::acted::{ended, job_of, running};
use crate::operators::instead_of_the_one;
use crate::scene::{BACKUP, CRON_JOB, Scene};
use crate::world::{World, text, trial_alone};

const SESSION: &str = "demo-backup-1700000000";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial_alone(
        world,
        "pull secrets: the user's and the installation's reach Job and CronJob, and a missing one is named",
        |world| instead_of_the_one(world, pulled),
    )]
}

fn pulled(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "pull-secrets")?;
    scene.apply_guide()?;
    scene.apply(&scene.secret("own", &json!({".dockerconfigjson": "{}"})))?;
    let tolerations = json!([{"key": "backups", "operator": "Exists"}]);
    let pod = json!({"imagePullSecrets": [{"name": "own"}], "tolerations": tolerations});
    let patch = json!({"spec": {"schedule": "0 0 1 1 *", "runtimeSettings": {"pod": pod}}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    let only = format!("--watch-namespace={}", scene.namespace);
    let of_the_installation = "--image-pull-secrets=registry";
    let mut operator = world.another_operator("pulls", &[&only, of_the_installation])?;
    operator.wait_until_ready()?;
    scene.wait_for_phase(BACKUP, "Ready").with_context(|| operator.log_tail())?;
    scene.session(SESSION)?;
    running(&scene, SESSION)?;
    let job = scene.object(Resource::JOB, &job_of(SESSION))?;
    let cron_job = scene.object(Resource::CRON_JOB, CRON_JOB)?;
    for template in [&job["spec"]["template"], &cron_job["spec"]["jobTemplate"]["spec"]["template"]]
    {
        let spec = &template["spec"];
        ensure!(
            spec["imagePullSecrets"] == json!([{"name": "own"}, {"name": "registry"}])
                && spec["tolerations"] == tolerations,
            "{spec:#}"
        );
    }

    // What kubelet says of an image that a registry does not hand out.
    let path = Resource::POD.list(&scene.namespace);
    let pod = scene.client().wait("the Job has a pod", &path, |list| {
        let pods = list?["items"].as_array()?;
        let owner = |pod: &serde_json::Value| pod["metadata"]["ownerReferences"][0]["name"].clone();
        pods.iter().find(|pod| owner(pod) == json!(job_of(SESSION))).cloned()
    })?;
    let container = &pod["spec"]["containers"][0];
    let waiting = json!({"reason": "ErrImagePull", "message": "401 Unauthorized"});
    let status = json!({"status": {"phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{"name": container["name"], "image": container["image"],
            "imageID": "", "ready": false, "restartCount": 0, "state": {"waiting": waiting}}]}});
    let name = text(&pod, "/metadata/name");
    scene.client().patch_status(Resource::POD, &scene.namespace, name, &status)?;
    operator.kill()?;
    let arguments = [only.as_str(), of_the_installation, "--pending-limit=1"];
    let mut hasty = world.another_operator("pulls-hastily", &arguments)?;
    hasty.wait_until_ready()?;
    let session = ended(&scene, SESSION, "Failed").with_context(|| hasty.log_tail())?;
    let error = text(&session, "/status/targets/0/stats/0/error");
    let missing = format!(
        "Secret {}/registry, named in imagePullSecrets, does not exist: make it in this namespace",
        scene.namespace
    );
    ensure!(error.contains("401 Unauthorized") && error.contains(&missing), "error: {error}");
    ensure!(!error.contains("/own"), "one that is there is called missing: {error}");
    Ok(())
}
