//! A scene on the node: a real Vault and a real storage behind the guide's objects.

use anyhow::{Context, Result};
use sealift_cluster::Resource;
use sealift_cluster::workloads::storage::{self, S3};
use sealift_cluster::workloads::vault::{self, Vault};
use serde_json::{Value, json};

use crate::conditions;
use crate::scene::{BACKUP, STORAGE_SECRET, Scene};
use crate::world::World;

/// The image the operator gives its Jobs.
pub const IMAGE: &str = "localhost/sealift:tests";
/// The password of the repositories.
pub const PASSWORD: &str = "correct horse battery staple of the tests";

/// A Vault and a storage that rows only read from and write beside each other to.
pub struct Backing {
    pub vault: Vault,
    pub storage: S3,
    namespace: String,
}

impl Backing {
    pub fn new(world: &World) -> Result<Self> {
        let scene = Scene::bare(world, "backing")?;
        let node = world.node()?;
        world.image()?;
        let storage = storage::start(scene.plane, node, &scene.namespace, "backups")?;
        let vault = vault::start(scene.plane, node, &scene.namespace, 1)?;
        vault.enable_kv()?;
        vault.put("canary", "of all rows")?;
        Ok(Self { vault, storage, namespace: scene.namespace })
    }
}

/// A namespace with the guide's objects on the shared Vault and storage, each row below a prefix
/// of its own. `change` may change the BackupConfiguration before it is applied.
pub fn ready<'a>(
    world: &'a World,
    number: &str,
    change: impl FnOnce(&mut Value),
) -> Result<Scene<'a>> {
    let backing = world.backing()?;
    let scene = Scene::new(world, number)?;
    let mut binding = scene.app_binding()?;
    binding["spec"]["clientConfig"]["service"]["namespace"] = json!(backing.namespace);
    apply(&scene, &backing.vault, &backing.storage, &binding)?;
    let mut backup = scene.backup()?;
    // The row makes its sessions itself.
    backup["spec"]["schedule"] = json!("0 0 1 1 *");
    backup["spec"]["backupHistoryLimit"] = json!(5);
    change(&mut backup);
    scene.apply(&backup)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    Ok(scene)
}

/// The guide's objects but the BackupConfiguration; returns what nobody may see.
pub fn apply(scene: &Scene<'_>, vault: &Vault, s3: &S3, binding: &Value) -> Result<Vec<String>> {
    let token = vault.backup_token()?;
    let mut keys = json!({"k8s.kubevault.com.demo.vault-root-token": vault.keys.root_token});
    for (share, key) in vault.keys.unseal.iter().enumerate() {
        keys[format!("k8s.kubevault.com.demo.vault-unseal-key-{share}")] = json!(key);
    }
    scene.apply(&scene.secret("vault-backup-token", &json!({ "token": token })))?;
    scene.apply(&scene.secret("vault-keys", &keys))?;
    scene.apply(&scene.secret(
        STORAGE_SECRET,
        &json!({
            "RESTIC_PASSWORD": PASSWORD,
            "AWS_ACCESS_KEY_ID": s3.access_key,
            "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        }),
    ))?;
    let mut repository = scene.repository()?;
    let backend = &mut repository["spec"]["backend"]["s3"];
    backend["endpoint"] = json!(s3.endpoint);
    backend["bucket"] = json!(s3.bucket);
    if s3.bucket == "backups" {
        backend["prefix"] = json!(scene.namespace);
    }
    scene.apply(binding)?;
    scene.apply(&repository)?;
    let mut secrets = vec![PASSWORD.to_owned(), s3.secret_key.clone(), token];
    secrets.push(vault.keys.root_token.clone());
    secrets.extend(vault.keys.unseal.iter().cloned());
    Ok(secrets)
}

/// The object in its last phase, and the phases it went through.
pub fn follow(scene: &Scene<'_>, resource: Resource, name: &str) -> Result<(Value, Vec<String>)> {
    let mut phases: Vec<String> = Vec::new();
    let path = resource.path(&scene.namespace, name);
    let object = scene
        .client()
        .wait(&format!("{name} ends"), &path, |object| {
            let object = object?;
            let phase = conditions::phase(object);
            if phases.last().map(String::as_str) != Some(phase) {
                phases.push(phase.to_owned());
            }
            matches!(phase, "Succeeded" | "Failed" | "Skipped" | "Invalid").then(|| object.clone())
        })
        .with_context(|| logs(scene))?;
    Ok((object, phases))
}

/// What the pods of the namespace said, for the message of a failed row.
fn logs(scene: &Scene<'_>) -> String {
    let mut said = String::new();
    for pod in scene.client().names(Resource::POD, &scene.namespace).unwrap_or_default() {
        let arguments = ["-n", &scene.namespace, "logs", &pod, "--all-containers", "--tail=40"];
        if let Ok(log) = scene.program().run(&arguments) {
            said.push_str(&format!("--- {pod}\n{}\n", log.text()));
        }
    }
    said
}
