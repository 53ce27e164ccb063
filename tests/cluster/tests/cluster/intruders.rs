//! What somebody with rights in one namespace, or a name that is used again, cannot reach: other
//! people's Jobs, plans, rights and Repositories. Each row shows what the guard is for, and that
//! what is right goes on beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::acted::{ended, job_of, pod_ends, report, running};
use crate::conditions;
use crate::process::plan_map;
use crate::scene::{BACKUP, CRON_JOB, REPOSITORY, STORAGE_SECRET, Scene};
use crate::world::{World, text, trial, trial_alone};

const FIRST: &str = "demo-backup-1700000001";
const SECOND: &str = "demo-backup-1700000002";
const THIRD: &str = "demo-backup-1700000003";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        // The one with the operator's log to itself.
        trial_alone(world, "intruders: nothing is pushed from a plan no Job was told", forged_plan),
        trial(
            world,
            "intruders: a session of another namespace keeps nobody from its target at home",
            foreign_session,
        ),
        trial(
            world,
            "intruders: a forged status starts no session with a target elsewhere",
            forged_ready,
        ),
        trial(
            world,
            "intruders: rights at a Repository end with its owner's consent, and with the invoker",
            withdrawn,
        ),
        trial(
            world,
            "intruders: a CronJob with a forged owner takes nobody's rights along",
            forged_owner,
        ),
        trial(
            world,
            "intruders: who may not use a Repository does not count and learns nothing of it",
            not_counted,
        ),
    ]
}

fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// The schedule of no row: each makes its sessions itself.
fn backup(scene: &Scene<'_>, change: impl FnOnce(&mut Value)) -> Result<Value> {
    let mut backup = scene.backup()?;
    backup["spec"]["schedule"] = json!("0 0 1 1 *");
    backup["spec"]["backupHistoryLimit"] = json!(100);
    change(&mut backup);
    Ok(backup)
}

/// A record as a Job leaves it that could write nothing else: all is well, no metrics are pushed.
fn record() -> String {
    json!({"version": "sealift.outcome/v1", "ending": "Succeeded", "snapshot": "a1b2c3d4",
        "startedSeconds": 1_700_000_000, "finishedSeconds": 1_700_000_002,
        "observed": false, "statusWritten": false})
    .to_string()
}

/// Puts another plan in the place of one: an immutable ConfigMap cannot be changed, but whoever
/// may write ConfigMaps may make it anew.
fn put_plan(scene: &Scene<'_>, map: &str, plan: &str) -> Result<()> {
    scene.client().delete(Resource::CONFIG_MAP, &scene.namespace, map)?;
    scene.client().wait_until_gone(&Resource::CONFIG_MAP.path(&scene.namespace, map))?;
    scene.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
        "metadata": {"name": map}, "data": {"plan.json": plan}}))
}

/// Jobs that push, in these namespaces.
fn pushes(scenes: &[&Scene<'_>]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for scene in scenes {
        found.extend(scene.client().names(Resource::JOB, &scene.namespace)?);
        found.extend(scene.client().names(Resource::ROLE, &scene.namespace)?);
    }
    found.retain(|name| name.starts_with("sealift-push-"));
    Ok(found)
}

/// Begins a session, puts a forged plan in the place of its own, and lets it end without metrics.
/// Returns its Job and its own plan.
fn push_forged(
    world: &World,
    scenes: &[&Scene<'_>; 2],
    session: &str,
    forge: impl FnOnce(&mut Value),
) -> Result<(Value, String)> {
    let scene = scenes[0];
    scene.session(session)?;
    running(scene, session)?;
    let job = scene.object(Resource::JOB, &job_of(session))?;
    let map = plan_map(&job)?;
    let own = text(&scene.object(Resource::CONFIG_MAP, map)?, "/data/plan.json").to_owned();
    let mut forged: Value = serde_json::from_str(&own)?;
    forge(&mut forged);
    put_plan(scene, map, &forged.to_string())?;
    pod_ends(scene, &job_of(session), 0, "Completed", &record())?;
    ended(scene, session, "Succeeded")?;
    // It says so, or pushes.
    wait::until("the operator has looked at the plan", PATIENCE, || {
        let log = world.operator()?.log_tail();
        let mut lines = log.lines();
        let said = lines.any(|line| line.contains(session) && line.contains("its Job was told"));
        Ok((said || !pushes(scenes)?.is_empty()).then_some(()))
    })?;
    let found = pushes(scenes)?;
    ensure!(found.is_empty(), "made from a forged plan: {found:?}");
    Ok((job, own))
}

/// The plan of a session is read again to push its metrics, long after it began.
fn forged_plan(world: &World) -> Result<()> {
    let victim = Scene::new(world, "forged-plan-victim")?;
    let scene = Scene::new(world, "forged-plan")?;
    scene.apply_guide()?;
    scene.apply(&backup(&scene, |_| ())?)?;
    scene.wait("the guide is Ready", Resource::BACKUP_CONFIGURATION, BACKUP, |found| {
        conditions::phase(found) == "Ready"
            && found["status"]["observedGeneration"] == found["metadata"]["generation"]
    })?;
    let scenes = [&scene, &victim];

    // A session that never had a Job: its token is not there.
    let mut binding = scene.app_binding()?;
    binding["metadata"]["name"] = json!("other");
    binding["spec"]["parameters"]["backupTokenSecretRef"] = json!({"name": "missing"});
    scene.apply(&binding)?;
    scene.apply(&backup(&scene, |backup| {
        backup["metadata"]["name"] = json!("other");
        backup["spec"]["target"]["ref"]["name"] = json!("other");
    })?)?;
    scene.wait_for_phase("other", "Ready")?;

    // To have a Job elsewhere, as one of the operator's.
    let (_, own) = push_forged(world, &scenes, FIRST, |plan| {
        plan["session"]["namespace"] = json!(victim.namespace);
    })?;
    put_plan(&scene, "sealift-plan-refused", &own.replace(FIRST, "refused"))?;
    crate::acted::session(&scene, "refused", "other", &json!({}))?;
    let refused = ended(&scene, "refused", "Failed")?;
    ensure!(refused["status"].to_string().contains("missing"), "{}", refused["status"]);

    // To have what a Secret holds sent elsewhere.
    let (job, own) = push_forged(world, &scenes, SECOND, |plan| {
        for origin in plan["origins"].as_array_mut().into_iter().flatten() {
            if origin["name"] == "pushgateway" {
                origin["url"] = json!("http://198.51.100.1:80/");
            }
        }
    })?;
    ensure!(own.contains("pushgateway"), "the plan pushes nothing: {own}");

    // What was carried out is pushed.
    put_plan(&scene, plan_map(&job)?, &own)?;
    let touch = json!({"metadata": {"annotations": {"tests": "touched"}}});
    scene.client().patch(Resource::BACKUP_SESSION, &scene.namespace, SECOND, &touch)?;
    let push = format!("sealift-push-{SECOND}");
    let push = scene.wait("the metrics are pushed", Resource::JOB, &push, |_| true)?;
    let digest = |job: &Value| -> Result<String> {
        let arguments = job.pointer("/spec/template/spec/containers/0/args");
        let mut arguments = arguments.and_then(Value::as_array).into_iter().flatten();
        arguments.find(|argument| *argument == "--plan-sha256");
        let digest = arguments.next().and_then(Value::as_str);
        Ok(digest.context("the Job is told no digest")?.to_owned())
    };
    ensure!(digest(&push)? == digest(&job)?, "it pushes from another plan");
    let mut found = pushes(&scenes)?;
    found.dedup();
    ensure!(found == [format!("sealift-push-{SECOND}")], "made: {found:?}");
    Ok(())
}

/// A namespace whose BackupConfiguration names the Vault of `home`, with a ServiceAccount that
/// need not have any right there.
fn beside<'a>(world: &'a World, number: &str, home: &Scene<'_>) -> Result<Scene<'a>> {
    let scene = Scene::new(world, number)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.repository()?)?;
    scene.apply(&backup(&scene, |backup| {
        backup["spec"]["target"]["ref"]["namespace"] = json!(home.namespace);
        backup["spec"]["runtimeSettings"] = json!({"pod": {"serviceAccountName": "default"}});
    })?)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(scene)
}

/// Anybody may name a target anywhere; nobody needs a right there to have a session begun.
fn foreign_session(world: &World) -> Result<()> {
    let home = Scene::ready(world, "target-home")?;
    let foreign = beside(world, "target-foreign", &home)?;
    foreign.session(FIRST)?;
    running(&foreign, FIRST)?;
    home.session(SECOND)?;
    running(&home, SECOND)?;
    let other = foreign.object(Resource::BACKUP_SESSION, FIRST)?;
    ensure!(conditions::phase(&other) == "Running", "{}", other["status"]);

    // The reverse: whoever comes from elsewhere waits.
    report(&foreign, FIRST, None)?;
    ended(&foreign, FIRST, "Succeeded")?;
    let late = beside(world, "target-late", &home)?;
    late.session(THIRD)?;
    let holder = format!("{}/{SECOND}.", home.namespace);
    late.wait("the foreign session waits", Resource::BACKUP_SESSION, THIRD, |session| {
        conditions::message(session, "Queued").contains(&holder)
    })?;
    report(&home, SECOND, None)?;
    ended(&home, SECOND, "Succeeded")?;
    running(&late, THIRD)?;
    // The restore at home does not wait for it either.
    home.apply(&home.restore()?)?;
    let restore = "vault-restore-session";
    home.wait("the restore runs", Resource::RESTORE_SESSION, restore, |restore| {
        conditions::phase(restore) == "Running"
    })?;
    Ok(())
}

/// No right is needed to write a status but that on statuses. Between a forged status and the operator's own word there is a moment; it
/// is made often, until a session begins in one.
fn forged_ready(world: &World) -> Result<()> {
    let home = Scene::new(world, "elsewhere")?;
    home.apply(&home.app_binding()?)?;
    home.apply(&home.vault_secrets())?;
    let scene = Scene::new(world, "forged-ready")?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.repository()?)?;
    scene.apply(&backup(&scene, |backup| {
        backup["spec"]["target"]["ref"]["namespace"] = json!(home.namespace);
    })?)?;
    let judged = scene.wait_for_phase(BACKUP, "Invalid")?;
    let words = "where no rights are granted";
    let message = conditions::message(&judged, "ValidationPassed");
    ensure!(message.contains(words), "message: {message}");

    let forged = json!({"status": {"phase": "Ready",
        "observedGeneration": judged["metadata"]["generation"]}});
    let stop = AtomicBool::new(false);
    let refused = thread::scope(|scope| {
        scope.spawn(|| {
            let backups = Resource::BACKUP_CONFIGURATION;
            while !stop.load(Ordering::SeqCst) {
                drop(scene.client().patch_status(backups, &scene.namespace, BACKUP, &forged));
            }
        });
        let refused = refused_at_its_start(&scene, words);
        stop.store(true, Ordering::SeqCst);
        refused
    });
    refused?;
    scene.wait_for_phase(BACKUP, "Invalid")?;
    for namespace in [&scene.namespace, &home.namespace] {
        for resource in [Resource::JOB, Resource::ROLE, Resource::ROLE_BINDING] {
            let made = scene.client().names(resource, namespace)?;
            ensure!(made.is_empty(), "made in {namespace}: {} {made:?}", resource.plural);
        }
    }
    Ok(())
}

/// Begins sessions until the start of one of them has judged by itself.
fn refused_at_its_start(scene: &Scene<'_>, words: &str) -> Result<()> {
    for number in 0..200 {
        let name = format!("demo-backup-{}", 1_700_000_100 + number);
        scene.session(&name)?;
        let session = scene.wait("it is judged", Resource::BACKUP_SESSION, &name, |session| {
            matches!(conditions::phase(session), "Running" | "Failed" | "Skipped" | "Succeeded")
        })?;
        match conditions::phase(&session) {
            "Skipped" => {}
            "Failed" if session["status"].to_string().contains(words) => return Ok(()),
            phase => bail!("{name} is {phase}: {}", session["status"]),
        }
    }
    bail!("no session met the forged status")
}

/// The Repository and its Secret in one namespace, everything else in another.
pub fn apart<'a>(world: &'a World, number: &str, from: &str) -> Result<(Scene<'a>, Scene<'a>)> {
    let storage = Scene::new(world, &format!("{number}-storage"))?;
    let scene = Scene::new(world, number)?;
    storage.apply(&storage.storage_secret())?;
    let mut repository = storage.repository()?;
    repository["spec"]["usagePolicy"] = json!({"allowedNamespaces": {"from": from}});
    storage.apply(&repository)?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&backup(&scene, |backup| {
        backup["spec"]["repository"]["namespace"] = json!(storage.namespace);
    })?)?;
    Ok((storage, scene))
}

fn allow(storage: &Scene<'_>, from: &str) -> Result<()> {
    let patch = json!({"spec": {"usagePolicy": {"allowedNamespaces": {"from": from}}}});
    storage.client().patch(Resource::REPOSITORY, &storage.namespace, REPOSITORY, &patch)?;
    Ok(())
}

const RIGHTS: [Resource; 2] = [Resource::ROLE, Resource::ROLE_BINDING];

/// Rights in another namespace do not outlive the consent they stand on.
fn withdrawn(world: &World) -> Result<()> {
    let (storage, scene) = apart(world, "withdrawn", "All")?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    scene.session(FIRST)?;
    running(&scene, FIRST)?;
    let name = format!("{}-backupconfiguration-{BACKUP}-0", scene.namespace);
    for resource in RIGHTS {
        storage.object(resource, &name)?;
    }
    let rules = storage.object(Resource::ROLE, &name)?["rules"].to_string();
    ensure!(rules.contains(STORAGE_SECRET) && !rules.contains("vault"), "rules: {rules}");

    // Its owner takes the consent back.
    allow(&storage, "Same")?;
    for resource in RIGHTS {
        let path = resource.path(&storage.namespace, &name);
        storage.client().wait_until_gone(&path)?;
    }
    scene.wait_for_phase(BACKUP, "Invalid")?;
    report(&scene, FIRST, None)?;
    ended(&scene, FIRST, "Succeeded")?;
    allow(&storage, "All")?;
    scene.wait_for_phase(BACKUP, "Ready")?;

    // An invoker that goes, but is still there: somebody else holds it.
    let found = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    let mut finalizers = found["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    finalizers.push(json!("tests.example.com/held"));
    let set = |finalizers: &Value| {
        let patch = json!({"metadata": {"finalizers": finalizers}});
        scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)
    };
    set(&json!(finalizers))?;
    scene.client().delete(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP)?;
    scene.wait("it was cleaned up", Resource::BACKUP_CONFIGURATION, BACKUP, |found| {
        found["metadata"]["finalizers"] == json!(["tests.example.com/held"])
    })?;
    scene.session(SECOND)?;
    let session = ended(&scene, SECOND, "Skipped")?;
    let said = conditions::message(&session, "BackupSkipped");
    ensure!(said.contains("is being deleted"), "BackupSkipped: {said}");
    for resource in RIGHTS {
        let left = storage.client().names(resource, &storage.namespace)?;
        ensure!(!left.contains(&name), "{} in {}: {left:?}", resource.plural, storage.namespace);
    }
    set(&Value::Null)?;
    Ok(())
}

/// Whoever may make CronJobs can say that a BackupConfiguration owns one.
fn forged_owner(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "forged-owner")?;
    let owner = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    let owners = json!([{"apiVersion": "stash.appscode.com/v1beta1", "name": BACKUP,
        "kind": "BackupConfiguration", "uid": owner["metadata"]["uid"], "controller": true}]);
    let team = "stash-trigger-team";
    let managed = json!({"app.kubernetes.io/managed-by": "stash.appscode.com"});
    let meta = json!({"name": team, "labels": managed});
    let rbac = "rbac.authorization.k8s.io";
    for object in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": meta, "rules": []}),
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": team},
            "subjects": [{"kind": "ServiceAccount", "name": team, "namespace": scene.namespace}]}),
        // Its own of an earlier name, which goes with the CronJob.
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
            "name": "stash-trigger-earlier", "labels": managed, "ownerReferences": owners}}),
    ] {
        scene.apply(&object)?;
    }
    let kinds = [Resource::SERVICE_ACCOUNT, Resource::ROLE, Resource::ROLE_BINDING];
    let before = kinds.map(|kind| scene.object(kind, team));
    let spec = scene.object(Resource::CRON_JOB, CRON_JOB)?["spec"].clone();
    for name in [team, "stash-trigger-earlier", "team-reports"] {
        let mut cron_job = json!({"apiVersion": "batch/v1", "kind": "CronJob", "spec": spec,
            "metadata": {"name": name, "ownerReferences": owners}});
        cron_job["spec"]["suspend"] = json!(true);
        scene.client().create(Resource::CRON_JOB, &scene.namespace, &cron_job)?;
    }
    for (kind, name) in [
        (Resource::CRON_JOB, team),
        (Resource::CRON_JOB, "stash-trigger-earlier"),
        (Resource::SERVICE_ACCOUNT, "stash-trigger-earlier"),
    ] {
        scene.client().wait_until_gone(&kind.path(&scene.namespace, name))?;
    }
    // The look that removed them is over when the next one has done this.
    let patch = json!({"spec": {"schedule": "0 8 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
        job["spec"]["schedule"] == "0 8 * * *"
    })?;
    for (kind, before) in kinds.into_iter().zip(before) {
        let after = scene.object(kind, team)?;
        ensure!(uid(&after) == uid(&before?), "the {} {team} is another one", kind.plural);
    }
    scene.object(Resource::CRON_JOB, "team-reports")?;
    Ok(())
}

/// Anybody may name a Repository anywhere.
fn not_counted(world: &World) -> Result<()> {
    let (storage, scene) = apart(world, "not-counted", "Same")?;
    let refused_backup = scene.wait_for_phase(BACKUP, "Invalid")?;
    let mut restore = scene.restore()?;
    restore["spec"]["repository"]["namespace"] = json!(storage.namespace);
    scene.apply(&restore)?;
    let name = text(&restore, "/metadata/name");
    let restore = scene.wait("it is judged", Resource::RESTORE_SESSION, name, |restore| {
        conditions::of(restore, "ValidationPassed") == "False ResourceValidationFailed"
    })?;
    for refused in [&refused_backup, &restore] {
        let found = conditions::of(refused, "BackendSecretFound");
        ensure!(found.is_empty(), "BackendSecretFound: {found}");
        let status = refused["status"].to_string();
        ensure!(!status.contains(STORAGE_SECRET), "it tells the Secret's name: {status}");
    }
    scene.client().delete(Resource::RESTORE_SESSION, &scene.namespace, name)?;

    let users = |repository: &Value| -> Vec<String> {
        let references = repository["status"]["references"].as_array();
        let references = references.into_iter().flatten();
        let mut users: Vec<String> =
            references.map(|user| text(user, "/namespace").to_owned()).collect();
        users.sort();
        users
    };
    storage.apply(&storage.app_binding()?)?;
    storage.apply(&storage.vault_secrets())?;
    storage.apply(&backup(&storage, |_| ())?)?;
    storage.wait_for_phase(BACKUP, "Ready")?;
    let home = &storage.namespace;
    let used = storage.wait("it is used", Resource::REPOSITORY, REPOSITORY, |repository| {
        users(repository).contains(home)
    })?;
    ensure!(users(&used) == [home.as_str()], "users: {:?}", users(&used));
    let both = [scene.namespace.clone(), home.clone()];
    allow(&storage, "All")?;
    storage.wait("both use it", Resource::REPOSITORY, REPOSITORY, |repository| {
        users(repository) == both
    })?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    scene.wait_for_condition("BackendSecretFound", "True BackendSecretAvailable")?;
    allow(&storage, "Same")?;
    storage.wait("one uses it", Resource::REPOSITORY, REPOSITORY, |repository| {
        users(repository) == [home.as_str()]
    })?;
    Ok(())
}
