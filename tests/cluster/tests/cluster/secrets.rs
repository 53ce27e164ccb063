//! Secrets stay where they are: the operator sees that they are there and nothing of what is in
//! them, and no object that it or a Job writes holds a value of one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Trial;
use sealift_cluster::ControlPlane;
use sealift_cluster::Resource;
use sealift_cluster::operator::Operator;
use serde_json::{Value, json};

use crate::acted::succeed;
use crate::api_proxy::ApiProxy;
use crate::operators::instead_of_the_one;
use crate::scene::{BACKUP, STORAGE_SECRET, Scene};
use crate::stage;
use crate::world::{World, text, trial, trial_alone};

const SESSION: &str = "demo-backup-1700000000";
/// How an answer is asked for that holds an object's metadata and nothing else.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// Shorter values may be words of a message, and so may a phrase; one that is this long is none.
const SHORTEST: usize = 8;
const SHORTEST_PHRASE: usize = 30;

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![trial_alone(
        world,
        "secrets: the operator asks for the metadata of those that are named, and for nothing else",
        |world| instead_of_the_one(world, metadata_only),
    )]
}

/// What can be said only after the other rows: of all that they made the operator and Jobs write.
pub fn judgement(world: &Arc<World>, all: bool) -> Vec<Trial> {
    if world.started_plane().is_none() {
        return Vec::new();
    }
    let name = "secrets: nothing that was written or logged holds a value of one";
    vec![trial(world, name, move |world| nowhere(world, all))]
}

/// Backup and restore, up to their Jobs, by an operator whose requests are seen on their way.
fn metadata_only(world: &World) -> Result<()> {
    let scene = Scene::without_operator(world, "secrets")?;
    let proxy = ApiProxy::start(scene.plane, "secrets")?;
    let folder = scene.plane.files().folder.join("operator-of-secrets");
    let image = format!("--image={}", stage::IMAGE);
    let arguments = [image.as_str(), "--pod-name=secrets"];
    let mut operator = Operator::start_unready(&folder, proxy.kubeconfig(), &arguments)?;
    operator.wait_until_ready()?;
    let done = (|| -> Result<()> {
        scene.apply_guide()?;
        scene.wait_for_phase(BACKUP, "Ready")?;
        succeed(&scene, SESSION)?;
        scene.apply(&scene.restore()?)?;
        scene.wait(
            "the Job of the restore exists",
            Resource::JOB,
            "stash-restore-vault-restore-session-0",
            |_| true,
        )?;
        Ok(())
    })();
    done.with_context(|| operator.log_tail())?;
    let all = proxy.asked();
    let about: Vec<_> = all.iter().filter(|it| it.path.contains("/secrets")).collect();
    let mut found = BTreeSet::new();
    for asked in about {
        ensure!(asked.method == "GET" && asked.accept == METADATA, "{asked:?}");
        let (_, rest) = asked.path.split_once("/secrets").unwrap_or_default();
        let name = rest.strip_prefix('/').with_context(|| format!("a list: {asked:?}"))?;
        if asked.path.contains(&format!("/{}/", scene.namespace)) {
            found.insert(name.trim_end_matches('?').to_owned());
        }
    }
    let wanted = [STORAGE_SECRET, "vault-backup-token", "vault-keys"].map(str::to_owned);
    ensure!(found == BTreeSet::from(wanted), "asked for: {found:?}");
    Ok(())
}

/// A value and how it stands in a Secret.
struct Needle {
    plain: String,
    encoded: String,
    /// Namespace, name and key.
    from: String,
}

impl Needle {
    fn is_in(&self, hay: &str) -> bool {
        hay.contains(&self.plain) || hay.contains(&self.encoded)
    }
}

fn nowhere(world: &World, all: bool) -> Result<()> {
    let plane = world.started_plane().context("no control plane was started")?;
    let secrets = plane.client().get("/api/v1/secrets")?.context("there are no Secrets")?;
    let needles = needles(&secrets)?;
    let hay = secrets.to_string();
    for needle in &needles {
        ensure!(needle.is_in(&hay), "{} is not found where it is", needle.from);
    }
    let mut found = Vec::new();
    let mut kinds = BTreeMap::new();
    for path in written_kinds(plane)? {
        let list = plane.client().get(&path)?.with_context(|| format!("no {path}"))?;
        let items = list["items"].as_array().cloned().unwrap_or_default();
        kinds.insert(path.clone(), items.len());
        for mut item in items {
            // What a row applied, once more.
            let last = "kubectl.kubernetes.io/last-applied-configuration";
            item["metadata"]["annotations"][last] = Value::Null;
            let name = format!(
                "{path} {}/{}",
                text(&item, "/metadata/namespace"),
                text(&item, "/metadata/name")
            );
            found.extend(held(&needles, &item.to_string(), &name));
        }
    }
    // A search of nothing finds nothing.
    let seen = |word: &str| kinds.iter().any(|(path, count)| path.ends_with(word) && *count > 0);
    let ran = ["/events", "/configmaps", "/jobs", "/leases", "/roles", "/backupsessions"];
    ensure!(!all || (!needles.is_empty() && ran.into_iter().all(seen)), "{kinds:?}");
    let logs = plane.files().folder.parent().context("the plane has no folder")?;
    for log in operator_logs(logs)? {
        let text = fs::read_to_string(&log)?;
        found.extend(held(&needles, &text, &log.display().to_string()));
    }
    ensure!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

fn held(needles: &[Needle], hay: &str, place: &str) -> Vec<String> {
    let found = needles.iter().filter(|needle| needle.is_in(hay));
    found.map(|needle| format!("{place} holds {}", needle.from)).collect()
}

/// The tokens, keys and passwords of all rows.
fn needles(secrets: &Value) -> Result<Vec<Needle>> {
    const KEYS: [&str; 4] =
        ["token", "RESTIC_PASSWORD", "AWS_SECRET_ACCESS_KEY", "REST_SERVER_PASSWORD"];
    let is_secret = |key: &str| {
        KEYS.contains(&key) || key.contains("-root-token") || key.contains("-unseal-key-")
    };
    let mut needles = Vec::new();
    for secret in secrets["items"].as_array().into_iter().flatten() {
        let (namespace, name) =
            (text(secret, "/metadata/namespace"), text(secret, "/metadata/name"));
        for (key, value) in secret["data"].as_object().into_iter().flatten() {
            let encoded = value.as_str().unwrap_or_default().to_owned();
            let plain = String::from_utf8_lossy(&STANDARD.decode(&encoded)?).trim().to_owned();
            // Keys may stand there as the original writes them.
            let plain = plain.trim_matches('"').to_owned();
            let shortest = if plain.contains(' ') { SHORTEST_PHRASE } else { SHORTEST };
            if is_secret(key) && plain.len() >= shortest {
                needles.push(Needle { plain, encoded, from: format!("{namespace}/{name} {key}") });
            }
        }
    }
    needles.sort_by(|one, other| one.plain.cmp(&other.plain));
    needles.dedup_by(|one, other| one.plain == other.plain);
    Ok(needles)
}

/// Where all objects of each kind are that the operator may write, and with it any Job: it can
/// give away no more.
fn written_kinds(plane: &ControlPlane) -> Result<BTreeSet<String>> {
    let role = plane.kubectl().json(&["get", "clusterrole", "tests-sealift"])?;
    let words = |rule: &Value, field: &str| -> Vec<String> {
        let words = rule[field].as_array().into_iter().flatten();
        words.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut paths = BTreeSet::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        let writes = ["create", "update", "patch"];
        if !words(rule, "verbs").iter().any(|verb| writes.contains(&verb.as_str())) {
            continue;
        }
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                let plural = resource.split('/').next().unwrap_or_default();
                if plural != "secrets" && plural != "pods" {
                    paths.insert(format!("{}/{plural}", root(plane, &group, plural)?));
                }
            }
        }
    }
    Ok(paths)
}

/// `/api/v1`, or the version of a group that serves a kind.
fn root(plane: &ControlPlane, group: &str, plural: &str) -> Result<String> {
    if group.is_empty() {
        return Ok("/api/v1".to_owned());
    }
    let served = plane.client().get(&format!("/apis/{group}"))?.unwrap_or_default();
    for version in served["versions"].as_array().into_iter().flatten() {
        let root = format!("/apis/{}", text(version, "/groupVersion"));
        let kinds = plane.client().get(&root)?.unwrap_or_default();
        let mut kinds = kinds["resources"].as_array().into_iter().flatten();
        if kinds.any(|kind| kind["name"] == json!(plural)) {
            return Ok(root);
        }
    }
    anyhow::bail!("{plural}.{group} is not served")
}

/// The logs of all operators of the rows.
fn operator_logs(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let mut logs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            logs.extend(operator_logs(&path)?);
        } else if path.file_name().is_some_and(|name| name == "operator.log") {
            logs.push(path);
        }
    }
    Ok(logs)
}
