//! E06: a session that failed is tried again as often as its invoker asked for, and not once more.

use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_e2e::binaries;
use serde_json::{Value, json};

use crate::acted::{ended, report, running, sessions_are, succeed};
use crate::conditions;
use crate::scene::{BACKUP, CRON_JOB, Scene};
use crate::world::{World, text, trial, trial_alone};

const LATER: &str = "demo-backup-9700000001";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "E06: a backup that fails is tried again twice, and no third time", all_fail),
        trial(world, "E06: a try that succeeds is the last", second_succeeds),
        trial_alone(
            world,
            "fault: a retry that is due while no operator runs is made once",
            operator_away,
        ),
    ]
}

fn ready<'a>(world: &'a World, number: &str, delay: &str) -> Result<Scene<'a>> {
    let scene = Scene::new(world, number)?;
    scene.apply_guide()?;
    let patch = json!({"spec": {
        "backupHistoryLimit": 5, "schedule": "0 0 1 1 *",
        "retryConfig": {"maxRetry": 2, "delay": delay},
    }});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("it is ready", Resource::BACKUP_CONFIGURATION, BACKUP, |backup| {
        conditions::phase(backup) == "Ready"
            && backup["status"]["observedGeneration"] == backup["metadata"]["generation"]
    })?;
    Ok(scene)
}

/// What the CronJob runs, with its rights; returns the session's name.
fn trigger(scene: &Scene<'_>) -> Result<String> {
    let user = format!("system:serviceaccount:{}:{CRON_JOB}", scene.namespace);
    let name = format!("{}-{CRON_JOB}", scene.namespace);
    let kubeconfig = scene.plane.kubeconfig(&name, &user, Some("system:authenticated"))?;
    let output = Command::new(binaries::sealift()?)
        .args(["create-backupsession", "--invoker-name=demo-backup"])
        .args(["--invoker-kind=BackupConfiguration", "--output=json"])
        .env("KUBECONFIG", &kubeconfig)
        .env("POD_NAMESPACE", &scene.namespace)
        .output()
        .context("failed to start sealift trigger")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout)?;
    Ok(text(&made, "/name").to_owned())
}

/// The one session that has this many tries left.
fn with_tries(scene: &Scene<'_>, left: i64) -> Result<Value> {
    let list = Resource::BACKUP_SESSION.list(&scene.namespace);
    scene.client().wait(&format!("a session with {left} tries left"), &list, |list| {
        let items = list?["items"].as_array()?;
        let mut fit = items.iter().filter(|found| found["spec"]["retryLeft"] == left);
        let found = fit.next()?.clone();
        fit.next().is_none().then_some(found)
    })
}

/// Lets a session fail, and returns it once it has said when it is tried again.
fn fail(scene: &Scene<'_>, name: &str) -> Result<Value> {
    report(scene, name, Some("the Vault is away"))?;
    ended(scene, name, "Failed")
}

fn retried(scene: &Scene<'_>, name: &str) -> Result<Value> {
    scene.wait(&format!("{name} is tried again"), Resource::BACKUP_SESSION, name, |found| {
        found["status"]["retried"] == true
    })
}

/// Whether a session says nothing of another try.
fn is_the_last(session: &Value) -> bool {
    session["status"]["nextRetry"].is_null() && session["status"]["retried"].is_null()
}

fn all_fail(world: &World) -> Result<()> {
    let scene = ready(world, "E06", "5s")?;
    trigger(&scene)?;
    let mut names = Vec::new();
    for left in [2, 1, 0] {
        let session = with_tries(&scene, left)?;
        let name = text(&session, "/metadata/name").to_owned();
        running(&scene, &name)?;
        let failed = fail(&scene, &name)?;
        if left == 0 {
            ensure!(is_the_last(&failed), "status: {}", failed["status"]);
        } else {
            let next = text(&failed, "/status/nextRetry").to_owned();
            // As long after the end as the configuration says.
            let cleaned = failed["status"]["conditions"].as_array().into_iter().flatten();
            let mut cleaned = cleaned.filter(|it| it["type"] == "BackupHistoryCleaned");
            let end = cleaned.next().map(|it| text(it, "/lastTransitionTime")).unwrap_or_default();
            let (due, end): (Timestamp, Timestamp) = (next.parse()?, end.parse()?);
            ensure!(due.duration_since(end).as_secs() == 5, "ended {end}, due {due}");
            retried(&scene, &name)?;
            let again = with_tries(&scene, left - 1)?;
            // Both are of one form, so that the text compares as the time does.
            let made = text(&again, "/metadata/creationTimestamp");
            ensure!(!next.is_empty() && made >= next.as_str(), "made {made}, due {next}");
            ensure!(
                again["spec"]["invoker"] == failed["spec"]["invoker"]
                    && again["metadata"]["labels"] == failed["metadata"]["labels"]
                    && again["metadata"]["ownerReferences"]
                        == failed["metadata"]["ownerReferences"],
                "the retry differs: {again:#}"
            );
        }
        names.push(name);
    }
    names.sort();
    let three: Vec<&str> = names.iter().map(String::as_str).collect();
    sessions_are(&scene, &three)?;
    // A session that was made by hand has no tries.
    scene.session(LATER)?;
    running(&scene, LATER)?;
    let later = fail(&scene, LATER)?;
    ensure!(is_the_last(&later), "status: {}", later["status"]);
    let mut four = three.clone();
    four.push(LATER);
    sessions_are(&scene, &four)
}

fn second_succeeds(world: &World) -> Result<()> {
    let scene = ready(world, "E06-second", "5s")?;
    let first = trigger(&scene)?;
    running(&scene, &first)?;
    fail(&scene, &first)?;
    let second = with_tries(&scene, 1)?;
    let second = text(&second, "/metadata/name");
    report(&scene, second, None)?;
    let ended = ended(&scene, second, "Succeeded")?;
    ensure!(is_the_last(&ended), "status: {}", ended["status"]);
    ensure!(retried(&scene, &first)?["status"]["phase"] == "Failed");
    // The next one is no retry of anything.
    succeed(&scene, LATER)?;
    let mut names = [first.as_str(), second, LATER];
    names.sort_unstable();
    sessions_are(&scene, &names)
}

fn operator_away(world: &World) -> Result<()> {
    let scene = ready(world, "fault-retry", "5s")?;
    let first = trigger(&scene)?;
    running(&scene, &first)?;
    fail(&scene, &first)?;
    world.operator()?.restart()?;
    retried(&scene, &first)?;
    world.operator()?.restart()?;
    let second = with_tries(&scene, 1)?;
    let second = text(&second, "/metadata/name");
    running(&scene, second)?;
    report(&scene, second, None)?;
    ended(&scene, second, "Succeeded")?;
    let mut names = [first.as_str(), second];
    names.sort_unstable();
    sessions_are(&scene, &names)
}
