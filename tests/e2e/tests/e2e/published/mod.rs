//! Functions in registries: published, signed, carried over an air gap, and run from there, each
//! row with a real registry of its own. What is not as it should be is refused before anything is
//! touched.

mod refused;
mod used;
mod verbs;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use sealift_e2e::manifests::filled;
use sealift_e2e::oci::PASSWORD;
use sealift_e2e::registry::{Options, Registry};
use sealift_e2e::sealift::{Outcome, Sealift};
use serde_json::Value;
use tempfile::TempDir;
use wasm_encoder::{ComponentSection, CustomSection};

use crate::bad_input::function;
use crate::guests::describe;
use crate::scene::{Scene, assert_failure, borrowed};
use crate::world::{World, trial};

const SOURCE: &str = "source-goes-wrong";

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
                used::runs(world, start)
            }),
            trial(world, row("who_did_not_sign_is_not_run"), move |world| {
                refused::distrusted(world, start)
            }),
            trial(world, row("a_tag_is_what_it_is_now_and_a_digest_what_it_was"), move |world| {
                used::moved(world, start)
            }),
        ]);
    }
    if std::env::var("SEALIFT_TEST_TIER").is_ok_and(|tier| tier == "full") {
        let name = "published::cosign_and_the_verbs_believe_each_other";
        trials.push(trial(world, name, verbs::with_cosign));
    }
    trials.extend([
        trial(world, "published::signatures_cross_an_air_gap", used::carried),
        trial(
            world,
            "published::other_bytes_than_those_of_the_digest_are_not_run",
            refused::tampered,
        ),
        trial(world, "published::a_registry_is_asked_as_the_settings_say", verbs::settings),
        trial(
            world,
            "published::what_no_cluster_would_take_is_not_published",
            verbs::unpublishable,
        ),
        trial(
            world,
            "published::what_others_published_is_looked_at_as_closely",
            refused::of_others,
        ),
        trial(
            world,
            "published::a_manifest_pins_what_was_looked_at_and_runs_as_it_is",
            verbs::manifest,
        ),
        trial(world, "published::a_list_tells_what_is_there_and_who_signed_it", verbs::listed),
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
        self.with(verb, &self.template.replace("IMAGE", image), more)
    }

    /// A verb on the backup with this Function and its Task.
    fn with(&self, verb: &str, text: &str, more: &[&str]) -> Result<Outcome> {
        let manifest = self.scene.manifests.write("more.yaml", text)?;
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
