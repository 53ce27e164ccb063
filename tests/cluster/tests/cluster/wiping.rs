//! I05, I06: what becomes of the data of a deleted Repository, without and with `wipeOut`. The Job
//! of the operator runs as a process that holds exactly the rights of its ServiceAccount.

use std::fs;
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_e2e::restic::Restic;
use sealift_e2e::wait;
use serde_json::{Value, json};

use crate::conditions;
use crate::process::Prepared;
use crate::scene::{BACKUP, REPOSITORY, STORAGE_SECRET};
use crate::shore::Shore;
use crate::stage;
use crate::world::{World, text, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "I05: without wipeOut no byte in the storage changes", kept),
        trial(world, "I06: wipeOut removes all below the prefix and nothing beside it", wiped),
        trial(world, "I06: slashes around the prefix change nothing", slashes),
        trial(world, "I06: a whole bucket with other things in it is not removed", whole_bucket),
        trial(world, "I06: what the password does not open is not removed", wrong_password),
        trial(world, "I06: a removal that failed is tried again once it can work", tried_again),
        trial(world, "I06: without its Secret nothing is tried, and the way on is told", no_secret),
        trial(world, "I06: a place that another Repository uses is left alone", shared),
        trial(world, "I06: an edited prefix is what counts, by a Job made for it", edited),
        trial(world, "I06: the Job of an earlier edit removes nothing", earlier_edit),
        trial(world, "I06: a removal waits until it holds the repository alone", waits_to_be_alone),
        trial(
            world,
            "J03: a namespace goes although a Repository in it has wipeOut",
            namespace_goes,
        ),
    ]
}

/// With pods.
pub fn on_the_node(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(world, "I06: on a node, wipeOut removes what a session stored", by_a_pod)]
}

fn by_a_pod(world: &World) -> Result<()> {
    let scene = stage::ready(world, "I06-node", |_| ())?;
    let patch = json!({"spec": {"wipeOut": true}});
    scene.client().patch(Resource::REPOSITORY, &scene.namespace, REPOSITORY, &patch)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    scene.session("one")?;
    let (session, _) = stage::follow(&scene, Resource::BACKUP_SESSION, "one")?;
    ensure!(conditions::phase(&session) == "Succeeded", "{}", session["status"]);
    let s3 = &world.backing()?.storage;
    let place = format!("s3:{}/{}/{}", s3.outside_endpoint, s3.bucket, scene.namespace);
    let keys = [
        ("AWS_ACCESS_KEY_ID", s3.access_key.as_str()),
        ("AWS_SECRET_ACCESS_KEY", s3.secret_key.as_str()),
    ];
    let restic = Restic::new(place, stage::PASSWORD)?.with_environment(&keys);
    ensure!(restic.snapshots()?.len() == 1, "there is no snapshot");
    scene.client().delete(Resource::REPOSITORY, &scene.namespace, REPOSITORY)?;
    scene.client().wait_until_gone(&Resource::REPOSITORY.path(&scene.namespace, REPOSITORY))?;
    let said = restic.output(&["cat", "config"])?;
    // 10: there is no repository.
    ensure!(said.status.code() == Some(10), "{}", String::from_utf8_lossy(&said.stderr));
    Ok(())
}

/// A Repository with `wipeOut` that the operator knows.
fn known(shore: &Shore<'_>, name: &str, prefix: &str) -> Result<()> {
    seen(shore, name, prefix, true)
}

fn seen(shore: &Shore<'_>, name: &str, prefix: &str, wipe_out: bool) -> Result<()> {
    let mut repository = shore.repository(name, prefix)?;
    repository["spec"]["wipeOut"] = json!(wipe_out);
    shore.scene.apply(&repository)?;
    let what = format!("{name} has its finalizer");
    shore.scene.wait(&what, Resource::REPOSITORY, name, |found| {
        found["metadata"]["finalizers"] == json!(["stash"])
    })?;
    Ok(())
}

fn kept(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I05-kept")?;
    shore.fill("demo-vault")?;
    let before = shore.files()?;
    ensure!(!before.is_empty(), "the bucket is empty");
    seen(&shore, REPOSITORY, "demo-vault", false)?;
    shore.delete(REPOSITORY)?;
    shore.gone(REPOSITORY)?;
    ensure!(!shore.has_wipe_job()?, "a Job that removes data was made");
    let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|(name, _)| name.clone()).collect()
    };
    let after = shore.files()?;
    ensure!(before == after, "{:?} became {:?}", names(&before), names(&after));
    Ok(())
}

fn wiped(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06")?;
    shore.fill("demo-vault-2")?;
    fs::write(shore.bucket().join("demo-vault.txt"), "of somebody")?;
    let beside = shore.files()?;
    shore.fill("demo-vault")?;
    fs::write(shore.bucket().join("demo-vault/a note"), "of somebody")?;
    known(&shore, REPOSITORY, "demo-vault")?;
    shore.delete(REPOSITORY)?;
    let job = shore.wipe_job(REPOSITORY, 1)?;
    shore.waits(REPOSITORY, "WipeOutRunning")?;
    hardened(&job)?;
    rights(&shore, &job)?;
    let ran = shore.wipe(&job)?;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    shore.gone(REPOSITORY)?;
    ensure!(shore.files()? == beside, "the bucket holds {:?}", names(&shore)?);
    shore.tells(REPOSITORY, "Normal WipedOut: ", "none is left")?;
    shore.swept()
}

fn hardened(job: &Value) -> Result<()> {
    let pod = &job["spec"]["template"]["spec"];
    let security = &pod["containers"][0]["securityContext"];
    ensure!(
        security["runAsNonRoot"] == true
            && security["readOnlyRootFilesystem"] == true
            && security["allowPrivilegeEscalation"] == false
            && security["capabilities"]["drop"] == json!(["ALL"])
            && pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
            && pod["restartPolicy"] == "Never"
            && job["spec"]["backoffLimit"] == 0,
        "{pod}"
    );
    // The garbage collector would take it away under a deletion in the foreground.
    let owners = job["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    ensure!(owners.iter().all(|owner| owner["kind"] != "Repository"), "owners: {owners:?}");
    Ok(())
}

fn rights(shore: &Shore<'_>, job: &Value) -> Result<()> {
    let scene = &shore.scene;
    let account = text(job, "/spec/template/spec/serviceAccountName");
    let who = format!("--as=system:serviceaccount:{}:{account}", scene.namespace);
    let asked = |verb: &str, what: &str| -> Result<String> {
        let arguments = ["-n", &scene.namespace, "auth", "can-i", verb, what, &who];
        Ok(scene.program().run(&arguments)?.stdout.trim().to_owned())
    };
    let secret = format!("secrets/{STORAGE_SECRET}");
    let repository = format!("repositories.stash.appscode.com/{REPOSITORY}");
    for what in [&secret, &repository] {
        ensure!(asked("get", what)? == "yes", "it may not get {what}");
    }
    for (verb, what) in [
        ("list", "secrets"),
        ("get", "secrets/other"),
        ("patch", repository.as_str()),
        ("delete", repository.as_str()),
        ("get", "repositories.stash.appscode.com/other"),
        ("update", "leases.coordination.k8s.io/other"),
        ("create", "pods"),
        ("create", "events"),
    ] {
        ensure!(asked(verb, what)? == "no", "it may {verb} {what}");
    }
    Ok(())
}

fn names(shore: &Shore<'_>) -> Result<Vec<String>> {
    Ok(shore.files()?.into_iter().map(|(name, _)| name).collect())
}

fn slashes(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-slashes")?;
    shore.fill("other")?;
    let beside = shore.files()?;
    for (name, prefix) in [("before", "/demo-vault"), ("behind", "demo-vault/")] {
        shore.fill("demo-vault")?;
        known(&shore, name, prefix)?;
        shore.delete(name)?;
        let ran = shore.wipe(&shore.wipe_job(name, 1)?)?;
        ensure!(ran.code == Some(0), "{prefix}: {} {}", ran.left, ran.log);
        shore.gone(name)?;
        ensure!(shore.files()? == beside, "{prefix}: {:?}", names(&shore)?);
    }
    Ok(())
}

/// The Job fails with this, nothing is removed, the Repository stays until it is told to let the
/// data be, and then goes.
fn refused(shore: &Shore<'_>, name: &str, said: &str) -> Result<()> {
    let before = shore.files()?;
    shore.delete(name)?;
    let ran = shore.wipe(&shore.wipe_job(name, 1)?)?;
    ensure!(ran.code == Some(1), "{} {}", ran.left, ran.log);
    let repository = shore.waits(name, "WipeOutFailed")?;
    let message = conditions::message(&repository, "Deletable");
    for part in [said, "spec.wipeOut to false", "attempt 1"] {
        ensure!(message.contains(part), "no {part:?} in {message:?}");
    }
    ensure!(
        repository["metadata"]["finalizers"] == json!(["stash"]),
        "finalizers: {}",
        repository["metadata"]["finalizers"]
    );
    shore.tells(name, "Warning WipeOutFailed: ", said)?;
    ensure!(!message.contains(&shore.s3.secret_key), "the message holds a secret");
    keep_the_data(shore, name)?;
    ensure!(shore.files()? == before, "something was removed: {:?}", names(shore)?);
    Ok(())
}

/// The documented way out.
fn keep_the_data(shore: &Shore<'_>, name: &str) -> Result<()> {
    let patch = r#"{"spec":{"wipeOut":false}}"#;
    shore.scene.kubectl(&[
        "patch",
        "repositories.stash.appscode.com",
        name,
        "--type=merge",
        "--patch",
        patch,
    ])?;
    shore.gone(name)?;
    shore.swept()
}

fn whole_bucket(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-bucket")?;
    shore.fill("")?;
    fs::create_dir_all(shore.bucket().join("letters"))?;
    fs::write(shore.bucket().join("letters/one"), "of somebody")?;
    known(&shore, REPOSITORY, "")?;
    refused(&shore, REPOSITORY, "no prefix")?;
    // A prefix that holds no repository at all is as little its own.
    known(&shore, "mistyped", "letters")?;
    refused(&shore, "mistyped", "there is no repository")
}

fn wrong_password(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-password")?;
    shore.fill("demo-vault")?;
    let mut secret = shore.secret(&shore.s3.secret_key);
    secret["stringData"]["RESTIC_PASSWORD"] = json!("of another repository");
    shore.scene.apply(&secret)?;
    known(&shore, REPOSITORY, "demo-vault")?;
    refused(&shore, REPOSITORY, "wrong password")
}

fn tried_again(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-again")?;
    shore.fill("demo-vault")?;
    shore.scene.apply(&shore.secret("a key the storage does not know"))?;
    known(&shore, REPOSITORY, "demo-vault")?;
    shore.delete(REPOSITORY)?;
    let ran = shore.wipe(&shore.wipe_job(REPOSITORY, 1)?)?;
    ensure!(ran.code == Some(1) && ran.left["reason"] == "StorageFailed", "{}", ran.left);
    shore.waits(REPOSITORY, "WipeOutFailed")?;
    shore.scene.apply(&shore.secret(&shore.s3.secret_key))?;
    let ran = shore.wipe(&shore.wipe_job(REPOSITORY, 2)?)?;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    shore.gone(REPOSITORY)?;
    ensure!(shore.files()?.is_empty(), "the bucket holds {:?}", names(&shore)?);
    shore.swept()
}

fn no_secret(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-secret")?;
    shore.fill("demo-vault")?;
    known(&shore, REPOSITORY, "demo-vault")?;
    shore.scene.client().delete(Resource::SECRET, &shore.scene.namespace, STORAGE_SECRET)?;
    shore.delete(REPOSITORY)?;
    let repository = shore.waits(REPOSITORY, "BackendSecretNotAvailable")?;
    let message = conditions::message(&repository, "Deletable");
    ensure!(
        message.contains(STORAGE_SECRET) && message.contains("create it again"),
        "message: {message}"
    );
    ensure!(!shore.has_wipe_job()?, "a Job was made");
    shore.scene.apply(&shore.secret(&shore.s3.secret_key))?;
    let ran = shore.wipe(&shore.wipe_job(REPOSITORY, 1)?)?;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    shore.gone(REPOSITORY)?;
    ensure!(shore.files()?.is_empty(), "the bucket holds {:?}", names(&shore)?);
    Ok(())
}

fn shared(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-shared")?;
    shore.fill("demo-vault")?;
    known(&shore, REPOSITORY, "demo-vault")?;
    shore.scene.apply(&shore.repository("other", "/demo-vault/")?)?;
    shore.scene.wait("the other is known", Resource::REPOSITORY, "other", |found| {
        found["metadata"]["finalizers"] == json!(["stash"])
    })?;
    shore.delete(REPOSITORY)?;
    let repository = shore.waits(REPOSITORY, "StorageShared")?;
    let message = conditions::message(&repository, "Deletable");
    ensure!(message.contains("/other "), "message: {message}");
    ensure!(!shore.has_wipe_job()?, "a Job was made");
    // The other one keeps its data when it goes; then nobody else has it.
    shore.delete("other")?;
    shore.gone("other")?;
    let ran = shore.wipe(&shore.wipe_job(REPOSITORY, 1)?)?;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    shore.gone(REPOSITORY)
}

/// The Job that was made before the edit touches nothing.
fn edited(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-edited")?;
    shore.fill("right")?;
    shore.fill("wrong")?;
    known(&shore, REPOSITORY, "wrong")?;
    shore.delete(REPOSITORY)?;
    let job = shore.wipe_job(REPOSITORY, 1)?;
    let patch = json!({"spec": {"backend": {"s3": {"prefix": "right"}}}});
    let namespace = &shore.scene.namespace;
    shore.scene.client().patch(Resource::REPOSITORY, namespace, REPOSITORY, &patch)?;
    let uid = text(&job, "/metadata/uid").to_owned();
    let path = Resource::JOB.path(namespace, text(&job, "/metadata/name"));
    let anew = shore.scene.client().wait("a Job is made for the edit", &path, |found| {
        found.filter(|found| text(found, "/metadata/uid") != uid).cloned()
    })?;
    let ran = shore.wipe(&anew)?;
    ensure!(ran.code == Some(0), "{} {}", ran.left, ran.log);
    shore.gone(REPOSITORY)?;
    let left = names(&shore)?;
    ensure!(
        left.iter().any(|name| name == "wrong/config")
            && left.iter().all(|name| name.starts_with("wrong/")),
        "the bucket holds {left:?}"
    );
    Ok(())
}

/// A pod runs on for a while whatever becomes of its Job.
fn earlier_edit(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-earlier")?;
    shore.fill("right")?;
    known(&shore, REPOSITORY, "right")?;
    shore.delete(REPOSITORY)?;
    let job = shore.wipe_job(REPOSITORY, 1)?;
    let before = shore.files()?;
    let earlier = Prepared::of(&shore.scene, text(&job, "/metadata/name"))?;
    let patch = json!({"spec": {"backend": {"s3": {"prefix": "elsewhere"}}}});
    shore.scene.client().patch(Resource::REPOSITORY, &shore.scene.namespace, REPOSITORY, &patch)?;
    let ran = earlier.run()?;
    ensure!(
        ran.code == Some(1) && ran.left["reason"] == "RepositoryChanged",
        "{:?}: {} {}",
        ran.code,
        ran.left,
        ran.log
    );
    ensure!(shore.files()? == before, "something was removed: {:?}", names(&shore)?);
    keep_the_data(&shore, REPOSITORY)
}

const LEASE: Resource = Resource { root: "/apis/coordination.k8s.io/v1", plural: "leases" };

/// A session that began before the deletion was seen holds the repository.
fn waits_to_be_alone(world: &World) -> Result<()> {
    let shore = Shore::new(world, "I06-alone")?;
    shore.fill("demo-vault")?;
    known(&shore, REPOSITORY, "demo-vault")?;
    shore.delete(REPOSITORY)?;
    let job = shore.wipe_job(REPOSITORY, 1)?;
    let before = shore.files()?;
    let (client, namespace) = (shore.scene.client(), &shore.scene.namespace);
    let uid = text(&client.object(Resource::REPOSITORY, namespace, REPOSITORY)?, "/metadata/uid")
        .to_owned();
    let lease = format!("sealift-{uid}");
    let holders = || -> Result<Value> {
        let lease = client.object(LEASE, namespace, &lease)?;
        let text = lease["metadata"]["annotations"]["sealift.dev/holders"].as_str();
        Ok(serde_json::from_str(text.unwrap_or("{}"))?)
    };
    let write = |holders: &Value| {
        let annotations = json!({"sealift.dev/holders": holders.to_string()});
        client.patch(LEASE, namespace, &lease, &json!({"metadata": {"annotations": annotations}}))
    };
    let shared = json!({"state": "shared", "beat": 1, "renewed": "2026-01-01T00:00:00Z"});
    write(&json!({"a session": shared}))?;
    let prepared = Prepared::of(&shore.scene, text(&job, "/metadata/name"))?;
    let running = thread::spawn(move || prepared.run());
    let waits = wait::until("it waits to be alone", PATIENCE, || {
        ensure!(!running.is_finished(), "it did not wait");
        Ok(holders()?.to_string().contains("waiting").then_some(()))
    });
    let untouched = shore.files()? == before;
    let mut left = holders()?;
    left.as_object_mut().map(|holders| holders.remove("a session"));
    write(&left)?;
    let ran = running.join().map_err(|_| anyhow!("the thread of a Job panicked"))??;
    waits?;
    ensure!(untouched, "something was removed before");
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    ensure!(shore.files()?.is_empty(), "the bucket holds {:?}", names(&shore)?);
    Ok(())
}

fn namespace_goes(world: &World) -> Result<()> {
    let shore = Shore::new(world, "J03-wipe")?;
    shore.fill("demo-vault")?;
    let before = shore.files()?;
    let mut repository = shore.repository(REPOSITORY, "demo-vault")?;
    repository["spec"]["wipeOut"] = json!(true);
    shore.scene.apply(&shore.scene.app_binding()?)?;
    shore.scene.apply(&shore.scene.vault_secrets())?;
    shore.scene.apply(&repository)?;
    shore.scene.apply(&shore.scene.backup()?)?;
    shore.scene.wait_for_phase(BACKUP, "Ready")?;
    let namespace = shore.scene.namespace.clone();
    shore.scene.program().succeed(&["delete", "namespace", &namespace, "--wait=false"])?;
    shore.scene.client().wait_until_gone(&format!("/api/v1/namespaces/{namespace}"))?;
    ensure!(shore.files()? == before, "something was removed: {:?}", names(&shore)?);
    let events = shore.scene.client().list(Resource::EVENT, "default")?;
    let told = events.iter().find(|event| {
        event["reason"] == "RepositoryNotWiped" && event["involvedObject"]["name"] == *namespace
    });
    let told = told.context("nobody was told that the data stays")?;
    ensure!(
        text(told, "/message").contains("delete the Repository before the namespace"),
        "{told}"
    );
    Ok(())
}
