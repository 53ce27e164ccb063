//! etcd, the API server and the controller manager: a Kubernetes without a node.
//!
//! Most of what the operator does is seen here: objects, conditions, Jobs and CronJobs are made,
//! owned and collected; pods stay Pending. [`crate::node`] adds the machine that runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use base64::Engine as _;
use sealift_e2e::binaries;
use sealift_e2e::process::{Process, free_port};
use serde_json::json;

use crate::audit::{self, Log};
use crate::certificates::{Authority, Certificate, TokenKeys};
use crate::client::Client;
use crate::kubectl::Kubectl;

/// Addresses of Services; the first is the API server's own.
pub const SERVICE_NETWORK: &str = "10.96.0.0/16";
/// The API server's own Service.
const SERVICE_ADDRESS: &str = "10.96.0.1";
/// Where a Service asks for DNS.
pub const DNS_ADDRESS: &str = "10.96.0.10";

/// A running control plane. Dropping it ends it; its folder stays the caller's.
#[derive(Debug)]
pub struct ControlPlane {
    // Ended in this order: who talks before who listens.
    proxy: Process,
    controller_manager: Process,
    api_server: Mutex<Process>,
    _etcd: Process,
    client: Client,
    kubectl: Kubectl,
    files: Files,
    start: Duration,
}

/// What its programs are started from, and what a node needs to join.
#[derive(Debug)]
pub struct Files {
    /// Logs, data and everything below.
    pub folder: PathBuf,
    /// Signs servers, clients and nodes.
    pub authority: Authority,
    /// Where the API server listens, and what it tells Services and nodes.
    pub address: String,
    /// Its port.
    pub port: u16,
    etcd_port: u16,
    serving: Certificate,
    to_kubelets: Certificate,
    front_proxy: Authority,
    to_extensions: Certificate,
    tokens: TokenKeys,
}

impl ControlPlane {
    /// Starts one whose API server listens on `address`, an address of this machine.
    pub fn start(folder: &Path, address: &str) -> Result<Self> {
        let start = Instant::now();
        let files = Files::new(folder, address)?;
        let mut etcd = files.etcd()?;
        let ready = format!("http://127.0.0.1:{}/readyz", files.etcd_port);
        let http = sealift_e2e::process::http_client();
        etcd.wait_until_ready(|| {
            http.get(&ready).call().is_ok_and(|answer| answer.status() == 200)
        })?;

        let admin = files.kubeconfig("admin", "admin", Some("system:masters"))?;
        let kubectl = Kubectl::new(admin)?;
        let mut api_server = files.api_server()?;
        api_server.wait_until_ready(|| kubectl.raw("/readyz").is_ok())?;
        let controller_manager = files.controller_manager()?;
        let (proxy, client) = proxy(&files.folder, &kubectl)?;
        let mut plane = Self {
            proxy,
            controller_manager,
            api_server: Mutex::new(api_server),
            _etcd: etcd,
            client,
            kubectl,
            files,
            start: Duration::ZERO,
        };
        plane.wait_for_controllers()?;
        plane.start = start.elapsed();
        Ok(plane)
    }

    /// How long it took until objects could be made.
    #[must_use]
    pub fn start_duration(&self) -> Duration {
        self.start
    }

    /// `kubectl` with all rights.
    #[must_use]
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The API with all rights.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What its programs are started from.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// A kubeconfig of another user, `<folder>/<name>.kubeconfig`.
    pub fn kubeconfig(&self, name: &str, user: &str, group: Option<&str>) -> Result<PathBuf> {
        self.files.kubeconfig(name, user, group)
    }

    /// What users with limited rights have asked of the API server so far.
    pub fn audit_log(&self) -> Result<Log> {
        Log::read(&self.files.audit_log())
    }

    /// Ends the API server as a crash would, and starts it again on its port.
    pub fn restart_api_server(&self) -> Result<()> {
        let mut server = self.api_server.lock().unwrap_or_else(PoisonError::into_inner);
        server.kill()?;
        *server = self.files.api_server()?;
        server.wait_until_ready(|| self.kubectl.raw("/readyz").is_ok())
    }

    /// Namespaces get a default ServiceAccount only once the controllers run, and pods are refused before.
    fn wait_for_controllers(&mut self) -> Result<()> {
        let client = self.client.clone();
        let path = "/api/v1/namespaces/default/serviceaccounts/default";
        self.controller_manager
            .wait_until_ready(|| client.get(path).is_ok_and(|found| found.is_some()))
            .with_context(|| format!("the proxy says: {}", self.proxy.log_tail()))
    }
}

impl Files {
    fn new(folder: &Path, address: &str) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to create {}", folder.display()))?;
        let certificates = folder.join("certificates");
        let authority = Authority::new(&certificates, "cluster")?;
        let names = [
            "127.0.0.1",
            "localhost",
            address,
            SERVICE_ADDRESS,
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let serving = authority.server("kube-apiserver", &names)?;
        let to_kubelets = authority.client(
            "to-kubelets",
            "kube-apiserver-kubelet-client",
            Some("system:masters"),
        )?;
        // The API server refuses one authority for both kinds of clients.
        let front_proxy = Authority::new(&certificates, "front-proxy")?;
        let to_extensions = front_proxy.client("to-extensions", "front-proxy-client", None)?;
        let tokens = TokenKeys::new(&certificates)?;
        Ok(Self {
            folder: folder.to_path_buf(),
            authority,
            address: address.to_owned(),
            port: free_port()?,
            etcd_port: free_port()?,
            serving,
            to_kubelets,
            front_proxy,
            to_extensions,
            tokens,
        })
    }

    /// Writes `<folder>/<name>.kubeconfig` with everything in it.
    pub fn kubeconfig(&self, name: &str, user: &str, group: Option<&str>) -> Result<PathBuf> {
        let client = self.authority.client(name, user, group)?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": {
                "server": format!("https://{}:{}", self.address, self.port),
                "certificate-authority-data": encoded(self.authority.certificate())?,
            }}],
            "users": [{"name": user, "user": {
                "client-certificate-data": encoded(&client.certificate)?,
                "client-key-data": encoded(&client.key)?,
            }}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": user}}],
            "current-context": "tests",
        });
        let path = self.folder.join(format!("{name}.kubeconfig"));
        fs::write(&path, config.to_string())
            .with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    fn etcd(&self) -> Result<Process> {
        let (client, peer) = (self.etcd_port, free_port()?);
        let client = format!("http://127.0.0.1:{client}");
        let peer = format!("http://127.0.0.1:{peer}");
        // Its module calls the program `server`.
        let mut command = Command::new(binaries::server("kubernetes", "server")?);
        command.arg("--data-dir").arg(self.folder.join("etcd"));
        command.args(["--name=tests", "--unsafe-no-fsync", "--log-level=warn"]);
        command.arg(format!("--listen-client-urls={client}"));
        command.arg(format!("--advertise-client-urls={client}"));
        command.arg(format!("--listen-peer-urls={peer}"));
        command.arg(format!("--initial-advertise-peer-urls={peer}"));
        command.arg(format!("--initial-cluster=tests={peer}"));
        Process::start("etcd", &self.folder, &mut command)
    }

    fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    fn api_server(&self) -> Result<Process> {
        let policy = self.folder.join("audit-policy.json");
        fs::write(&policy, audit::policy().to_string())
            .with_context(|| format!("failed to write {}", policy.display()))?;
        let mut command = Command::new(binaries::server("kubernetes", "kube-apiserver")?);
        let loopback = self.address == "127.0.0.1";
        command.args([
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            format!("--secure-port={}", self.port),
            // Pods reach it by the machine's address, and everything else by loopback.
            format!("--bind-address={}", if loopback { "127.0.0.1" } else { "0.0.0.0" }),
            format!("--advertise-address={}", self.address),
            format!("--service-cluster-ip-range={SERVICE_NETWORK}"),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--authorization-mode=Node,RBAC".to_owned(),
            "--allow-privileged=true".to_owned(),
            // A silent node is given up within a minute, for the tests that silence this one.
            "--default-not-ready-toleration-seconds=10".to_owned(),
            "--default-unreachable-toleration-seconds=10".to_owned(),
            // As OpenShift has it: whoever names an owner that blocks must have rights to it.
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement".to_owned(),
            // One file, however long.
            "--audit-log-maxsize=1048576".to_owned(),
            "--kubelet-preferred-address-types=InternalIP".to_owned(),
            "--requestheader-allowed-names=front-proxy-client".to_owned(),
            "--requestheader-username-headers=X-Remote-User".to_owned(),
            "--requestheader-group-headers=X-Remote-Group".to_owned(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        ]);
        if loopback {
            // An endpoint of a Service may not be on loopback.
            command.arg("--endpoint-reconciler-type=none");
        }
        for (flag, path) in [
            ("--audit-policy-file", policy.as_path()),
            ("--audit-log-path", &self.audit_log()),
            ("--tls-cert-file", &self.serving.certificate),
            ("--tls-private-key-file", &self.serving.key),
            ("--client-ca-file", self.authority.certificate()),
            ("--service-account-key-file", &self.tokens.public),
            ("--service-account-signing-key-file", &self.tokens.private),
            ("--kubelet-client-certificate", &self.to_kubelets.certificate),
            ("--kubelet-client-key", &self.to_kubelets.key),
            ("--kubelet-certificate-authority", self.authority.certificate()),
            ("--requestheader-client-ca-file", self.front_proxy.certificate()),
            ("--proxy-client-cert-file", &self.to_extensions.certificate),
            ("--proxy-client-key-file", &self.to_extensions.key),
        ] {
            command.arg(flag).arg(path);
        }
        Process::start("kube-apiserver", &self.folder, &mut command)
    }

    fn controller_manager(&self) -> Result<Process> {
        let user = "system:kube-controller-manager";
        let kubeconfig = self.kubeconfig("kube-controller-manager", user, None)?;
        let mut command = Command::new(binaries::server("kubernetes", "kube-controller-manager")?);
        command.args([
            "--use-service-account-credentials",
            "--leader-elect=false",
            // See the tolerations of the API server. Shorter than by default, and far above the
            // interval at which the kubelet here speaks.
            "--node-monitor-grace-period=40s",
            // Nobody asks it anything.
            "--secure-port=0",
        ]);
        for (flag, path) in [
            ("--kubeconfig", kubeconfig.as_path()),
            ("--service-account-private-key-file", &self.tokens.private),
            ("--root-ca-file", self.authority.certificate()),
        ] {
            command.arg(flag).arg(path);
        }
        Process::start("kube-controller-manager", &self.folder, &mut command)
    }
}

/// Plain HTTP on loopback in front of the API server, so that asking costs no process.
fn proxy(folder: &Path, kubectl: &Kubectl) -> Result<(Process, Client)> {
    let port = free_port()?;
    let mut command = kubectl.command();
    command.args(["proxy", &format!("--port={port}"), "--reject-paths="]);
    let mut process = Process::start("kubectl-proxy", folder, &mut command)?;
    let client = Client::new(port);
    process.wait_until_ready(|| client.get("/version").is_ok_and(|version| version.is_some()))?;
    Ok((process, client))
}

fn encoded(path: &Path) -> Result<String> {
    let bytes = fs::read(path).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(base64::engine::general_purpose::STANDARD.encode(bytes))
}
