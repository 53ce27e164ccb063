//! containerd with folders and a socket of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sealift_e2e::process::Process;
use serde_json::json;

use super::{NETWORK_PLUGINS, POD_NETWORK};
use crate::namespaces::run;

/// The image that holds a pod's namespaces open.
pub(super) const PAUSE: &str = "localhost/pause:1";
/// In `/run`, which belongs to the run; a path in a temporary folder could be too long for a socket.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";

/// A running containerd.
#[derive(Debug)]
pub(super) struct Containerd {
    _process: Process,
}

impl Containerd {
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let network = folder.join("network");
        fs::create_dir_all(&network)
            .with_context(|| format!("failed to create {}", network.display()))?;
        write(&network.join("10-tests.conflist"), &network_configuration())?;
        let data = folder.join("containerd");
        let file = folder.join("containerd.toml");
        write(&file, &configuration(&data, &network, snapshotter(folder)))?;
        let mut command = Command::new("containerd");
        command.arg("--config").arg(&file).args(["--log-level", "warn"]);
        let mut process = Process::start("containerd", folder, &mut command)?;
        process.wait_until_ready(|| run(ctr().arg("version")).is_ok())?;
        Ok(Self { _process: process })
    }

    /// Takes the image in an OCI layout in.
    pub(super) fn import(&self, file: &Path) -> Result<()> {
        run(ctr().args(["--namespace", "k8s.io", "images", "import"]).arg(file))
            .with_context(|| format!("failed to import {}", file.display()))?;
        Ok(())
    }
}

fn ctr() -> Command {
    let mut command = Command::new("ctr");
    command.args(["--address", SOCKET]);
    command
}

/// Overlays, unless the file system below does not allow them (it may be one itself): then copies.
fn snapshotter(folder: &Path) -> &'static str {
    let place = folder.join("overlay-probe");
    let parts: Vec<PathBuf> =
        ["lower", "upper", "work", "merged"].map(|part| place.join(part)).to_vec();
    let made = parts.iter().all(|part| fs::create_dir_all(part).is_ok());
    let [lower, upper, work, merged] = parts.as_slice() else { return "native" };
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    let mut mount = Command::new("mount");
    mount.args(["-t", "overlay", "overlay", "-o", &options]).arg(merged);
    let works = made && run(&mut mount).is_ok();
    if works {
        drop(run(Command::new("umount").arg(merged)));
    }
    drop(fs::remove_dir_all(&place));
    if works { "overlayfs" } else { "native" }
}

fn configuration(data: &Path, network: &Path, snapshotter: &str) -> String {
    let plugin = "plugins.\"io.containerd.grpc.v1.cri\"";
    // Without the last line of the first table runc dies where the machine does not let root
    // lower the score of processes.
    format!(
        r#"version = 2
root = {data:?}
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = {SOCKET:?}
[plugins."io.containerd.internal.v1.opt"]
  path = {opt:?}
[{plugin}]
  sandbox_image = {PAUSE:?}
  disable_apparmor = true
  restrict_oom_score_adj = true
[{plugin}.containerd]
  snapshotter = {snapshotter:?}
  default_runtime_name = "runc"
[{plugin}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[{plugin}.containerd.runtimes.runc.options]
  SystemdCgroup = false
[{plugin}.cni]
  bin_dir = {NETWORK_PLUGINS:?}
  conf_dir = {network:?}
"#,
        opt = data.join("opt"),
    )
}

/// Each pod has a line of its own to this machine, so that everything between pods passes the
/// packet filter, on kernels without one for bridges too.
fn network_configuration() -> String {
    json!({
        "cniVersion": "0.4.0",
        "name": "tests",
        "plugins": [
            {"type": "ptp", "ipMasq": false, "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": POD_NETWORK}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            }},
            {"type": "portmap", "capabilities": {"portMappings": true}},
        ],
    })
    .to_string()
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}
