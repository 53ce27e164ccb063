//! The guide from its first manifest to a restored Vault, once, on the node; the rows of C, F and
//! K look at what it left.

use anyhow::{Result, ensure};
use sealift_cluster::Resource;
use sealift_cluster::workloads::{storage, vault};
use sealift_e2e::restic::Restic;
use serde_json::Value;

use crate::scene::{BACKUP, REPOSITORY, Scene};
use crate::stage::{self, PASSWORD};
use crate::world::{World, text};

/// The guide's RestoreSession.
pub const RESTORE: &str = "vault-restore-session";

/// What a round left.
pub struct Round {
    /// The phases of the session, in order, each once.
    pub phases: Vec<String>,
    pub session: Value,
    pub job: Value,
    pub repository: Value,
    pub session_events: Vec<Value>,
    pub restore: Value,
    pub restore_phases: Vec<String>,
    pub restore_events: Vec<Value>,
    /// The secret in Vault: when it was backed up, changed afterwards, and after the restore.
    pub canary: [String; 3],
    /// What restic sees.
    pub snapshots: Vec<Value>,
    pub check: Result<(), String>,
    /// Every log and object that must hold no credential.
    pub texts: Vec<(String, String)>,
    pub secrets: Vec<String>,
}

impl Round {
    pub fn new(world: &World) -> Result<Self> {
        let scene = Scene::new(world, "guide")?;
        let node = world.node()?;
        world.image()?;
        let s3 = storage::start(scene.plane, node, &scene.namespace, "stash-testing")?;
        let vault = vault::start(scene.plane, node, &scene.namespace, 3)?;
        vault.enable_kv()?;
        vault.put("canary", "before the backup")?;
        let secrets = stage::apply(&scene, &vault, &s3, &scene.app_binding()?)?;
        scene.apply(&scene.backup()?)?;
        scene.wait_for_phase(BACKUP, "Ready")?;

        let trigger = "cronjob/stash-trigger-demo-backup";
        scene.kubectl(&["create", "job", "--from", trigger, "m1"])?;
        let name = new_session(&scene)?;
        let (session, phases) = stage::follow(&scene, Resource::BACKUP_SESSION, &name)?;
        ensure!(
            phases.last().is_some_and(|phase| phase == "Succeeded"),
            "the backup did not succeed: {:#}",
            session["status"]
        );
        let job = scene.object(Resource::JOB, &format!("stash-backup-{name}-0"))?;
        let repository = scene.wait(
            "the Repository knows of the backup",
            Resource::REPOSITORY,
            REPOSITORY,
            |repository| repository["status"]["lastBackupTime"].is_string(),
        )?;
        let session_events = events(&scene, &name)?;

        let mut canary = [vault.get("canary")?, String::new(), String::new()];
        vault.put("canary", "after the backup")?;
        canary[1] = vault.get("canary")?;
        scene.apply(&scene.restore()?)?;
        let (restore, restore_phases) = stage::follow(&scene, Resource::RESTORE_SESSION, RESTORE)?;
        canary[2] = vault.get("canary")?;

        let restic =
            Restic::new(format!("s3:{}/{}/demo-vault", s3.outside_endpoint, s3.bucket), PASSWORD)?
                .with_environment(&[
                    ("AWS_ACCESS_KEY_ID", &s3.access_key),
                    ("AWS_SECRET_ACCESS_KEY", &s3.secret_key),
                ]);
        Ok(Self {
            phases,
            session,
            job,
            repository,
            session_events,
            restore,
            restore_phases,
            restore_events: events(&scene, RESTORE)?,
            canary,
            snapshots: restic.snapshots()?,
            check: restic.check().map_err(|error| format!("{error:#}")),
            texts: texts(world, &scene)?,
            secrets,
        })
    }
}

/// The name of the one session the CronJob's pod makes.
fn new_session(scene: &Scene<'_>) -> Result<String> {
    let path = Resource::BACKUP_SESSION.list(&scene.namespace);
    scene.client().wait("the CronJob's Job makes a session", &path, |sessions| {
        let first = sessions?.pointer("/items/0/metadata/name")?.as_str()?;
        Some(first.to_owned())
    })
}

fn events(scene: &Scene<'_>, name: &str) -> Result<Vec<Value>> {
    let events = scene.client().list(Resource::EVENT, &scene.namespace)?;
    Ok(events.into_iter().filter(|event| text(event, "/involvedObject/name") == name).collect())
}

fn texts(world: &World, scene: &Scene<'_>) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for resource in [
        Resource::BACKUP_CONFIGURATION,
        Resource::BACKUP_SESSION,
        Resource::RESTORE_SESSION,
        Resource::REPOSITORY,
        Resource::JOB,
        Resource::CONFIG_MAP,
        Resource::POD,
        Resource::EVENT,
    ] {
        let mut objects = scene.client().list(resource, &scene.namespace)?;
        if resource == Resource::POD {
            // The storage of the tests is told its own keys.
            objects.retain(|pod| text(pod, "/metadata/name").starts_with("stash-"));
        }
        let objects = Value::from(objects);
        texts.push((resource.plural.to_owned(), objects.to_string()));
    }
    for pod in scene.client().names(Resource::POD, &scene.namespace)? {
        if pod.starts_with("stash-") {
            let arguments = ["-n", &scene.namespace, "logs", &pod, "--all-containers"];
            let said = scene.program().run(&arguments)?.text();
            // A pod whose work is done may be removed while it is asked.
            if !said.contains("(NotFound)") {
                texts.push((format!("the log of {pod}"), said));
            }
        }
    }
    texts.push(("the log of the operator".to_owned(), world.operator()?.log_tail()));
    Ok(texts)
}
