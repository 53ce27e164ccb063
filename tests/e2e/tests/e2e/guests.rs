//! Functions that misbehave fail their chain cleanly: no snapshot, their name and what they did in
//! the message, and nothing of the host's is shown to them or by them.

use std::fs;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_e2e::binaries;
use serde_json::json;
use wasm_encoder::{ComponentSection, CustomSection};

use crate::bad_input::function;
use crate::scene::{Scene, borrowed};
use crate::world::{World, trial};

/// Limits no well-behaved guest of these rows comes near.
const LIMITS: &str = "limits: {cpuSeconds: 2, memory: 24Mi, wallTime: 20s}";
/// May ask the Vault for its health, and nothing else.
const HEALTH: &str =
    "permissions: {http: [{name: target, methods: [GET], paths: [\"/v1/sys/health\"]}]}";

/// Name of the row, guest, its arguments, more of the Function's spec, exit code, and words of
/// the message besides the stage.
type Row = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
    i32,
    &'static [&'static str],
);

const WRONG: &str = "source-goes-wrong";
const NETWORK: &str = "source-downloads";

const ROWS: &[Row] = &[
    ("loops_for_ever", WRONG, &["--mode=loops"], "", 1, &["cpu"]),
    ("eats_memory", WRONG, &["--mode=eats-memory"], "", 1, &["memory"]),
    ("sleeps_for_ever", WRONG, &["--mode=sends-and-sleeps"], "", 1, &["20 s"]),
    ("panics", WRONG, &["--mode=panics"], "", 1, &["boom"]),
    ("exits", WRONG, &["--mode=exits"], "", 1, &[]),
    (
        "leaves_its_artifact_unfinished",
        WRONG,
        &["--mode=leaves-unfinished"],
        "",
        1,
        &["artifact", "finish"],
    ),
    ("forgets_its_artifact", WRONG, &["--mode=leaks-artifact"], "", 1, &["artifact", "finish"]),
    ("writes_more_than_it_declared", WRONG, &["--mode=writes-more"], "", 1, &["artifact", "1000"]),
    ("writes_less_than_it_declared", WRONG, &["--mode=writes-less"], "", 1, &["artifact", "1000"]),
    (
        "hides_that_it_wrote_less",
        WRONG,
        &["--mode=hides-writing-less"],
        "",
        1,
        &["artifact", "unfinished"],
    ),
    (
        "breaks_off_with_a_reason",
        WRONG,
        &["--mode=fails-after-dropping"],
        "",
        1,
        &["the disk is on fire"],
    ),
    ("sends_two_at_once", WRONG, &["--mode=opens-two"], "", 1, &["first", "still open"]),
    (
        "asks_for_a_host_it_was_not_granted",
        NETWORK,
        &["--mode=forwards", "--host=elsewhere", "--path=/"],
        HEALTH,
        1,
        &["elsewhere"],
    ),
    (
        "asks_for_the_address_behind_the_name",
        NETWORK,
        &["--mode=forwards", "--host=127.0.0.1", "--path=/v1/sys/health"],
        HEALTH,
        1,
        &["127.0.0.1"],
    ),
    (
        "asks_for_a_path_it_was_not_granted",
        NETWORK,
        &["--mode=forwards", "--host=target", "--path=/v1/sys/storage/raft/snapshot"],
        HEALTH,
        1,
        &["/v1/sys/storage/raft/snapshot"],
    ),
    (
        "has_no_permission_at_all",
        NETWORK,
        &["--mode=forwards", "--host=target", "--path=/v1/sys/health"],
        "",
        2,
        &["permissions", "http"],
    ),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    let row = |row: &'static Row| {
        trial(world, format!("no_false_success::function::{}", row.0), move |world| {
            wrong(world, row)
        })
    };
    let mut trials: Vec<Trial> = ROWS.iter().map(row).collect();
    trials.push(trial(world, "no_false_success::function::a_guest_alone_is_no_fault", good));
    trials.push(trial(
        world,
        "no_false_success::function::a_granted_request_alone_is_no_fault",
        granted,
    ));
    trials.push(trial(
        world,
        "no_false_success::function::a_flood_of_log_lines_is_cut",
        floods_log,
    ));
    trials.push(trial(world, "no_false_success::function::sees_nothing_of_the_host", looks_around));
    trials
}

/// A stage whose Task has one step: the guest with these arguments.
struct Stage {
    scene: Scene,
    arguments: Vec<String>,
}

impl Stage {
    fn new(world: &World, guest: &str, arguments: &[&str], spec: &str) -> Result<Self> {
        let scene = Scene::new(world, world.small()?)?;
        let component = scene.manifests.path(&format!("{guest}.wasm"));
        fs::write(&component, described(guest)?)?;
        let quoted: Vec<String> =
            arguments.iter().map(|argument| format!("{argument:?}")).collect();
        let manifests = function(
            &scene,
            &format!(
                "image: file:{}\n  args: [{}]\n  {LIMITS}\n  {spec}",
                component.display(),
                quoted.join(", ")
            ),
        )?;
        let mut arguments = scene.arguments("run", "backupconfiguration.yaml", &[]);
        for manifest in manifests {
            arguments.extend(["-f".to_owned(), manifest]);
        }
        Ok(Self { scene, arguments })
    }

    fn run(&self) -> Result<sealift_e2e::sealift::Outcome> {
        self.scene.sealift.run(&borrowed(&self.arguments))
    }
}

/// The guest with a descriptor that asks for all it could be granted.
pub fn described(guest: &str) -> Result<Vec<u8>> {
    describe(guest, fs::read(binaries::guest(guest)?)?)
}

/// The same with other bytes than the guest's.
pub fn describe(guest: &str, mut component: Vec<u8>) -> Result<Vec<u8>> {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer"});
    let descriptor = json!({
        "name": guest, "version": "0.1.0", "summary": "for tests", "kind": "source", "contract": "0.1.0",
        "parameters": {"type": "object", "properties": {
            "mode": text, "code": text, "digest": text, "host": text, "path": text, "method": text,
            "size": number, "chunk": number, "count": number, "times": number, "content": text,
            "headers": {"type": "array", "items": text},
        }},
        "requests": if guest == NETWORK {
            json!({"http": [{"name": "target", "methods": ["GET"], "paths": ["/*"]}]})
        } else {
            json!({})
        },
    });
    let data = serde_json::to_vec(&descriptor)?;
    CustomSection { name: "sealift:function".into(), data: data.as_slice().into() }
        .append_to_component(&mut component);
    Ok(component)
}

fn wrong(world: &World, &(_, guest, arguments, spec, code, words): &Row) -> Result<()> {
    let stage = Stage::new(world, guest, arguments, spec)?;
    let outcome = stage.run()?;
    let mut expected = vec!["my-source"];
    expected.extend(words);
    stage.scene.assert_failed(&outcome, code, &expected)?;
    // What is refused before it starts touches nothing.
    ensure!(code != 2 || !stage.scene.repository().is_dir(), "a repository was made");
    Ok(())
}

fn good(world: &World) -> Result<()> {
    let stage = Stage::new(world, WRONG, &["--mode=good", "--count=3", "--size=70000"], "")?;
    let outcome = stage.run()?;
    ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());
    let restic = stage.scene.restic()?;
    let snapshots = restic.snapshots()?;
    let id = snapshots[0]["id"].as_str().context("a snapshot without id")?;
    let files = restic.files(id)?;
    ensure!(files.len() == 3, "files: {files:?}");
    let expected: Vec<u8> = (0..70_000_u32).map(|n| (n % 251) as u8).collect();
    ensure!(restic.dump(id, &files[0])? == expected, "other bytes were stored");
    Ok(())
}

fn granted(world: &World) -> Result<()> {
    let arguments = ["--mode=forwards", "--host=target", "--path=/v1/sys/health"];
    let outcome = Stage::new(world, NETWORK, &arguments, HEALTH)?.run()?;
    ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());
    Ok(())
}

fn floods_log(world: &World) -> Result<()> {
    let stage = Stage::new(world, WRONG, &["--mode=floods-log", "--count=20000"], "")?;
    let outcome = stage.run()?;
    let said = outcome.stdout.len() + outcome.stderr.len();
    ensure!(said < 2 << 20, "20 MB of log lines became {said} bytes of output");
    ensure!(
        !outcome.text().contains("\u{1b}[31m"),
        "a Function's escape sequence reached the terminal"
    );
    Ok(())
}

fn looks_around(world: &World) -> Result<()> {
    let stage = Stage::new(world, WRONG, &["--mode=looks-around"], "")?;
    let outcome = stage.run()?;
    ensure!(outcome.code == Some(0), "it failed: {}", outcome.text());
    let restic = stage.scene.restic()?;
    let snapshots = restic.snapshots()?;
    let id = snapshots[0]["id"].as_str().context("a snapshot without id")?;
    let files = restic.files(id)?;
    let seen = String::from_utf8(restic.dump(id, &files[0])?)?;
    for line in [
        "env []",
        "args []",
        "read-dir refused",
        "write-file refused",
        "connect refused",
        "resolve refused",
    ] {
        ensure!(seen.contains(line), "{line:?} is missing in what the guest saw:\n{seen}");
    }
    let small = world.small()?;
    for secret in [&small.token, &small.keys.root_token].into_iter().chain(&small.keys.unseal) {
        ensure!(!seen.contains(secret.as_str()), "the guest saw a secret");
    }
    Ok(())
}
