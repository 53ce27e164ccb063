//! Several operators in one cluster, and the original's beside ours.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_cluster::operator::Operator;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::acted::{ended, job_of, report, running, succeed};
use crate::conditions;
use crate::scene::{BACKUP, CRON_JOB, Scene};
use crate::world::{World, text, trial_alone};

const SESSION: &str = "demo-backup-1700000001";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(
            world,
            "fault: the leader of two operators dies and the other goes on",
            |world| instead_of_the_one(world, leader_dies),
        ),
        trial_alone(
            world,
            "fault: a leader that is told to end hands over and the other goes on",
            |world| instead_of_the_one(world, leader_resigns),
        ),
        trial_alone(
            world,
            "M04: beside the operator of Stash ours stands back and says so",
            |world| instead_of_the_one(world, stands_back),
        ),
    ]
}

/// Without the operator all other rows share, which is there again afterwards.
pub fn instead_of_the_one(world: &World, row: impl FnOnce(&World) -> Result<()>) -> Result<()> {
    world.operator()?.kill()?;
    let judged = row(world);
    world.operator()?.restart()?;
    judged
}

fn leader_dies(world: &World) -> Result<()> {
    successor(world, "leaders", |_, leader| leader.kill())
}

fn leader_resigns(world: &World) -> Result<()> {
    successor(world, "resigned", |scene, leader| {
        let first = text(&lease(scene)?, "/spec/holderIdentity").to_owned();
        let code = leader.terminate()?;
        ensure!(code == Some(0), "it ended with {code:?}: {}", leader.log_tail());
        // It was given back: nobody waits until it has expired.
        let left = lease(scene)?;
        ensure!(left["spec"]["holderIdentity"] != first, "it left the Lease so: {left}");
        Ok(())
    })
}

fn lease(scene: &Scene<'_>) -> Result<Value> {
    scene.client().get(&lease_path(scene))?.context("there is no Lease")
}

fn lease_path(scene: &Scene<'_>) -> String {
    let root = "/apis/coordination.k8s.io/v1/namespaces";
    format!("{root}/{}/leases/sealift-operator", scene.namespace)
}

/// The leader of two operators goes in the middle of a session, and the other one ends it.
fn successor(
    world: &World,
    number: &str,
    end: impl FnOnce(&Scene<'_>, &mut Operator) -> Result<()>,
) -> Result<()> {
    let scene = Scene::without_operator(world, number)?;
    let namespace = format!("--service-account-namespace={}", scene.namespace);
    let flags = ["--leader-elect", namespace.as_str()];
    let names = ["a", "b"].map(|letter| format!("{number}-{letter}"));
    let mut operators = Vec::new();
    for name in &names {
        let mut operator = world.another_operator(name, &flags)?;
        operator.wait_until_ready()?;
        operators.push((name, operator));
    }
    scene.apply_guide()?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    scene.session(SESSION)?;
    running(&scene, SESSION)?;
    let job = scene.object(Resource::JOB, &job_of(SESSION))?;
    let first = holder(&scene, "")?;
    let leader = operators.iter_mut().find(|(name, _)| first.starts_with(name.as_str()));
    let (_, leader) = leader.with_context(|| format!("the Lease is held by {first}"))?;
    end(&scene, leader)?;
    let second = holder(&scene, &first)?;
    ensure!(
        operators.iter().any(|(name, _)| second.starts_with(name.as_str())),
        "the Lease is held by {second}"
    );
    let patch = json!({"spec": {"schedule": "0 7 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 7 * * *"
    })?;
    // What the one began the other ends.
    report(&scene, SESSION, None)?;
    ended(&scene, SESSION, "Succeeded")?;
    let same = scene.object(Resource::JOB, &job_of(SESSION))?;
    ensure!(same["metadata"]["uid"] == job["metadata"]["uid"], "the Job is another one");
    succeed(&scene, "demo-backup-1700000002")?;
    Ok(())
}

/// Who holds the Lease, once it is another than `not`.
fn holder(scene: &Scene<'_>, not: &str) -> Result<String> {
    scene.client().wait("somebody holds the Lease", &lease_path(scene), |lease| {
        let holder = text(lease?, "/spec/holderIdentity");
        (!holder.is_empty() && holder != not).then(|| holder.to_owned())
    })
}

fn stands_back(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "M04")?;
    scene.apply_guide()?;
    let labels = json!({"app.kubernetes.io/name": "stash-community"});
    scene.apply(&json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "stash-stash-community", "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "operator", "image": "stashed/stash"}]}}}}))?;
    // With the label alone it may be anybody's.
    let mut operator = world.another_operator("beside-nobody", &[])?;
    operator.wait_until_ready().with_context(|| operator.log_tail())?;
    operator.kill()?;
    let service = "v1alpha1.repositories.stash.appscode.com";
    scene.apply(&json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": service},
        "spec": {"group": "repositories.stash.appscode.com", "version": "v1alpha1",
            "groupPriorityMinimum": 1000, "versionPriority": 15}}))?;
    let judged = beside_the_original(world, &scene);
    scene.kubectl(&["delete", "apiservice", service])?;
    judged
}

fn beside_the_original(world: &World, scene: &Scene<'_>) -> Result<()> {
    scene.client().delete(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP)?;
    scene.apply(&scene.backup()?)?;
    let mut operator = world.another_operator("beside-stash", &[])?;
    let said = wait::until("the operator stands back", PATIENCE, || Ok(standing_back(&operator)))
        .with_context(|| operator.log_tail())?;
    ensure!(said.contains("stash-stash-community"), "it says: {said}");
    ensure!(
        operator.log_tail().contains("stash-stash-community"),
        "it logs: {}",
        operator.log_tail()
    );
    let backup = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    ensure!(conditions::phase(&backup).is_empty(), "it wrote: {}", backup["status"]);
    scene.kubectl(&["scale", "deployment", "stash-stash-community", "--replicas=0"])?;
    operator.wait_until_ready()?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(())
}

fn standing_back(operator: &Operator) -> Option<String> {
    let (status, text) = operator.readiness()?;
    (status != 200 && text.contains("standing back")).then_some(text)
}
