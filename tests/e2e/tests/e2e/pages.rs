//! The pages for authors: their commands are run as they stand there, in an empty folder, and what
//! was built is run in a chain with the manifest of the page.

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use serde_json::json;

use crate::function_stage::{COUNT, Stage, artifacts, some_artifacts};
use crate::world::{World, trial};

/// The languages that have a page.
const LANGUAGES: [&str; 6] = ["rust", "javascript", "quickjs", "python", "go", "c"];
/// Lines of commands from nothing to a component.
const MOST_COMMANDS: usize = 5;
/// What the application of a page's source answers.
const CONTENT: &str = "{\"orders\": []}\n";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let mut trials = vec![trial(world, "pages::a_first_function_takes_five_commands", few)];
    // They install what their languages need.
    if env::var("SEALIFT_TEST_TIER").is_ok_and(|tier| tier == "full") {
        trials.extend(LANGUAGES.map(|language| {
            let name = format!("pages::a_first_function_in_{language}");
            trial(world, name, move |world| first(world, language))
        }));
    }
    trials
}

fn few(_: &World) -> Result<()> {
    for language in LANGUAGES {
        let commands = fenced(&page(language)?, "sh")?;
        let count = commands.lines().count();
        ensure!(count <= MOST_COMMANDS, "{language}: {count} commands:\n{commands}");
    }
    Ok(())
}

fn first(world: &World, language: &str) -> Result<()> {
    let page = page(language)?;
    let place = world.folder()?;
    build(place.path(), &fenced(&page, "sh")?)?;
    let application = answer_always()?;
    let mut stage = Stage::new(world, &application)?;
    stage.stand_in(&place.path().join("orders"))?;
    stage.write("orders.yaml", &fenced(&page, "yaml")?)?;
    let orders = json!({"name": "orders"});
    if page.contains("--kind source") {
        stage.chain(&[orders])?;
        let stored = stage.stored()?;
        ensure!(fs::read_to_string(stored.join("export.json"))? == CONTENT, "other bytes came");
    } else {
        stage.chain(&[some_artifacts(), orders])?;
        let stored = artifacts(&stage.stored()?.join("2026"))?;
        ensure!(stored.len() == COUNT, "stored: {stored:?}");
    }
    Ok(())
}

/// Runs the commands of a page, but for those that install what belongs to the machine.
fn build(folder: &Path, commands: &str) -> Result<()> {
    let root = binaries::source_root();
    let machine = |line: &&str| !line.starts_with("apt-get ") && !line.starts_with("rustup ");
    let lines: Vec<&str> = commands.lines().filter(machine).collect();
    let script = lines.join("\n").replace(" PATH/", &format!(" {}/", root.display()));
    let mut path = vec![binaries::build_folder()?];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    let output = Command::new("sh")
        .args(["-e", "-c", &script])
        .current_dir(folder)
        .env("PATH", env::join_paths(path)?)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("SEALIFT_TOOLS")
        .stdin(Stdio::null())
        .output()
        .context("failed to run sh")?;
    let said = [output.stdout, output.stderr].concat();
    ensure!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&said));
    Ok(())
}

fn page(language: &str) -> Result<String> {
    let path = binaries::source_root()
        .join("plugins/sealift-function/book")
        .join(format!("first-{language}.md"));
    fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
}

/// The first fenced text of a kind.
fn fenced(page: &str, kind: &str) -> Result<String> {
    let (_, rest) = page
        .split_once(&format!("```{kind}\n"))
        .with_context(|| format!("the page has nothing of kind {kind}"))?;
    let (text, _) = rest.split_once("```").context("a fence is open to the end of the page")?;
    Ok(text.to_owned())
}

/// An application that answers every request alike, until the tests end; its URL.
fn answer_always() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Whoever goes away has a reason, and tells it.
            let _ = answer(stream);
        }
    });
    Ok(url)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{CONTENT}",
        CONTENT.len()
    )
}
