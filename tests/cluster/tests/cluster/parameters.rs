//! H: which value of a parameter counts, and that it arrives as it was written.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Value, json};

use crate::acted::job_of;
use crate::chain::{Chain, error_of};
use crate::real_vault::named_keys;
use crate::scene::{BACKUP, Scene};
use crate::world::{World, text, trial};

const SESSION: &str = "demo-backup-1700000001";

/// What broke, or was put into, the original's pod.
const HOSTILE: &str = "it's \"quoted\" \\ and\nbroken \"],\"image\":\"x ${NAMESPACE} $(id)";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "H04: a param of the invoker wins over the addon's, others stay", precedence),
        trial(world, "H07: the value of a param arrives byte by byte", exact),
        trial(world, "H04: the key prefix of the invoker names the keys in the snapshot", used),
    ]
}

/// The plan of a session, and its Job.
fn planned(scene: &Scene<'_>) -> Result<(Value, Value)> {
    scene.session(SESSION)?;
    let job = scene.wait("the Job exists", Resource::JOB, &job_of(SESSION), |_| true)?;
    let map = scene.object(Resource::CONFIG_MAP, &format!("sealift-plan-{SESSION}"))?;
    Ok((serde_json::from_str(text(&map, "/data/plan.json"))?, job))
}

/// The parameters of the first stage.
fn of_source(plan: &Value) -> Result<Value> {
    let parameters = &plan["stages"][0]["parameters"];
    ensure!(parameters.is_object(), "the plan's first stage has no parameters: {plan:#}");
    Ok(parameters.clone())
}

fn with(world: &'_ World, number: &str, prefix: &str) -> Result<()> {
    let scene = Scene::new(world, number)?;
    let mut binding = scene.app_binding()?;
    binding["spec"]["parameters"]["stash"]["addon"]["backupTask"]["params"]
        .as_array_mut()
        .context("the guide's addon has no params")?
        .push(json!({"name": "waitTimeout", "value": "77"}));
    scene.apply(&binding)?;
    scene.apply(&scene.storage_secret())?;
    scene.apply(&scene.vault_secrets())?;
    scene.apply(&scene.repository()?)?;
    scene.apply(&scene.backup()?)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    let (plain, job) = planned(&scene)?;
    let parameters = of_source(&plain)?;
    ensure!(
        parameters["keyPrefix"] == "k8s.kubevault.com.demo.vault"
            && parameters["waitTimeout"].to_string().trim_matches('"') == "77",
        "without a param: {parameters}"
    );
    let pod = job["spec"]["template"]["spec"].clone();
    scene.client().delete(Resource::BACKUP_SESSION, &scene.namespace, SESSION)?;
    scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, &job_of(SESSION)))?;
    let map = Resource::CONFIG_MAP.path(&scene.namespace, &format!("sealift-plan-{SESSION}"));
    scene.client().wait_until_gone(&map)?;
    let patch = json!({"spec": {"task": {
        "name": "vault-backup-1.10.3", "params": [{"name": "keyPrefix", "value": prefix}],
    }}});
    scene.edit(&patch)?;
    let (plan, job) = planned(&scene)?;
    let parameters = of_source(&plan)?;
    ensure!(
        parameters["keyPrefix"] == prefix
            && parameters["waitTimeout"].to_string().trim_matches('"') == "77",
        "with a param: {parameters}"
    );
    // Nothing of it reaches the pod but by the plan's digest.
    let mut now = job["spec"]["template"]["spec"].clone();
    let arguments = pod["containers"][0]["args"].clone();
    ensure!(now["containers"][0]["args"] != arguments, "the digest is the same: {arguments}");
    now["containers"][0]["args"] = arguments;
    ensure!(now == pod, "the pod differs: {now:#}");
    Ok(())
}

fn precedence(world: &World) -> Result<()> {
    with(world, "H04", "k8s.another")
}

fn exact(world: &World) -> Result<()> {
    with(world, "H07", HOSTILE)?;
    // The Function itself is asked for the keys under this prefix, and says which it missed.
    let chain = Chain::ready(world, "H07-run", |backup| {
        backup["spec"]["task"] = json!({"name": "vault-backup-1.10.3",
            "params": [{"name": "keyPrefix", "value": HOSTILE}]});
    })?;
    let ran = chain.run(SESSION)?;
    ensure!(ran.code == Some(1), "{:?}: {} {}", ran.code, ran.left, ran.log);
    let error = error_of(&chain.ended(SESSION, "Failed")?);
    // The key is quoted, so that its line breaks cannot be taken for those of the message.
    let quoted = format!("{:?}", format!("{HOSTILE}-root-token"));
    ensure!(error.contains(&quoted), "{quoted} is not in: {error}");
    ensure!(chain.snapshots()? == 0, "there is a snapshot");
    Ok(())
}

fn used(world: &World) -> Result<()> {
    let chain = Chain::ready(world, "H04-run", |backup| {
        backup["spec"]["task"] = json!({"name": "vault-backup-1.10.3",
            "params": [{"name": "keyPrefix", "value": "k8s.another"}]});
    })?;
    let keys = named_keys("k8s.another", &chain.target.keys);
    chain.scene.apply(&chain.scene.secret("vault-keys", &keys))?;
    chain.succeed(SESSION)?;
    let restic = chain.restic()?;
    let snapshots = restic.snapshots()?;
    let id = snapshots.first().map(|found| text(found, "/id")).unwrap_or_default();
    let files = restic.files(id)?;
    ensure!(
        files.iter().any(|file| file.ends_with("/k8s.another-root-token"))
            && !files.iter().any(|file| file.contains("k8s.kubevault.com")),
        "files: {files:?}"
    );
    Ok(())
}
