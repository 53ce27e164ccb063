//! The guide from its first manifest to a restored Vault, once: in pods where there is a node, and
//! with Jobs as processes where there is none. The rows of C, F and K look at what it left.

use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use sealift_cluster::Resource;
use sealift_cluster::workloads::{storage, vault};
use sealift_e2e::restic::Restic;
use sealift_e2e::secrets;
use serde_json::Value;

use crate::acted::job_of;
use crate::process::Prepared;
use crate::scene::{BACKUP, REPOSITORY, Scene};
use crate::shore::Shore;
use crate::stage::{self, PASSWORD};
use crate::world::{World, is_full_tier, text};

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
    /// What `kubectl get` shows of the session.
    pub columns: String,
    pub restore: Value,
    pub restore_phases: Vec<String>,
    pub restore_events: Vec<Value>,
    /// The secret in Vault: when it was backed up, changed afterwards, and after the restore.
    pub canary: [String; 3],
    /// What restic sees.
    pub snapshots: Vec<Value>,
    pub check: Result<(), String>,
    /// A second session, and the Repository after it.
    pub again: Value,
    pub repository_again: Value,
    /// Every log and object that must hold no credential.
    pub texts: Vec<(String, String)>,
    pub secrets: Vec<String>,
}

impl Round {
    /// Plays it.
    pub fn new(world: &World) -> Result<Self> {
        let scene = Scene::new(world, "guide")?;
        if is_full_tier() { Self::in_pods(world, scene) } else { Self::by_processes(world, scene) }
    }

    /// In pods, whoever the operator is.
    pub fn in_pods(world: &World, scene: Scene<'_>) -> Result<Self> {
        let node = world.node()?;
        world.image()?;
        let s3 = storage::start(scene.plane, node, &scene.namespace, "stash-testing")?;
        let vault = vault::start(scene.plane, node, &scene.namespace, 3)?;
        vault.enable_kv()?;
        let secrets = stage::apply(&scene, &vault, &s3, &scene.app_binding()?)?;
        scene.apply(&scene.backup()?)?;
        scene.wait_for_phase(BACKUP, "Ready")?;
        let place = format!("s3:{}/{}/demo-vault", s3.outside_endpoint, s3.bucket);
        let restic = Restic::new(place, PASSWORD)?.with_environment(&[
            ("AWS_ACCESS_KEY_ID", &s3.access_key),
            ("AWS_SECRET_ACCESS_KEY", &s3.secret_key),
        ]);
        let put = |value: &str| vault.put("canary", value);
        let trigger = |job: &str| {
            let known = scene.client().names(Resource::BACKUP_SESSION, &scene.namespace)?.len();
            scene.kubectl(&[
                "create",
                "job",
                "--from",
                "cronjob/stash-trigger-demo-backup",
                job,
            ])?;
            new_session(&scene, known)
        };
        let follow =
            |resource: Resource, name: &str, _: &str| stage::follow(&scene, resource, name);
        let stage = Stage { scene: &scene, secrets, restic };
        stage.play(world, &put, &|| vault.get("canary"), &trigger, &follow)
    }

    fn by_processes(world: &World, scene: Scene<'_>) -> Result<Self> {
        let shore = Shore::of(scene)?;
        let scene = &shore.scene;
        let vault = shore.vault(world)?;
        shore.ready(|_| (), |_| ())?;
        let token = secrets::value(&scene.object(Resource::SECRET, "vault-backup-token")?, "token");
        let mut secrets = vec![PASSWORD.to_owned(), shore.s3.secret_key.clone(), token?];
        secrets.push(vault.keys.root_token.clone());
        secrets.extend(vault.keys.unseal.iter().cloned());
        let put = |value: &str| vault.put(value);
        let get = || vault.holds()?.context("Vault does not hold the secret");
        let trigger = |job: &str| {
            let name = format!("{BACKUP}-170000000{}", job.len());
            scene.session(&name)?;
            Ok(name)
        };
        let follow = |resource: Resource, name: &str, job: &str| {
            thread::scope(|scope| {
                let ran = scope.spawn(|| Prepared::of(scene, job)?.run());
                let followed = stage::follow(scene, resource, name);
                let ran = ran.join().map_err(|_| anyhow!("the thread of a Job panicked"))??;
                followed.with_context(|| ran.log)
            })
        };
        let stage = Stage { scene, secrets, restic: shore.restic("demo-vault")? };
        stage.play(world, &put, &get, &trigger, &follow)
    }
}

/// What a round is played on.
struct Stage<'a> {
    scene: &'a Scene<'a>,
    secrets: Vec<String>,
    restic: Restic,
}

/// An object in its last phase, and the phases it went through.
type Followed = (Value, Vec<String>);

impl Stage<'_> {
    /// `trigger` makes a session and returns its name; `follow` sees an object and its Job through.
    fn play(
        self,
        world: &World,
        put: &dyn Fn(&str) -> Result<()>,
        get: &dyn Fn() -> Result<String>,
        trigger: &dyn Fn(&str) -> Result<String>,
        follow: &dyn Fn(Resource, &str, &str) -> Result<Followed>,
    ) -> Result<Round> {
        let Self { scene, secrets, restic } = self;
        let back_up = |job: &str| {
            let name = trigger(job)?;
            let (session, phases) = follow(Resource::BACKUP_SESSION, &name, &job_of(&name))?;
            let has_succeeded = phases.last().is_some_and(|phase| phase == "Succeeded");
            ensure!(has_succeeded, "the backup did not succeed: {:#}", session["status"]);
            let repository =
                scene.wait("its Repository knows", Resource::REPOSITORY, REPOSITORY, |found| {
                    found["status"]["lastBackupTime"] == session["metadata"]["creationTimestamp"]
                })?;
            Ok((name, session, phases, repository))
        };
        put("before the backup")?;
        let (name, session, phases, repository) = back_up("m1")?;
        let job = scene.object(Resource::JOB, &job_of(&name))?;
        let columns = scene.kubectl(&["get", "backupsession", &name, "--no-headers"])?;
        let session_events = events(scene, &name)?;

        let before = get()?;
        put("after the backup")?;
        let changed = get()?;
        scene.apply(&scene.restore()?)?;
        let job_of_restore = format!("stash-restore-{RESTORE}-0");
        let (restore, restore_phases) =
            follow(Resource::RESTORE_SESSION, RESTORE, &job_of_restore)?;
        let canary = [before, changed, get()?];
        let (snapshots, check) = (restic.snapshots()?, restic.check());
        let (_, again, _, repository_again) = back_up("second")?;
        Ok(Round {
            phases,
            session,
            job,
            repository,
            session_events,
            columns,
            restore,
            restore_phases,
            restore_events: events(scene, RESTORE)?,
            canary,
            snapshots,
            check: check.map_err(|error| format!("{error:#}")),
            again,
            repository_again,
            texts: texts(world, scene)?,
            secrets,
        })
    }
}

/// The name of the session that the CronJob's command makes; there were `known` before.
fn new_session(scene: &Scene<'_>, known: usize) -> Result<String> {
    let path = Resource::BACKUP_SESSION.list(&scene.namespace);
    scene.client().wait("the CronJob's Job makes a session", &path, |sessions| {
        let sessions = sessions?["items"].as_array()?;
        let names = sessions.iter().map(|session| text(session, "/metadata/name").to_owned());
        names.max().filter(|_| sessions.len() > known)
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
