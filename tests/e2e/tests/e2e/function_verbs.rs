//! `sealift function`: what it says of real components, and of what is none.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::sealift::Sealift;
use serde_json::Value;

use crate::guests::described;
use crate::scene::assert_failure;
use crate::world::{World, trial};

/// Asks for nothing.
const PLAIN: &str = "source-goes-wrong";
/// Asks for the network.
const NETWORK: &str = "source-downloads";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "function::inspect_says_the_same_in_every_form", inspect),
        trial(world, "function::check_tells_what_is_missing", check),
        trial(world, "function::diff_names_what_is_newly_asked_for", diff),
        trial(world, "function::what_is_no_component_is_refused_by_every_verb", no_component),
        trial(world, "function::new_makes_what_build_builds", made_and_built),
    ]
}

/// A component in a folder, as a path that is an argument.
fn component(folder: &Path, name: &str, wasm: &[u8]) -> Result<String> {
    let path: PathBuf = folder.join(format!("{name}.wasm"));
    fs::write(&path, wasm)?;
    path.to_str().map(str::to_owned).context("a path of a test is not UTF-8")
}

fn inspect(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let sealift = Sealift::new(folder.path())?;
    let file = component(folder.path(), "network", &described(NETWORK)?)?;
    let verb = ["function", "inspect", &file];
    let shown = sealift.succeed(&[&verb[..], &["--output", "json"]].concat())?.json()?;
    let text = sealift.succeed(&verb)?.stdout;
    let digest = shown["digest"].as_str().context("no digest")?;
    ensure!(text.contains(&format!("digest       {digest}\n")), "{text}");
    ensure!(text.starts_with("source-downloads 0.1.0 · source · contract 0.1.0 · "), "{text}");
    ensure!(text.contains("asks to      send GET to target, paths /*\n"), "{text}");
    ensure!(text.contains("wasi:http/outgoing-handler") && text.contains("base of WASI 0.2"));
    let imports = shown["imports"].as_array().context("no imports")?;
    let of_http = |import: &Value| {
        import.as_str().is_some_and(|import| import.starts_with("wasi:http/outgoing-handler@0.2."))
    };
    ensure!(imports.iter().any(of_http), "{imports:?}");
    Ok(())
}

fn check(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let sealift = Sealift::new(folder.path())?;
    let file = component(folder.path(), "network", &described(NETWORK)?)?;
    let grants = folder.path().join("grants.yaml");
    let with = grants.to_str().context("a path of a test is not UTF-8")?;
    let verb = ["function", "check", &file];
    let fits = sealift.succeed(&verb)?.stdout;
    ensure!(fits.starts_with("source-downloads 0.1.0 would be started with what it asks for\n"));
    ensure!(fits.contains(" of at most 64.0 MiB · "), "{fits}");

    fs::write(&grants, "http: [{name: target, methods: [GET], paths: [\"/v1/*\"]}]\n")?;
    let verb = [&verb[..], &["--permissions", with]].concat();
    let fits = sealift.succeed(&verb)?.stdout;
    ensure!(fits.starts_with("source-downloads 0.1.0 would be started with these permissions\n"));

    fs::write(&grants, "repository: write\n")?;
    let refused = sealift.run(&verb)?;
    ensure!(refused.code == Some(4), "{}", refused.text());
    ensure!(
        refused
            .stdout
            .starts_with("source-downloads 0.1.0 would be refused:\n  it imports wasi:http/")
            && refused.stdout.contains("`http: [{name: target, methods: [GET], paths: [\"/*\"]}]`"),
        "{}",
        refused.stdout
    );

    fs::write(&grants, "filesystem: all\n")?;
    assert_failure(&sealift.run(&verb)?, 2, &["filesystem", "grants.yaml", "http, repository"])
}

fn diff(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let sealift = Sealift::new(folder.path())?;
    let old = component(folder.path(), "old", &described(PLAIN)?)?;
    let new = component(folder.path(), "new", &described(NETWORK)?)?;
    let told = sealift.succeed(&["function", "diff", &old, &new])?.stdout;
    ensure!(told.contains("newly asks   + send GET to target, paths /*\n"), "{told}");
    ensure!(told.contains("+ wasi:http/outgoing-handler\n"), "{told}");
    let more = sealift.run(&["function", "diff", "--exit-code", &old, &new])?;
    ensure!(more.code == Some(4) && more.stdout == told, "{}", more.text());
    let less = sealift.run(&["function", "diff", "--exit-code", &new, &old])?;
    ensure!(less.code == Some(0), "{}", less.text());
    ensure!(
        less.stdout.contains("no longer    - send GET to target, paths /*\n"),
        "{}",
        less.stdout
    );
    Ok(())
}

fn no_component(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let sealift = Sealift::new(folder.path())?;
    let good = component(folder.path(), "good", &described(PLAIN)?)?;
    let none = component(folder.path(), "none", b"this is no component")?;
    let missing = folder.path().join("missing.wasm");
    let missing = missing.to_str().context("a path of a test is not UTF-8")?;
    for (file, words) in [
        (none.as_str(), ["none.wasm", "not a WebAssembly component"]),
        (missing, ["missing.wasm", "failed to read"]),
    ] {
        for verb in [&["inspect", file][..], &["check", file], &["diff", &good, file]] {
            let outcome = sealift.run(&[&["function"], verb].concat())?;
            assert_failure(&outcome, 2, &words)?;
            ensure!(outcome.stdout.is_empty(), "{}", outcome.stdout);
        }
    }
    Ok(())
}

/// In C, whose toolchain has nothing to download.
fn made_and_built(world: &World) -> Result<()> {
    let folder = world.folder()?;
    let sealift = Sealift::new(folder.path())?;
    let json = ["--output", "json"];
    let build = ["function", "build", "orders"];
    assert_failure(&sealift.run(&["function", "build"])?, 2, &["no project", "function new"])?;

    let new = ["function", "new", "orders", "--language", "c", "--kind", "transform"];
    let made = sealift.succeed(&[&new[..], &json].concat())?.json()?;
    let files = made["files"].as_array().context("no files")?;
    ensure!(files.iter().any(|file| file == "src/function.c"), "{made}");
    assert_failure(&sealift.run(&new)?, 2, &["orders is not empty", "nothing is written over"])?;
    let unknown = ["function", "new", "orders", "--language", "quickjs", "--kind", "source"];
    assert_failure(&sealift.run(&unknown)?, 2, &["no source in quickjs", "javascript or python"])?;

    let bare = Sealift::new(folder.path())?.with_variable("PATH", "/none");
    let words = ["toolchain for c is not complete", "clang", "help: apt-get install"];
    assert_failure(&bare.run(&build)?, 2, &words)?;

    let built = sealift.succeed(&[&build[..], &json].concat())?.json()?;
    let file = built["file"].as_str().context("no file")?;
    let checked = sealift.succeed(&["function", "check", file])?.stdout;
    ensure!(checked.starts_with("orders 0.1.0 would be started with what it asks for\n"));
    let again = sealift.succeed(&[&build[..], &json].concat())?.json()?;
    ensure!(again["digest"] == built["digest"], "built again it is another: {built} {again}");

    let descriptor = folder.path().join("orders").join("descriptor.json");
    let text = fs::read_to_string(&descriptor)?;
    fs::write(&descriptor, text.replace("\"transform\"", "\"source\""))?;
    let broken = sealift.run(&build)?;
    assert_failure(&broken, 1, &["clang", "source_run"])?;
    fs::write(&descriptor, text.replacen("\"0.1.0\"", "\"one\"", 1))?;
    assert_failure(&sealift.run(&build)?, 2, &["descriptor.json", "version", "one"])
}
