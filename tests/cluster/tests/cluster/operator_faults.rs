//! The operator dies, is contradicted, or does not hear the answer at each step of a session; its
//! successor, or its next attempt, finishes what was begun, and makes nothing twice.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::operator::Operator;
use serde_json::{Value, json};

use crate::acted::{ended, job_of, report, running, sessions_are, succeed};
use crate::api_proxy::{ApiProxy, Fault};
use crate::chain::Chain;
use crate::conditions;
use crate::operators::instead_of_the_one;
use crate::scene::{BACKUP, Scene};
use crate::stage;
use crate::world::{World, is_full_tier, text, trial_alone};

const OLD: &str = "demo-backup-1700000001";
const SESSION: &str = "demo-backup-1700000002";
const NEXT: &str = "demo-backup-1700000003";

/// A write of the operator, and what is done by it.
struct Step {
    done: &'static str,
    method: &'static str,
    path: &'static str,
    /// Whether it follows the Job's report.
    after_report: bool,
}

const fn step(done: &'static str, method: &'static str, path: &'static str) -> Step {
    Step { done, method, path, after_report: false }
}

/// All writes of one session, in their order; what follows its end is no part of it.
const STEPS: [Step; 10] = [
    step("the session is adopted", "PATCH", "/backupsessions/demo-backup-1700000002?"),
    step("the Lease is made", "POST", "/leases?"),
    step("the ServiceAccount is made", "PATCH", "/serviceaccounts/backupconfiguration-"),
    step("the Role is made", "PATCH", "/roles/backupconfiguration-"),
    step("the RoleBinding is made", "PATCH", "/rolebindings/backupconfiguration-"),
    step("the plan is made", "POST", "/configmaps?"),
    step("the Job is made", "POST", "/jobs?"),
    step("the session is begun", "PUT", "/backupsessions/demo-backup-1700000002/status"),
    Step {
        after_report: true,
        ..step("an old session is removed", "DELETE", "/backupsessions/demo-backup-1700000001")
    },
    Step {
        after_report: true,
        ..step("the end is written", "PUT", "/backupsessions/demo-backup-1700000002/status")
    },
];

/// The two after which most stands or is at stake; each of these rows takes a quarter of a minute
/// that no other runs in, so the others are of the full tier.
const ALWAYS: [&str; 2] = ["the Job is made", "the end is written"];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials: Vec<Trial> = STEPS
        .into_iter()
        .enumerate()
        .filter(|(_, step)| is_full_tier() || ALWAYS.contains(&step.done))
        .map(|(number, step)| {
            let name = format!("fault: the operator is killed once {}", step.done);
            trial_alone(world, name, move |world| {
                instead_of_the_one(world, |world| killed(world, number, &step))
            })
        })
        .collect();
    trials.extend([
        trial_alone(
            world,
            "E14: a backup ends well although the operator dies while it runs",
            operator_away,
        ),
        trial_alone(world, "fault: every write of a session meets a conflict once", |world| {
            instead_of_the_one(world, |world| each_write(world, "conflicts", Fault::Conflict))
        }),
        trial_alone(world, "fault: the answer to every write of a session is lost once", |world| {
            instead_of_the_one(world, |world| each_write(world, "lost-answers", Fault::LoseAnswer))
        }),
        trial_alone(world, "fault: the answer to a retry's creation is lost", |world| {
            instead_of_the_one(world, retry_unheard)
        }),
    ]);
    trials
}

/// The guide, of whose sessions one is kept.
fn guide<'a>(world: &'a World, number: &str) -> Result<Scene<'a>> {
    let scene = Scene::without_operator(world, number)?;
    scene.apply_guide()?;
    let patch = json!({"spec": {"schedule": "0 0 1 1 *", "backupHistoryLimit": 1}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    Ok(scene)
}

/// An operator that talks to the API server through the proxy.
fn behind(proxy: &ApiProxy, scene: &Scene<'_>) -> Result<Operator> {
    let folder = scene.plane.files().folder.join(format!("operator-of-{}", scene.namespace));
    let image = format!("--image={}", stage::IMAGE);
    let mut operator =
        Operator::start_unready(&folder, proxy.kubeconfig(), &[&image, "--pod-name=first"])?;
    operator.wait_until_ready()?;
    scene.wait_for_phase(BACKUP, "Ready").with_context(|| operator.log_tail())?;
    Ok(operator)
}

/// The session's Job, of which there is one, with one pod.
fn the_job(scene: &Scene<'_>, session: &str) -> Result<Value> {
    let name = job_of(session);
    let mut jobs = scene.client().list(Resource::JOB, &scene.namespace)?;
    jobs.retain(|job| job["metadata"]["ownerReferences"][0]["name"] == session);
    ensure!(
        jobs.len() == 1 && text(&jobs[0], "/metadata/name") == name,
        "the session has {} Jobs",
        jobs.len()
    );
    let pods = scene.client().list(Resource::POD, &scene.namespace)?;
    let of_job = |pod: &&Value| pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == name;
    let count = pods.iter().filter(of_job).count();
    ensure!(count <= 1, "the Job has {count} pods");
    Ok(jobs.remove(0))
}

fn killed(world: &World, number: usize, step: &Step) -> Result<()> {
    let scene = guide(world, &format!("killed-{number}"))?;
    let proxy = ApiProxy::start(scene.plane, &scene.namespace)?;
    let mut first = behind(&proxy, &scene)?;
    // What lasts from the session before is not made again.
    if !step.path.contains("backupconfiguration-") {
        succeed(&scene, OLD)?;
    }
    let kill = || proxy.expect(step.method, step.path, Fault::Kill(first.process_id()));
    let mut known = None;
    if step.after_report {
        scene.session(SESSION)?;
        running(&scene, SESSION)?;
        known = Some(the_job(&scene, SESSION)?);
        kill();
        report(&scene, SESSION, None)?;
    } else {
        kill();
        scene.session(SESSION)?;
    }
    proxy.wait_until_met().with_context(|| first.log_tail())?;
    // Waits for the end of a process that is dead.
    first.kill()?;
    let path = Resource::JOB.path(&scene.namespace, &job_of(SESSION));
    if known.is_none() {
        known = scene.client().get(&path)?;
    }
    let mut successor = world.another_operator(&format!("successor-{number}"), &[])?;
    successor.wait_until_ready()?;
    let finished = (|| {
        if !step.after_report {
            report(&scene, SESSION, None)?;
        }
        let session = ended(&scene, SESSION, "Succeeded")?;
        ensure!(
            conditions::of(&session, "BackupHistoryCleaned")
                == "True SuccessfullyCleanedBackupHistory",
            "status: {}",
            session["status"]
        );
        let job = the_job(&scene, SESSION)?;
        if let Some(known) = known {
            ensure!(job["metadata"]["uid"] == known["metadata"]["uid"], "the Job is another one");
        }
        sessions_are(&scene, &[SESSION])?;
        succeed(&scene, NEXT)?;
        sessions_are(&scene, &[NEXT])
    })();
    finished.with_context(|| successor.log_tail())
}

fn operator_away(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "E14", |_| ())?;
    let job = chain.held(SESSION)?;
    world.operator()?.kill()?;
    chain.release();
    let ran = job.wait()?;
    world.operator()?.restart()?;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    chain.ended(SESSION, "Succeeded")?;
    the_job(&chain.scene, SESSION)?;
    chain.ensure_sound(1)?;
    chain.succeed(NEXT)?;
    chain.ensure_sound(2)
}

/// Each write meets the fault in turn, in one session.
fn each_write(world: &World, name: &str, fault: Fault) -> Result<()> {
    let scene = guide(world, name)?;
    let proxy = ApiProxy::start(scene.plane, name)?;
    let operator = behind(&proxy, &scene)?;
    let done = (|| {
        succeed(&scene, OLD)?;
        // What is made, or deleted, contradicts nothing older.
        let changes = |step: &&Step| matches!(step.method, "PATCH" | "PUT");
        let meets = |step: &&Step| fault != Fault::Conflict || changes(step);
        let (after, before): (Vec<&Step>, Vec<&Step>) =
            STEPS.iter().filter(meets).partition(|step| step.after_report);
        for step in before {
            // What lasts from the session before is not made again.
            if !step.path.contains("backupconfiguration-") {
                proxy.expect(step.method, step.path, fault);
            }
        }
        scene.session(SESSION)?;
        running(&scene, SESSION)?;
        proxy.wait_until_met()?;
        let job = the_job(&scene, SESSION)?;
        for step in after {
            proxy.expect(step.method, step.path, fault);
        }
        report(&scene, SESSION, None)?;
        let session = ended(&scene, SESSION, "Succeeded")?;
        proxy.wait_until_met()?;
        // What the Job wrote stands beside what the operator wrote.
        let target = &session["status"]["targets"][0];
        ensure!(
            target["stats"][0]["snapshots"][0]["name"] == "a1b2c3d4"
                && conditions::at(target, "/conditions", "BackupExecutorEnsured")
                    == "True SuccessfullyEnsuredBackupExecutor",
            "status: {}",
            session["status"]
        );
        let again = the_job(&scene, SESSION)?;
        ensure!(again["metadata"]["uid"] == job["metadata"]["uid"], "the Job is another one");
        sessions_are(&scene, &[SESSION])?;
        succeed(&scene, NEXT)?;
        sessions_are(&scene, &[NEXT])
    })();
    done.with_context(|| operator.log_tail())
}

fn retry_unheard(world: &World) -> Result<()> {
    let scene = guide(world, "lost-retry")?;
    let patch =
        json!({"spec": {"backupHistoryLimit": 5, "retryConfig": {"maxRetry": 2, "delay": "1s"}}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    let proxy = ApiProxy::start(scene.plane, "lost-retry")?;
    let operator = behind(&proxy, &scene)?;
    let done = (|| {
        let session = json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
            "metadata": {"name": SESSION, "namespace": scene.namespace},
            "spec": {"retryLeft": 1, "invoker": {"apiGroup": "stash.appscode.com",
                "kind": "BackupConfiguration", "name": BACKUP}},
        });
        scene.client().create(Resource::BACKUP_SESSION, &scene.namespace, &session)?;
        proxy.expect("POST", "/backupsessions?", Fault::LoseAnswer);
        report(&scene, SESSION, Some("the Vault is away"))?;
        ended(&scene, SESSION, "Failed")?;
        proxy.wait_until_met()?;
        scene.wait("it says so", Resource::BACKUP_SESSION, SESSION, |found| {
            found["status"]["retried"] == true
        })?;
        let names = scene.client().names(Resource::BACKUP_SESSION, &scene.namespace)?;
        let retries: Vec<&String> = names.iter().filter(|name| *name != SESSION).collect();
        ensure!(retries.len() == 1, "sessions: {names:?}");
        report(&scene, retries[0], None)?;
        ended(&scene, retries[0], "Succeeded")?;
        ensure!(scene.client().names(Resource::BACKUP_SESSION, &scene.namespace)? == names);
        Ok(())
    })();
    done.with_context(|| operator.log_tail())
}
