//! The cluster of `bench operator`: a control plane, many backups to configure, the operator.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sealift_cluster::{Client, ControlPlane, Resource, manifests};
use sealift_e2e::process::{Process, free_port, http_client};
use sealift_e2e::{binaries, wait};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::operator_meter::{USER, flow_schemas};

/// What the chart gives the operator when nobody says otherwise.
pub(crate) const PLACES: usize = 20;
/// Writers that make objects at once; more would only wait for each other in the API server.
const WRITERS: usize = 8;
/// What is waited for here takes minutes when there is much of it.
const PATIENCE: Duration = Duration::from_secs(3600);
const STORAGE_SECRET: &str = "repository-creds";

/// A cluster without a node.
pub(crate) struct Scene {
    // Dropped in this order.
    operator: Option<Process>,
    plane: ControlPlane,
    folder: TempDir,
    program: PathBuf,
    /// Namespace and name of each BackupConfiguration.
    pub(crate) backups: Vec<(String, String)>,
}

impl Scene {
    /// Starts the control plane, and makes our API and `objects` BackupConfigurations in
    /// `namespaces` namespaces, each with a Repository and a target of its own.
    pub(crate) fn new(program: PathBuf, objects: usize, namespaces: usize) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("sealift-bench-")
            .tempdir()
            .context("failed to create a folder")?;
        let plane = ControlPlane::start(&folder.path().join("plane"), "127.0.0.1")?;
        let backups = (0..objects)
            .map(|index| (team(place(index, namespaces)), format!("backup-{index:05}")))
            .collect();
        let scene = Self { operator: None, plane, folder, program, backups };
        scene.install()?;
        let names: Vec<String> = (0..namespaces).map(team).collect();
        each(&names, |name| scene.make_namespace(name))?;
        each(&scene.backups, |(namespace, name)| scene.make_backup(namespace, name))?;
        Ok(scene)
    }

    pub(crate) fn client(&self) -> &Client {
        self.plane.client()
    }

    fn install(&self) -> Result<()> {
        let deploy = binaries::source_root().join("deploy");
        let (crds, catalog) = (deploy.join("crds"), deploy.join("catalog"));
        let (crds, catalog) = (crds.to_string_lossy(), catalog.to_string_lossy());
        let kubectl = self.plane.kubectl();
        kubectl.succeed(&["apply", "--server-side", "-f", &crds])?;
        kubectl.succeed(&["wait", "--for=condition=Established", "--timeout=60s", "-f", &crds])?;
        kubectl.succeed(&["apply", "--server-side", "-f", &catalog])?;
        // Not in `system:masters`, whose requests are never queued and not counted.
        let user = format!("--user={USER}");
        let role = ["create", "clusterrolebinding", USER, "--clusterrole=cluster-admin", &user];
        kubectl.succeed(&role)?;
        kubectl.apply(&flow_schemas().to_string(), &[])?;
        Ok(())
    }

    fn make_namespace(&self, name: &str) -> Result<()> {
        let namespaces = Resource { root: "/api/v1", plural: "namespaces" };
        let path = format!("{}/{}", namespaces.root, namespaces.plural);
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        created(self.client().call("POST", &path, "application/json", Some(&body))?)?;
        for (secret, keys) in [
            (
                STORAGE_SECRET,
                ["RESTIC_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].as_slice(),
            ),
            ("vault-backup-token", &["token"]),
            ("vault-keys", &["k8s.kubevault.com.demo.vault-root-token"]),
        ] {
            let data: BTreeMap<&str, &str> =
                keys.iter().map(|key| (*key, "of the bench")).collect();
            let body = json!({"apiVersion": "v1", "kind": "Secret", "stringData": data,
                "metadata": {"name": secret, "namespace": name}});
            self.client().create(Resource::SECRET, name, &body)?;
        }
        Ok(())
    }

    /// The guide's objects under another name.
    fn make_backup(&self, namespace: &str, name: &str) -> Result<()> {
        let guide = |file: &str| {
            manifests::guide(&format!("kubevault-stash/guide-backup/{file}"), namespace)
        };
        let mut binding = guide("02-appbinding.yaml")?;
        let mut repository = guide("03-repository.yaml")?;
        let mut backup = guide("04-backupconfiguration.yaml")?;
        for object in [&mut binding, &mut repository, &mut backup] {
            set(object, "/metadata/name", json!(name))?;
        }
        set(
            &mut repository,
            "/spec/backend",
            json!({
                "s3": {"endpoint": "http://127.0.0.1:9", "bucket": "backups", "prefix": name},
                "storageSecretName": STORAGE_SECRET,
            }),
        )?;
        set(&mut backup, "/spec/repository/name", json!(name))?;
        set(&mut backup, "/spec/target/ref/name", json!(name))?;
        // The bench makes the sessions itself.
        set(&mut backup, "/spec/schedule", json!("0 0 1 1 *"))?;
        self.client().create(Resource::APP_BINDING, namespace, &binding)?;
        self.client().create(Resource::REPOSITORY, namespace, &repository)?;
        self.client().create(Resource::BACKUP_CONFIGURATION, namespace, &backup)?;
        Ok(())
    }

    /// What the operator logged last.
    pub(crate) fn operator_log(&self) -> String {
        self.operator.as_ref().map(Process::log_tail).unwrap_or_default()
    }

    /// Starts the operator, or kills it and starts it again; waits until it works. Returns its
    /// process id.
    pub(crate) fn start_operator(&mut self) -> Result<u32> {
        self.operator = None;
        let kubeconfig = self.plane.kubeconfig(USER, USER, None)?;
        let port = free_port()?;
        let mut command = Command::new(&self.program);
        command
            .args(["operator", "--image=localhost/sealift:bench"])
            .arg(format!("--metrics-address=127.0.0.1:{port}"))
            .arg(format!("--max-concurrent-sessions={PLACES}"))
            // Nothing runs the pods here.
            .arg("--pending-limit=86400")
            .env("KUBECONFIG", kubeconfig)
            .current_dir(self.folder.path());
        let mut process = Process::start("operator", self.folder.path(), &mut command)?;
        let (ready, http) = (format!("http://127.0.0.1:{port}/readyz"), http_client());
        process.wait_until_ready(|| {
            http.get(&ready).call().is_ok_and(|answer| answer.status() == 200)
        })?;
        let id = process.id();
        self.operator = Some(process);
        Ok(id)
    }

    /// How many objects of a kind are in which phase, in the whole cluster.
    pub(crate) fn phases(&self, resource: Resource) -> Result<BTreeMap<String, usize>> {
        let mut phases = BTreeMap::new();
        for row in self.rows(resource)? {
            *phases.entry(row.get("Phase").cloned().unwrap_or_default()).or_default() += 1;
        }
        Ok(phases)
    }

    /// All objects of a kind as `kubectl get` shows them.
    pub(crate) fn rows(&self, resource: Resource) -> Result<Vec<BTreeMap<String, String>>> {
        self.client().table(&format!("{}/{}", resource.root, resource.plural))
    }

    /// All objects of a kind, whole.
    pub(crate) fn all(&self, resource: Resource) -> Result<Vec<Value>> {
        let found = self.client().get(&format!("{}/{}", resource.root, resource.plural))?;
        let found = found.with_context(|| format!("{} are not served", resource.plural))?;
        Ok(found.pointer("/items").and_then(Value::as_array).cloned().unwrap_or_default())
    }
}

/// The first namespace has half of all, the others share the rest: who has much must not have all.
fn place(index: usize, namespaces: usize) -> usize {
    if index.is_multiple_of(2) || namespaces < 2 { 0 } else { 1 + index / 2 % (namespaces - 1) }
}

fn team(index: usize) -> String {
    format!("team-{index:03}")
}

/// Sets what stands at a pointer.
fn set(object: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let (above, name) = pointer.rsplit_once('/').context("a pointer begins with a slash")?;
    let above = object.pointer_mut(above).and_then(Value::as_object_mut);
    above
        .with_context(|| format!("the guide has nothing above {pointer}"))?
        .insert(name.to_owned(), value);
    Ok(())
}

fn created((status, body): (u16, Value)) -> Result<()> {
    if status != 201 {
        bail!("an object was answered with {status}: {body}");
    }
    Ok(())
}

/// Does the same with each of many, several at once.
pub(crate) fn each<T: Sync>(all: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let share = all.len().div_ceil(WRITERS).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            all.chunks(share).map(|part| scope.spawn(|| part.iter().try_for_each(&work))).collect();
        parts.into_iter().try_for_each(|part| match part.join() {
            Ok(result) => result,
            Err(_) => bail!("a writer panicked"),
        })
    })
}

/// Asks every `pause` until there is an answer: asking costs the API server something.
pub(crate) fn wait_slowly<T>(
    what: &str,
    pause: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let mut next = std::time::Instant::now();
    wait::until(what, PATIENCE, || {
        if std::time::Instant::now() < next {
            return Ok(None);
        }
        let answer = ask();
        next = std::time::Instant::now() + pause;
        answer
    })
}
