//! A lost Vault comes back in another one, of three nodes or unsealed by a service, by what the
//! restore and `deploy/README.md` tell their reader to do and nothing else.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::secrets::read_keys;
use sealift_e2e::vault::{Keys, Vault, some_secrets};
use sealift_e2e::vault_cluster::VaultCluster;
use tempfile::TempDir;

use crate::round_trip::empty_vault;
use crate::scene::{PASSWORD, Scene, assert_failure};
use crate::world::{World, trial, vault_binary};

/// How many secrets the lost Vault had, and the size of each in bytes.
const SECRETS: (usize, usize) = (40, 500);

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = vec![
        trial(world, "disaster::a_lost_vault_comes_back_in_another_one_of_three_nodes", comes_back),
        trial(
            world,
            "disaster::a_lost_vault_comes_back_in_one_that_a_service_unseals",
            unsealed_by_a_service,
        ),
    ];
    // What is done by hand, or waits for what never comes, is not for every change.
    if std::env::var("SEALIFT_TEST_TIER").is_ok_and(|tier| tier == "full") {
        trials.push(trial(
            world,
            "disaster::a_node_that_missed_the_restore_is_emptied_and_joins_again",
            one_missed_it,
        ));
        trials.push(trial(
            world,
            "disaster::a_service_without_the_lost_vaults_key_is_told_of",
            without_the_key,
        ));
    }
    trials
}

/// A Vault that was backed up and is lost.
struct Lost {
    scene: Scene,
    keys: Keys,
    secrets: Vec<(String, String)>,
}

impl Lost {
    fn new(world: &World) -> Result<Self> {
        let folder = world.folder()?;
        let (vault, keys) = empty_vault(folder.path())?;
        Self::backed_up(world, vault, keys)
    }

    /// Fills a Vault, backs it up and ends it.
    fn backed_up(world: &World, vault: Vault, keys: Keys) -> Result<Self> {
        vault.enable_kv(&keys.root_token)?;
        let (count, size) = SECRETS;
        let secrets = some_secrets(count, size);
        vault.put_all(&keys.root_token, &secrets)?;
        let token = vault.backup_token(&keys.root_token)?;
        let scene = Scene::at(world, &vault.address(), &token, &keys)?;
        scene.successful_backup()?;
        vault.kill()?;
        Ok(Self { scene, keys, secrets })
    }
}

/// A Vault of three nodes that was made anew, before or after the lost one was restored into it.
struct Rebuilt {
    cluster: VaultCluster,
    /// Its data, as long as it runs.
    _folder: TempDir,
}

impl Rebuilt {
    fn new(world: &World) -> Result<Self> {
        let folder = world.folder()?;
        let cluster = VaultCluster::start(&vault_binary()?, folder.path(), 3)?;
        Ok(Self { cluster, _folder: folder })
    }

    /// Restores the lost one into it; returns the keys that came back.
    fn restore(&self, world: &World, lost: &Lost) -> Result<Keys> {
        let leader = self.cluster.node(self.cluster.leader()?)?;
        let token = leader.backup_token(&self.cluster.keys.root_token)?;
        let scene = Scene::at(world, &leader.address(), &token, &self.cluster.keys)?;
        scene.manifests.local_repository(&lost.scene.repository(), PASSWORD)?;
        let outcome = scene.restore(&[])?;
        ensure!(outcome.code == Some(0), "the restore failed: {}", outcome.text());
        let told = outcome.text();
        for words in ["restart every node", "Then unseal every node with 3 of the keys"] {
            ensure!(told.contains(words), "the restore does not tell to {words:?}: {told}");
        }
        let keys = read_keys(&scene.written(), "demo.vault")?;
        ensure!(keys.unseal == lost.keys.unseal, "other unseal keys came back");
        ensure!(keys.root_token == lost.keys.root_token, "another root token came back");
        Ok(keys)
    }
}

fn comes_back(world: &World) -> Result<()> {
    let lost = Lost::new(world)?;
    let mut rebuilt = Rebuilt::new(world)?;
    let keys = rebuilt.restore(world, &lost)?;
    let cluster = &mut rebuilt.cluster;
    cluster.restart()?;
    cluster.unseal(keys).context("as the restore told to")?;
    cluster.compare_all(&lost.keys.root_token, &lost.secrets)
}

/// What `deploy/README.md` says of a node that refuses the keys of the snapshot.
fn one_missed_it(world: &World) -> Result<()> {
    let lost = Lost::new(world)?;
    let mut rebuilt = Rebuilt::new(world)?;
    let missed = rebuilt.cluster.standby()?;
    rebuilt.cluster.stop(missed)?;
    let keys = rebuilt.restore(world, &lost)?;
    let cluster = &mut rebuilt.cluster;
    cluster.restart()?;
    for (index, node) in cluster.nodes().enumerate() {
        node.wait_for_health(&[503])?;
        let taken = node.hand_in(&keys.unseal);
        ensure!(taken.is_ok() == (index != missed), "node {index}: {taken:?}");
    }
    cluster.keys = keys;
    cluster.replace(missed).context("as the guide says")?;
    cluster.compare_all(&lost.keys.root_token, &lost.secrets)
}

/// A Vault whose transit engine unseals others, with a key for each of two.
struct Service {
    vault: Vault,
    keys: Keys,
    folder: TempDir,
}

impl Service {
    fn new(world: &World) -> Result<Self> {
        let folder = world.folder()?;
        let (vault, keys) = empty_vault(&folder.path().join("service"))?;
        vault.enable_transit(&keys.root_token, &["one", "another"])?;
        Ok(Self { vault, keys, folder })
    }

    fn unseals(&self, name: &str, key: &str) -> Result<(Vault, Keys)> {
        let folder = self.folder.path().join(name);
        let (service, token) = (&self.vault, &self.keys.root_token);
        let vault = Vault::start_unsealed_by(&vault_binary()?, &folder, service, token, key)?;
        let keys = vault.init_unsealed()?;
        Ok((vault, keys))
    }

    fn lost(&self, world: &World) -> Result<Lost> {
        let (vault, keys) = self.unseals("lost", "one")?;
        Lost::backed_up(world, vault, keys)
    }
}

fn unsealed_by_a_service(world: &World) -> Result<()> {
    let service = Service::new(world)?;
    let lost = service.lost(world)?;
    let (mut rebuilt, keys) = service.unseals("rebuilt", "one")?;
    let token = rebuilt.backup_token(&keys.root_token)?;
    let scene = Scene::at(world, &rebuilt.address(), &token, &keys)?;
    scene.manifests.local_repository(&lost.scene.repository(), PASSWORD)?;
    let outcome = scene.restore(&[])?;
    ensure!(outcome.code == Some(0), "the restore failed: {}", outcome.text());
    let told = outcome.text();
    for words in ["transit unseals it", "restart every node", "recovery keys, and unseal nothing"] {
        ensure!(told.contains(words), "the restore does not say {words:?}: {told}");
    }
    rebuilt.compare_all(&lost.keys.root_token, &lost.secrets)?;
    rebuilt.restart()?;
    rebuilt.wait_for_health(&[200]).context("nobody has unsealed it by hand")?;
    rebuilt.compare_all(&lost.keys.root_token, &lost.secrets)
}

fn without_the_key(world: &World) -> Result<()> {
    let service = Service::new(world)?;
    let lost = service.lost(world)?;
    let (rebuilt, keys) = service.unseals("rebuilt", "another")?;
    let token = rebuilt.backup_token(&keys.root_token)?;
    let scene = Scene::at(world, &rebuilt.address(), &token, &keys)?;
    scene.manifests.local_repository(&lost.scene.repository(), PASSWORD)?;
    let force = "        value: \"true\"\n";
    let patience = format!("{force}      - name: waitTimeout\n        value: \"20\"\n");
    scene.edit("restoresession.yaml", force, &patience)?;
    let outcome = scene.restore(&[])?;
    let words = ["transit should unseal it", "only with the key of the Vault that was backed up"];
    assert_failure(&outcome, 1, &words)?;
    rebuilt.wait_for_health(&[503])
}
