//! A lost Vault comes back in another one of three nodes, by what the restore tells its reader to
//! do and nothing else.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::secrets::read_keys;
use sealift_e2e::vault::{Keys, some_secrets};
use sealift_e2e::vault_cluster::VaultCluster;

use crate::round_trip::empty_vault;
use crate::scene::{PASSWORD, Scene};
use crate::world::{World, trial, vault_binary};

/// How many secrets the lost Vault had, and the size of each in bytes.
const SECRETS: (usize, usize) = (40, 500);

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(
        world,
        "disaster::a_lost_vault_comes_back_in_another_one_of_three_nodes",
        comes_back,
    )]
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

fn comes_back(world: &World) -> Result<()> {
    let lost = Lost::new(world)?;
    let folder = world.folder()?;
    let mut rebuilt = VaultCluster::start(&vault_binary()?, folder.path(), 3)?;
    let leader = rebuilt.node(rebuilt.leader()?)?;
    let token = leader.backup_token(&rebuilt.keys.root_token)?;
    let scene = Scene::at(world, &leader.address(), &token, &rebuilt.keys)?;
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

    rebuilt.restart()?;
    rebuilt.unseal(keys).context("as the restore told to")?;
    rebuilt.compare_all(&lost.keys.root_token, &lost.secrets)
}
