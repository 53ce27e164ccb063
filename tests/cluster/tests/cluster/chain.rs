//! A scene whose Jobs really run: as processes of this machine with the rights the operator gave
//! to their ServiceAccounts, against a real Vault, into a repository in a folder.
//!
//! The control plane has no node, so a Job's pod never starts; the process does what it would,
//! and the operator hears of it by the status alone.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use sealift_cluster::Resource;
use sealift_cluster::client::PATIENCE;
use sealift_cluster::namespaces::NODE_ADDRESS;
use sealift_e2e::restic::Restic;
use sealift_e2e::vault::{Keys, Vault};
use sealift_e2e::{binaries, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::acted::job_of;
use crate::conditions;
use crate::scene::{BACKUP, REPOSITORY, STORAGE_SECRET, Scene};
use crate::world::{World, text};

/// The password of the repositories.
pub const PASSWORD: &str = "sentinel-restic-password";
const ACCOUNT: &str = "backupconfiguration-demo-backup-0";

/// The guide with everything behind it.
pub struct Chain<'a> {
    world: &'a World,
    pub scene: Scene<'a>,
    pub vault: Vault,
    pub keys: Keys,
    /// What lies between the Job and the Vault.
    pub gate: Gate,
    folder: TempDir,
}

/// A Job's process. Dropping it kills it.
pub struct Running {
    child: Child,
    left: PathBuf,
    log: PathBuf,
}

/// A Job's process that has ended.
pub struct Ran {
    pub code: Option<i32>,
    /// The termination message.
    pub left: Value,
    pub log: String,
}

impl<'a> Chain<'a> {
    /// A ready BackupConfiguration, changed by `change` before it is applied.
    pub fn ready(world: &'a World, number: &str, change: impl FnOnce(&mut Value)) -> Result<Self> {
        let scene = Scene::new(world, number)?;
        let folder = tempfile::tempdir()?;
        let home = folder.path().join("vault");
        let vault = Vault::start(&binaries::server("vault", "vault")?, &home, None)?;
        let keys = vault.init()?;
        let gate = Gate::open(&vault.address())?;
        let chain = Self { world, scene, vault, keys, gate, folder };
        chain.apply(change)?;
        Ok(chain)
    }

    fn apply(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let scene = &self.scene;
        let mut binding = scene.app_binding()?;
        binding["spec"]["clientConfig"] = json!({"url": self.gate.address()});
        let mut repository = scene.repository()?;
        repository["spec"]["backend"] = json!({
            "local": {"mountPath": self.repository(), "hostPath": {"path": "/nowhere"}},
            "storageSecretName": STORAGE_SECRET,
        });
        let mut backup = scene.backup()?;
        // The row makes its sessions itself.
        backup["spec"]["schedule"] = json!("0 0 1 1 *");
        backup["spec"]["backupHistoryLimit"] = json!(5);
        change(&mut backup);
        scene.apply(&binding)?;
        scene.apply(&scene.storage_secret())?;
        self.give_token(&self.vault.backup_token(&self.keys.root_token)?)?;
        let mut keys = json!({"k8s.kubevault.com.demo.vault-root-token": self.keys.root_token});
        for (share, key) in self.keys.unseal.iter().enumerate() {
            keys[format!("k8s.kubevault.com.demo.vault-unseal-key-{share}")] = json!(key);
        }
        scene.apply(&scene.secret("vault-keys", &keys))?;
        scene.apply(&repository)?;
        scene.apply(&backup)?;
        scene.wait_for_phase(BACKUP, "Ready")?;
        Ok(())
    }

    /// Writes the Secret of the Vault's token.
    pub fn give_token(&self, token: &str) -> Result<()> {
        self.scene.apply(&self.scene.secret("vault-backup-token", &json!({"token": token})))
    }

    /// Makes a session and runs its Job to its end.
    pub fn run(&self, session: &str) -> Result<Ran> {
        self.scene.session(session)?;
        self.start(session)?.wait()
    }

    /// A whole session that succeeds, for real.
    pub fn succeed(&self, session: &str) -> Result<Value> {
        let ran = self.run(session)?;
        ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
        self.ended(session, "Succeeded")
    }

    /// Waits for the final phase of a session.
    pub fn ended(&self, session: &str, phase: &str) -> Result<Value> {
        crate::acted::ended(&self.scene, session, phase)
    }

    /// Starts the process of the Job the operator made for a session.
    pub fn start(&self, session: &str) -> Result<Running> {
        let scene = &self.scene;
        let job = scene
            .wait("the Job exists", Resource::JOB, &job_of(session), |_| true)
            .with_context(|| self.told(session))?;
        let map = scene.object(Resource::CONFIG_MAP, crate::jobs::plan_map(&job)?)?;
        let folder = self.folder.path().join(session);
        std::fs::create_dir_all(&folder)?;
        let plan = folder.join("plan.json");
        std::fs::write(&plan, text(&map, "/data/plan.json"))?;
        let plan = plan.to_string_lossy();
        let arguments = job
            .pointer("/spec/template/spec/containers/0/args")
            .and_then(Value::as_array)
            .context("the Job's container has no arguments")?;
        let arguments = arguments.iter().filter_map(Value::as_str).map(|argument| {
            if argument == "/etc/sealift/plan/plan.json" { plan.as_ref() } else { argument }
        });
        let user = format!("system:serviceaccount:{}:{ACCOUNT}", scene.namespace);
        let name = format!("{}-{session}", scene.namespace);
        let kubeconfig = scene.plane.kubeconfig(&name, &user, Some("system:authenticated"))?;
        let (left, log) = (folder.join("termination-log"), folder.join("log"));
        let child = Command::new(binaries::sealift()?)
            .args(arguments)
            .arg("--termination-log")
            .arg(&left)
            .env("KUBECONFIG", &kubeconfig)
            .env("POD_NAME", format!("pod-of-{session}"))
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log)?)
            .spawn()
            .context("failed to start sealift job")?;
        Ok(Running { child, left, log })
    }

    /// What session and operator say, for the message of a failed row.
    fn told(&self, session: &str) -> String {
        let status = self.scene.object(Resource::BACKUP_SESSION, session);
        let status = status.map(|found| found["status"].to_string());
        let log = self.world.operator().map(|operator| operator.log_tail());
        format!(
            "the session says {}; the operator says {}",
            status.unwrap_or_else(|error| error.to_string()),
            log.unwrap_or_else(|error| error.to_string())
        )
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// restic on the repository.
    pub fn restic(&self) -> Result<Restic> {
        Restic::new(self.repository().to_string_lossy().into_owned(), PASSWORD)
    }

    /// How many snapshots there are; 0 = there is no repository.
    pub fn snapshots(&self) -> Result<usize> {
        if !self.repository().join("config").is_file() {
            return Ok(0);
        }
        Ok(self.restic()?.snapshots()?.len())
    }

    /// The path of the repository's Lease.
    pub fn lease(&self) -> Result<String> {
        let repository = self.scene.object(Resource::REPOSITORY, REPOSITORY)?;
        let uid = text(&repository, "/metadata/uid");
        let root = "/apis/coordination.k8s.io/v1/namespaces";
        Ok(format!("{root}/{}/leases/sealift-{uid}", self.scene.namespace))
    }

    /// Who holds the repository, as the Lease says it.
    pub fn holders(&self) -> Result<String> {
        let lease = self.scene.client().get(&self.lease()?)?.context("there is no Lease")?;
        Ok(text(&lease, "/metadata/annotations/sealift.dev~1holders").to_owned())
    }

    /// The session holds nothing any more, and one snapshot for each that succeeded is whole.
    pub fn ensure_sound(&self, snapshots: usize) -> Result<()> {
        let holders = self.holders()?;
        ensure!(holders == "{}", "the repository is held: {holders}");
        let found = self.snapshots()?;
        ensure!(found == snapshots, "{found} snapshots instead of {snapshots}");
        self.restic()?.check()
    }
}

impl Running {
    /// What it has logged so far.
    fn log(&self) -> String {
        read(&self.log)
    }

    /// Asks it to end, as kubelet does.
    pub fn terminate(&self) -> Result<()> {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(status.success(), "the Job has ended already");
        Ok(())
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Result<Ran> {
        let code = wait::until("the Job's process ends", PATIENCE, || {
            Ok(self.child.try_wait()?.map(|status| status.code()))
        })
        .with_context(|| read(&self.log))?;
        let log = read(&self.log);
        let left =
            std::fs::read_to_string(&self.left).with_context(|| format!("nothing left: {log}"))?;
        Ok(Ran { code, left: serde_json::from_str(&left)?, log })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The reason the operator gives for a session that failed: of its host, or of its target.
pub fn error_of(session: &Value) -> String {
    let target = &session["status"]["targets"][0];
    let said = conditions::message(session, "DeadlineExceeded");
    format!("{} {said}", text(target, "/stats/0/error"))
}

/// A way to the Vault that can be held: what has gone through stays, and no byte follows.
pub struct Gate {
    port: u16,
    stop: Arc<AtomicBool>,
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    /// Whether answers are held.
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    /// How many connections wait before it.
    waiting: usize,
}

impl Gate {
    fn open(to: &str) -> Result<Self> {
        let listener = TcpListener::bind((NODE_ADDRESS, 0))
            .context("Jobs never reach loopback, and this machine has no other address here")?;
        let port = listener.local_addr()?.port();
        let to = to.trim_start_matches("http://").to_owned();
        let (stop, held) = (Arc::new(AtomicBool::new(false)), Arc::new(Held::default()));
        let (stopped, of_thread) = (Arc::clone(&stop), Arc::clone(&held));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (to, held) = (to.clone(), Arc::clone(&of_thread));
                // Either side may go away at any time.
                std::thread::spawn(move || drop(serve(&stream, &to, &held)));
            }
        });
        Ok(Self { port, stop, held })
    }

    fn address(&self) -> String {
        format!("http://{NODE_ADDRESS}:{}", self.port)
    }

    /// From now on no answer of the Vault passes.
    pub fn close(&self) {
        self.state().closed = true;
    }

    /// Answers pass again, those that were held first.
    pub fn release(&self) {
        self.state().closed = false;
        self.held.changed.notify_all();
    }

    /// Waits until the Vault has answered something to this Job that is held.
    pub fn wait_until_holding(&self, job: &Running) -> Result<()> {
        wait::until("the Job waits for the Vault", PATIENCE, || {
            Ok((self.state().waiting > 0).then_some(()))
        })
        .with_context(|| job.log())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.held.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.release();
        // Wakes the thread, which then sees that it shall stop.
        drop(TcpStream::connect((NODE_ADDRESS, self.port)));
    }
}

impl Held {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.closed {
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }
}

fn serve(client: &TcpStream, to: &str, held: &Held) -> Result<()> {
    let vault = TcpStream::connect(to)?;
    std::thread::scope(|scope| {
        let there = scope.spawn(|| pump(client, &vault, || ()));
        let back = pump(&vault, client, || held.pass());
        drop(client.shutdown(Shutdown::Both));
        drop(vault.shutdown(Shutdown::Both));
        drop(there.join());
        back
    })
}

/// Copies until the end or an error, and hands the end on.
fn pump(mut from: &TcpStream, mut to: &TcpStream, before: impl Fn()) -> Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let count = from.read(&mut buffer)?;
        before();
        if count == 0 {
            return Ok(to.shutdown(Shutdown::Write)?);
        }
        to.write_all(buffer.get(..count).unwrap_or_default())?;
    }
}
