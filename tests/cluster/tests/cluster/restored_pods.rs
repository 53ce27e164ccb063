//! K and H on a node: the guide's disaster recovery from one Vault of three pods into another,
//! and what becomes of the pod of a restore whose time is up.

use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_cluster::workloads::vault::{self, Vault};
use sealift_cluster::workloads::{pod_address, storage};
use sealift_e2e::vault::{Keys, SHARES};
use sealift_e2e::{secrets, wait};
use serde_json::json;

use crate::conditions;
use crate::forced_restores::{edited, our_function, replaced};
use crate::real_vault::named_keys;
use crate::round::RESTORE;
use crate::scene::{BACKUP, Scene};
use crate::stage;
use crate::world::{World, text, trial, trial_alone};

const NODES: usize = 3;
const SESSION: &str = "demo-backup-1700000000";
/// What the names of the keys of the Vault that was backed up begin with.
const OLD_PREFIX: &str = "k8s.kubevault.com.demo.vault";
const NEW_PREFIX: &str = "k8s.kubevault.com.rebuilt.vault";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(
            world,
            "H06, K13: a lost Vault of three pods comes back in another one, as the guide says",
            disaster,
        ),
        trial(world, "K10: with a restore whose time is up its pod goes", stopped),
    ]
}

fn back_up(scene: &Scene<'_>) -> Result<()> {
    scene.session(SESSION)?;
    let (ended, _) = stage::follow(scene, Resource::BACKUP_SESSION, SESSION)?;
    ensure!(conditions::phase(&ended) == "Succeeded", "the backup: {}", ended["status"]);
    Ok(())
}

/// Functions belong to the whole cluster, so no other row may run beside this one.
fn disaster(world: &World) -> Result<()> {
    let lost = Scene::new(world, "lost")?;
    let node = world.node()?;
    world.image()?;
    let s3 = storage::start(lost.plane, node, &lost.namespace, "stash-testing")?;
    let old = vault::start(lost.plane, node, &lost.namespace, NODES)?;
    old.enable_kv()?;
    old.put("canary", "of the lost one")?;
    stage::apply(&lost, &old, &s3, &lost.app_binding()?)?;
    let mut backup = lost.backup()?;
    backup["spec"]["schedule"] = json!("0 0 1 1 *");
    lost.apply(&backup)?;
    lost.wait_for_phase(BACKUP, "Ready")?;
    back_up(&lost)?;
    lost.kubectl(&["delete", "statefulset", "vault", "--cascade=foreground"])?;

    let rebuilt = Scene::new(world, "rebuilt")?;
    let mut new = vault::start(rebuilt.plane, node, &rebuilt.namespace, NODES)?;
    new.enable_kv()?;
    new.put("canary", "of the rebuilt one")?;
    let former = new.keys.clone();
    let mut binding = rebuilt.app_binding()?;
    for task in ["backupTask", "restoreTask"] {
        binding["spec"]["parameters"]["stash"]["addon"][task]["params"] =
            json!([{"name": "keyPrefix", "value": NEW_PREFIX}]);
    }
    stage::apply(&rebuilt, &new, &s3, &binding)?;
    rebuilt.client().delete(Resource::SECRET, &rebuilt.namespace, "vault-keys")?;
    rebuilt.apply(&rebuilt.secret("vault-keys", &named_keys(NEW_PREFIX, &former)))?;

    let restored =
        replaced(rebuilt.plane.kubectl(), &edited(our_function()?, OLD_PREFIX)?, || {
            rebuilt.apply(&rebuilt.restore()?)?;
            stage::follow(&rebuilt, Resource::RESTORE_SESSION, RESTORE)
        })?;
    let (ended, phases) = restored;
    ensure!(phases.last().is_some_and(|phase| phase == "Succeeded"), "{:#}", ended["status"]);
    ensure!(ended["status"]["stats"][0]["phase"] == "Succeeded", "{:#}", ended["status"]);

    let secret = rebuilt.object(Resource::SECRET, "vault-keys")?;
    for (key, value) in named_keys(NEW_PREFIX, &former).as_object().into_iter().flatten() {
        let kept = secrets::value(&secret, &format!("{key}.replaced.{RESTORE}"))?;
        ensure!(*value == kept, "{key}: the former value is not kept");
    }
    let value = |name: String| secrets::value(&secret, &name);
    let unseal = (0..SHARES).map(|share| value(format!("{NEW_PREFIX}-unseal-key-{share}")));
    new.keys = Keys {
        root_token: value(format!("{NEW_PREFIX}-root-token"))?,
        unseal: unseal.collect::<Result<_>>()?,
    };
    ensure!(new.keys.unseal == old.keys.unseal, "other unseal keys came back");
    ensure!(new.keys.root_token == old.keys.root_token, "another root token came back");
    follow_the_advice(&rebuilt, &mut new)?;
    serves(&new)
}

/// Does what the restore tells a person to do before the keys are handed in. Nodes of a Vault as
/// young as this one do not vote yet, and then standbys often miss the end of a restore.
fn follow_the_advice(scene: &Scene<'_>, vault: &mut Vault) -> Result<()> {
    let events = Resource::EVENT.list(&scene.namespace);
    let advice = scene.client().wait("an event says what to do", &events, |events| {
        let all = events?["items"].as_array()?;
        let mut messages = all.iter().map(|event| text(event, "/message"));
        messages.find(|message| message.contains("restart every node")).map(str::to_owned)
    })?;
    ensure!(advice.ends_with("and restore again"), "the event is cut off: {advice}");
    vault.restart(scene.plane, &scene.namespace)
}

/// As KubeVault's unsealer does it: each node, with the keys of the Secret.
fn serves(vault: &Vault) -> Result<()> {
    for node in 0..NODES {
        vault.wait_for_health(node, &[503])?;
        vault.unseal(node)?;
    }
    for node in 0..NODES {
        vault.wait_for_health(node, &[200, 429])?;
    }
    let canary = wait::until("the restored Vault serves its secret", PATIENCE, || {
        Ok(vault.get("canary").ok())
    })?;
    ensure!(canary == "of the lost one", "restored: {canary}");
    Ok(())
}

fn stopped(world: &World) -> Result<()> {
    let scene = stage::ready(world, "K10-pods", |_| ())?;
    back_up(&scene)?;
    let sealed = vault::start(scene.plane, world.node()?, &scene.namespace, 1)?;
    sealed.call(0, "PUT", "v1/sys/seal", &sealed.keys.root_token, None)?;
    sealed.wait_for_health(0, &[503])?;
    let address = pod_address(scene.client(), &scene.namespace, "vault-0")?;
    let config = json!({"service": null, "url": format!("http://{address}:8200")});
    let patch = json!({"spec": {"clientConfig": config}});
    scene.client().patch(Resource::APP_BINDING, &scene.namespace, "vault", &patch)?;
    let mut restore = scene.restore()?;
    restore["spec"]["timeOut"] = json!("10s");
    scene.apply(&restore)?;
    let job = format!("stash-restore-{RESTORE}-0");
    let pods = format!("{}?labelSelector=job-name={job}", Resource::POD.list(&scene.namespace));
    let pod = scene.client().wait("the Job's pod exists", &pods, |pods| {
        Some(text(pods?.pointer("/items/0")?, "/metadata/name").to_owned())
    })?;
    let (ended, _) = stage::follow(&scene, Resource::RESTORE_SESSION, RESTORE)?;
    ensure!(conditions::phase(&ended) == "Failed", "status: {}", ended["status"]);
    let said = conditions::of(&ended, "DeadlineExceeded");
    ensure!(said == "True FailedToCompleteWithinDeadline", "{said:?} in {}", ended["status"]);
    scene.client().wait_until_gone(&Resource::POD.path(&scene.namespace, &pod))?;
    scene.client().wait_until_gone(&Resource::JOB.path(&scene.namespace, &job))?;
    // Nobody has unsealed it.
    sealed.wait_for_health(0, &[503])
}
