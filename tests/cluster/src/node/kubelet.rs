//! kubelet and kube-proxy, set up for a machine that is also used for other things.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sealift_e2e::binaries;
use sealift_e2e::process::Process;
use serde_json::{Value, json};

use super::containerd::SOCKET;
use super::{NAME, POD_NETWORK};
use crate::control_plane::{ControlPlane, DNS_ADDRESS};

pub(super) fn start(plane: &ControlPlane, folder: &Path) -> Result<Process> {
    let files = plane.files();
    let serving = files.authority.server("kubelet-serving", &[&files.address, NAME])?;
    let resolver = folder.join("resolv.conf");
    // The machine's own would lead out of the cluster.
    fs::write(&resolver, "").with_context(|| format!("failed to write {}", resolver.display()))?;
    let configuration = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": files.address,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": files.authority.certificate()},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": serving.certificate,
        "tlsPrivateKeyFile": serving.key,
        "containerRuntimeEndpoint": format!("unix://{SOCKET}"),
        "clusterDNS": [DNS_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": resolver,
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": false,
        "failSwapOn": false,
        // The machine is not the node's alone: it reserves nothing and evicts only at the last moment.
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": false,
        "evictionHard": {
            "memory.available": "64Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        // Not every root may lower it.
        "oomScoreAdj": 0,
        // Dead nodes are noticed sooner than by default, for the tests that stop this one.
        "nodeStatusUpdateFrequency": "4s",
        "syncFrequency": "10s",
    });
    let configuration = write(folder, "kubelet.json", &configuration)?;
    let user = format!("system:node:{NAME}");
    let kubeconfig = plane.kubeconfig("kubelet", &user, Some("system:nodes"))?;
    let mut command = Command::new(binaries::server("kubernetes", "kubelet")?);
    command.arg("--config").arg(configuration).arg("--kubeconfig").arg(kubeconfig);
    command.args([format!("--hostname-override={NAME}"), format!("--node-ip={}", files.address)]);
    Process::start("kubelet", folder, &mut command)
}

pub(super) fn start_proxy(plane: &ControlPlane, folder: &Path) -> Result<Process> {
    let kubeconfig = plane.kubeconfig("kube-proxy", "system:kube-proxy", None)?;
    let configuration = json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clientConnection": {"kubeconfig": kubeconfig},
        "hostnameOverride": NAME,
        "clusterCIDR": POD_NETWORK,
        // The tables of connections are the machine's.
        "conntrack": {"maxPerCore": 0, "min": 0},
        "oomScoreAdj": 0,
    });
    let configuration = write(folder, "kube-proxy.json", &configuration)?;
    let mut command = Command::new(binaries::server("kubernetes", "kube-proxy")?);
    command.arg("--config").arg(configuration);
    Process::start("kube-proxy", folder, &mut command)
}

fn write(folder: &Path, name: &str, value: &Value) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, value.to_string())
        .with_context(|| format!("failed to write {}", path.display()))?;
    Ok(path)
}
