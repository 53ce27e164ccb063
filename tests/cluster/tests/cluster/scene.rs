//! A row's namespace with the guide's objects in it.

use std::path::Path;

use anyhow::{Context, Result};
use sealift_cluster::client::Client;
use sealift_cluster::manifests;
use sealift_cluster::{ControlPlane, Kubectl, Resource};
use serde_json::{Value, json};

use crate::conditions;
use crate::world::World;

/// The guide's names.
pub const BACKUP: &str = "demo-backup";
pub const REPOSITORY: &str = "gcp-demo-repo";
pub const STORAGE_SECRET: &str = "repository-creds";
pub const VAULT: &str = "vault";
pub const CRON_JOB: &str = "stash-trigger-demo-backup";
/// The password of the repositories.
pub const PASSWORD: &str = "sentinel-restic-password";

/// One namespace.
pub struct Scene<'a> {
    pub plane: &'a ControlPlane,
    pub namespace: String,
}

impl<'a> Scene<'a> {
    /// An empty namespace with the operator running. `number` is the row's.
    pub fn new(world: &'a World, number: &str) -> Result<Self> {
        let scene = Self::without_operator(world, number)?;
        drop(world.operator()?);
        Ok(scene)
    }

    /// An empty namespace; whether an operator runs is none of the row's business.
    pub fn without_operator(world: &'a World, number: &str) -> Result<Self> {
        world.plane()?;
        Self::bare(world, number)
    }

    /// An empty namespace in a cluster that need not know our API.
    pub fn bare(world: &'a World, number: &str) -> Result<Self> {
        let plane = world.bare_plane()?;
        let namespace = format!("row-{}", number.to_lowercase());
        let body =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        plane.kubectl().apply(&body.to_string(), &[])?;
        Ok(Self { plane, namespace })
    }

    pub fn client(&self) -> &Client {
        self.plane.client()
    }

    /// `kubectl -n <namespace> …`, which must succeed.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["-n", self.namespace.as_str()];
        all.extend(arguments);
        self.plane.kubectl().succeed(&all)
    }

    /// The program, for calls that may fail.
    pub fn program(&self) -> &Kubectl {
        self.plane.kubectl()
    }

    /// Applies an object as it is.
    pub fn apply(&self, object: &Value) -> Result<()> {
        self.plane.kubectl().apply(&object.to_string(), &["-n", &self.namespace])?;
        Ok(())
    }

    /// Everything the guide has, applied in its order.
    pub fn apply_guide(&self) -> Result<()> {
        self.apply(&self.app_binding()?)?;
        self.apply(&self.storage_secret())?;
        self.apply(&self.vault_secrets())?;
        self.apply(&self.repository()?)?;
        self.apply(&self.backup()?)
    }

    /// The guide, and its BackupConfiguration ready.
    pub fn ready(world: &'a World, number: &str) -> Result<Self> {
        let scene = Self::new(world, number)?;
        scene.apply_guide()?;
        scene.wait_for_phase(BACKUP, "Ready")?;
        Ok(scene)
    }

    pub fn app_binding(&self) -> Result<Value> {
        manifests::guide("kubevault-stash/guide-backup/02-appbinding.yaml", &self.namespace)
    }

    /// The guide's Repository with its backend in an S3 that nobody asks here.
    pub fn repository(&self) -> Result<Value> {
        let file = "kubevault-stash/guide-backup/03-repository.yaml";
        let mut repository = manifests::guide(file, &self.namespace)?;
        let backend =
            repository.pointer_mut("/spec/backend").context("the guide has no backend")?;
        let prefix = backend["gcs"]["prefix"].clone();
        *backend = json!({
            "s3": {"endpoint": "http://127.0.0.1:9", "bucket": "stash-testing", "prefix": prefix},
            "storageSecretName": STORAGE_SECRET,
        });
        Ok(repository)
    }

    /// The same in a folder of this machine, which only processes on it reach.
    pub fn local_repository(&self, folder: &Path) -> Result<Value> {
        let mut repository = self.repository()?;
        repository["spec"]["backend"] = json!({
            "local": {"mountPath": folder, "hostPath": {"path": "/nowhere"}},
            "storageSecretName": STORAGE_SECRET,
        });
        Ok(repository)
    }

    pub fn backup(&self) -> Result<Value> {
        manifests::guide(
            "kubevault-stash/guide-backup/04-backupconfiguration.yaml",
            &self.namespace,
        )
    }

    pub fn restore(&self) -> Result<Value> {
        manifests::guide("kubevault-stash/guide-restore/01-restoresession.yaml", &self.namespace)
    }

    pub fn storage_secret(&self) -> Value {
        self.secret(
            STORAGE_SECRET,
            &json!({
                "RESTIC_PASSWORD": PASSWORD,
                "AWS_ACCESS_KEY_ID": "sentinel-access-key",
                "AWS_SECRET_ACCESS_KEY": "sentinel-secret-key",
            }),
        )
    }

    /// The Secrets KubeVault makes.
    pub fn vault_secrets(&self) -> Value {
        let token = self.secret("vault-backup-token", &json!({"token": "sentinel-vault-token"}));
        let mut keys = json!({"k8s.kubevault.com.demo.vault-root-token": "sentinel-root-token"});
        for share in 0..5 {
            keys[format!("k8s.kubevault.com.demo.vault-unseal-key-{share}")] =
                json!(format!("sentinel-unseal-key-{share}"));
        }
        json!({"apiVersion": "v1", "kind": "List", "items": [token, self.secret("vault-keys", &keys)]})
    }

    pub fn secret(&self, name: &str, data: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": name, "namespace": self.namespace},
            "stringData": data,
        })
    }

    /// A BackupSession as the CronJob makes it, but with a name of ours.
    pub fn session(&self, name: &str) -> Result<Value> {
        let session = json!({
            "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession",
            "metadata": {"name": name, "namespace": self.namespace, "labels": {
                "stash.appscode.com/invoker-type": "BackupConfiguration",
                "stash.appscode.com/invoker-name": BACKUP,
            }},
            "spec": {"invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": BACKUP}},
        });
        self.client().create(Resource::BACKUP_SESSION, &self.namespace, &session)
    }

    pub fn object(&self, resource: Resource, name: &str) -> Result<Value> {
        self.client().object(resource, &self.namespace, name)
    }

    /// Waits until `seen` holds of the object, and returns it.
    pub fn wait(
        &self,
        what: &str,
        resource: Resource,
        name: &str,
        seen: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let path = resource.path(&self.namespace, name);
        self.client().wait(what, &path, |object| object.filter(|object| seen(object)).cloned())
    }

    /// Waits for a phase of a BackupConfiguration.
    /// Changes the BackupConfiguration, and waits until the operator has seen it.
    pub fn edit(&self, patch: &Value) -> Result<()> {
        let kind = Resource::BACKUP_CONFIGURATION;
        self.client().patch(kind, &self.namespace, BACKUP, patch)?;
        self.wait("the edit is observed", kind, BACKUP, |backup| {
            backup["status"]["observedGeneration"] == backup["metadata"]["generation"]
        })?;
        Ok(())
    }

    pub fn wait_for_phase(&self, name: &str, phase: &str) -> Result<Value> {
        let what = format!("BackupConfiguration {name} becomes {phase}");
        self.wait(&what, Resource::BACKUP_CONFIGURATION, name, |backup| {
            conditions::phase(backup) == phase
        })
    }

    /// Waits until a condition of a BackupConfiguration is `<status> <reason>`.
    pub fn wait_for_condition(&self, kind: &str, wanted: &str) -> Result<Value> {
        let what = format!("condition {kind} of the BackupConfiguration becomes {wanted}");
        self.wait(&what, Resource::BACKUP_CONFIGURATION, BACKUP, |backup| {
            conditions::of(backup, kind) == wanted
        })
    }
}
