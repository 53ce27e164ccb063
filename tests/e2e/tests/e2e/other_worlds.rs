//! Components that are none of ours, or are for another version of the contract: `validate`,
//! `plan` and `run` refuse each of them alike, in words that name Function, component, field,
//! what was found and what is served, before anything is touched.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use sealift_e2e::sealift::Outcome;
use wasm_encoder::{
    CodeSection, Component, ComponentExportKind, ComponentExportSection, ComponentInstanceSection,
    ComponentSection, CustomSection, ExportKind, ExportSection, FunctionSection, Module,
    RawSection, TypeSection,
};

use crate::bad_input::function;
use crate::guests::{describe, described};
use crate::scene::{Scene, assert_failure, borrowed};
use crate::world::{World, trial};

/// Name of the row, what makes the component, and words of the message besides the Function:
/// what was found, and what is served.
type Row = (&'static str, fn() -> Result<Vec<u8>>, &'static [&'static str]);

/// The contract that is served.
const SERVED: &str = "0.1.0";
const SOURCE: &str = "source-goes-wrong";

const ROWS: &[Row] = &[
    ("a_command", || described("only-a-command"), &["wasi:cli/run@", "exports none", SERVED]),
    (
        "a_handler_of_http",
        || Ok(exporting("wasi:http/incoming-handler@0.2.0")),
        &["wasi:http/incoming-handler@0.2.0", "exports none", SERVED],
    ),
    ("a_component_without_exports", || Ok(Component::new().finish()), &["exports none", SERVED]),
    ("a_core_module", || Ok(core_module()), &["module", "not a component", "wasm32-wasip2"]),
    ("half_a_component", half, &["not a WebAssembly component"]),
    ("a_source_of_the_next_contract", || rewritten("0.2.0"), &["against 0.2.0", SERVED]),
    ("a_source_of_a_contract_long_gone", || rewritten("0.0.9"), &["against 0.0.9", SERVED]),
    ("a_source_without_a_version", || Ok(exporting("sealift:function/source")), &[SERVED]),
    (
        "a_source_that_imports_the_next_contract",
        || replaced(&described(SOURCE)?, "sealift:function/progress@0.1.0", "0.2.0"),
        &["sealift:function/progress@0.2.0", SERVED],
    ),
    (
        "a_source_that_imports_another_wasi",
        || replaced(&described(SOURCE)?, "wasi:clocks/wall-clock@0.2.6", "0.3.0"),
        &["wasi:clocks/wall-clock@0.3.0", "WASI 0.2"],
    ),
    (
        "a_source_that_imports_what_nobody_has",
        || renamed(&described(SOURCE)?, "wasi:clocks/wall-clock@", "mine:clocks/wall-clock@"),
        &["mine:clocks/wall-clock@0.2.6", "does not have"],
    ),
    (
        "a_source_that_has_no_run",
        || describe(SOURCE, exporting("sealift:function/source@0.1.0")),
        &["sealift:function/source@0.1.0", "without the function `run", SERVED],
    ),
    (
        "a_source_that_imports_a_known_interface_with_another_function",
        || renamed(&described(SOURCE)?, "outgoing.finish", "outgoing.finisx"),
        &["imports an interface that is not the one", "sealift:function/downstream", SERVED],
    ),
    (
        "a_source_that_imports_a_known_function_with_another_type",
        // The first `option<u64>` is the size in the header of an artifact; now it has a sign.
        || changed(&described(SOURCE)?, &[0x6b, 0x77], &[0x6b, 0x78]),
        &["imports an interface that is not the one", "sealift:function/downstream", SERVED],
    ),
    (
        "a_name_with_an_escape_sequence",
        || Ok(exporting("mine:escapes/\u{1b}[31mred")),
        &["mine:escapes/", "exports none", SERVED],
    ),
    (
        "a_descriptor_with_an_escape_sequence",
        || {
            with_descriptor(
                br#"{"name":"x","version":"1","contract":"0.1.0","kind":"\u001b[31mred"}"#,
            )
        },
        &["descriptor", "source"],
    ),
    (
        "a_source_whose_types_would_end_the_process_that_reads_them",
        nested,
        &["is not compiled", "more than 16 levels"],
    ),
    (
        "a_source_without_descriptor",
        || Ok(fs::read(binaries::guest(SOURCE)?)?),
        &["no descriptor", "sealift:function"],
    ),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials: Vec<Trial> = ROWS
        .iter()
        .flat_map(|&(name, component, words)| {
            ["run", "plan", "validate"].into_iter().map(move |verb| {
                (format!("bad_input::{verb}::{name}"), move |world: &World| {
                    refused(world, verb, &component()?, words)
                })
            })
        })
        .map(|(name, test)| trial(world, name, test))
        .collect();
    trials.push(trial(
        world,
        "bad_input::a_source_of_a_later_patch_of_the_contract_is_no_fault",
        later_patch,
    ));
    trials
}

/// A stage whose Task has one step, the Function `my-source` with this component.
struct Stage {
    scene: Scene,
    component: PathBuf,
    manifests: Vec<String>,
}

impl Stage {
    fn new(world: &World, component: &[u8], arguments: &str) -> Result<Self> {
        let scene = Scene::new(world, world.small()?)?;
        let path = scene.manifests.path("component.wasm");
        fs::write(&path, component)?;
        let manifests =
            function(&scene, &format!("image: file:{}\n  {arguments}", path.display()))?;
        Ok(Self { scene, component: path, manifests })
    }

    fn run(&self, verb: &str) -> Result<Outcome> {
        let mut arguments = self.scene.arguments(verb, "backupconfiguration.yaml", &[]);
        for manifest in &self.manifests {
            arguments.extend(["-f".to_owned(), manifest.clone()]);
        }
        self.scene.sealift.run(&borrowed(&arguments))
    }

    /// Refused as wrong input, in these words, and nothing was touched.
    fn assert_refused(&self, verb: &str, words: &[&str]) -> Result<()> {
        let outcome = self.run(verb)?;
        assert_failure(&outcome, 2, &["Function", "my-source"])?;
        assert_failure(&outcome, 2, words)?;
        ensure!(!self.scene.repository().is_dir(), "a repository was made: {}", outcome.text());
        Ok(())
    }
}

fn refused(world: &World, verb: &str, component: &[u8], words: &[&str]) -> Result<()> {
    let stage = Stage::new(world, component, "")?;
    stage.assert_refused(verb, &["spec.image"])?;
    stage.assert_refused(verb, words)?;
    let outcome = stage.run(verb)?;
    ensure!(outcome.stdout.is_empty(), "there is a result: {}", outcome.text());
    // By its file; what can be read of it is named by its descriptor.
    let named = [stage.component.to_string_lossy().into_owned(), format!("component {SOURCE}")]
        .iter()
        .any(|name| outcome.stderr.contains(name));
    ensure!(named, "the component is not named: {}", outcome.text());
    ensure!(!outcome.stderr.contains('\u{1b}'), "an escape sequence came through");
    let untrue = outcome.stderr.contains("does not exist");
    ensure!(!untrue, "the component is there, and is said not to be: {}", outcome.text());
    Ok(())
}

/// Versions that differ in the last number only add: were this refused, the rows above would
/// prove nothing about versions.
fn later_patch(world: &World) -> Result<()> {
    let stage = Stage::new(world, &rewritten("0.1.9")?, "args: [\"--mode=good\"]")?;
    for verb in ["validate", "plan", "run"] {
        let outcome = stage.run(verb)?;
        ensure!(outcome.code == Some(0), "{verb} failed: {}", outcome.text());
    }
    ensure!(stage.scene.snapshot_files()? == 1, "there is not one snapshot");
    stage.scene.restic()?.check()
}

/// Types of components in each other, three bytes a level.
fn nested() -> Result<Vec<u8>> {
    let mut types = vec![1];
    types.extend([0x41, 1, 1].repeat(100_000));
    types.push(0x7d);
    let mut component = described(SOURCE)?;
    RawSection { id: 7, data: &types }.append_to_component(&mut component);
    Ok(component)
}

/// The guest with these bytes for a descriptor.
fn with_descriptor(descriptor: &[u8]) -> Result<Vec<u8>> {
    let mut component = fs::read(binaries::guest(SOURCE)?)?;
    CustomSection { name: "sealift:function".into(), data: descriptor.into() }
        .append_to_component(&mut component);
    Ok(component)
}

/// A source as an SDK for another version of the contract would build it: everything of ours that
/// it exports and imports has this version, which has as many letters as the served one.
fn rewritten(version: &str) -> Result<Vec<u8>> {
    let mut component = fs::read(binaries::guest(SOURCE)?)?;
    for interface in
        ["artifacts", "downstream", "errors", "parameters", "progress", "session", "source"]
    {
        let name = format!("sealift:function/{interface}@{SERVED}");
        component = replaced(&component, &name, version)?;
    }
    let left = find(&component, format!("@{SERVED}").as_bytes());
    ensure!(left.is_none(), "an interface of the guest still has version {SERVED}");
    describe(SOURCE, component)
}

/// The component with another version behind the interface `name`.
fn replaced(component: &[u8], name: &str, version: &str) -> Result<Vec<u8>> {
    let (interface, _) = name.split_once('@').unwrap_or((name, ""));
    renamed(component, name, &format!("{interface}@{version}"))
}

/// The component with every `from` replaced: equally long, so that no length in it changes.
fn renamed(component: &[u8], from: &str, to: &str) -> Result<Vec<u8>> {
    ensure!(from.len() == to.len(), "{to} is not as long as {from}");
    let mut component = component.to_vec();
    let mut from_here = 0;
    while let Some(place) = find(&component[from_here..], from.as_bytes()) {
        let place = from_here + place;
        from_here = place + from.len();
        component[place..from_here].copy_from_slice(to.as_bytes());
    }
    ensure!(from_here > 0, "the guest does not contain {from}");
    Ok(component)
}

/// The component with the first `from` replaced.
fn changed(component: &[u8], from: &[u8], to: &[u8]) -> Result<Vec<u8>> {
    let place = find(component, from).context("the guest has no such type")?;
    let mut component = component.to_vec();
    component[place..place + from.len()].copy_from_slice(to);
    Ok(component)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A component that exports an interface of this name with nothing in it.
fn exporting(name: &str) -> Vec<u8> {
    let mut instances = ComponentInstanceSection::new();
    instances.export_items(Vec::<(&str, ComponentExportKind, u32)>::new());
    let mut exports = ComponentExportSection::new();
    exports.export(name, ComponentExportKind::Instance, 0, None);
    let mut component = Component::new();
    component.section(&instances).section(&exports);
    component.finish()
}

/// What a compiler for WebAssembly makes when nobody tells it of components.
fn core_module() -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut exports = ExportSection::new();
    exports.export("_start", ExportKind::Func, 0);
    let mut body = wasm_encoder::Function::new([]);
    body.instructions().end();
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&exports).section(&code);
    module.finish()
}

/// A download that broke off.
fn half() -> Result<Vec<u8>> {
    let mut component = described(SOURCE)?;
    component.truncate(component.len() / 2);
    Ok(component)
}
