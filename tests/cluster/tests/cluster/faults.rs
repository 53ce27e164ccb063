//! What breaks around the operator, without pods: it goes on, and loses nothing.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::acted::{ended, job_of, report, running, succeed};
use crate::conditions;
use crate::scene::{BACKUP, CRON_JOB, Scene, VAULT};
use crate::world::{World, text, trial, trial_alone};

const SESSION: &str = "demo-backup-1700000000";
const JOB: &str = "stash-backup-demo-backup-1700000000-0";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(
            world,
            "fault: the API server dies, and what is edited next is followed",
            api_server,
        ),
        trial_alone(
            world,
            "fault: sessions made while no operator runs get one Job each",
            operator_away,
        ),
        trial(world, "fault: a value nobody can read is named, and others go on", unreadable),
        trial_alone(
            world,
            "fault: the API server dies while twenty sessions begin and end",
            under_load,
        ),
        trial(
            world,
            "fault: a configuration edited, paused and spoiled leaves its running session alone",
            edited,
        ),
        trial_alone(
            world,
            "fault: an object nobody can read is named, and others go on",
            unreadable_object,
        ),
        trial(world, "fault: a Job deleted under its session ends the session", job_deleted),
    ]
}

fn api_server(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-api")?;
    scene.plane.restart_api_server()?;
    let patch = json!({"spec": {"schedule": "0 4 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 4 * * *"
    })?;
    let other = Scene::ready(world, "fault-api-new")?;
    ensure!(other.client().names(Resource::CRON_JOB, &other.namespace)? == [CRON_JOB]);
    Ok(())
}

fn operator_away(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-away")?;
    world.operator()?.kill()?;
    scene.session(SESSION)?;
    world.operator()?.restart()?;
    let job = scene.wait("the Job exists", Resource::JOB, JOB, |_| true)?;
    for _ in 0..3 {
        world.operator()?.restart()?;
    }
    // The last operator has looked at everything once it has done this.
    let patch = json!({"spec": {"schedule": "0 5 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 5 * * *"
    })?;
    let mut jobs = scene.client().list(Resource::JOB, &scene.namespace)?;
    // The CronJob may have been due meanwhile and has Jobs of its own.
    jobs.retain(|job| job["metadata"]["ownerReferences"][0]["name"] == SESSION);
    ensure!(
        jobs.len() == 1 && jobs[0]["metadata"]["uid"] == job["metadata"]["uid"],
        "the session has {} Jobs",
        jobs.len()
    );
    Ok(())
}

fn unreadable(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-text")?;
    let mut backup = scene.backup()?;
    backup["metadata"]["name"] = json!("strange");
    backup["spec"]["timeOut"] = json!("two moons");
    let said = scene.program().run_with(&["apply", "-f", "-"], Some(&backup.to_string()))?;
    if said.code == Some(0) {
        let strange = scene.wait_for_phase("strange", "Invalid")?;
        let message = conditions::message(&strange, "ValidationPassed");
        ensure!(message.contains("two moons"), "message: {message}");
    } else {
        // The API server's own refusal names it as well.
        ensure!(said.stderr.contains("timeOut"), "{}", said.text());
    }
    let patch = json!({"spec": {"schedule": "0 6 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 6 * * *"
    })?;
    Ok(())
}

/// The row E03 of the list, as far as no pod must run.
fn job_deleted(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-job")?;
    scene.session(SESSION)?;
    scene.wait("the Job exists", Resource::JOB, JOB, |_| true)?;
    scene.kubectl(&["delete", "job", JOB, "--wait=false"])?;
    let session = scene.wait("the session ends", Resource::BACKUP_SESSION, SESSION, |session| {
        conditions::phase(session) == "Failed"
    })?;
    ensure!(session["status"].to_string().contains(JOB), "status: {}", session["status"]);
    Ok(())
}

/// How many configurations, each with a target of its own.
const LOAD: usize = 20;

/// Makes an object as somebody who tries until it is there.
fn insist(scene: &Scene<'_>, resource: Resource, object: &Value) -> Result<()> {
    let path = resource.list(&scene.namespace);
    wait::until("the object is made", PATIENCE, || {
        let answer = scene.client().call("POST", &path, "application/json", Some(object));
        // While the API server is away, whoever leads to it says so, or nobody says anything.
        Ok(answer.is_ok_and(|(status, _)| matches!(status, 201 | 409)).then_some(()))
    })
}

fn under_load(world: &World) -> Result<()> {
    let scene = Scene::new(world, "fault-load")?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    let backup = |number: usize| format!("backup-{number}");
    let session = |number: usize| format!("backup-{number}-1700000001");
    for number in 0..LOAD {
        let mut binding = scene.app_binding()?;
        binding["metadata"]["name"] = json!(format!("{VAULT}-{number}"));
        let mut configuration = scene.backup()?;
        configuration["metadata"]["name"] = json!(backup(number));
        configuration["spec"]["schedule"] = json!("0 0 1 1 *");
        configuration["spec"]["target"]["ref"]["name"] = json!(format!("{VAULT}-{number}"));
        insist(&scene, Resource::APP_BINDING, &binding)?;
        insist(&scene, Resource::BACKUP_CONFIGURATION, &configuration)?;
    }
    for number in 0..LOAD {
        scene.wait_for_phase(&backup(number), "Ready")?;
    }
    let make = |number: usize| {
        insist(
            &scene,
            Resource::BACKUP_SESSION,
            &json!({
                "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
                "metadata": {"name": session(number), "namespace": scene.namespace},
                "spec": {"invoker": {"apiGroup": "stash.appscode.com",
                    "kind": "BackupConfiguration", "name": backup(number)}},
            }),
        )
    };
    // The first half has begun, the second is being made while the API server is away.
    std::thread::scope(|scope| {
        let maker = scope.spawn(|| (0..LOAD).try_for_each(make));
        running(&scene, &session(LOAD / 2))?;
        let restarted = scene.plane.restart_api_server();
        match maker.join() {
            Ok(made) => made.and(restarted),
            Err(_) => anyhow::bail!("the maker of sessions panicked"),
        }
    })?;
    for number in 0..LOAD {
        report(&scene, &session(number), None)?;
        if number == LOAD / 2 {
            scene.plane.restart_api_server()?;
        }
    }
    for number in 0..LOAD {
        ended(&scene, &session(number), "Succeeded")?;
    }
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    let mut wanted: Vec<String> = (0..LOAD).map(|number| job_of(&session(number))).collect();
    wanted.sort();
    ensure!(jobs == wanted, "Jobs: {jobs:?}");
    // The Job controller may not have been around to all of them.
    let pods = Resource::POD.list(&scene.namespace);
    scene.client().wait("each Job has one pod", &pods, |list| {
        (list?["items"].as_array()?.len() == LOAD).then_some(())
    })
}

fn edited(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-edited")?;
    let edit = |spec: Value, phase: &str| -> Result<()> {
        let backups = Resource::BACKUP_CONFIGURATION;
        let patch = json!({ "spec": spec });
        scene.client().patch(backups, &scene.namespace, BACKUP, &patch)?;
        scene.wait("the edit is observed", backups, BACKUP, |backup| {
            conditions::phase(backup) == phase
                && backup["status"]["observedGeneration"] == backup["metadata"]["generation"]
        })?;
        Ok(())
    };
    edit(json!({"schedule": "0 0 1 1 *"}), "Ready")?;
    scene.session(SESSION)?;
    let begun = running(&scene, SESSION)?;
    let job = scene.object(Resource::JOB, JOB)?;
    edit(json!({"schedule": "0 0 2 1 *", "timeOut": "1s", "paused": true}), "Ready")?;
    edit(json!({"task": {"name": "nope"}}), "Invalid")?;
    let still = scene.object(Resource::BACKUP_SESSION, SESSION)?;
    ensure!(
        conditions::phase(&still) == "Running"
            && still["status"]["sessionDeadline"] == begun["status"]["sessionDeadline"],
        "status: {}",
        still["status"]
    );
    let same = scene.object(Resource::JOB, JOB)?;
    ensure!(same["metadata"]["uid"] == job["metadata"]["uid"], "the Job is another one");
    ensure!(same["metadata"]["generation"] == job["metadata"]["generation"], "the Job was changed");
    report(&scene, SESSION, None)?;
    ended(&scene, SESSION, "Succeeded")?;
    edit(json!({"task": null, "timeOut": "2h"}), "Ready")?;
    // Paused is the schedule, not what somebody asks for.
    succeed(&scene, "demo-backup-1700000009")?;
    Ok(())
}

/// The versions of a definition, whose schemas `change` may change.
fn with_schema(world: &World, schema: Option<&Value>, before: &Value) -> Result<()> {
    let mut versions = before["spec"]["versions"].clone();
    if let Some(schema) = schema {
        versions[0]["schema"]["openAPIV3Schema"] = schema.clone();
    }
    let patch = json!({"spec": {"versions": versions}});
    let media = "application/merge-patch+json";
    let client = world.bare_plane()?.client();
    let (status, answer) = client.call("PATCH", DEFINITION, media, Some(&patch))?;
    ensure!(status == 200, "{status}: {answer}");
    Ok(())
}

const DEFINITION: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/backupconfigurations.stash.appscode.com";

fn unreadable_object(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "fault-unreadable")?;
    let client = scene.client();
    let before = client.get(DEFINITION)?.unwrap_or_default();
    let loose = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut strange = scene.backup()?;
    strange["metadata"]["name"] = json!("strange");
    strange["spec"]["schedule"] = json!(["not", "a", "text"]);
    // As the original left them.
    let mut finalized = strange.clone();
    finalized["metadata"]["name"] = json!("finalized");
    finalized["metadata"]["finalizers"] = json!(["stash.appscode.com"]);
    with_schema(world, Some(&loose), &before)?;
    // The new schema counts a little later.
    let made = insist(&scene, Resource::BACKUP_CONFIGURATION, &strange)
        .and_then(|()| insist(&scene, Resource::BACKUP_CONFIGURATION, &finalized));
    with_schema(world, None, &before)?;
    made?;
    // It goes, and with it could its namespace.
    client.delete(Resource::BACKUP_CONFIGURATION, &scene.namespace, "finalized")?;
    let path = Resource::BACKUP_CONFIGURATION.path(&scene.namespace, "finalized");
    client.wait_until_gone(&path)?;
    let events = Resource::EVENT.list(&scene.namespace);
    let event = client.wait("an event names it", &events, |list| {
        let events = list?["items"].as_array()?;
        events
            .iter()
            .find(|event| event["involvedObject"]["name"] == "strange")
            .filter(|event| event["reason"] == "ObjectUnreadable")
            .cloned()
    })?;
    ensure!(
        event["type"] == "Warning" && text(&event, "/message").contains("cannot be read"),
        "{event}"
    );
    let unreadable = "sealift_objects_unreadable{kind=\"BackupConfiguration\"} 1";
    let check = |world: &World| -> Result<()> {
        let metrics = world.operator()?.metrics()?;
        ensure!(metrics.contains(unreadable), "{metrics}");
        succeed(&scene, SESSION)?;
        client.delete(Resource::BACKUP_SESSION, &scene.namespace, SESSION)?;
        client.wait_until_gone(&Resource::JOB.path(&scene.namespace, JOB))
    };
    check(world)?;
    // Neither does it stop an operator that begins with it.
    world.operator()?.restart()?;
    check(world)?;
    strange["spec"]["schedule"] = json!("0 0 1 1 *");
    scene.apply(&strange)?;
    scene.wait_for_phase("strange", "Ready")?;
    Ok(())
}
