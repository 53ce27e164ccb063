//! Hooks of a run without a cluster: when they are called, with what, and what becomes of the run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use crate::scene::{Scene, assert_failure};
use crate::world::{World, trial};

/// Where a hook is refused.
const REFUSED: &str = "/refused";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "hooks::they_are_told_of_the_session_in_its_order", success),
        trial(world, "hooks::one_before_a_backup_that_fails_ends_it", before_fails),
        trial(world, "hooks::one_before_a_restore_that_fails_ends_it", before_restore_fails),
        trial(
            world,
            "hooks::one_after_a_backup_that_fails_is_3_and_the_snapshot_stays",
            after_fails,
        ),
        trial(world, "hooks::one_for_failures_is_told_why_and_only_then", failure),
        trial(world, "hooks::a_command_in_a_pod_is_refused_before_the_run", command),
    ]
}

/// A stage whose invoker calls a server of ours.
struct Hooked {
    scene: Scene,
    called: Receiver<String>,
}

impl Hooked {
    /// Paths of the two hooks, and when the second is due.
    fn new(world: &World, before: &str, after: &str, policy: &str) -> Result<Self> {
        let scene = Scene::new(world, world.small()?)?;
        let (port, called) = receiver()?;
        for (manifest, verb, below) in [
            ("backupconfiguration.yaml", "Backup", "  timeOut: 1h\n"),
            ("restoresession.yaml", "Restore", "  repository:\n"),
        ] {
            let post = |path: &str, body: &str| {
                format!(
                    "      httpPost: {{host: 127.0.0.1, port: {port}, path: {path}, body: \"{body}\"}}\n"
                )
            };
            let hooks = format!(
                "  hooks:\n    pre{verb}:\n{}    post{verb}:\n      executionPolicy: {policy}\n{}",
                post(before, "{{ .Target.Name }} {{ .Status.Phase }}"),
                post(after, "{{ .Target.Name }} {{ .Status.Phase }} {{ .Status.Error }}"),
            );
            scene.edit(manifest, below, &format!("{hooks}{below}"))?;
        }
        Ok(Self { scene, called })
    }

    /// Path and body of every call so far, in order.
    fn calls(&self) -> Vec<String> {
        self.called.try_iter().collect()
    }
}

fn success(world: &World) -> Result<()> {
    let hooked = Hooked::new(world, "/before", "/after", "OnSuccess")?;
    hooked.scene.successful_backup()?;
    let calls = hooked.calls();
    ensure!(calls == ["/before vault Running", "/after vault Succeeded "], "{calls:?}");
    Ok(())
}

fn before_fails(world: &World) -> Result<()> {
    let hooked = Hooked::new(world, REFUSED, "/after", "Always")?;
    let outcome = hooked.scene.backup(&[])?;
    assert_failure(&outcome, 1, &["preBackup hook failed", "nothing else was done", "500"])?;
    ensure!(!hooked.scene.repository().is_dir(), "the repository was made");
    let calls = hooked.calls();
    ensure!(calls == ["/refused vault Running"], "{calls:?}");
    Ok(())
}

/// Not even the repository is looked for, which is not there.
fn before_restore_fails(world: &World) -> Result<()> {
    let hooked = Hooked::new(world, REFUSED, "/after", "Always")?;
    let outcome = hooked.scene.restore(&[])?;
    assert_failure(&outcome, 1, &["preRestore hook failed", "nothing else was done", "500"])?;
    let calls = hooked.calls();
    ensure!(calls == ["/refused vault Running"], "{calls:?}");
    Ok(())
}

fn after_fails(world: &World) -> Result<()> {
    let hooked = Hooked::new(world, "/before", REFUSED, "Always")?;
    let outcome = hooked.scene.backup(&["--output", "json"])?;
    assert_failure(&outcome, 3, &["the work is done and stays", "postBackup hook failed", "500"])?;
    ensure!(outcome.json()?["status"]["phase"] == "Failed", "{}", outcome.text());
    ensure!(hooked.scene.snapshot_files()? == 1, "there is not one snapshot");
    let calls = hooked.calls();
    ensure!(calls == ["/before vault Running", "/refused vault Succeeded "], "{calls:?}");
    hooked.scene.restic()?.check()
}

fn failure(world: &World) -> Result<()> {
    let hooked = Hooked::new(world, "/before", "/after", "OnFailure")?;
    hooked.scene.successful_backup()?;
    let calls = hooked.calls();
    ensure!(calls == ["/before vault Running"], "called after a success: {calls:?}");
    let wrong = "hvs.not-a-token-of-this-vault";
    hooked.scene.manifests.token(wrong)?;
    let outcome = hooked.scene.backup(&[])?;
    assert_failure(&outcome, 1, &["403"])?;
    let calls = hooked.calls();
    ensure!(calls.len() == 2, "{calls:?}");
    let why = calls[1].strip_prefix("/after vault Failed ").context("another call")?;
    ensure!(why.contains("403") && !why.contains(wrong), "{why}");
    Ok(())
}

fn command(world: &World) -> Result<()> {
    let scene = Scene::new(world, world.small()?)?;
    let hooks = "  hooks: {postBackup: {exec: {command: [date]}}}\n  timeOut: 1h\n";
    scene.edit("backupconfiguration.yaml", "  timeOut: 1h\n", hooks)?;
    let outcome = scene.backup(&[])?;
    assert_failure(&outcome, 2, &["vault-backup", "postBackup.exec", "needs a cluster"])?;
    ensure!(!scene.repository().is_dir(), "the repository was made");
    Ok(())
}

/// Whom the hooks call: its port, and where path and body of each call come out.
fn receiver() -> Result<(u16, Receiver<String>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("failed to listen")?;
    let port = listener.local_addr()?.port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok((stream, path, body)) = stream.map_err(Into::into).and_then(call) else {
                continue;
            };
            // Told before it is answered: whoever has its answer has been heard.
            if sender.send(format!("{path} {body}")).is_err() {
                return;
            }
            let status = if path == REFUSED { "500 No" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
    Ok((port, receiver))
}

/// Reads one request: its path and its body.
fn call(stream: TcpStream) -> Result<(TcpStream, String, String)> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse()?;
            }
            Some(_) => (),
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((stream, path, String::from_utf8_lossy(&body).into_owned()))
}
