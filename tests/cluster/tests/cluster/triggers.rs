//! B: the CronJob that makes sessions, its names, and what keeps it as it should be.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::acted::{job_of, pod_ends, pod_of};
use crate::conditions;
use crate::scene::{BACKUP, CRON_JOB, Scene};
use crate::world::{World, text, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "B05: the CronJob carries the original's name and schedule", original_name),
        trial(
            world,
            "B06: the CronJob is the BackupConfiguration's and carries its labels",
            labels,
        ),
        trial(world, "B07: long names with dots become short names that differ", long_names),
        trial(world, "B08: leftovers with the old name are replaced", leftovers),
        trial(
            world,
            "B09: an edited schedule is taken over without a new CronJob",
            edited_schedule,
        ),
        trial(world, "B10: an impossible schedule is refused with its text", impossible_schedule),
        trial(world, "B11: a CronJob deleted by hand comes back", deleted_by_hand),
        trial(world, "B14: requests without limits reach the CronJob's container", requests),
        trial(world, "B13: a Job made of the CronJob by hand is gone once it succeeded", by_hand),
        trial(
            world,
            "a trigger that failed is told on the BackupConfiguration until one succeeds",
            failed_trigger,
        ),
        trial(world, "the CronJob's time zone is the one the schedule names", time_zone),
        trial(world, "D07: starts missed while paused are made up for once", missed),
        trial(world, "D07: paused suspends the CronJob and leaves the phase alone", paused),
    ]
}

fn original_name(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B05")?;
    let names = scene.client().names(Resource::CRON_JOB, &scene.namespace)?;
    ensure!(names == [CRON_JOB], "CronJobs: {names:?}");
    let job = scene.object(Resource::CRON_JOB, CRON_JOB)?;
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    for (what, found, wanted) in [
        ("schedule", &job["spec"]["schedule"], json!("*/5 * * * *")),
        ("suspend", &job["spec"]["suspend"], json!(false)),
        ("container", &pod["containers"][0]["name"], json!("stash-trigger")),
        ("restartPolicy", &pod["restartPolicy"], json!("Never")),
        ("serviceAccountName", &pod["serviceAccountName"], json!(CRON_JOB)),
    ] {
        ensure!(*found == wanted, "{what}: {found} in {job:#}");
    }
    let arguments = pod["containers"][0]["args"].as_array().cloned().unwrap_or_default();
    for argument in
        ["create-backupsession", "--invoker-name=demo-backup", "--invoker-kind=BackupConfiguration"]
    {
        ensure!(arguments.contains(&json!(argument)), "arguments: {arguments:?}");
    }
    scene.object(Resource::SERVICE_ACCOUNT, CRON_JOB)?;
    scene.object(Resource::ROLE_BINDING, CRON_JOB)?;
    Ok(())
}

fn labels(world: &World) -> Result<()> {
    let scene = Scene::new(world, "B06")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    let mut backup = scene.backup()?;
    backup["metadata"]["labels"] = json!({"team": "payments"});
    scene.apply(&backup)?;
    let backup = scene.wait_for_phase(BACKUP, "Ready")?;
    for resource in [Resource::CRON_JOB, Resource::SERVICE_ACCOUNT, Resource::ROLE_BINDING] {
        let object = scene.object(resource, CRON_JOB)?;
        let owners = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        ensure!(
            owners.len() == 1
                && owners[0]["kind"] == "BackupConfiguration"
                && owners[0]["name"] == BACKUP
                && owners[0]["uid"] == backup["metadata"]["uid"],
            "{}: owners {owners:?}",
            resource.plural
        );
    }
    let job = scene.object(Resource::CRON_JOB, CRON_JOB)?;
    for pointer in [
        "/metadata/labels",
        "/spec/jobTemplate/metadata/labels",
        "/spec/jobTemplate/spec/template/metadata/labels",
    ] {
        let labels = job.pointer(pointer).cloned().unwrap_or_default();
        for (label, value) in [
            ("app.kubernetes.io/component", "stash-backup"),
            ("app.kubernetes.io/managed-by", "stash.appscode.com"),
            ("team", "payments"),
        ] {
            ensure!(labels[label] == value, "{pointer}: {labels}");
        }
    }
    Ok(())
}

fn long_names(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B07")?;
    let tail = "backup.of.the.vault.that.holds.everything";
    let long = [format!("first.of.two.namesakes.{tail}"), format!("other.of.two.namesakes.{tail}")];
    for name in &long {
        let mut backup = scene.backup()?;
        backup["metadata"]["name"] = json!(name);
        scene.apply(&backup)?;
    }
    let mut names = Vec::new();
    for name in &long {
        let backup = scene.wait_for_phase(name, "Ready")?;
        let uid = text(&backup, "/metadata/uid").to_owned();
        let jobs = scene.client().list(Resource::CRON_JOB, &scene.namespace)?;
        let job = jobs
            .iter()
            .find(|job| text(job, "/metadata/ownerReferences/0/uid") == uid)
            .with_context(|| format!("no CronJob is owned by {name}"))?;
        names.push(text(job, "/metadata/name").to_owned());
    }
    for name in &names {
        ensure!(name.len() <= 52 && !name.contains('.'), "name: {name}");
        ensure!(
            name.starts_with("stash-trigger-") && name.ends_with("holds-everything"),
            "name: {name}"
        );
    }
    ensure!(names[0] != names[1], "two BackupConfigurations share {}", names[0]);
    Ok(())
}

fn leftovers(world: &World) -> Result<()> {
    let scene = Scene::new(world, "B08")?;
    let old = "stash-trigger--demo-backup";
    let meta = json!({"name": old, "namespace": scene.namespace, "labels": {
        "app.kubernetes.io/managed-by": "stash.appscode.com",
        "app.kubernetes.io/component": "stash-backup",
    }});
    scene.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "stash-cron-job"},
            "subjects": [{"kind": "ServiceAccount", "name": old, "namespace": scene.namespace}]},
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta, "spec": {
            "schedule": "*/5 * * * *", "suspend": true,
            "jobTemplate": {"spec": {"template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{"name": "stash-trigger", "image": "stash", "args": ["create-backupsession"]}],
            }}}},
        }},
    ]}))?;
    scene.apply_guide()?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    for resource in [Resource::CRON_JOB, Resource::SERVICE_ACCOUNT, Resource::ROLE_BINDING] {
        scene.client().wait_until_gone(&resource.path(&scene.namespace, old))?;
    }
    let names = scene.client().names(Resource::CRON_JOB, &scene.namespace)?;
    ensure!(names == [CRON_JOB], "CronJobs: {names:?}");
    Ok(())
}

fn edited_schedule(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B09")?;
    let before = scene.object(Resource::CRON_JOB, CRON_JOB)?;
    scene.kubectl(&[
        "patch",
        "bc",
        BACKUP,
        "--type",
        "merge",
        "-p",
        r#"{"spec":{"schedule":"0 2 * * *"}}"#,
    ])?;
    let after = scene.wait("the schedule follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 2 * * *"
    })?;
    ensure!(before["metadata"]["uid"] == after["metadata"]["uid"], "the CronJob is another one");
    Ok(())
}

fn impossible_schedule(world: &World) -> Result<()> {
    let scene = Scene::new(world, "B10")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    let mut backup = scene.backup()?;
    backup["spec"]["schedule"] = json!("61 * * * *");
    scene.apply(&backup)?;
    let backup = scene.wait_for_phase(BACKUP, "Invalid")?;
    let found = conditions::of(&backup, "ValidationPassed");
    ensure!(found == "False ResourceValidationFailed", "ValidationPassed: {found}");
    let message = conditions::message(&backup, "ValidationPassed");
    ensure!(message.contains("61 * * * *"), "message: {message}");
    let jobs = scene.client().names(Resource::CRON_JOB, &scene.namespace)?;
    ensure!(jobs.is_empty(), "CronJobs: {jobs:?}");
    Ok(())
}

fn deleted_by_hand(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B11")?;
    let before = scene.object(Resource::CRON_JOB, CRON_JOB)?;
    scene.kubectl(&["delete", "cronjob", CRON_JOB])?;
    let path = Resource::CRON_JOB.path(&scene.namespace, CRON_JOB);
    scene.client().wait("the CronJob comes back", &path, |job| {
        job.filter(|job| job["metadata"]["uid"] != before["metadata"]["uid"]).map(drop)
    })
}

fn requests(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B14")?;
    let requests = json!({"cpu": "50m", "memory": "64Mi"});
    let patch =
        json!({"spec": {"runtimeSettings": {"container": {"resources": {"requests": requests}}}}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the requests reach the CronJob", Resource::CRON_JOB, CRON_JOB, |job| {
        container(job)["resources"]["requests"] == requests
    })?;
    scene.session("demo-backup-1700000001")?;
    let job = job_of("demo-backup-1700000001");
    let job = scene.wait("the Job exists", Resource::JOB, &job, |_| true)?;
    let found = &job["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"];
    ensure!(*found == requests, "the Job requests {found}");
    Ok(())
}

fn container(job: &Value) -> &Value {
    &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
}

fn paused(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "D07")?;
    for paused in [true, false] {
        let patch = json!({"spec": {"paused": paused}});
        scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
        scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
            job["spec"]["suspend"] == paused
        })?;
        let backup = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
        ensure!(conditions::phase(&backup) == "Ready", "status: {}", backup["status"]);
        let shown = scene.kubectl(&["get", "bc", BACKUP, "--no-headers"])?;
        ensure!(shown.contains(if paused { "true" } else { "false" }), "columns: {shown}");
    }
    Ok(())
}

/// The pod of a Job, which nobody runs here, ends as kubelet would say it.
fn end_pod(scene: &Scene<'_>, job: &str) -> Result<()> {
    let pod = pod_of(scene, job)?;
    let name = text(&pod, "/metadata/name");
    let status = json!({"status": {"phase": "Succeeded"}});
    scene.client().patch_status(Resource::POD, &scene.namespace, name, &status)?;
    scene.client().wait_until_gone(&Resource::POD.path(&scene.namespace, name))
}

fn by_hand(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B13")?;
    scene.kubectl(&["create", "job", "m1", &format!("--from=cronjob/{CRON_JOB}")])?;
    let job = scene.object(Resource::JOB, "m1")?;
    ensure!(
        job["metadata"]["labels"]["stash.appscode.com/delete-job-on-completion"] == "true",
        "labels: {}",
        job["metadata"]["labels"]
    );
    // Somebody's own Job is left alone.
    scene.apply(&json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "mine"},
        "spec": {"suspend": true, "template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "mine", "image": "mine"}]}}}}))?;
    end_pod(&scene, "m1")?;
    scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, "m1"))?;
    scene.object(Resource::JOB, "mine")?;
    scene.object(Resource::CRON_JOB, CRON_JOB)?;
    Ok(())
}

fn failed_trigger(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "trigger-failed")?;
    let patch = json!({"spec": {"schedule": "0 0 1 1 *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    let cron = scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 0 1 1 *"
    })?;
    // As the CronJob makes it, but that its first failure is its last.
    let mut spec = cron["spec"]["jobTemplate"]["spec"].clone();
    spec["backoffLimit"] = json!(0);
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "spec": spec, "metadata": {
        "name": "in-vain", "labels": cron["spec"]["jobTemplate"]["metadata"]["labels"],
        "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": CRON_JOB,
            "uid": cron["metadata"]["uid"], "controller": true}]}});
    scene.client().create(Resource::JOB, &scene.namespace, &job)?;
    let words = "backupsessions.stash.appscode.com is forbidden";
    pod_ends(&scene, "in-vain", 1, "Error", words)?;
    let pod = pod_of(&scene, "in-vain")?;
    let pod = text(&pod, "/metadata/name");

    let kind = "BackupTriggered";
    let told = scene.wait_for_condition(kind, "False TriggerJobFailed")?;
    let told = scene.wait("it is told why", Resource::BACKUP_CONFIGURATION, BACKUP, |backup| {
        let message = conditions::message(backup, kind);
        ["in-vain", pod, words].iter().all(|part| message.contains(part))
            && text(backup, "/metadata/uid") == text(&told, "/metadata/uid")
    })?;
    // Sessions can be made by hand.
    ensure!(conditions::phase(&told) == "Ready", "status: {}", told["status"]);
    let events = Resource::EVENT.list(&scene.namespace);
    scene.client().wait("an Event tells it", &events, |events| {
        let mut events = events?["items"].as_array()?.iter();
        let is = |event: &Value| {
            event["reason"] == "TriggerJobFailed"
                && event["type"] == "Warning"
                && event["involvedObject"]["name"] == BACKUP
                && text(event, "/message").contains(words)
        };
        events.any(is).then_some(())
    })?;
    scene.kubectl(&["create", "job", "again", &format!("--from=cronjob/{CRON_JOB}")])?;
    end_pod(&scene, "again")?;
    for over in ["again", "in-vain"] {
        scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, over))?;
    }
    scene.wait("nothing is told any more", Resource::BACKUP_CONFIGURATION, BACKUP, |backup| {
        conditions::of(backup, kind).is_empty() && conditions::phase(backup) == "Ready"
    })?;
    Ok(())
}

fn time_zone(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "time-zone")?;
    let job = scene.object(Resource::CRON_JOB, CRON_JOB)?;
    ensure!(job["spec"]["timeZone"].is_null(), "timeZone: {}", job["spec"]["timeZone"]);
    let schedule = |schedule: &str| -> Result<()> {
        let patch = json!({"spec": {"schedule": schedule}});
        let backups = Resource::BACKUP_CONFIGURATION;
        scene.client().patch(backups, &scene.namespace, BACKUP, &patch)?;
        Ok(())
    };
    schedule("CRON_TZ=Europe/Berlin 0 2 * * *")?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 2 * * *" && job["spec"]["timeZone"] == "Europe/Berlin"
    })?;
    schedule("TZ=Mars/Olympus 0 2 * * *")?;
    let backup = scene.wait_for_condition("CronJobCreated", "False CronJobCreationFailed")?;
    let message = conditions::message(&backup, "CronJobCreated");
    ensure!(message.contains("Mars/Olympus"), "message: {message}");
    // The original's own words, with a blank in the reason and two in the message.
    let wanted = format!(
        "failed to ensure CronJob for BackupConfiguration  {}/{BACKUP}. Reason: ",
        scene.namespace
    );
    let events = Resource::EVENT.list(&scene.namespace);
    scene.client().wait("an Event tells it as the original does", &events, |events| {
        let mut events = events?["items"].as_array()?.iter();
        let is = |event: &Value| {
            event["reason"] == "CronJob Creation Failed"
                && event["type"] == "Warning"
                && event["source"]["component"] == "BackupConfiguration Controller"
                && event["involvedObject"]["name"] == BACKUP
                && text(event, "/message").starts_with(&wanted)
                && text(event, "/message").contains("Mars/Olympus")
        };
        events.any(is).then_some(())
    })?;
    schedule("0 3 * * *")?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 3 * * *" && job["spec"]["timeZone"].is_null()
    })?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(())
}

fn missed(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "D07-missed")?;
    let pause = |paused: bool| -> Result<()> {
        let patch = json!({"spec": {"paused": paused, "schedule": "* * * * *"}});
        let backups = Resource::BACKUP_CONFIGURATION;
        scene.client().patch(backups, &scene.namespace, BACKUP, &patch)?;
        scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
            job["spec"]["suspend"] == paused && job["spec"]["schedule"] == "* * * * *"
        })?;
        Ok(())
    };
    pause(true)?;
    let job = scene.object(Resource::CRON_JOB, CRON_JOB)?;
    // It was paused for long: as many starts were missed.
    let long_ago = "2026-01-01T00:00:00Z";
    let status = json!({"status": {"lastScheduleTime": long_ago}});
    scene.client().patch_status(Resource::CRON_JOB, &scene.namespace, CRON_JOB, &status)?;
    pause(false)?;
    let job = scene.wait("one start is made", Resource::CRON_JOB, CRON_JOB, |found| {
        text(found, "/status/lastScheduleTime") > long_ago
            && found["metadata"]["uid"] == job["metadata"]["uid"]
    })?;
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    ensure!(jobs.len() == 1 && jobs[0].starts_with(CRON_JOB), "Jobs: {jobs:?}");
    ensure!(job["status"]["active"].as_array().is_some_and(|all| all.len() == 1), "{job:#}");
    Ok(())
}
