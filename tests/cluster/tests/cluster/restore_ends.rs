//! K: when a RestoreSession begins beside other sessions, how it ends when its time is up, and
//! that it never runs twice.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::conditions;
use crate::ground::Ground;
use crate::operators::instead_of_the_one;
use crate::scene::{BACKUP, Scene, VAULT};
use crate::world::{World, text, trial, trial_alone};

const BACKED_UP: &str = "first-1700000001";
const SESSION: &str = "demo-backup-1700000002";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "K: a backup and a restore of one Vault wait for each other", one_target),
        trial_alone(
            world,
            "K: restores stand in the queue of the backups and take turns with them",
            |world| instead_of_the_one(world, one_place),
        ),
        trial_alone(world, "K09: a restore that has ended never runs again", never_again),
        trial(world, "K10: a restore whose time is up is ended and says so", deadline),
    ]
}

fn backup_job(session: &str) -> String {
    format!("stash-backup-{session}-0")
}

fn restore_job(session: &str) -> String {
    format!("stash-restore-{session}-0")
}

/// A session whose Job is gone has failed.
fn end(scene: &Scene<'_>, resource: Resource, session: &str, job: &str) -> Result<()> {
    scene.wait(&format!("{session} is Running"), resource, session, |session| {
        conditions::phase(session) == "Running"
    })?;
    scene.client().delete(Resource::JOB, &scene.namespace, job)?;
    scene.wait(&format!("{session} is Failed"), resource, session, |session| {
        conditions::phase(session) == "Failed"
    })?;
    Ok(())
}

/// Waits until a session says that it waits, and why; it has no Job then.
fn queued(
    scene: &Scene<'_>,
    resource: Resource,
    session: &str,
    job: &str,
    words: &[&str],
) -> Result<()> {
    let found = scene.wait(&format!("{session} waits"), resource, session, |session| {
        let said = format!(
            "{} {}",
            conditions::of(session, "Queued"),
            conditions::message(session, "Queued")
        );
        words.iter().all(|word| said.contains(word))
    })?;
    ensure!(conditions::phase(&found) == "Pending", "status: {}", found["status"]);
    let path = Resource::JOB.path(&scene.namespace, job);
    ensure!(scene.client().get(&path)?.is_none(), "{session} waits and has a Job");
    Ok(())
}

/// A session that has its Job waits no longer.
fn begun(scene: &Scene<'_>, resource: Resource, session: &str, job: &str) -> Result<()> {
    scene.wait(&format!("the Job of {session} exists"), Resource::JOB, job, |_| true)?;
    let found = scene.wait(&format!("{session} is Running"), resource, session, |session| {
        conditions::phase(session) == "Running"
    })?;
    let said = conditions::of(&found, "Queued");
    ensure!(said.is_empty(), "{session} runs and says {said}");
    Ok(())
}

fn one_target(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "K-target")?;
    let named = |name: &str| -> Result<Value> {
        let mut restore = scene.restore()?;
        restore["metadata"]["name"] = json!(name);
        Ok(restore)
    };
    let (backups, restores) = (Resource::BACKUP_SESSION, Resource::RESTORE_SESSION);
    scene.session(SESSION)?;
    let job = backup_job(SESSION);
    begun(&scene, backups, SESSION, &job)?;

    scene.apply(&named("one")?)?;
    let holder = format!("Waiting for BackupSession {}/{SESSION}.", scene.namespace);
    queued(&scene, restores, "one", &restore_job("one"), &["True WaitingForSession", &holder])?;
    end(&scene, backups, SESSION, &job)?;
    begun(&scene, restores, "one", &restore_job("one"))?;

    let later = "demo-backup-1700000003";
    scene.session(later)?;
    scene.apply(&named("two")?)?;
    let holder = format!("Waiting for RestoreSession {}/one.", scene.namespace);
    queued(&scene, backups, later, &backup_job(later), &[&holder])?;
    queued(&scene, restores, "two", &restore_job("two"), &[&holder])?;
    end(&scene, restores, "one", &restore_job("one"))?;
    // Either may be next; the other waits for it.
    let next = scene.client().wait(
        "one of the two runs",
        &Resource::JOB.list(&scene.namespace),
        |jobs| {
            let names = jobs?["items"].as_array()?.iter();
            let mut names = names.map(|job| text(job, "/metadata/name").to_owned());
            names.find(|name| *name == backup_job(later) || *name == restore_job("two"))
        },
    )?;
    if next == backup_job(later) {
        end(&scene, backups, later, &next)?;
        begun(&scene, restores, "two", &restore_job("two"))
    } else {
        end(&scene, restores, "two", &next)?;
        begun(&scene, backups, later, &backup_job(later))
    }
}

/// In one namespace, so that what other rows left behind takes no place.
fn one_place(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "K-queue")?;
    let here = format!("--watch-namespace={}", scene.namespace);
    let flags = ["--max-concurrent-sessions=1", here.as_str()];
    let mut operator = world.another_operator("one-place", &flags)?;
    operator.wait_until_ready()?;
    let (backups, restores) = (Resource::BACKUP_SESSION, Resource::RESTORE_SESSION);
    scene.apply_guide()?;
    // Other Vaults, so that only the places are too few.
    for name in ["second", "third"] {
        let mut binding = scene.app_binding()?;
        binding["metadata"]["name"] = json!(name);
        scene.apply(&binding)?;
    }
    let mut third = scene.backup()?;
    third["metadata"]["name"] = json!("third");
    third["spec"]["target"]["ref"]["name"] = json!("third");
    third["spec"]["schedule"] = json!("0 0 1 1 *");
    scene.apply(&third)?;
    let mut restore = scene.restore()?;
    restore["metadata"]["name"] = json!("second");
    restore["spec"]["target"]["ref"]["name"] = json!("second");
    let schedule = json!({"spec": {"schedule": "0 0 1 1 *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &schedule)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    scene.wait_for_phase("third", "Ready")?;

    scene.session(SESSION)?;
    begun(&scene, backups, SESSION, &backup_job(SESSION))?;
    scene.apply(&restore)?;
    let first = ["True WaitingForPlace", "number 1 of 1", "1 sessions run"];
    queued(&scene, restores, "second", &restore_job("second"), &first)?;
    let of_third = |name: &str| {
        let invoker = json!({"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration",
            "name": "third"});
        let session = json!({"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
            "metadata": {"name": name, "namespace": scene.namespace},
            "spec": {"invoker": invoker}});
        scene.client().create(backups, &scene.namespace, &session).map(drop)
    };
    // Ages are counted in seconds.
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs());
    let applied = second()?;
    wait::until("a second has passed", PATIENCE, || Ok((second()? > applied).then_some(())))?;
    of_third("younger")?;
    let behind = ["True WaitingForPlace", "number 2 of 2", "1 sessions run"];
    queued(&scene, backups, "younger", &backup_job("younger"), &behind)?;

    // The older goes first, whatever it is.
    end(&scene, backups, SESSION, &backup_job(SESSION))?;
    begun(&scene, restores, "second", &restore_job("second"))?;
    queued(&scene, backups, "younger", &backup_job("younger"), &["WaitingForPlace"])?;
    // A restore that runs takes a place, also for an operator that has only just started.
    operator.restart()?;
    of_third("youngest")?;
    let waits = ["True WaitingForSession", "younger"];
    queued(&scene, backups, "youngest", &backup_job("youngest"), &waits)?;
    queued(&scene, backups, "younger", &backup_job("younger"), &["WaitingForPlace"])?;
    end(&scene, restores, "second", &restore_job("second"))?;
    begun(&scene, backups, "younger", &backup_job("younger"))
}

fn never_again(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K09")?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    vault.put("backed up")?;
    ground.back_up(VAULT, BACKED_UP)?;
    let ended = ground.succeed(&ground.restore("once", |_| ())?)?;
    vault.put("newer than the backup")?;
    let times = vault.sent_to()?.len();

    let (client, namespace) = (ground.scene.client(), &ground.scene.namespace);
    let job = Resource::JOB.path(namespace, &restore_job("once"));
    client.delete(Resource::JOB, namespace, &restore_job("once"))?;
    client.wait_until_gone(&job)?;
    for _ in 0..2 {
        world.operator()?.restart()?;
        // It is looked at again.
        let patch = json!({"metadata": {"annotations": {"edited": "after its end"}}});
        client.patch(Resource::RESTORE_SESSION, namespace, "once", &patch)?;
    }
    // The operator has looked at every restore once it has made this one's Job.
    ground.scene.apply(&ground.restore("another", |_| ())?)?;
    ground.started("another")?;
    ensure!(client.get(&job)?.is_none(), "the restore has a Job again");
    let found = ground.scene.object(Resource::RESTORE_SESSION, "once")?;
    ensure!(found["status"] == ended["status"], "status: {}", found["status"]);
    ensure!(vault.sent_to()?.len() == times, "Vault was sent a snapshot again");
    vault.ensure_holds("newer than the backup")
}

fn deadline(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K10")?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    vault.put("backed up")?;
    ground.back_up(VAULT, BACKED_UP)?;
    vault.put("changed")?;
    vault.vault.seal(&vault.keys.root_token)?;
    let restore = ground.restore("late", |spec| spec["timeOut"] = json!("10s"))?;
    ground.scene.apply(&restore)?;
    let started = ground.started("late")?;
    let job = Resource::JOB.path(&ground.scene.namespace, &restore_job("late"));
    let (ended, ran) = std::thread::scope(|scope| {
        let ran = scope.spawn(|| started.run());
        let ended = ground.ended("late", "Failed").and_then(|ended| {
            // With the Job its pod goes.
            ground.scene.client().wait_until_gone(&job)?;
            Ok(ended)
        });
        (ended, ran.join())
    });
    let ended = ended?;
    let said = conditions::of(&ended, "DeadlineExceeded");
    ensure!(said == "True FailedToCompleteWithinDeadline", "{said:?} in {}", ended["status"]);
    let message = conditions::message(&ended, "DeadlineExceeded");
    ensure!(message == "Failed to complete restore within 10s.", "message: {message}");
    // What a process says that nobody has stopped changes nothing.
    let ran = ran.ok().context("the Job panicked")??;
    ensure!(ran.code != Some(0), "{:?}: {}", ran.code, ran.log);
    let after = ground.scene.object(Resource::RESTORE_SESSION, "late")?;
    ensure!(conditions::phase(&after) == "Failed", "status: {}", after["status"]);
    ensure!(conditions::of(&after, "DeadlineExceeded") == said, "status: {}", after["status"]);
    vault.vault.unseal(&vault.keys.unseal)?;
    vault.ensure_untouched("changed")
}
