//! What we push oras and crane read, what they push we pull: on both registries.

use std::fs;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use libtest_mimic::Trial;
use sealift_e2e::oci::Tool;
use sealift_registry::artifact::{ArtifactError, CONFIG, LAYER};
use sealift_registry::pull::PullError;
use sealift_registry::{Digest, Policy, Reference, push};

use crate::world::{Component, Which, World, client, pinned, pulled, trial};

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for which in Which::BOTH {
        let name = |row: &str| format!("exchange::{}::{row}", which.name());
        trials.extend([
            trial(world, name("what_we_push_others_read"), move |world| ours(world, which)),
            trial(world, name("pushing_again_changes_nothing"), move |world| again(world, which)),
            trial(world, name("what_oras_pushes_we_pull"), move |world| of_oras(world, which)),
            trial(world, name("a_bare_file_of_oras_is_pulled_with_a_note"), move |world| {
                bare(world, which)
            }),
            trial(world, name("what_crane_carries_is_the_same"), move |world| copied(world, which)),
            trial(world, name("an_image_is_refused_by_name"), move |world| image(world, which)),
            trial(world, name("an_index_is_refused_by_name"), move |world| index(world, which)),
            trial(world, name("tags_are_listed"), move |world| tags(world, which)),
            trial(world, name("what_is_not_there_is_not_found"), move |world| {
                missing(world, which)
            }),
        ]);
    }
    trials
}

async fn ours(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let folder = world.folder()?;
    let (oras, crane) = (Tool::oras(folder.path())?, Tool::crane(folder.path())?);
    let (reference, here) = (place.to_string(), folder.path());
    let digest = component.artifact.digest;

    let told = crane.text(here, &["digest", &reference])?;
    ensure!(told == digest.to_string(), "crane says {told}");
    for read in [
        crane.run(here, &["manifest", &reference])?,
        oras.run(here, &["manifest", "fetch", "--plain-http", &reference])?,
    ] {
        // oras ends what it prints with a line break, and crane too.
        ensure!(read.trim_ascii_end() == component.artifact.manifest, "another manifest");
    }
    let layer = pinned(&place, component.artifact.component.digest);
    ensure!(crane.run(here, &["blob", &layer])? == component.wasm, "crane reads another layer");
    let config = pinned(&place, Digest::of(&component.artifact.config));
    ensure!(
        oras.run(here, &["blob", "fetch", "--plain-http", "--output", "-", &config])?
            == component.artifact.config,
        "oras reads another config"
    );
    oras.run(here, &["pull", "--plain-http", &reference])?;
    ensure!(fs::read(here.join("export.wasm"))? == component.wasm, "oras wrote another file");
    Ok(())
}

async fn again(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let digest = push(&client()?, &place, &component.artifact, component.wasm.clone()).await?;
    ensure!(digest == component.artifact.digest, "another digest");
    // Under its digest alone, too, where there is no tag.
    let bare: Reference = place.place().parse()?;
    let digest = push(&client()?, &bare, &component.artifact, component.wasm.clone()).await?;
    let (found, bytes) = pulled(&client()?, &bare.pinned(digest), &Policy::of_everything()).await?;
    ensure!(bytes == component.wasm && found.manifest == digest, "another component");
    Ok(())
}

async fn of_oras(world: Arc<World>, which: Which) -> Result<()> {
    let place = world.place(which, "1")?;
    let component = Component::new(7);
    let folder = world.folder()?;
    let (oras, here) = (Tool::oras(folder.path())?, folder.path());
    fs::write(here.join("config.json"), &component.artifact.config)?;
    fs::write(here.join("export.wasm"), &component.wasm)?;
    oras.run(
        here,
        &[
            "push",
            "--plain-http",
            "--config",
            &format!("config.json:{CONFIG}"),
            &place.to_string(),
            &format!("export.wasm:{LAYER}"),
        ],
    )?;
    let (found, bytes) = pulled(&client()?, &place, &Policy::of_everything()).await?;
    ensure!(bytes == component.wasm, "other bytes");
    ensure!(found.component == component.artifact.component.digest, "another digest");
    ensure!(found.notes.is_empty(), "{:?}", found.notes);
    let told = Tool::crane(here)?.text(here, &["digest", &place.to_string()])?;
    ensure!(found.manifest.to_string() == told, "crane says {told}");
    Ok(())
}

async fn bare(world: Arc<World>, which: Which) -> Result<()> {
    let place = world.place(which, "1")?;
    let component = Component::new(8);
    let folder = world.folder()?;
    let here = folder.path();
    fs::write(here.join("export.wasm"), &component.wasm)?;
    let file = format!("export.wasm:{LAYER}");
    Tool::oras(here)?.run(here, &["push", "--plain-http", &place.to_string(), &file])?;
    let (found, bytes) = pulled(&client()?, &place, &Policy::of_everything()).await?;
    ensure!(bytes == component.wasm, "other bytes");
    ensure!(found.notes.len() == 1 && found.descriptor.is_none(), "{found:?}");
    Ok(())
}

async fn copied(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    let there = world.place(which.other(), "2")?;
    let folder = world.folder()?;
    let crane = Tool::crane(folder.path())?;
    crane.run(folder.path(), &["copy", &place.to_string(), &there.to_string()])?;
    let (found, bytes) = pulled(&client()?, &there, &Policy::of_everything()).await?;
    ensure!(bytes == component.wasm && found.manifest == component.artifact.digest, "{found:?}");
    ensure!(found.descriptor.as_deref() == Some(r#"{"name":"export","version":"0.1.0"}"#));
    Ok(())
}

async fn image(world: Arc<World>, which: Which) -> Result<()> {
    let place = world.place(which, "1")?;
    let folder = world.folder()?;
    let here = folder.path();
    pushed_image(here, &place)?;
    match pulled(&client()?, &place, &Policy::of_everything()).await {
        Err(PullError::Artifact { source: ArtifactError::Image, .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}

/// A container image with one layer, as crane makes it.
fn pushed_image(here: &std::path::Path, place: &Reference) -> Result<()> {
    let mut tar = tar::Builder::new(fs::File::create(here.join("layer.tar"))?);
    let mut header = tar::Header::new_ustar();
    header.set_size(5);
    header.set_mode(0o644);
    tar.append_data(&mut header, "export.wasm", &b"bytes"[..])?;
    tar.finish()?;
    let crane = Tool::crane(here)?;
    crane.run(here, &["append", "-f", "layer.tar", "-t", &place.to_string()])?;
    Ok(())
}

async fn index(world: Arc<World>, which: Which) -> Result<()> {
    let (place, _) = world.pushed(which).await?;
    let folder = world.folder()?;
    let list = place.tagged("list")?;
    Tool::oras(folder.path())?.run(
        folder.path(),
        &["manifest", "index", "create", "--plain-http", &list.to_string(), "1"],
    )?;
    match pulled(&client()?, &list, &Policy::of_everything()).await {
        Err(PullError::Artifact { source: ArtifactError::Index, .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}

async fn tags(world: Arc<World>, which: Which) -> Result<()> {
    let (place, component) = world.pushed(which).await?;
    for tag in ["0.2.0", "latest"] {
        let tagged = place.tagged(tag)?;
        push(&client()?, &tagged, &component.artifact, component.wasm.clone()).await?;
    }
    let tags = client()?.tags(&place).await?;
    ensure!(tags == ["0.2.0", "1", "latest"], "{tags:?}");
    Ok(())
}

async fn missing(world: Arc<World>, which: Which) -> Result<()> {
    let (place, _) = world.pushed(which).await?;
    for reference in [
        place.tagged("none")?,
        place.pinned(Digest::of(b"none")),
        format!("{}-none:1", place.place()).parse()?,
    ] {
        match pulled(&client()?, &reference, &Policy::of_everything()).await {
            Err(PullError::Wire { source, .. }) if source.is_not_found() => {}
            other => bail!("{reference}: {other:?}"),
        }
    }
    Ok(())
}
