//! Pipes are bounded: the memory of a run does not grow with the data that goes through it.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::supply::Supply;

use crate::bad_input::function;
use crate::guests::described;
use crate::scene::{Scene, borrowed};
use crate::world::{World, trial};

/// Mebibytes that go through in the two runs that are compared, and in those of the full tier.
const SIZES: (u64, u64) = (96, 512);
const FULL_SIZES: (u64, u64) = (256, 4096);

/// What a run may need, in MiB, and how much more of it with much more data.
const MOST: u64 = 220;
const GROWTH: u64 = 40;

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial(world, "memory::does_not_grow_with_the_data", flat)]
}

fn flat(world: &World) -> Result<()> {
    let full = std::env::var("SEALIFT_TEST_TIER").is_ok_and(|tier| tier == "full");
    let (little, much) = if full { FULL_SIZES } else { SIZES };
    let supply = Supply::start()?;
    let (first, second) = (peak(world, &supply, little)?, peak(world, &supply, much)?);
    eprintln!("peak memory: {first} MiB for {little} MiB of data, {second} MiB for {much} MiB");
    ensure!(first.max(second) <= MOST, "{first} and {second} MiB are more than {MOST} MiB");
    ensure!(second <= first + GROWTH, "memory grew from {first} to {second} MiB with the data");
    Ok(())
}

/// The peak memory in MiB of a backup of `mebibytes`.
fn peak(world: &World, supply: &Supply, mebibytes: u64) -> Result<u64> {
    let small = world.small()?;
    let scene = Scene::at(world, &supply.address(), &small.token, &small.keys)?;
    // restic's own chunks of 1 MiB: this is not the data of a Vault.
    scene.restic()?.init()?;
    let component = scene.manifests.path("source-downloads.wasm");
    fs::write(&component, described("source-downloads")?)?;
    let length = mebibytes << 20;
    let manifests = function(
        &scene,
        &format!(
            "image: file:{}\n  args: [\"--mode=forwards\", \"--host=target\", \"--path=/{length}\"]\n  \
             permissions: {{http: [{{name: target, methods: [GET], paths: [\"/*\"]}}]}}",
            component.display()
        ),
    )?;
    let mut arguments = scene.arguments("run", "backupconfiguration.yaml", &[]);
    for manifest in manifests {
        arguments.extend(["-f".to_owned(), manifest]);
    }
    let outcome = scene.sealift.run(&borrowed(&arguments))?;
    ensure!(outcome.code == Some(0), "the backup failed: {}", outcome.text());
    let restic = scene.restic()?;
    let size = restic.snapshots()?[0]["summary"]["total_bytes_processed"].as_u64();
    ensure!(size == Some(length), "the snapshot has {size:?} bytes instead of {length}");
    eprintln!("{mebibytes} MiB in {:.1} s", outcome.duration.as_secs_f64());
    Ok(outcome.peak_memory_kib >> 10)
}
