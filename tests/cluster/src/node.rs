//! The machine that runs pods: containerd, kubelet, kube-proxy, the scheduler, and DNS.
//!
//! It is this machine, seen from inside of the namespaces of the run (see [`crate::namespaces`]),
//! and it must be root's: runc needs devices, mounts and control groups.

mod containerd;
mod dns;
mod kubelet;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sealift_e2e::binaries;
use sealift_e2e::process::Process;
use serde_json::Value;

use crate::control_plane::ControlPlane;
use crate::images::Image;
use crate::namespaces::{NODE_ADDRESS, Place, is_root_of_machine};

use containerd::Containerd;

/// The name of the node.
pub const NAME: &str = "node";
/// Addresses of pods.
pub const POD_NETWORK: &str = "10.244.0.0/24";

/// Programs that come with the Debian packages of [`PACKAGES`].
const PROGRAMS: [&str; 5] = ["containerd", "ctr", "runc", "iptables", "conntrack"];
/// What a node needs from Debian.
pub const PACKAGES: &str = "containerd runc containernetworking-plugins iptables conntrack";
/// Where Debian puts the network plugins.
const NETWORK_PLUGINS: &str = "/usr/lib/cni";

/// A running node. Dropping it ends it; pods end with the namespaces of the run.
#[derive(Debug)]
pub struct Node {
    // Ended in this order.
    _proxy: Process,
    kubelet: Mutex<Process>,
    _scheduler: Process,
    containerd: Containerd,
    folder: PathBuf,
    /// Names of the images that containerd has.
    images: Mutex<BTreeSet<String>>,
    start: Duration,
}

/// Why this machine cannot be a node; `None` if it can.
#[must_use]
pub fn obstacle(place: &Place) -> Option<String> {
    if let Place::Shared(reason) = place {
        return Some(format!("this machine allows no namespaces: {reason}"));
    }
    if !is_root_of_machine() {
        return Some("only root can run pods".to_owned());
    }
    let missing: Vec<&str> =
        PROGRAMS.into_iter().filter(|program| find(program).is_none()).collect();
    if !missing.is_empty() || !Path::new(NETWORK_PLUGINS).join("ptp").is_file() {
        return Some(format!(
            "{} are missing; install them with `apt-get install {PACKAGES}`",
            if missing.is_empty() { "network plugins".to_owned() } else { missing.join(", ") }
        ));
    }
    None
}

impl Node {
    /// Joins this machine to the control plane, which must listen on [`NODE_ADDRESS`].
    pub fn start(plane: &ControlPlane, place: &Place) -> Result<Self> {
        let start = Instant::now();
        if let Some(obstacle) = obstacle(place) {
            bail!("no node can be started here: {obstacle}");
        }
        if plane.files().address != NODE_ADDRESS {
            bail!("pods do not reach a control plane at {}", plane.files().address);
        }
        let folder = plane.files().folder.join("node");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let containerd = Containerd::start(&folder)?;
        let pause = Image::of(containerd::PAUSE, &binaries::server("pause", "pause")?)?;
        containerd.import(&pause.write(&folder)?)?;
        let scheduler = scheduler(plane, &folder)?;
        let mut kubelet = kubelet::start(plane, &folder)?;
        let proxy = kubelet::start_proxy(plane, &folder)?;
        wait_until_ready(&mut kubelet, plane)?;
        let mut node = Self {
            _proxy: proxy,
            kubelet: Mutex::new(kubelet),
            _scheduler: scheduler,
            containerd,
            folder,
            images: Mutex::default(),
            start: Duration::ZERO,
        };
        let image = Image::of(dns::IMAGE, &binaries::server("coredns", "coredns")?)?;
        node.import(&image)?;
        dns::start(plane)?;
        node.start = start.elapsed();
        Ok(node)
    }

    /// How long it took until pods could run and names resolve.
    #[must_use]
    pub fn start_duration(&self) -> Duration {
        self.start
    }

    /// Where volumes lie that outlive their pods.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    /// Makes an image known to the node, once: rows beside each other ask for the same one.
    pub fn import(&self, image: &Image) -> Result<()> {
        let mut known = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(image.reference()) {
            return Ok(());
        }
        let file = image.write(&self.folder)?;
        let imported = self.containerd.import(&file);
        // It is in containerd's store now.
        drop(std::fs::remove_file(file));
        imported?;
        known.insert(image.reference().to_owned());
        Ok(())
    }

    /// Makes the image in an OCI layout known to the node.
    pub fn import_file(&self, file: &Path) -> Result<()> {
        self.containerd.import(file)
    }

    /// Kills the kubelet, as if the machine had lost its network. Pods go on.
    pub fn stop_kubelet(&self) -> Result<()> {
        self.kubelet.lock().unwrap_or_else(PoisonError::into_inner).kill()
    }

    /// Starts the kubelet again, whether or not it runs.
    pub fn restart_kubelet(&self, plane: &ControlPlane) -> Result<()> {
        let mut kubelet = self.kubelet.lock().unwrap_or_else(PoisonError::into_inner);
        // One that was stopped is gone already.
        drop(kubelet.kill());
        *kubelet = kubelet::start(plane, &self.folder)?;
        wait_until_ready(&mut kubelet, plane)
    }
}

fn wait_until_ready(kubelet: &mut Process, plane: &ControlPlane) -> Result<()> {
    let client = plane.client();
    let path = format!("/api/v1/nodes/{NAME}");
    kubelet.wait_until_ready(|| {
        client.get(&path).ok().flatten().is_some_and(|node| {
            let conditions = node.pointer("/status/conditions").and_then(Value::as_array);
            conditions.is_some_and(|all| {
                all.iter()
                    .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
            })
        })
    })
}

fn scheduler(plane: &ControlPlane, folder: &Path) -> Result<Process> {
    let kubeconfig = plane.kubeconfig("kube-scheduler", "system:kube-scheduler", None)?;
    let mut command = Command::new(binaries::server("kubernetes", "kube-scheduler")?);
    command.args(["--leader-elect=false", "--secure-port=0", "--kubeconfig"]).arg(kubeconfig);
    Process::start("kube-scheduler", folder, &mut command)
}

/// Where a program of the system is; root's are not on every user's path.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}
