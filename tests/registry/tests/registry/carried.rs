//! Over an air gap: saved from one registry, loaded into the other, and still signed.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use jiff::Timestamp;
use libtest_mimic::Trial;
use sealift_e2e::oci::Tool;
use sealift_registry::layout::{LayoutError, load, save};
use sealift_registry::signature::sign;

use crate::world::{Which, World, client, has_cosign, key_files, pinned, pulled, trial, trusting};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for which in Which::BOTH {
        let name = |row: &str| format!("carried::{}::{row}", which.name());
        trials.push(trial(world, name("a_component_and_its_signatures_arrive"), move |world| {
            arrives(world, which)
        }));
    }
    trials.push(trial(world, "carried::a_changed_file_is_refused", changed));
    trials
}

async fn arrives(world: Arc<World>, which: Which) -> Result<()> {
    let (first, one) = world.pushed(which).await?;
    let (second, two) = world.pushed(which).await?;
    let folder = world.folder()?;
    let here = folder.path();
    let acme = key_files(here, "acme")?;
    for place in [&first, &second] {
        sign(&client()?, place, &acme, Timestamp::UNIX_EPOCH).await?;
    }
    let file = here.join("functions.tar");
    let references = [first.clone(), second.pinned(two.artifact.digest)];
    let saved = save(&client()?, &references, fs::File::create(&file)?).await?;
    ensure!(saved.iter().all(|saved| saved.referrers == 1), "{saved:?}");
    // The same components make the same file.
    let mut again = Vec::new();
    save(&client()?, &references, &mut again).await?;
    ensure!(fs::read(&file)? == again, "another file");

    let there = world.registry(which.other())?.host();
    let loaded = load(&client()?, &file, &format!("{there}/carried")).await?;
    ensure!(loaded.len() == 2 && loaded.iter().all(|loaded| loaded.referrers == 1), "{loaded:?}");
    for (loaded, component) in loaded.iter().zip([&one, &two]) {
        ensure!(loaded.to.place().starts_with(&format!("{there}/carried/acme/")), "{loaded:?}");
        let (found, bytes) =
            pulled(&client()?, &loaded.to, &trusting("acme", acme.public())).await?;
        ensure!(bytes == component.wasm && found.manifest == component.artifact.digest);
        if has_cosign() {
            let reference = pinned(&loaded.to, found.manifest);
            Tool::cosign(here)?.run(
                here,
                &["verify", "--insecure-ignore-tlog=true", "--key", "acme.pub", &reference],
            )?;
        }
    }
    Ok(())
}

async fn changed(world: Arc<World>) -> Result<()> {
    let (place, component) = world.pushed(Which::Referrers).await?;
    let folder = world.folder()?;
    let file = folder.path().join("functions.tar");
    save(&client()?, &[place], fs::File::create(&file)?).await?;
    let mut bytes = fs::read(&file)?;
    let part = component.wasm.slice(1000..1064);
    let at = bytes.windows(part.len()).position(|window| window == part);
    let Some(at) = at else { bail!("the component is not in the file") };
    bytes[at] ^= 1;
    fs::write(&file, &bytes)?;
    let there = world.place(Which::Distribution, "1")?;
    match load(&client()?, &file, &there.place()).await {
        Err(LayoutError::Read { source, .. }) => {
            ensure!(source.kind() == std::io::ErrorKind::InvalidData, "{source:?}");
        }
        other => bail!("{other:?}"),
    }
    // Cut in the middle, and no layout at all.
    let half = bytes.len() / 2;
    fs::write(&file, &bytes[..half])?;
    ensure!(load(&client()?, &file, &there.place()).await.is_err(), "half a file was loaded");
    fs::write(&file, b"something else")?;
    ensure!(load(&client()?, &file, &there.place()).await.is_err(), "anything is loaded");
    Ok(())
}
