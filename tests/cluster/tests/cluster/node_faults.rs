//! A node that falls silent while a session runs: for a moment, and for good.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_cluster::namespaces::NODE_ADDRESS;
use serde_json::{Value, json};

use crate::conditions;
use crate::scene::{BACKUP, Scene};
use crate::stage;
use crate::world::{World, text, trial_alone};

const FIRST: &str = "demo-backup-1700000000";
const SECOND: &str = "demo-backup-1700000300";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial_alone(world, "E03: a node that is silent for a moment loses no session", a_moment),
        trial_alone(world, "E03: a node that stays silent ends the session", for_good),
    ]
}

/// Holds whoever asks it until it is told to answer; a Job with this as its first hook runs, and
/// waits.
pub struct Gate {
    port: u16,
    arrived: mpsc::Receiver<TcpStream>,
}

impl Gate {
    pub fn open() -> Result<Self> {
        let listener = TcpListener::bind((NODE_ADDRESS, 0)).context("failed to listen")?;
        let port = listener.local_addr()?.port();
        let (sender, arrived) = mpsc::channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut text = Vec::new();
                let mut buffer = [0; 1024];
                while !text.ends_with(b"\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(0) | Err(_) => break,
                        Ok(length) => text.extend_from_slice(&buffer[..length]),
                    }
                }
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Ok(Self { port, arrived })
    }

    fn hook(&self) -> Value {
        let get =
            json!({"host": NODE_ADDRESS, "port": self.port, "scheme": "HTTP", "path": "/wait"});
        json!({"preBackup": {"httpGet": get}})
    }

    /// Waits until somebody asks.
    fn wait(&self) -> Result<TcpStream> {
        self.arrived.recv_timeout(PATIENCE).context("the Job's hook asked nobody")
    }
}

fn let_go(mut held: TcpStream) -> Result<()> {
    held.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .context("failed to answer the hook")
}

/// A session whose Job waits at the gate.
pub fn waiting<'a>(world: &'a World, number: &str, gate: &Gate) -> Result<(Scene<'a>, TcpStream)> {
    let scene = stage::ready(world, number, |backup| backup["spec"]["hooks"] = gate.hook())?;
    scene.session(FIRST)?;
    let held = gate.wait()?;
    Ok((scene, held))
}

/// The node's silence does not stop the Job, which says itself what it did.
fn a_moment(world: &World) -> Result<()> {
    let gate = Gate::open()?;
    let (scene, held) = waiting(world, "E03-moment", &gate)?;
    world.node()?.stop_kubelet()?;
    let_go(held)?;
    let reported =
        scene.wait("the Job reports to its session", Resource::BACKUP_SESSION, FIRST, |session| {
            session.pointer("/status/targets/0/stats/0/phase").is_some()
        });
    world.node()?.restart_kubelet(scene.plane)?;
    reported?;
    let (ended, _) = stage::follow(&scene, Resource::BACKUP_SESSION, FIRST)?;
    ensure!(conditions::phase(&ended) == "Succeeded", "status: {}", ended["status"]);
    next_succeeds(&scene)
}

/// The Job of a node that nobody hears of is given up; what it still does there changes nothing.
fn for_good(world: &World) -> Result<()> {
    let gate = Gate::open()?;
    let (scene, held) = waiting(world, "E03-silent", &gate)?;
    world.node()?.stop_kubelet()?;
    let ended = stage::follow(&scene, Resource::BACKUP_SESSION, FIRST);
    world.node()?.restart_kubelet(scene.plane)?;
    let (ended, _) = ended?;
    let status = &ended["status"];
    ensure!(conditions::phase(&ended) == "Failed", "status: {status}");
    let error = text(&ended, "/status/targets/0/stats/0/error");
    ensure!(error.contains("pod was removed"), "the error is {error:?} in {status}");
    // The pod of the failed session ends with the node's return, whether or not it is let go.
    let path = format!(
        "{}?labelSelector=job-name=stash-backup-{FIRST}-0",
        Resource::POD.list(&scene.namespace)
    );
    scene.client().wait("the pod is gone", &path, |pods| {
        pods?["items"].as_array()?.is_empty().then_some(())
    })?;
    drop(held);
    next_succeeds(&scene)
}

fn next_succeeds(scene: &Scene<'_>) -> Result<()> {
    let patch = json!({"spec": {"hooks": null}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.session(SECOND)?;
    let (next, _) = stage::follow(scene, Resource::BACKUP_SESSION, SECOND)?;
    ensure!(conditions::phase(&next) == "Succeeded", "the next session: {}", next["status"]);
    let of_sessions = format!("stash-backup-{SECOND}-0");
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    ensure!(jobs.contains(&of_sessions), "Jobs: {jobs:?}");
    Ok(())
}
