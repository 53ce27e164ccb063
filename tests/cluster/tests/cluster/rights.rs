//! Rights and what is done with them, by the API server's own log: nobody is refused anything,
//! and nobody holds a right for nothing.
//!
//! The operator of all rows has the chart's rights, and Jobs those the operator gave them. So a
//! right that is missing fails the row that needs it, and here; one that is not used, only here.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::audit::{Grant, Log, Right, grants};
use sealift_e2e::binaries;
use serde_json::{Value, json};

use crate::conditions;
use crate::process::{Prepared, kubeconfig};
use crate::real_vault::{RealVault, named_keys, prefix};
use crate::scene::{BACKUP, CRON_JOB, Scene, VAULT};
use crate::world::{OPERATOR, World, text, trial};

const SESSION: &str = "demo-backup-1700000000";
const RESTORE: &str = "vault-restore-session";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "rights: the Jobs of a backup and of a forced restore use every right they have",
            chain,
        ),
        trial(world, "rights: the CronJob's command uses every right it has", trigger),
        trial(world, "a plan that somebody left behind is replaced before the Job is made", left),
        trial(world, "a trigger's Job is deleted once it has succeeded", completed),
    ]
}

/// What can be said only after all other rows. Without some of them, not every right was used.
pub fn judgement(world: &Arc<World>, all: bool) -> Vec<Trial> {
    if world.started_plane().is_none() {
        return Vec::new();
    }
    let mut trials =
        vec![trial(world, "rights: no operator and no Job was refused anything", refusals)];
    if all {
        trials.push(trial(world, "rights: the operator needs every right it has", operator));
        trials.push(trial(world, "rights: Jobs need every kind of right they get", jobs));
    }
    trials
}

/// The two ways a Job ends well, with everything a Job may do but commands in pods.
fn chain(world: &World) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let vault = RealVault::start(&folder.path().join("vault"), world.address())?;
    vault.put("before the backup")?;
    let scene = Scene::new(world, "rights")?;
    vault.bind(&scene, VAULT)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.local_repository(&folder.path().join("repository"))?)?;
    let mut backup = scene.backup()?;
    backup["spec"]["schedule"] = json!("0 0 1 1 *");
    scene.apply(&backup)?;
    scene.wait_for_phase(BACKUP, "Ready")?;

    scene.session(SESSION)?;
    let job = format!("stash-backup-{SESSION}-0");
    let ran = Prepared::of(&scene, &job)?.run()?;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    scene.wait("the backup has succeeded", Resource::BACKUP_SESSION, SESSION, |session| {
        conditions::phase(session) == "Succeeded"
    })?;
    exact(&scene, &job)?;

    // Keys of another Vault, as after a disaster; the token of the snapshot still works.
    let mut others = named_keys(&prefix(VAULT), &vault.keys);
    for key in others.as_object_mut().context("keys are a map")?.values_mut() {
        *key = json!(format!("{}-of-another-vault", key.as_str().unwrap_or_default()));
    }
    scene.apply(&scene.secret("vault-keys", &others))?;
    vault.put("after the backup")?;
    let mut restore = scene.restore()?;
    restore["spec"]["task"] =
        json!({"name": "vault-restore-1.10.3", "params": [{"name": "force", "value": "true"}]});
    scene.apply(&restore)?;
    let job = format!("stash-restore-{RESTORE}-0");
    let ran = Prepared::of(&scene, &job)?.run()?;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    scene.wait("the restore has succeeded", Resource::RESTORE_SESSION, RESTORE, |session| {
        conditions::phase(session) == "Succeeded"
    })?;
    vault.ensure_holds("before the backup")?;
    exact(&scene, &job)
}

/// Each single grant of the Role of a Job was used, by name, and nothing else was asked for.
fn exact(scene: &Scene<'_>, job: &str) -> Result<()> {
    let job = scene.object(Resource::JOB, job)?;
    let account = text(&job, "/spec/template/spec/serviceAccountName");
    same(scene, account)
}

fn same(scene: &Scene<'_>, account: &str) -> Result<()> {
    let log = scene.plane.audit_log()?;
    let user = format!("system:serviceaccount:{}:{account}", scene.namespace);
    let granted = grants(&log.role(&scene.namespace, account));
    ensure!(!granted.is_empty(), "no Role of {account} was written");
    let used: BTreeSet<Grant> = log.of(&user).flat_map(|request| request.grants()).collect();
    // A right without a name is used with one.
    let covers = |grant: &Grant, use_: &Grant| {
        grant.right == use_.right && (grant.name.is_none() || grant.name == use_.name)
    };
    let idle: Vec<String> = granted
        .iter()
        .filter(|grant| !used.iter().any(|use_| covers(grant, use_)))
        .map(ToString::to_string)
        .collect();
    ensure!(idle.is_empty(), "{account} never needed: {}", idle.join("; "));
    let refused = log.refusals(&user);
    ensure!(refused.is_empty(), "{account} was refused: {refused:?}");
    Ok(())
}

/// Once for a name that is free and once for one that is taken, which is then looked at.
fn trigger(world: &World) -> Result<()> {
    let scene = Scene::new(world, "rights-trigger")?;
    scene.apply_guide()?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    // What the row makes must stay.
    let patch = json!({"spec": {"backupHistoryLimit": 100}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    let kubeconfig = kubeconfig(&scene, CRON_JOB)?;
    let call = || -> Result<Value> {
        let output = Command::new(binaries::sealift()?)
            .args(["create-backupsession", "--invoker-name=demo-backup"])
            .args(["--invoker-kind=BackupConfiguration", "--output=json"])
            .env("KUBECONFIG", &kubeconfig)
            .env("POD_NAMESPACE", &scene.namespace)
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let first = text(&call()?, "/name").to_owned();
    // A session is named by its second: the names of the next ones are taken.
    let second: u64 = first.rsplit('-').next().context("the name has no time")?.parse()?;
    for later in second + 1..second + 30 {
        scene.session(&format!("{BACKUP}-{later}"))?;
    }
    let again = call()?;
    ensure!(again["created"] == false, "it made a session of a name that is taken: {again}");
    same(&scene, CRON_JOB)
}

/// As an operator that was killed between plan and Job leaves it, if the plan is another by then.
fn left(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "rights-left")?;
    let name = format!("sealift-plan-{SESSION}");
    scene.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
        "metadata": {"name": name}, "data": {"plan.json": "{}"}}))?;
    scene.session(SESSION)?;
    let job = format!("stash-backup-{SESSION}-0");
    scene.wait("the Job exists", Resource::JOB, &job, |_| true)?;
    let map = scene.object(Resource::CONFIG_MAP, &name)?;
    let plan: Value = serde_json::from_str(text(&map, "/data/plan.json"))?;
    ensure!(plan["session"]["name"] == SESSION, "the plan is {plan}");
    ensure!(map["immutable"] == true, "the plan can be changed: {map}");
    Ok(())
}

fn completed(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "rights-completed")?;
    scene.kubectl(&["create", "job", "--from", &format!("cronjob/{CRON_JOB}"), "by-hand"])?;
    let job = scene.wait("the Job has begun", Resource::JOB, "by-hand", |job| {
        job["status"]["startTime"].is_string()
    })?;
    let started = &job["status"]["startTime"];
    let condition = |kind: &str| {
        json!({"type": kind, "status": "True", "lastProbeTime": started,
            "lastTransitionTime": started})
    };
    // What the controller of Jobs writes when the pod has ended; there is none here.
    let status = json!({"status": {
        "active": 0, "ready": 0, "terminating": 0, "succeeded": 1, "completionTime": started,
        "uncountedTerminatedPods": {},
        "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
    }});
    scene.client().patch_status(Resource::JOB, &scene.namespace, "by-hand", &status)?;
    scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, "by-hand"))
}

fn log(world: &World) -> Result<Log> {
    world.started_plane().context("no control plane was started")?.audit_log()
}

/// Of users to whom the operator gave a Role, and of the operator itself.
fn refusals(world: &World) -> Result<()> {
    let log = log(world)?;
    let accounts: BTreeSet<&str> = log
        .requests
        .iter()
        .map(|request| request.user.as_str())
        .filter(|user| *user == OPERATOR || !granted_to(&log, user).is_empty())
        .collect();
    let mut refused = Vec::new();
    for user in accounts {
        refused.extend(log.refusals(user).into_iter().map(|what| format!("{user}: {what}")));
    }
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    Ok(())
}

/// What the Role says that bears the name of this ServiceAccount.
fn granted_to(log: &Log, user: &str) -> BTreeSet<Grant> {
    let mut parts = user.strip_prefix("system:serviceaccount:").unwrap_or_default().split(':');
    match (parts.next(), parts.next()) {
        (Some(namespace), Some(name)) => grants(&log.role(namespace, name)),
        _ => BTreeSet::new(),
    }
}

fn rights_of(grants: BTreeSet<Grant>) -> BTreeSet<Right> {
    grants.into_iter().map(|grant| grant.right).collect()
}

fn operator(world: &World) -> Result<()> {
    let plane = world.started_plane().context("no control plane was started")?;
    let role = plane.kubectl().json(&["get", "clusterrole", "tests-sealift"])?;
    let held = rights_of(grants(role["rules"].as_array().map(Vec::as_slice).unwrap_or_default()));
    let log = plane.audit_log()?;
    let mut used: BTreeSet<Right> =
        log.of(OPERATOR).flat_map(|request| request.grants()).map(|grant| grant.right).collect();
    // What it only gives away: it may not without holding it.
    used.extend(rights_of(grants(&log.roles())));
    used.extend(given_to_hooks());
    // Asked for by the admission of owners that block, which the log does not show; the plane has
    // it switched on, so that rows fail without these.
    let idle: Vec<String> = held
        .iter()
        .filter(|right| !used.contains(right) && !right.resource.ends_with("/finalizers"))
        .map(ToString::to_string)
        .collect();
    ensure!(idle.is_empty(), "never used and never given away: {}", idle.join("; "));
    Ok(())
}

/// Of a Job with an exec hook; none runs where there are no pods.
fn given_to_hooks() -> BTreeSet<Right> {
    let of = |resource: &str, verb: &str| Right {
        group: String::new(),
        resource: resource.to_owned(),
        verb: verb.to_owned(),
    };
    [of("endpoints", "get"), of("pods", "get"), of("pods/exec", "create"), of("pods/exec", "get")]
        .into()
}

fn jobs(world: &World) -> Result<()> {
    let log = log(world)?;
    let granted = rights_of(grants(&log.roles()));
    let used: BTreeSet<Right> = log
        .requests
        .iter()
        .filter(|request| request.user != OPERATOR)
        .flat_map(|request| request.grants())
        .map(|grant| grant.right)
        .collect();
    let pods = std::env::var("SEALIFT_TEST_TIER").as_deref() == Ok("full");
    let hooks = if pods { BTreeSet::new() } else { given_to_hooks() };
    let idle: Vec<String> = granted
        .iter()
        .filter(|right| !used.contains(right) && !hooks.contains(right))
        .map(ToString::to_string)
        .collect();
    ensure!(idle.is_empty(), "granted and never used: {}", idle.join("; "));
    Ok(())
}
