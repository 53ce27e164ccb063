//! What is used: by tag, by digest, without its registry, and on the other side of an air gap.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sealift_e2e::registry::Registry;
use serde_json::{Value, json};

use super::{Stage, Start, distribution, text};
use crate::scene::assert_failure;
use crate::world::World;

pub fn runs(world: &World, start: Start) -> Result<()> {
    let mut stage = Stage::new(world, start)?;
    stage.keys("acme")?;
    let (file, to) = (stage.path("one.wasm"), stage.at("0.1.0"));
    let (key, password) = (stage.path("acme.key"), stage.path("password"));
    let sign = ["--sign-key", key.as_str(), "--password-file", password.as_str()];
    let pushed = stage.succeed(&[&["push", file.as_str(), to.as_str()][..], &sign[..]].concat())?;
    let pinned = text(&pushed, "reference")?;
    let component = text(&pushed, "component")?;
    ensure!(pinned.starts_with(&format!("{}/acme/export@sha256:", stage.registry.host())));

    let policy = stage.policy(&stage.registry.host(), "*")?;
    let with = ["--policy", policy.as_str()];
    let planned = stage.planned(&to, &policy)?;
    ensure!(planned == (pinned.clone(), component.clone()), "{planned:?}");
    let outcome = stage.on("validate", &to, &with)?;
    ensure!(outcome.code == Some(0), "not valid: {}", outcome.text());

    // By its tag, and what was run stands in the snapshot.
    let outcome = stage.on("run", &to, &with)?;
    ensure!(outcome.code == Some(0), "the run by its tag failed: {}", outcome.text());
    let repository = stage.scene.manifests.path("repository.yaml");
    let repository = repository.to_string_lossy();
    let shown = ["snapshots", "-f", &*repository, "--output", "json"];
    let snapshots = stage.scene.sealift.succeed(&shown)?.json()?;
    let made_by: Value = serde_json::from_str(&text(&snapshots[0], "description")?)?;
    ensure!(made_by[0]["component"] == json!(pinned), "{made_by}");
    ensure!(made_by[0]["digest"] == json!(component), "{made_by}");

    // With the registry gone: what was pulled by digest is there, what a tag is now nobody knows.
    stage.registry = distribution(stage.folder.path())?;
    let outcome = stage.on("run", &pinned, &with)?;
    ensure!(outcome.code == Some(0), "the run without a registry failed: {}", outcome.text());
    ensure!(stage.scene.snapshot_files()? == 2, "there are not two snapshots");
    stage.scene.restic()?.check()?;
    let outcome = stage.on("run", &to, &with)?;
    assert_failure(&outcome, 1, &["failed to resolve", &to, "is not reached"])
}

pub fn moved(world: &World, start: Start) -> Result<()> {
    let stage = Stage::new(world, start)?;
    stage.keys("acme")?;
    let (to, policy) = (stage.at("1"), stage.policy(&stage.registry.host(), "*")?);
    let one = stage.push("one", "1")?;
    stage.sign(&to, "acme")?;
    let pinned = text(&one, "reference")?;
    ensure!(stage.planned(&to, &policy)?.0 == pinned, "the plan names something else");
    let two = stage.push("two", "1")?;
    ensure!(one["component"] != two["component"], "they are one component");
    // What was signed is not what the tag leads to now.
    let outcome = stage.on("plan", &to, &["--policy", &policy])?;
    assert_failure(&outcome, 2, &[&text(&two, "reference")?, "is not signed"])?;
    stage.sign(&to, "acme")?;
    let now = stage.planned(&to, &policy)?;
    ensure!(now == (text(&two, "reference")?, text(&two, "component")?), "{now:?}");
    let then = stage.planned(&pinned, &policy)?;
    ensure!(then == (pinned, text(&one, "component")?), "{then:?}");
    // A digest goes before a tag that stands beside it.
    let both = format!("{to}@{}", text(&one, "manifest")?);
    ensure!(stage.planned(&both, &policy)? == then, "the tag was followed");
    let outcome = stage.on("run", &both, &["--policy", &policy])?;
    ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());
    Ok(())
}

pub fn carried(world: &World) -> Result<()> {
    let stage = Stage::new(world, distribution)?;
    stage.keys("acme")?;
    for name in ["one", "two"] {
        stage.push(name, name)?;
        stage.sign(&stage.at(name), "acme")?;
    }
    let file = stage.path("functions.tar");
    let saved = stage.succeed(&["save", &stage.at("one"), &stage.at("two"), "--to", &file])?;
    ensure!(saved[0]["signatures"] == 1 && saved[1]["signatures"] == 1, "{saved}");

    let there = Registry::referrers(stage.folder.path())?;
    let to = format!("{}/carried", there.host());
    let loaded = stage.succeed(&["load", &file, "--to", &to])?;
    let image = format!("{to}/acme/export:two");
    ensure!(loaded[1]["to"] == json!(image) && loaded[1]["signatures"] == 1, "{loaded}");
    ensure!(loaded[1]["manifest"] == saved[1]["manifest"], "{loaded}");
    let public = stage.path("acme.pub");
    stage.succeed(&["verify", &image, "--key", &public])?;
    let policy = stage.policy(&to, "*")?;
    let outcome = stage.on("run", &image, &["--policy", &policy])?;
    ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());

    // Half a file, none of ours, and a place that is none.
    let bytes = fs::read(&file)?;
    let half = stage.path("half.tar");
    fs::write(&half, bytes.get(..bytes.len() / 2).context("an empty file")?)?;
    assert_failure(&stage.verb(&["load", &half, "--to", &to])?, 2, &["half.tar"])?;
    let one = stage.path("one.wasm");
    assert_failure(&stage.verb(&["load", &one, "--to", &to])?, 2, &["one.wasm"])?;
    assert_failure(&stage.verb(&["load", &file, "--to", "nowhere"])?, 2, &["--to", "nowhere"])?;
    let none = stage.path("none.tar");
    let missing = stage.verb(&["save", &stage.at("three"), "--to", &none])?;
    assert_failure(&missing, 1, &["three", "not found"])?;
    ensure!(!Path::new(&none).is_file(), "a file was left behind");
    Ok(())
}
