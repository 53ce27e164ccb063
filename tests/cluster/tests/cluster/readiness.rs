//! B and G: a BackupConfiguration becomes Ready, stays it, and says why it is not.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::conditions;
use crate::scene::{BACKUP, CRON_JOB, REPOSITORY, STORAGE_SECRET, Scene, VAULT};
use crate::world::{World, text, trial, trial_alone};

const SESSION: &str = "demo-backup-1700000001";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "B01: the guide's BackupConfiguration becomes Ready", becomes_ready),
        trial(world, "B02: every condition is True with the original's reason", conditions_hold),
        trial(world, "B03: observedGeneration follows every edit", observed_generation),
        trial(world, "B04: the original's finalizers are set", finalizers),
        trial_alone(
            world,
            "B12: the Repository's references name the BackupConfiguration once",
            references,
        ),
        trial(
            world,
            "B16: an idle operator writes nothing and owns no field of a user's spec",
            idle,
        ),
        trial(
            world,
            "G01: without a Repository it is NotReady and makes no CronJob",
            no_repository,
        ),
        trial(world, "G02: without the backend's Secret it is NotReady", no_secret),
        trial(world, "G03: it becomes Ready by itself once the Secret is there", secret_appears),
        trial(
            world,
            "G04: without the AppBinding it is not Ready, and is once it appears",
            no_target,
        ),
        trial(world, "G05: an AppBinding deleted under it makes it NotReady", target_goes),
        trial(
            world,
            "G05: without the backend's Secret the next session fails before any Job, and says so",
            secret_goes,
        ),
        trial(
            world,
            "I01: a Repository of another namespace that allows none is refused",
            other_namespace,
        ),
        trial(
            world,
            "I02: a Repository of another namespace that allows all is used",
            allowed_namespace,
        ),
        trial(
            world,
            "I02: a Repository of another namespace that selects this one is used",
            selected_namespace,
        ),
        trial(world, "I04: wipeOut is refused where the original cannot wipe", wipe_out),
        trial(world, "I04: a local folder below /stash is refused", below_stash),
        trial(world, "I05: a deleted Repository goes within its own time", repository_goes),
        trial(world, "I07: a Repository deleted under it makes it NotReady", repository_deleted),
    ]
}

fn becomes_ready(world: &World) -> Result<()> {
    let scene = Scene::new(world, "B01")?;
    scene.apply_guide()?;
    let wanted = "--for=jsonpath={.status.phase}=Ready";
    scene.kubectl(&["wait", "bc/demo-backup", wanted, "--timeout=180s"])?;
    Ok(())
}

fn conditions_hold(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B02")?;
    let backup = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    for (kind, wanted) in [
        ("RepositoryFound", "True RepositoryAvailable"),
        ("BackendSecretFound", "True BackendSecretAvailable"),
        ("ValidationPassed", "True ResourceValidationPassed"),
        ("BackupTargetFound", "True TargetAvailable"),
        ("CronJobCreated", "True CronJobCreationSucceeded"),
    ] {
        let found = conditions::of(&backup, kind);
        ensure!(found == wanted, "{kind}: {found:?} in {}", backup["status"]);
    }
    Ok(())
}

fn observed_generation(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B03")?;
    for schedule in ["0 3 * * *", "0 4 * * *"] {
        let patch = json!({"spec": {"schedule": schedule}});
        scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
        scene.wait("the edit is observed", Resource::BACKUP_CONFIGURATION, BACKUP, is_observed)?;
    }
    let patch = json!({"spec": {"backend": {"s3": {"prefix": "elsewhere"}}}});
    scene.client().patch(Resource::REPOSITORY, &scene.namespace, REPOSITORY, &patch)?;
    scene.wait("the edit is observed", Resource::REPOSITORY, REPOSITORY, is_observed)?;
    Ok(())
}

fn is_observed(object: &Value) -> bool {
    let observed = object["status"]["observedGeneration"].as_i64();
    observed.is_some() && observed == object["metadata"]["generation"].as_i64()
}

fn finalizers(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B04")?;
    let backup = scene.object(Resource::BACKUP_CONFIGURATION, BACKUP)?;
    ensure!(
        backup["metadata"]["finalizers"] == json!(["stash.appscode.com"]),
        "finalizers: {}",
        backup["metadata"]["finalizers"]
    );
    scene.wait(
        "the Repository has its finalizer",
        Resource::REPOSITORY,
        REPOSITORY,
        |repository| repository["metadata"]["finalizers"] == json!(["stash"]),
    )?;
    Ok(())
}

fn references(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B12")?;
    let wanted = |repository: &Value| {
        let references = repository["status"]["references"].as_array();
        references.is_some_and(|all| {
            all.len() == 1
                && all[0]["kind"] == "BackupConfiguration"
                && all[0]["name"] == BACKUP
                && all[0]["namespace"] == scene.namespace.as_str()
        })
    };
    scene.wait("the reference is there", Resource::REPOSITORY, REPOSITORY, wanted)?;
    for schedule in ["0 1 * * *", "0 2 * * *", "0 3 * * *"] {
        world.operator()?.restart()?;
        // Something the new operator must have done, so that it has looked at everything.
        let patch = json!({"spec": {"schedule": schedule}});
        scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
        scene.wait(
            "the new operator has seen the edit",
            Resource::BACKUP_CONFIGURATION,
            BACKUP,
            is_observed,
        )?;
        scene.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
            job["spec"]["schedule"] == schedule
        })?;
        let repository = scene.object(Resource::REPOSITORY, REPOSITORY)?;
        ensure!(wanted(&repository), "references: {}", repository["status"]["references"]);
    }
    Ok(())
}

/// Other rows keep the operator busy meanwhile; this one's objects must not move.
fn idle(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "B16")?;
    let other = Scene::ready(world, "B16-other")?;
    let objects = [
        (Resource::BACKUP_CONFIGURATION, BACKUP),
        (Resource::REPOSITORY, REPOSITORY),
        (Resource::CRON_JOB, CRON_JOB),
    ];
    scene.wait("the reference is there", Resource::REPOSITORY, REPOSITORY, |repository| {
        repository["status"]["references"].as_array().is_some_and(|all| all.len() == 1)
    })?;
    let before = versions(&scene, &objects)?;
    // The operator looks at this much else before the second look.
    for schedule in ["0 1 * * *", "0 2 * * *", "0 3 * * *", "0 4 * * *"] {
        let patch = json!({"spec": {"schedule": schedule}});
        scene.client().patch(Resource::BACKUP_CONFIGURATION, &other.namespace, BACKUP, &patch)?;
        other.wait("the CronJob follows", Resource::CRON_JOB, CRON_JOB, |job| {
            job["spec"]["schedule"] == schedule
        })?;
    }
    let after = versions(&scene, &objects)?;
    ensure!(before == after, "versions: {before:?}, then {after:?}");
    for (resource, name) in
        [(Resource::BACKUP_CONFIGURATION, BACKUP), (Resource::REPOSITORY, REPOSITORY)]
    {
        let object = scene.object(resource, name)?;
        for entry in object["metadata"]["managedFields"].as_array().into_iter().flatten() {
            let ours = text(entry, "/manager").starts_with("sealift");
            ensure!(
                !ours || entry["fieldsV1"].get("f:spec").is_none(),
                "{name}: the operator owns {}",
                entry["fieldsV1"]["f:spec"]
            );
        }
    }
    Ok(())
}

fn versions(scene: &Scene<'_>, objects: &[(Resource, &str)]) -> Result<Vec<String>> {
    objects
        .iter()
        .map(|(resource, name)| {
            Ok(text(&scene.object(*resource, name)?, "/metadata/resourceVersion").to_owned())
        })
        .collect()
}

fn no_repository(world: &World) -> Result<()> {
    let scene = Scene::new(world, "G01")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.backup()?)?;
    let backup = scene.wait_for_condition("RepositoryFound", "False RepositoryNotAvailable")?;
    ensure!(conditions::phase(&backup) == "NotReady", "status: {}", backup["status"]);
    no_cron_job(&scene)
}

fn no_cron_job(scene: &Scene<'_>) -> Result<()> {
    let jobs = scene.client().names(Resource::CRON_JOB, &scene.namespace)?;
    ensure!(jobs.is_empty(), "there are CronJobs: {jobs:?}");
    Ok(())
}

fn no_secret(world: &World) -> Result<()> {
    let scene = Scene::new(world, "G02")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.backup()?)?;
    scene.wait_for_condition("RepositoryFound", "False RepositoryNotAvailable")?;
    scene.apply(&scene.repository()?)?;
    let backup =
        scene.wait_for_condition("BackendSecretFound", "False BackendSecretNotAvailable")?;
    let found = conditions::of(&backup, "RepositoryFound");
    ensure!(found == "True RepositoryAvailable", "RepositoryFound: {found}");
    ensure!(conditions::phase(&backup) == "NotReady", "status: {}", backup["status"]);
    let message = conditions::message(&backup, "BackendSecretFound");
    ensure!(message.contains(STORAGE_SECRET), "message: {message}");
    no_cron_job(&scene)
}

fn secret_appears(world: &World) -> Result<()> {
    let scene = Scene::new(world, "G03")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    scene.apply(&scene.backup()?)?;
    scene.wait_for_condition("BackendSecretFound", "False BackendSecretNotAvailable")?;
    scene.apply(&scene.storage_secret())?;
    let backup = scene.wait_for_phase(BACKUP, "Ready")?;
    ensure!(backup["metadata"]["generation"] == 1, "the object was edited: {}", backup["metadata"]);
    Ok(())
}

fn no_target(world: &World) -> Result<()> {
    let scene = Scene::new(world, "G04")?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    scene.apply(&scene.backup()?)?;
    let backup = scene.wait_for_condition("BackupTargetFound", "False TargetNotAvailable")?;
    ensure!(conditions::phase(&backup) != "Ready", "status: {}", backup["status"]);
    no_cron_job(&scene)?;
    scene.apply(&scene.app_binding()?)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(())
}

fn target_goes(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "G05")?;
    scene.client().delete(Resource::APP_BINDING, &scene.namespace, VAULT)?;
    scene.wait_for_phase(BACKUP, "NotReady")?;
    scene.wait_for_condition("BackupTargetFound", "False TargetNotAvailable")?;
    Ok(())
}

fn secret_goes(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "G05-secret")?;
    scene.edit(&json!({"spec": {"schedule": "0 0 1 1 *"}}))?;
    scene.client().delete(Resource::SECRET, &scene.namespace, STORAGE_SECRET)?;
    scene.session(SESSION)?;
    let session = crate::acted::ended(&scene, SESSION, "Failed")?;
    let status = session["status"].to_string();
    ensure!(
        status.contains("FailedToEnsureBackupExecutor") && status.contains(STORAGE_SECRET),
        "status: {status}"
    );
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    ensure!(jobs.is_empty(), "Jobs: {jobs:?}");
    scene.wait_for_condition("BackendSecretFound", "False BackendSecretNotAvailable")?;
    scene.wait_for_phase(BACKUP, "NotReady")?;
    scene.apply(&scene.storage_secret())?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(())
}

fn other_namespace(world: &World) -> Result<()> {
    let (storage, scene) = two_namespaces(world, "I01", &json!({"from": "Same"}))?;
    let backup = scene.wait_for_phase(BACKUP, "Invalid")?;
    let found = conditions::of(&backup, "ValidationPassed");
    ensure!(found == "False ResourceValidationFailed", "ValidationPassed: {found}");
    let message = conditions::message(&backup, "ValidationPassed");
    let wanted = format!("namespace \"{}\" is not allowed to refer Repository", scene.namespace);
    ensure!(message.contains(&wanted), "message: {message}");
    ensure!(message.contains(&storage.namespace), "message: {message}");
    no_cron_job(&scene)
}

fn allowed_namespace(world: &World) -> Result<()> {
    let (_, scene) = two_namespaces(world, "I02-all", &json!({"from": "All"}))?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(())
}

fn selected_namespace(world: &World) -> Result<()> {
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": "row-i02-selected"}});
    let (_, scene) =
        two_namespaces(world, "I02-selected", &json!({"from": "Selector", "selector": selector}))?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(())
}

/// The Repository and its Secret in one namespace, everything else in another.
fn two_namespaces<'a>(
    world: &'a World,
    number: &str,
    allowed: &Value,
) -> Result<(Scene<'a>, Scene<'a>)> {
    let storage = Scene::without_operator(world, &format!("{number}-storage"))?;
    let scene = Scene::new(world, number)?;
    let mut repository = storage.repository()?;
    repository["spec"]["usagePolicy"] = json!({"allowedNamespaces": allowed});
    storage.apply(&storage.storage_secret())?;
    storage.apply(&repository)?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.vault_secrets())?;
    let mut backup = scene.backup()?;
    backup["spec"]["repository"]["namespace"] = json!(storage.namespace);
    scene.apply(&backup)?;
    Ok((storage, scene))
}

fn wipe_out(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "I04")?;
    for backend in [
        json!({"local": {"mountPath": "/safe/data", "hostPath": {"path": "/data"}}}),
        json!({"b2": {"bucket": "backups"}}),
    ] {
        let mut repository = scene.repository()?;
        repository["spec"]["backend"] = backend;
        repository["spec"]["backend"]["storageSecretName"] = json!(STORAGE_SECRET);
        repository["spec"]["wipeOut"] = json!(true);
        refused(&scene, &repository, "wipeOut")?;
    }
    Ok(())
}

fn below_stash(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "I04-path")?;
    let mut repository = scene.repository()?;
    repository["spec"]["backend"] = json!({
        "local": {"mountPath": "/stash/x", "hostPath": {"path": "/data"}},
        "storageSecretName": STORAGE_SECRET,
    });
    refused(&scene, &repository, "mountPath")
}

/// The API server refuses it with a text that holds `word`.
fn refused(scene: &Scene<'_>, object: &Value, word: &str) -> Result<()> {
    let said = scene.program().run_with(&["apply", "-f", "-"], Some(&object.to_string()))?;
    ensure!(said.code != Some(0), "it was accepted: {object}");
    ensure!(said.stderr.contains(word), "the refusal does not name {word}: {}", said.text());
    Ok(())
}

fn repository_goes(world: &World) -> Result<()> {
    let scene = Scene::new(world, "I05")?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.repository()?)?;
    scene.wait(
        "the Repository has its finalizer",
        Resource::REPOSITORY,
        REPOSITORY,
        |repository| repository["metadata"]["finalizers"] == json!(["stash"]),
    )?;
    scene.client().delete(Resource::REPOSITORY, &scene.namespace, REPOSITORY)?;
    scene.client().wait_until_gone(&Resource::REPOSITORY.path(&scene.namespace, REPOSITORY))
}

fn repository_deleted(world: &World) -> Result<()> {
    let scene = Scene::ready(world, "I07")?;
    scene.client().delete(Resource::REPOSITORY, &scene.namespace, REPOSITORY)?;
    let backup = scene.wait_for_condition("RepositoryFound", "False RepositoryNotAvailable")?;
    let path = Resource::BACKUP_CONFIGURATION.path(&scene.namespace, BACKUP);
    scene
        .wait_for_phase(BACKUP, "NotReady")
        .with_context(|| format!("{path}: {}", backup["status"]))?;
    Ok(())
}
