//! What is not used: nobody trusted has signed it, its bytes are others, or it is none.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sealift_e2e::oci::Tool;

use super::{Stage, Start, distribution, text};
use crate::scene::assert_failure;
use crate::world::World;

pub fn distrusted(world: &World, start: Start) -> Result<()> {
    let stage = Stage::new(world, start)?;
    stage.keys("acme")?;
    stage.keys("stranger")?;
    let to = stage.at("1");
    let pinned = text(&stage.push("one", "1")?, "reference")?;
    let host = stage.registry.host();
    let policy = stage.policy(&host, "*")?;
    let with = ["--policy", policy.as_str()];
    let public = stage.path("acme.pub");
    let out = stage.path("pulled.wasm");

    // Nobody said anything about it.
    stage.assert_refused(&to, &[], 2, &["matched by no entry", "nothing was asked", "--policy"])?;
    // Nobody has signed it.
    stage.assert_refused(&to, &with, 2, &[&pinned, "is not signed"])?;
    assert_failure(&stage.verb(&["verify", &to, "--key", &public])?, 4, &["is not signed"])?;
    // A stranger has.
    stage.sign(&pinned, "stranger")?;
    stage.assert_refused(&to, &with, 2, &["1 signature", "none that is trusted", "unknown key"])?;
    for verb in [&["verify", &to][..], &["pull", &to, "--out", &out]] {
        let told = stage.verb(&[verb, &["--key", &public]].concat())?;
        assert_failure(&told, 4, &[&pinned, "none that is trusted", "sealift function sign"])?;
        assert_failure(&stage.verb(verb)?, 2, &["--key", "--policy"])?;
    }
    ensure!(!Path::new(&out).is_file(), "a file was written");

    // acme has as well. The policy says where such a Function may be used.
    stage.sign(&to, "acme")?;
    let verified = stage.succeed(&["verify", &to, "--key", &public])?;
    ensure!(verified["signer"]["key"]["name"] == "acme.pub", "{verified}");
    let elsewhere = stage.policy(&host, "other")?;
    stage.assert_refused(&to, &["--policy", &elsewhere], 2, &["namespace other only"])?;
    let policy = stage.policy(&host, "*")?;
    let outcome = stage.on("run", &to, &["--policy", &policy])?;
    ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());
    stage.succeed(&["pull", &to, "--out", &out, "--policy", &policy])?;
    ensure!(fs::read(&out)? == fs::read(stage.path("one.wasm"))?, "another file was written");
    Ok(())
}

pub fn tampered(world: &World) -> Result<()> {
    let stage = Stage::new(world, distribution)?;
    stage.keys("acme")?;
    let pushed = stage.push("one", "1")?;
    let (to, pinned) = (stage.at("1"), text(&pushed, "reference")?);
    stage.sign(&to, "acme")?;
    let policy = stage.policy(&stage.registry.host(), "*")?;
    let with = ["--policy", policy.as_str()];

    let other = format!("{}/acme/export@sha256:{}", stage.registry.host(), "0".repeat(64));
    stage.assert_refused(&other, &with, 2, &["is not signed"])?;
    let short = format!("{}/acme/export@sha256:00", stage.registry.host());
    stage.assert_refused(&short, &with, 2, &["no reference", "digest"])?;

    let component = text(&pushed, "component")?;
    let hex = component.strip_prefix("sha256:").context("another digest")?;
    let file = stage.registry.blob_file(hex);
    let mut bytes = fs::read(&file)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, &bytes)?;
    stage.assert_refused(&pinned, &with, 2, &[&component, "was asked for, and bytes of"])?;
    let out = stage.path("pulled.wasm");
    let pulled = stage.verb(&["pull", &to, "--out", &out, "--insecure-unsigned"])?;
    assert_failure(&pulled, 1, &[&component, "was asked for, and bytes of"])?;
    ensure!(!Path::new(&out).is_file(), "a file was written");
    Ok(())
}

pub fn of_others(world: &World) -> Result<()> {
    let stage = Stage::new(world, distribution)?;
    let here = stage.folder.path();
    let (oras, crane) = (Tool::oras(here)?, Tool::crane(here)?);
    let policy = stage.path("policy.yaml");
    let host = stage.registry.host();
    fs::write(&policy, format!("policies: [{{images: [\"{host}/**\"], signature: none}}]"))?;
    let with = ["--policy", policy.as_str()];
    let push = |tag: &str, more: &[&str], file: &str| {
        let (to, file) = (stage.at(tag), format!("{file}:application/wasm"));
        oras.run(here, &[&["push", "--plain-http"][..], more, &[&*to, &*file]].concat())
    };

    let mut tar = tar::Builder::new(fs::File::create(here.join("layer.tar"))?);
    let mut header = tar::Header::new_ustar();
    header.set_size(5);
    header.set_mode(0o644);
    tar.append_data(&mut header, "export.wasm", &b"bytes"[..])?;
    tar.finish()?;
    crane.run(here, &["append", "-f", "layer.tar", "-t", &stage.at("image")])?;
    let words = ["@sha256:", "is a container image, not a component"];
    stage.assert_refused(&stage.at("image"), &with, 2, &words)?;

    fs::write(here.join("none.wasm"), b"this is no component")?;
    push("none", &[], "none.wasm")?;
    stage.assert_refused(&stage.at("none"), &with, 2, &["not a WebAssembly component"])?;
    let other = "sealift.dev/descriptor={\"name\":\"another\"}";
    push("other", &["--annotation", other], "one.wasm")?;
    stage.assert_refused(
        &stage.at("other"),
        &with,
        2,
        &["sealift.dev/descriptor", "push it again"],
    )?;

    // What nobody has said anything about is the component it is.
    push("bare", &[], "one.wasm")?;
    let told = stage.on("plan", &stage.at("bare"), &with)?;
    ensure!(told.code == Some(0), "there is no plan: {}", told.text());
    for note in ["it has no config of a component", "nobody who is trusted has signed it"] {
        ensure!(told.stdout.contains(note), "{}", told.stdout);
    }
    let outcome = stage.on("run", &stage.at("bare"), &with)?;
    ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());
    Ok(())
}
