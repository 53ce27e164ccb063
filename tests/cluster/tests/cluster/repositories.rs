//! I, C14, E and M: Repositories in a bucket of a real S3 server, used by real Jobs from real
//! Vaults, with restic as the referee.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_e2e::restic::Restic;
use serde_json::{Value, json};

use crate::conditions;
use crate::real_vault::RealVault;
use crate::scene::{BACKUP, REPOSITORY, STORAGE_SECRET, Scene};
use crate::shore::Shore;
use crate::world::{World, text, trial};

const PREFIX: &str = "demo-vault";
/// Where the original's addon had its files.
const FOLDER: &str = "/stash-tmp/stash-interim-volume/data";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "I03 F05: rights in a Repository's namespace are for that one alone", rights),
        trial(world, "C14: of six sessions with keepLast 5 five stay, as restic has it", keep_last),
        trial(world, "E09: a policy that keeps nothing fails and removes nothing", keeps_nothing),
        trial(world, "E10: a policy without a rule succeeds and removes nothing", no_rule),
        trial(world, "E11: a truncated pack is found and said everywhere", truncated),
        trial(world, "M03: a repository of format 1 goes on, and restic restores it", |world| {
            older(world, "M03-v1", "1")
        }),
        trial(world, "M03: a repository of format 2 goes on, and restic restores it", |world| {
            older(world, "M03-v2", "2")
        }),
        trial(world, "storages that are not served are refused by name", not_served),
    ]
}

fn ids(restic: &Restic) -> Result<Vec<String>> {
    let found = restic.snapshots()?;
    let mut ids: Vec<String> = found.iter().map(|it| text(it, "/id").to_owned()).collect();
    ids.sort();
    Ok(ids)
}

fn status(shore: &Shore<'_>) -> Result<Value> {
    Ok(shore.scene.object(Resource::REPOSITORY, REPOSITORY)?["status"].clone())
}

/// The series of this name that the sessions of a namespace pushed.
fn series(world: &World, name: &str, scene: &Scene<'_>) -> Result<String> {
    let told = world.pushgateway()?.text()?;
    let job = format!("job=\"backupconfiguration-{}-{BACKUP}\"", scene.namespace);
    let is = |line: &&str| line.starts_with(&format!("{name}{{")) && line.contains(&job);
    Ok(told.lines().find(is).with_context(|| format!("no {name} of {job}"))?.to_owned())
}

fn rights(world: &World) -> Result<()> {
    let storage = Shore::of(Scene::without_operator(world, "I03-storage")?)?;
    let user = Shore::of(Scene::new(world, "I03")?)?;
    let vault = user.vault(world)?;
    vault.put("first")?;
    let mut repository = storage.repository(REPOSITORY, PREFIX)?;
    repository["spec"]["usagePolicy"] = json!({"allowedNamespaces": {"from": "All"}});
    storage.scene.apply(&repository)?;
    let mut backup = user.scene.backup()?;
    backup["spec"]["schedule"] = json!("0 0 1 1 *");
    backup["spec"]["repository"]["namespace"] = json!(storage.scene.namespace);
    user.scene.apply(&backup)?;
    user.scene.wait_for_phase(BACKUP, "Ready")?;
    user.back_up("one", "Succeeded")?;

    let name = format!("{}-backupconfiguration-{BACKUP}-0", user.scene.namespace);
    let role = storage.scene.object(Resource::ROLE, &name)?;
    for rule in role["rules"].as_array().into_iter().flatten() {
        let names = rule["resourceNames"].as_array().map_or(0, Vec::len);
        ensure!(names == 1, "a rule is not for one object by name: {rule}");
    }
    let binding = storage.scene.object(Resource::ROLE_BINDING, &name)?;
    let account = format!("backupconfiguration-{BACKUP}-0");
    ensure!(
        binding["roleRef"]["name"] == name.as_str()
            && binding["subjects"].as_array().map(Vec::len) == Some(1)
            && binding["subjects"][0]["name"] == account.as_str()
            && binding["subjects"][0]["namespace"] == user.scene.namespace.as_str(),
        "{binding}"
    );
    let who = format!("--as=system:serviceaccount:{}:{account}", user.scene.namespace);
    let asked = |verb: &str, what: &str| -> Result<String> {
        let arguments = ["-n", &storage.scene.namespace, "auth", "can-i", verb, what, &who];
        Ok(storage.scene.program().run(&arguments)?.stdout.trim().to_owned())
    };
    let secret = format!("secrets/{STORAGE_SECRET}");
    let own = format!("repositories.stash.appscode.com/{REPOSITORY}");
    ensure!(asked("get", &secret)? == "yes" && asked("get", &own)? == "yes");
    for (verb, what) in [
        ("get", "secrets/other"),
        ("list", "secrets"),
        ("get", "repositories.stash.appscode.com/other"),
        ("patch", own.as_str()),
        ("delete", own.as_str()),
        ("update", "leases.coordination.k8s.io/other"),
        ("create", "events"),
    ] {
        ensure!(asked(verb, what)? == "no", "the Job may {verb} {what}");
    }
    // I02: and the Repository there knows the backup.
    let status = status(&storage)?;
    ensure!(status["snapshotCount"] == 1 && status["integrity"] == true, "{status}");
    ensure!(
        status["references"][0]["namespace"] == user.scene.namespace.as_str(),
        "references: {status}"
    );
    // F05: the place of the Repository stands in its series.
    let line = series(world, "stash_repository_size_bytes", &user.scene)?;
    for (label, value) in [
        ("name", REPOSITORY),
        ("repository", REPOSITORY),
        ("namespace", storage.scene.namespace.as_str()),
        ("backend", "s3"),
        ("bucket", "backups"),
        ("prefix", PREFIX),
        ("invoker_kind", "BackupConfiguration"),
        ("invoker_name", BACKUP),
        ("driver", "Restic"),
    ] {
        ensure!(line.contains(&format!("{label}=\"{value}\"")), "no {label}={value} in {line}");
    }
    // With the BackupConfiguration go the rights in the other namespace.
    user.scene.kubectl(&["delete", "bc", BACKUP, "--wait=false"])?;
    let client = storage.scene.client();
    for resource in [Resource::ROLE, Resource::ROLE_BINDING] {
        client.wait_until_gone(&resource.path(&storage.scene.namespace, &name))?;
    }
    ensure!(ids(&storage.restic(PREFIX)?)?.len() == 1, "the snapshot is gone");
    Ok(())
}

fn ready<'a>(world: &'a World, number: &str, retention: &Value) -> Result<(Shore<'a>, RealVault)> {
    let shore = Shore::new(world, number)?;
    let vault = shore.vault(world)?;
    vault.put("first")?;
    shore.ready(|_| (), |backup| backup["retentionPolicy"] = retention.clone())?;
    Ok((shore, vault))
}

fn keep_last(world: &World) -> Result<()> {
    let policy = json!({"name": "keep-last-5", "keepLast": 5, "prune": true});
    let (shore, _vault) = ready(world, "C14", &policy)?;
    let restic = shore.restic(PREFIX)?;
    for number in 1..=5 {
        shore.back_up(&format!("session-{number}"), "Succeeded")?;
    }
    let five = ids(&restic)?;
    ensure!(five.len() == 5, "snapshots: {five:?}");
    let first = oldest(&restic)?;
    shore.back_up("session-6", "Succeeded")?;
    let status = status(&shore)?;
    ensure!(
        status["snapshotCount"] == 5 && status["snapshotsRemovedOnLastCleanup"] == 1,
        "{status}"
    );
    let kept = ids(&restic)?;
    ensure!(kept.len() == 5 && !kept.contains(&first), "kept: {kept:?}, the oldest was {first}");
    ensure!(five.iter().filter(|id| kept.contains(id)).count() == 4, "kept: {kept:?} of {five:?}");
    // restic has nothing to remove by the same policy, and everything is there.
    let said = restic.run(&["forget", "--keep-last", "5", "--dry-run", "--json", "--no-lock"])?;
    let groups: Value = serde_json::from_slice(&said).context("restic forget printed no JSON")?;
    let removed: Vec<&Value> =
        groups.as_array().into_iter().flatten().map(|group| &group["remove"]).collect();
    ensure!(removed.iter().all(|it| it.is_null() || *it == &json!([])), "{groups}");
    restic.check()
}

fn oldest(restic: &Restic) -> Result<String> {
    let mut found = restic.snapshots()?;
    found.sort_by_key(|snapshot| text(snapshot, "/time").to_owned());
    Ok(text(found.first().context("there is no snapshot")?, "/id").to_owned())
}

fn keeps_nothing(world: &World) -> Result<()> {
    let policy = json!({"name": "x", "keepTags": ["nobody"], "prune": true});
    let (shore, _vault) = ready(world, "E09", &policy)?;
    let restic = shore.restic(PREFIX)?;
    for number in 1..=2 {
        let session = shore.back_up(&format!("session-{number}"), "Failed")?;
        let found = conditions::of(&session, "RetentionPolicyApplied");
        ensure!(found == "False FailedToApplyRetentionPolicy", "{}", session["status"]);
        let host = &session["status"]["targets"][0]["stats"][0];
        ensure!(host["phase"] == "Succeeded", "the snapshot is there: {host}");
        ensure!(ids(&restic)?.len() == number, "snapshots: {:?}", ids(&restic)?);
    }
    restic.check()
}

fn no_rule(world: &World) -> Result<()> {
    let (shore, _vault) = ready(world, "E10", &json!({"name": "x", "prune": true}))?;
    for number in 1..=3 {
        let session = shore.back_up(&format!("session-{number}"), "Succeeded")?;
        let found = conditions::of(&session, "RetentionPolicyApplied");
        ensure!(found == "True SuccessfullyAppliedRetentionPolicy", "{}", session["status"]);
        ensure!(status(&shore)?["snapshotCount"] == number, "{}", status(&shore)?);
    }
    ensure!(ids(&shore.restic(PREFIX)?)?.len() == 3);
    Ok(())
}

fn truncated(world: &World) -> Result<()> {
    let policy = json!({"name": "keep-last-5", "keepLast": 5, "prune": true});
    let (shore, _vault) = ready(world, "E11", &policy)?;
    shore.back_up("session-1", "Succeeded")?;
    ensure!(status(&shore)?["integrity"] == true, "{}", status(&shore)?);
    let packs: Vec<(String, Vec<u8>)> = shore
        .files()?
        .into_iter()
        .filter(|(name, _)| name.starts_with(&format!("{PREFIX}/data/")))
        .collect();
    let (name, bytes) =
        packs.iter().max_by_key(|(_, bytes)| bytes.len()).context("there is no pack")?;
    let file = fs::OpenOptions::new().write(true).open(shore.bucket().join(name))?;
    file.set_len(bytes.len() as u64 / 2)?;
    let session = shore.back_up("session-2", "Failed")?;
    let found = conditions::of(&session, "RepositoryIntegrityVerified");
    ensure!(found == "False FailedToVerifyRepositoryIntegrity", "{}", session["status"]);
    ensure!(status(&shore)?["integrity"] == false, "{}", status(&shore)?);
    let line = series(world, "stash_repository_integrity", &shore.scene)?;
    ensure!(line.ends_with(" 0"), "the series says {line}");
    let line = series(world, "stash_backup_session_success", &shore.scene)?;
    ensure!(line.ends_with(" 0"), "the series says {line}");
    let refused = shore.restic(PREFIX)?.check();
    ensure!(refused.is_err(), "restic finds nothing wrong");
    Ok(())
}

/// restic 0.19 makes both formats as 0.17 did.
fn older(world: &World, number: &str, version: &str) -> Result<()> {
    let policy = json!({"name": "keep-last-5", "keepLast": 5, "prune": true});
    let shore = Shore::new(world, number)?;
    let restic = shore.restic(PREFIX)?;
    restic.run(&["init", "--repository-version", version])?;
    let files = tempfile::tempdir()?;
    let snap: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    fs::write(files.path().join("backup.snap"), &snap)?;
    fs::write(files.path().join("k8s.kubevault.com.demo.vault-root-token"), "\"root\"")?;
    for _ in 0..2 {
        restic.backup_at(files.path(), FOLDER, "host-0")?;
    }
    let before = ids(&restic)?;
    ensure!(before.len() == 2, "snapshots: {before:?}");

    let vault = shore.vault(world)?;
    vault.put("first")?;
    shore.ready(|_| (), |backup| backup["retentionPolicy"] = policy)?;
    let session = shore.back_up("session-1", "Succeeded")?;
    for (kind, wanted) in [
        ("RetentionPolicyApplied", "True SuccessfullyAppliedRetentionPolicy"),
        ("RepositoryIntegrityVerified", "True SuccessfullyVerifiedRepositoryIntegrity"),
    ] {
        ensure!(conditions::of(&session, kind) == wanted, "{}", session["status"]);
    }
    let status = status(&shore)?;
    ensure!(status["snapshotCount"] == 3 && status["integrity"] == true, "{status}");
    let after = ids(&restic)?;
    ensure!(before.iter().all(|id| after.contains(id)), "{before:?} became {after:?}");
    restic.check()?;
    let config: Value = serde_json::from_slice(&restic.run(&["cat", "config"])?)?;
    ensure!(config["version"] == json!(version.parse::<u64>()?), "the format became {config}");
    for id in &before {
        let dumped = restic.dump(id, &format!("{FOLDER}/backup.snap"))?;
        ensure!(dumped == snap, "snapshot {id} holds other bytes");
        let target = tempfile::tempdir()?;
        let to = target.path().to_string_lossy();
        restic.run(&["restore", id, "--target", &to])?;
        let restored =
            fs::read(target.path().join(FOLDER.trim_start_matches('/')).join("backup.snap"))?;
        ensure!(restored == snap, "snapshot {id} is restored with other bytes");
    }
    Ok(())
}

fn not_served(world: &World) -> Result<()> {
    let scene = Scene::new(world, "not-served")?;
    scene.apply(&scene.app_binding()?)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    for (name, backend) in [
        ("swift", json!({"container": "stash-testing", "prefix": "demo-vault"})),
        ("b2", json!({"bucket": "stash-testing", "prefix": "demo-vault"})),
        (
            "gcs",
            json!({"bucket": "stash-testing", "prefix": "demo-vault", "endpoint": "http://127.0.0.1:9"}),
        ),
        (
            "azure",
            json!({"container": "stash-testing", "prefix": "demo-vault", "endpoint": "http://127.0.0.1:9"}),
        ),
    ] {
        let mut repository = scene.repository()?;
        repository["metadata"]["name"] = json!(name);
        repository["spec"]["backend"] = json!({"storageSecretName": STORAGE_SECRET, name: backend});
        scene.apply(&repository)?;
        let mut backup = scene.backup()?;
        let invoker = format!("to-{name}");
        backup["metadata"]["name"] = json!(invoker);
        backup["spec"]["repository"] = json!({"name": name});
        scene.apply(&backup)?;
        let backup = scene.wait_for_phase(&invoker, "Invalid")?;
        let field = format!("{}/{name}: spec.backend.{name}: ", scene.namespace);
        let message = conditions::message(&backup, "ValidationPassed");
        for part in [field.as_str(), "not supported", "local, s3 or rest"] {
            ensure!(message.contains(part), "no {part:?} in {message:?}");
        }
        // The Repository says it as well.
        let found = scene.wait("the Repository says so", Resource::REPOSITORY, name, |found| {
            conditions::of(found, "ValidationPassed") == "False ResourceValidationFailed"
        })?;
        let message = conditions::message(&found, "ValidationPassed");
        ensure!(message.contains(&field), "message: {message}");
    }
    let client = scene.client();
    ensure!(client.names(Resource::CRON_JOB, &scene.namespace)?.is_empty(), "a CronJob was made");
    ensure!(client.names(Resource::JOB, &scene.namespace)?.is_empty(), "a Job was made");
    Ok(())
}
