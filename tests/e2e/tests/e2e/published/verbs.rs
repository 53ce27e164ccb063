//! What the verbs say and take: settings, credentials, keys, descriptors, lists.

use std::fs;

use anyhow::{Context, Result, ensure};
use sealift_e2e::binaries;
use sealift_e2e::manifests::filled;
use sealift_e2e::oci::{PASSWORD, Tool};
use sealift_e2e::registry::{Options, Registry};
use serde_json::json;

use super::{Stage, distribution, indented, text};
use crate::scene::assert_failure;
use crate::world::{World, certificate};

/// [`PASSWORD`] as a registry keeps it.
const HASH: &str = "$2b$04$6mna.jzVnGtW7oCtKaNicuNbdLe5bdRAuaQwAseRBzZH0avCqGEgG";

pub fn settings(world: &World) -> Result<()> {
    let stage = Stage::new(world, distribution)?;
    let folder = world.folder()?;
    let (tls, authority) = certificate(folder.path())?;
    let users = folder.path().join("users");
    fs::write(&users, format!("publisher:{HASH}\n"))?;
    let options = Options { users: Some(users), tls: Some((tls.certificate, tls.key)) };
    let registry = Registry::distribution(folder.path(), &options)?;
    let host = format!("localhost:{}", registry.port());
    let (file, to) = (stage.path("one.wasm"), format!("{host}/acme/export:1"));
    let push = ["push", file.as_str(), to.as_str()];
    // Nothing said: a registry of this machine is asked by plain HTTP, which this one is not.
    assert_failure(&stage.verb(&push)?, 1, &[&host, "400"])?;

    let path = stage.path("registries.yaml");
    let with = [&push[..], &["--registries", &path]].concat();
    fs::write(&path, format!("registries:\n- host: {host}\n  loopback: true\n"))?;
    assert_failure(&stage.verb(&with)?, 1, &[&host, "certificate", "`ca`"])?;
    let values = [("REGISTRY", host.as_str()), ("CA", &indented(&authority, 6))];
    fs::write(&path, filled("registries", "registries.yaml", &values)?)?;
    assert_failure(&stage.verb(&with)?, 1, &[&host, "denied", "no credentials"])?;
    let docker = |password: &str| {
        let auths = json!({"auths": {&host: {"username": "publisher", "password": password}}});
        fs::write(stage.path("config.json"), auths.to_string())
    };
    docker("wrong")?;
    assert_failure(&stage.verb(&with)?, 1, &[&host, "denied", "do not allow"])?;
    docker(PASSWORD)?;
    let pushed = stage.verb(&with)?;
    ensure!(pushed.code == Some(0), "it was not published: {}", pushed.text());
    let shown = stage.verb(&["inspect", &to, "--registries", &path])?;
    ensure!(shown.code == Some(0), "it is not shown: {}", shown.text());
    ensure!(shown.stdout.contains(&format!("lies at      {host}/acme/export@sha256:")));

    fs::write(&path, "registries:\n- host: a.io\n  plainHTTP: true\n")?;
    assert_failure(&stage.verb(&with)?, 2, &["registries.yaml", "plainHTTP"])?;
    let missing = stage.path("missing.yaml");
    let with = [&push[..], &["--registries", &missing]].concat();
    assert_failure(&stage.verb(&with)?, 2, &["missing.yaml"])
}

pub fn unpublishable(world: &World) -> Result<()> {
    let stage = Stage::new(world, Registry::referrers)?;
    let (one, to) = (stage.path("one.wasm"), stage.at("1"));
    let none = stage.path("none.wasm");
    fs::write(&none, b"this is no component")?;
    assert_failure(&stage.verb(&["push", &none, &to])?, 2, &["not a WebAssembly component"])?;
    // A descriptor that no cluster takes.
    let bytes = fs::read(&one)?;
    let at = find(&bytes, br#""version":"0.1.0""#).context("no version")?;
    let mut wrong = bytes.clone();
    wrong[at..at + 17].copy_from_slice(br#""version":"first""#);
    fs::write(&none, &wrong)?;
    assert_failure(
        &stage.verb(&["push", &none, &to])?,
        2,
        &["version", "\"first\" is no version"],
    )?;
    // A place that is none, and a key whose password is another: nothing was sent.
    for place in ["acme/export:1", "LOCALHOST/x:1", "localhost:1/acme/export:a b"] {
        assert_failure(&stage.verb(&["push", &one, place])?, 2, &[])?;
    }
    stage.keys("acme")?;
    let (key, password) = (stage.path("acme.key"), stage.path("wrong"));
    fs::write(&password, "another password")?;
    let signed = ["push", one.as_str(), &to, "--sign-key", &key, "--password-file", &password];
    assert_failure(&stage.verb(&signed)?, 2, &["acme.key", "password is wrong"])?;
    assert_failure(&stage.verb(&signed[..5])?, 2, &["--password-file", "COSIGN_PASSWORD"])?;
    let repository = to.trim_end_matches(":1");
    assert_failure(&stage.verb(&["list", repository])?, 1, &["not found"])?;
    // A key that is there is not replaced.
    let (folder, password) = (stage.path(""), stage.path("password"));
    let again = ["keys", "acme", "--out", folder.as_str(), "--password-file", &password];
    assert_failure(&stage.verb(&again)?, 2, &["acme.pub"])
}

/// A row of the full tier, where cosign is built.
pub fn with_cosign(world: &World) -> Result<()> {
    let stage = Stage::new(world, Registry::referrers)?;
    let here = stage.folder.path();
    let cosign = Tool::cosign(here)?;
    cosign.run(here, &["generate-key-pair"])?;
    stage.keys("acme")?;
    let verified = |key: &str, reference: &str| -> Result<bool> {
        let verify = ["verify", "--insecure-ignore-tlog=true", "--key", key, reference];
        Ok(cosign.output(here, &verify)?.status.success())
    };
    // With the keys of either, by the verbs.
    for (tag, component, key) in [("1", "one", "acme"), ("2", "two", "cosign")] {
        let pinned = text(&stage.push(component, tag)?, "reference")?;
        let public = format!("{key}.pub");
        ensure!(!verified(&public, &pinned)?, "verified before it was signed");
        stage.sign(&stage.at(tag), key)?;
        ensure!(verified(&public, &pinned)?, "cosign does not verify what {key} signed");
    }
    // By cosign, with a key of the verbs.
    let reference = text(&stage.push("two", "3")?, "reference")?;
    let sign = ["sign", "--yes", "--tlog-upload=false", "--use-signing-config=false"];
    cosign.run(here, &[&sign[..], &["--key", "acme.key", &reference]].concat())?;
    let told = stage.succeed(&["verify", &reference, "--key", &stage.path("acme.pub")])?;
    ensure!(told["signer"]["key"]["name"] == "acme.pub", "{told}");
    Ok(())
}

/// The component that is built in, published by somebody: the chain of its manifest backs a Vault up.
pub fn manifest(world: &World) -> Result<()> {
    let stage = Stage::new(world, distribution)?;
    stage.keys("acme")?;
    let component = binaries::target_folder()?.join("sealift/functions/vault-snapshot.wasm");
    let to = stage.at("1");
    let pushed = stage.succeed(&["push", &component.to_string_lossy(), &to])?;
    let key = stage.path("acme.pub");
    let manifest = ["manifest", to.as_str(), "--key", &key, "--task", "--name", "my-task"];
    assert_failure(&stage.verb(&manifest)?, 4, &["is not signed"])?;
    stage.sign(&to, "acme")?;
    let told = stage.verb(&manifest)?;
    ensure!(told.code == Some(0), "no manifest: {}", told.text());
    // What it asks for is said in words before it is granted.
    for words in [&text(&pushed, "reference")?, "# - send GET to target", "unsealKeys: copy"] {
        ensure!(told.stdout.contains(words), "nothing of {words:?}: {}", told.stdout);
    }
    let policy = stage.policy(&stage.registry.host(), "*")?;
    let outcome = stage.with("run", &told.stdout, &["--policy", &policy])?;
    ensure!(outcome.code == Some(0), "its chain failed: {}", outcome.text());
    ensure!(stage.scene.snapshot_files()? == 1, "there is no snapshot");
    Ok(())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

pub fn listed(world: &World) -> Result<()> {
    let stage = Stage::new(world, distribution)?;
    stage.keys("acme")?;
    let one = stage.push("one", "0.1.0")?;
    stage.push("two", "0.2.0")?;
    stage.push("two", "latest")?;
    stage.sign(&stage.at("0.2.0"), "acme")?;
    let repository = format!("{}/acme/export", stage.registry.host());
    let all = stage.succeed(&["list", &repository, "--key", &stage.path("acme.pub")])?;
    let tags: Vec<&str> =
        all.as_array().context("no list")?.iter().filter_map(|one| one["tag"].as_str()).collect();
    ensure!(tags == ["0.1.0", "0.2.0", "latest"], "{all}");
    ensure!(all[0]["manifest"] == one["manifest"] && all[0]["kind"] == "source", "{all}");
    ensure!(all[0]["signatures"] == json!({"untrusted": "nobody"}), "{all}");
    ensure!(all[1]["signatures"]["by"]["key"]["name"] == "acme.pub", "{all}");
    ensure!(all[2]["manifest"] == all[1]["manifest"], "{all}");
    let told = stage.verb(&["list", &repository])?;
    ensure!(told.code == Some(0) && told.stdout.lines().count() == 3, "{}", told.text());
    ensure!(told.stdout.contains("1 signature, not verified"), "{}", told.stdout);
    let one = stage.at("0.1.0");
    assert_failure(&stage.verb(&["list", &one])?, 2, &["names one version", &repository])?;
    let shown = stage.verb(&["inspect", &stage.at("latest"), "--key", &stage.path("acme.pub")])?;
    ensure!(shown.stdout.contains("signed by    key acme.pub (sha256:"), "{}", shown.text());
    Ok(())
}
