//! Artifacts whose size nobody knows beforehand: stored by way of the interim volume, and
//! refused without one, before anything runs where the component's descriptor tells it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use serde_json::json;
use wasm_encoder::{ComponentSection, CustomSection};

use crate::bad_input::function;
use crate::scene::{Scene, borrowed};
use crate::world::{World, trial};

const GUEST: &str = "source-goes-wrong";
/// More than is kept in memory.
const SIZE: u32 = 3_000_000;

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let name = |row: &str| format!("unknown_size::{row}");
    vec![
        trial(world, name("is_stored_by_way_of_the_interim_volume"), stored),
        trial(world, name("is_refused_at_the_artifact_without_one"), refused),
        trial(world, name("is_refused_before_anything_runs_if_the_descriptor_says_so"), told),
        trial(world, name("may_not_be_larger_than_the_interim_volume"), too_large),
    ]
}

/// A backup of the guest, which sends one artifact without a size.
struct Stage {
    scene: Scene,
    arguments: Vec<String>,
}

impl Stage {
    /// `template` is the storage the interim volume asks for; `told` puts it into the descriptor.
    fn new(world: &World, template: Option<&str>, told: bool) -> Result<Self> {
        let scene = Scene::new(world, world.small()?)?;
        let component = scene.manifests.path("unknown-size.wasm");
        fs::write(&component, described(told)?)?;
        let manifests = function(
            &scene,
            &format!(
                "image: file:{}\n  args: [--mode=unknown-size, --size={SIZE}, --chunk=65536]",
                component.display()
            ),
        )?;
        if let Some(storage) = template {
            scene.edit(
                "backupconfiguration.yaml",
                "\nspec:\n",
                &format!(
                    "\nspec:\n  interimVolumeTemplate:\n    metadata:\n      name: interim\n    \
                     spec:\n      accessModes: [ReadWriteOnce]\n      resources:\n        \
                     requests:\n          storage: {storage}\n"
                ),
            )?;
        }
        fs::create_dir(scene.manifests.path("interim"))?;
        let interim = scene.manifests.path("interim").to_string_lossy().into_owned();
        let mut arguments =
            scene.arguments("run", "backupconfiguration.yaml", &["--interim-dir", &interim]);
        for manifest in manifests {
            arguments.extend(["-f".to_owned(), manifest]);
        }
        Ok(Self { scene, arguments })
    }

    /// Runs it; whatever happens, nothing may be left in the interim folder.
    fn run(&self) -> Result<sealift_e2e::sealift::Outcome> {
        let outcome = self.scene.sealift.run(&borrowed(&self.arguments))?;
        let left = entries(&self.scene.manifests.path("interim"))?;
        ensure!(left == 0, "{left} entries are left in the interim folder: {}", outcome.text());
        Ok(outcome)
    }
}

fn entries(folder: &Path) -> Result<usize> {
    Ok(fs::read_dir(folder).with_context(|| format!("failed to read {folder:?}"))?.count())
}

fn described(told: bool) -> Result<Vec<u8>> {
    let mut component = fs::read(binaries::guest(GUEST)?)?;
    let descriptor = json!({
        "name": GUEST, "version": "0.1.0", "summary": "for tests", "kind": "source",
        "contract": "0.1.0", "requests": {}, "unknownSize": told,
        "parameters": {"type": "object", "properties": {
            "mode": {"type": "string"}, "size": {"type": "integer"}, "chunk": {"type": "integer"},
        }},
    });
    let data = serde_json::to_vec(&descriptor)?;
    CustomSection { name: "sealift:function".into(), data: data.as_slice().into() }
        .append_to_component(&mut component);
    Ok(component)
}

fn stored(world: &World) -> Result<()> {
    let stage = Stage::new(world, Some("16Mi"), true)?;
    let outcome = stage.run()?;
    ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());
    let restic = stage.scene.restic()?;
    let snapshots = restic.snapshots()?;
    let id = snapshots[0]["id"].as_str().context("a snapshot without id")?;
    ensure!(restic.files(id)? == ["/stash-interim-volume/data/artifact"]);
    let expected: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
    let found = restic.dump(id, "/stash-interim-volume/data/artifact")?;
    ensure!(found == expected, "other bytes were stored");
    restic.check()
}

fn refused(world: &World) -> Result<()> {
    let stage = Stage::new(world, None, false)?;
    let outcome = stage.run()?;
    stage.scene.assert_failed(&outcome, 1, &["artifact", "size", "interimVolumeTemplate"])
}

fn told(world: &World) -> Result<()> {
    let stage = Stage::new(world, None, true)?;
    let outcome = stage.run()?;
    let words = ["vault-backup", "spec.interimVolumeTemplate", "my-source", "help:"];
    stage.scene.assert_failed(&outcome, 2, &words)?;
    ensure!(!stage.scene.repository().is_dir(), "a repository was made");
    Ok(())
}

fn too_large(world: &World) -> Result<()> {
    let stage = Stage::new(world, Some("2Mi"), true)?;
    let outcome = stage.run()?;
    stage.scene.assert_failed(&outcome, 1, &["artifact", "2097152", "requests.storage"])
}
