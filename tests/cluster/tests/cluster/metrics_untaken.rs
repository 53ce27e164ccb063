//! E07, E08, F09: what comes of a session whose metrics nobody takes, and of series whose
//! Pushgateway ends.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;

use crate::acted::{ended, job_of, pod_ends};
use crate::conditions;
use crate::metrics_pushed::{FIRST, Row, SECOND, ensure_twins, of_a_backup, series, value};
use crate::process::Prepared;
use crate::scene::Scene;
use crate::world::{World, text, trial_alone};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(
            world,
            "E07 E08: a backup whose metrics nobody takes succeeds, and they are pushed later",
            pushed_later,
        ),
        trial_alone(world, "F09: series outlive their Pushgateway", outlive),
        trial_alone(
            world,
            "E07: without any Pushgateway a condition says so, and the operator once",
            without_pushgateway,
        ),
    ]
}

fn pushed_later(world: &World) -> Result<()> {
    world.pushgateway()?.kill()?;
    let judged = nobody_takes(world);
    world.pushgateway()?.restart()?;
    judged
}

fn nobody_takes(world: &World) -> Result<()> {
    let row = Row::ready(world, "E07")?;
    let scene = row.scene();
    let (ran, session) = row.succeed(FIRST)?;
    ensure!(
        conditions::of(&session, "MetricsPushed") == "False FailedToPushMetrics",
        "{}",
        session["status"]
    );
    let message = conditions::message(&session, "MetricsPushed");
    ensure!(message.starts_with("Failed to push metrics. Reason: "), "{message}");
    ensure!(row.ground.restic()?.snapshots()?.len() == 1, "there is not one snapshot");
    let warnings = warnings(scene, FIRST)?;
    let about_metrics = |warning: &&(String, String)| warning.1.contains("push");
    let told: Vec<_> = warnings.iter().filter(about_metrics).collect();
    ensure!(told.len() == 1 && told[0].0 == "FailedToPushMetrics", "{warnings:?}");

    // The pod ends, and leaves its record; that is what is pushed again.
    let push = format!("sealift-push-{FIRST}");
    ensure!(scene.client().get(&Resource::JOB.path(&scene.namespace, &push))?.is_none(), "early");
    pod_ends(scene, &job_of(FIRST), 0, "Completed", &ran.left.to_string())?;
    let (first_try, again) = (Prepared::of(scene, &push)?, Prepared::of(scene, &push)?);

    // A later session takes the rights of the invoker's Jobs over.
    scene.session(SECOND)?;
    let second = Prepared::of(scene, &job_of(SECOND))?;
    let role = scene.object(Resource::ROLE, "backupconfiguration-demo-backup-0")?;
    ensure!(!role.to_string().contains(FIRST), "the Role still names the first: {role}");
    let failed = first_try.run()?;
    ensure!(failed.code == Some(1), "{:?}: {} {}", failed.code, failed.left, failed.log);
    world.pushgateway()?.restart()?;
    let pushed = again.run()?;
    ensure!(pushed.code == Some(0), "{:?}: {} {}", pushed.code, pushed.left, pushed.log);
    let session = scene.object(Resource::BACKUP_SESSION, FIRST)?;
    ensure!(
        conditions::of(&session, "MetricsPushed") == "True SuccessfullyPushedMetrics"
            && conditions::phase(&session) == "Succeeded",
        "{}",
        session["status"]
    );
    let families = row.pushed()?;
    ensure_twins(&families, &of_a_backup())?;
    let size = &ran.left["statistics"]["data-size-bytes"];
    ensure!(
        size.as_f64() == Some(value(&families, "stash_backup_host_data_size_bytes")?),
        "it pushed other figures than {}",
        ran.left
    );
    ensure!(value(&families, "stash_backup_session_success")? > 0.0, "no success");

    // Once the second has pushed its own, the first may not come after it any more.
    let ran = second.run()?;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    ended(scene, SECOND, "Succeeded")?;
    scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, &push))
}

/// Reasons and messages of the Warnings about a session.
fn warnings(scene: &Scene<'_>, session: &str) -> Result<Vec<(String, String)>> {
    let events = scene.client().list(Resource::EVENT, &scene.namespace)?;
    Ok(events
        .iter()
        .filter(|event| event["involvedObject"]["name"] == session && event["type"] == "Warning")
        .map(|event| (text(event, "/reason").to_owned(), text(event, "/message").to_owned()))
        .collect())
}

fn outlive(world: &World) -> Result<()> {
    let row = Row::ready(world, "F09")?;
    let began = SystemTime::now();
    row.succeed(FIRST)?;
    let before = row.pushed()?;
    ensure_twins(&before, &of_a_backup())?;
    world.pushgateway()?.wait_until_kept(began)?;
    world.pushgateway()?.kill()?;
    world.pushgateway()?.restart()?;
    let after = row.pushed()?;
    for name in before.keys() {
        ensure!(series(&before, name)? == series(&after, name)?, "{name} differs");
    }
    ensure_twins(&after, &of_a_backup())
}

fn without_pushgateway(world: &World) -> Result<()> {
    world.operator()?.kill()?;
    let judged = nobody_to_push_to(world);
    world.operator()?.restart()?;
    judged
}

fn nobody_to_push_to(world: &World) -> Result<()> {
    let mut operator = world.another_operator("without-pushgateway", &[])?;
    operator.wait_until_ready()?;
    let said = operator.log_tail().matches("--pushgateway-url").count();
    ensure!(said == 1, "it said so {said} times: {}", operator.log_tail());
    let row = Row::ready(world, "E07-none")?;
    let (_, session) = row.succeed(FIRST)?;
    ensure!(
        conditions::of(&session, "MetricsPushed") == "False FailedToPushMetrics"
            && conditions::message(&session, "MetricsPushed").contains("--pushgateway-url"),
        "{}",
        session["status"]
    );
    let warnings = warnings(row.scene(), FIRST)?;
    let about = |warning: &(String, String)| warning.1.to_lowercase().contains("push");
    ensure!(!warnings.iter().any(about), "{warnings:?}");
    Ok(())
}
