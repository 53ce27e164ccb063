//! Functions in registries: published, signed, carried over an air gap, and run from there, each
//! row with a real registry of its own. What is not as it should be is refused before anything is
//! touched.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use sealift_e2e::manifests::filled;
use sealift_e2e::oci::{PASSWORD, Tool};
use sealift_e2e::registry::{Options, Registry};
use sealift_e2e::sealift::{Outcome, Sealift};
use serde_json::{Value, json};
use tempfile::TempDir;
use wasm_encoder::{ComponentSection, CustomSection};

use crate::bad_input::function;
use crate::guests::describe;
use crate::scene::{Scene, assert_failure, borrowed};
use crate::world::{World, certificate, trial};

const SOURCE: &str = "source-goes-wrong";
/// [`PASSWORD`] as a registry keeps it.
const HASH: &str = "$2b$04$6mna.jzVnGtW7oCtKaNicuNbdLe5bdRAuaQwAseRBzZH0avCqGEgG";

type Start = fn(&Path) -> Result<Registry>;

/// Signatures lie under tags.
fn distribution(folder: &Path) -> Result<Registry> {
    Registry::distribution(folder, &Options::default())
}

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, start) in
        [("distribution", distribution as Start), ("referrers", Registry::referrers as Start)]
    {
        let row = |row: &str| format!("published::{name}::{row}");
        trials.extend([
            trial(world, row("a_function_runs_by_its_tag_and_by_its_digest"), move |world| {
                runs(world, start)
            }),
            trial(world, row("who_did_not_sign_is_not_run"), move |world| distrusted(world, start)),
            trial(world, row("a_tag_is_what_it_is_now_and_a_digest_what_it_was"), move |world| {
                moved(world, start)
            }),
        ]);
    }
    trials.extend([
        trial(world, "published::signatures_cross_an_air_gap", carried),
        trial(world, "published::other_bytes_than_those_of_the_digest_are_not_run", tampered),
        trial(world, "published::a_registry_is_asked_as_the_settings_say", settings),
        trial(world, "published::what_no_cluster_would_take_is_not_published", unpublishable),
        trial(world, "published::what_others_published_is_looked_at_as_closely", of_others),
        trial(world, "published::a_list_tells_what_is_there_and_who_signed_it", listed),
    ]);
    trials
}

/// A scene with a Function, a registry, and a folder for what is in neither.
struct Stage {
    scene: Scene,
    registry: Registry,
    folder: TempDir,
    /// The manifests with the Function, `IMAGE` in place of its image.
    template: String,
}

impl Stage {
    fn new(world: &World, start: Start) -> Result<Self> {
        let folder = world.folder()?;
        let registry = start(folder.path())?;
        let mut scene = Scene::new(world, world.small()?)?;
        scene.sealift = alone(&scene.sealift, folder.path());
        let manifests = function(&scene, "image: IMAGE\n  args: [\"--mode=good\", \"--count=3\"]")?;
        let template = fs::read_to_string(manifests.first().context("no manifest")?)?;
        fs::write(folder.path().join("password"), format!("{PASSWORD}\n"))?;
        let stage = Self { scene, registry, folder, template };
        for name in ["one", "two"] {
            stage.component(name)?;
        }
        Ok(stage)
    }

    /// The guest, and something in it that makes it another component.
    fn component(&self, name: &str) -> Result<()> {
        let mut wasm = fs::read(binaries::guest(SOURCE)?)?;
        CustomSection { name: "called".into(), data: name.as_bytes().into() }
            .append_to_component(&mut wasm);
        Ok(fs::write(self.path(&format!("{name}.wasm")), describe(SOURCE, wasm)?)?)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_string_lossy().into_owned()
    }

    /// `<registry>/acme/export:<tag>`.
    fn at(&self, tag: &str) -> String {
        format!("{}/acme/export:{tag}", self.registry.host())
    }

    /// `sealift function <arguments>`.
    fn verb(&self, arguments: &[&str]) -> Result<Outcome> {
        self.scene.sealift.run(&[&["function"][..], arguments].concat())
    }

    fn succeed(&self, arguments: &[&str]) -> Result<Value> {
        let verb = [&["function"][..], arguments, &["--output", "json"]].concat();
        self.scene.sealift.succeed(&verb)?.json()
    }

    /// A key pair `<name>.key` and `<name>.pub`.
    fn keys(&self, name: &str) -> Result<()> {
        let (folder, password) = (self.path(""), self.path("password"));
        self.succeed(&["keys", name, "--out", &folder, "--password-file", &password]).map(drop)
    }

    /// Publishes a component, signed by nobody.
    fn push(&self, component: &str, tag: &str) -> Result<Value> {
        self.succeed(&["push", &self.path(&format!("{component}.wasm")), &self.at(tag)])
    }

    fn sign(&self, reference: &str, key: &str) -> Result<Value> {
        let (key, password) = (self.path(&format!("{key}.key")), self.path("password"));
        self.succeed(&["sign", reference, "--key", &key, "--password-file", &password])
    }

    /// The policy of the example: below this place what acme has signed, for this namespace.
    fn policy(&self, place: &str, namespace: &str) -> Result<String> {
        let pem = indented(&fs::read_to_string(self.path("acme.pub"))?, 10);
        let values = [("REGISTRY", place), ("PUBLIC_KEY", &pem)];
        let text = filled("registries", "policy.yaml", &values)?;
        let everywhere = "namespaces: [\"*\"]";
        ensure!(text.contains(everywhere), "the example says something else of namespaces");
        let path = self.path("policy.yaml");
        fs::write(&path, text.replace(everywhere, &format!("namespaces: [{namespace:?}]")))?;
        Ok(path)
    }

    /// A verb on the backup whose Function has this image.
    fn on(&self, verb: &str, image: &str, more: &[&str]) -> Result<Outcome> {
        let text = self.template.replace("IMAGE", image);
        let manifest = self.scene.manifests.write("more.yaml", &text)?;
        let manifest = manifest.to_string_lossy();
        let more = [&["-f", &*manifest][..], more].concat();
        let arguments = self.scene.arguments(verb, "backupconfiguration.yaml", &more);
        self.scene.sealift.run(&borrowed(&arguments))
    }

    /// The component a plan names: its reference and its digest.
    fn planned(&self, image: &str, policy: &str) -> Result<(String, String)> {
        let outcome = self.on("plan", image, &["--policy", policy, "--output", "json"])?;
        ensure!(outcome.code == Some(0), "there is no plan: {}", outcome.text());
        let plan = outcome.json()?;
        let component = &plan["stages"][0]["component"];
        Ok((text(component, "reference")?, text(component, "digest")?))
    }

    /// Refused in these words by every verb that makes a plan, with nothing touched.
    fn assert_refused(&self, image: &str, more: &[&str], code: i32, words: &[&str]) -> Result<()> {
        for verb in ["validate", "plan", "run"] {
            let outcome = self.on(verb, image, more)?;
            assert_failure(&outcome, code, &["Function my-source: spec.image: "])?;
            assert_failure(&outcome, code, words)?;
            ensure!(outcome.stdout.is_empty(), "there is a result: {}", outcome.text());
        }
        ensure!(!self.scene.repository().is_dir(), "a repository was made");
        Ok(())
    }
}

/// A `sealift` that sees nothing of this machine's user and leaves nothing with them.
fn alone(sealift: &Sealift, folder: &Path) -> Sealift {
    let folder = folder.to_string_lossy();
    sealift
        .clone()
        .with_variable("XDG_CACHE_HOME", &format!("{folder}/cache"))
        .with_variable("DOCKER_CONFIG", &folder)
        .with_variable("XDG_RUNTIME_DIR", &folder)
        .with_secrets([PASSWORD])
}

/// Lines below the first moved to where a block of YAML stands.
fn indented(text: &str, columns: usize) -> String {
    text.trim_end().replace('\n', &format!("\n{}", " ".repeat(columns)))
}

fn text(value: &Value, field: &str) -> Result<String> {
    let found = value[field].as_str().map(str::to_owned);
    found.with_context(|| format!("no {field} in {value}"))
}

fn runs(world: &World, start: Start) -> Result<()> {
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

fn distrusted(world: &World, start: Start) -> Result<()> {
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

fn moved(world: &World, start: Start) -> Result<()> {
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

fn carried(world: &World) -> Result<()> {
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

fn tampered(world: &World) -> Result<()> {
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

fn settings(world: &World) -> Result<()> {
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

fn unpublishable(world: &World) -> Result<()> {
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

fn of_others(world: &World) -> Result<()> {
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

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn listed(world: &World) -> Result<()> {
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
