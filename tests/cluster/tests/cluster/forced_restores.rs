//! H06, K11, K13 and K12 with `force`: a snapshot of one Vault goes into another, whose unseal
//! keys are replaced; or it is refused before that Vault is touched.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::{Kubectl, Resource, manifests};
use sealift_e2e::binaries;
use sealift_e2e::vault::{Keys, SHARES};
use serde_json::{Value, json};

use crate::ground::{Ground, Original, WITH_VOLUME};
use crate::real_vault::{RealVault, named_keys, prefix};
use crate::scene::{REPOSITORY, STORAGE_SECRET, VAULT};
use crate::world::{World, text, trial, trial_alone};

/// The Vault that was backed up and is lost.
const OLD: &str = "old";
const SESSION: &str = "old-1700000001";
const FUNCTION: &str = "vault-restore-1.10.3";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "H06, K13: force as a parameter brings another Vault's data and keys, with no RBAC of the user",
            by_parameter,
        ),
        trial_alone(world, "H06: force in our own Function, edited as the guide says", |world| {
            in_the_function(world, "H06-ours", our_function)
        }),
        trial_alone(world, "H06: force in the original's Function, edited and applied", |world| {
            in_the_function(world, "H06-theirs", their_function)
        }),
        trial(
            world,
            "K12: with force the keys the original stored are brought back",
            of_the_original,
        ),
        trial(world, "K11: a wrong oldKeyPrefix is refused before Vault is touched", wrong_prefix),
        trial(world, "K11: too few shares are refused before Vault is touched", too_few_shares),
        trial(world, "K11: without the right to patch the keys Vault is not touched", no_right),
    ]
}

/// One Vault that was backed up, and a new one in its place.
struct Disaster<'a> {
    ground: Ground<'a>,
    old: RealVault,
    new: RealVault,
}

impl<'a> Disaster<'a> {
    /// Both, and nothing stored yet.
    fn bare(world: &'a World, number: &str) -> Result<Self> {
        let ground = Ground::new(world, number)?;
        let (old, new) = (ground.vault(OLD)?, ground.vault(VAULT)?);
        old.put("of the old one")?;
        new.put("of the new one")?;
        ground.bind(VAULT, &new)?;
        Ok(Self { ground, old, new })
    }

    fn new(world: &'a World, number: &str) -> Result<Self> {
        let disaster = Self::bare(world, number)?;
        disaster.ground.bind(OLD, &disaster.old)?;
        disaster.ground.back_up(OLD, SESSION)?;
        Ok(disaster)
    }

    /// The guide's RestoreSession for the newest snapshot of the old Vault.
    fn restore(&self, name: &str, change: impl FnOnce(&mut Value)) -> Result<Value> {
        let snapshots = self.ground.restic()?.snapshots()?;
        let newest = snapshots.last().context("there is no snapshot")?;
        self.ground.restore(name, |spec| {
            spec["rules"] = json!([{"snapshots": [text(newest, "/id")]}]);
            change(spec);
        })
    }

    /// The new Vault has become the old one, and the former keys are kept.
    fn ensure_taken_over(&self, restore: &str) -> Result<()> {
        let sent = self.new.sent_to()?;
        ensure!(
            sent.iter().any(|path| path == "snapshot-force")
                && sent.iter().all(|path| path == "snapshot-force"),
            "Vault was sent {sent:?}"
        );
        let prefix = prefix(VAULT);
        for (key, kept) in pairs(&named_keys(&prefix, &self.new.keys)) {
            let found = self.ground.value("vault-keys", &format!("{key}.replaced.{restore}"))?;
            ensure!(found == kept, "{key}: the former value is not kept");
        }
        let value = |name: String| self.ground.value("vault-keys", &name);
        let unseal = (0..SHARES).map(|share| value(format!("{prefix}-unseal-key-{share}")));
        let keys = Keys {
            root_token: value(format!("{prefix}-root-token"))?,
            unseal: unseal.collect::<Result<_>>()?,
        };
        ensure!(keys.unseal == self.old.keys.unseal, "other unseal keys came back");
        ensure!(keys.root_token == self.old.keys.root_token, "another root token came back");
        self.new.unseal_with(&keys)?;
        let canary = self.new.vault.get(&keys.root_token, "canary")?;
        ensure!(canary.as_deref() == Some("of the old one"), "restored: {canary:?}");
        Ok(())
    }

    /// Refused with this text, and nothing of the new Vault or its keys is different.
    fn ensure_refused(&self, restore: &Value, words: &[&str]) -> Result<()> {
        let (_, error) = self.ground.fail(restore)?;
        for word in words {
            ensure!(error.contains(word), "{error:?} does not say {word:?}");
        }
        self.new.ensure_untouched("of the new one")?;
        let secret = self.ground.scene.object(Resource::SECRET, "vault-keys")?;
        let held = secret["data"].as_object().map_or(0, |data| data.len());
        ensure!(held == SHARES + 1, "the Secret of the keys was written");
        for (key, value) in pairs(&named_keys(&prefix(VAULT), &self.new.keys)) {
            ensure!(self.ground.value("vault-keys", &key)? == value, "{key} is another one");
        }
        Ok(())
    }
}

fn pairs(values: &Value) -> Vec<(String, String)> {
    let values = values.as_object().into_iter().flatten();
    values
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Both parameters of a forced restore from the old Vault.
fn forced(old_prefix: &str) -> Value {
    json!({"name": FUNCTION, "params": [
        {"name": "force", "value": "true"}, {"name": "oldKeyPrefix", "value": old_prefix}]})
}

fn by_parameter(world: &World) -> Result<()> {
    let disaster = Disaster::new(world, "H06")?;
    let restore = disaster.restore("forced", |spec| spec["task"] = forced(&prefix(OLD)))?;
    let ended = disaster.ground.succeed(&restore)?;
    ensure!(ended["status"]["stats"][0]["error"].is_null(), "{}", ended["status"]);
    disaster.ensure_taken_over("forced")?;
    // What made it possible: one right more, on one Secret.
    let scene = &disaster.ground.scene;
    let account = "restoresession-forced-0";
    let role = scene.object(Resource::ROLE, account)?;
    let rules = role["rules"].as_array().context("a Role without rules")?;
    let patches: Vec<&Value> = rules
        .iter()
        .filter(|rule| {
            rule["verbs"].as_array().is_some_and(|verbs| verbs.contains(&json!("patch")))
        })
        .collect();
    ensure!(
        patches.len() == 1
            && patches[0]["resources"] == json!(["secrets"])
            && patches[0]["resourceNames"] == json!(["vault-keys"]),
        "rules: {rules:?}"
    );
    let events = scene.client().list(Resource::EVENT, &scene.namespace)?;
    let replaced = events.iter().find(|event| event["reason"] == "UnsealKeysReplaced");
    let replaced = replaced.context("no event says that the keys were replaced")?;
    ensure!(text(replaced, "/message").contains(".replaced.forced"), "{replaced}");
    Ok(())
}

/// The built-in Function.
pub fn our_function() -> Result<Value> {
    let all = manifests::read(&binaries::source_root().join("deploy/catalog/functions.yaml"))?;
    let found = all
        .into_iter()
        .find(|object| object["kind"] == "Function" && object["metadata"]["name"] == FUNCTION);
    found.context("the catalogue has no such Function")
}

/// The Function as the guide shows it.
fn their_function() -> Result<Value> {
    let file = "kubevault-stash/guide-restore/03-function.yaml";
    let mut all = manifests::reference(file)?;
    ensure!(all.len() == 1, "{file} holds {} objects", all.len());
    Ok(all.remove(0))
}

/// With the two defaults the guide tells its reader to edit.
pub fn edited(mut function: Value, old_prefix: &str) -> Result<Value> {
    let arguments = function["spec"]["args"].as_array_mut().context("no arguments")?;
    let mut edits = 0;
    for argument in arguments.iter_mut() {
        let text = argument.as_str().unwrap_or_default();
        let new = text
            .replace("${force:=false}", "${force:=true}")
            .replace("${oldKeyPrefix:=}", &format!("${{oldKeyPrefix:={old_prefix}}}"));
        edits += usize::from(new != text);
        *argument = json!(new);
    }
    ensure!(edits == 2, "{edits} of the two defaults were found: {function}");
    Ok(function)
}

/// Functions belong to the whole cluster, so no other row may run beside this one.
fn in_the_function(world: &World, number: &str, function: fn() -> Result<Value>) -> Result<()> {
    let disaster = Disaster::new(world, number)?;
    let kubectl = disaster.ground.scene.plane.kubectl();
    let wanted = edited(function()?, &prefix(OLD))?;
    replaced(kubectl, &wanted, || {
        let before = kubectl.json(&["get", "functions.stash.appscode.com", FUNCTION])?;
        let restore = disaster.restore("edited", |_| ())?;
        disaster.ground.succeed(&restore)?;
        disaster.ensure_taken_over("edited")?;
        let after = kubectl.json(&["get", "functions.stash.appscode.com", FUNCTION])?;
        ensure!(before == after, "the Function was changed: {after}");
        ensure!(after["spec"]["args"] == wanted["spec"]["args"], "{after}");
        Ok(())
    })
}

/// Does something while the Function is this one; afterwards it is the built-in one again.
pub fn replaced<T>(
    kubectl: &Kubectl,
    function: &Value,
    row: impl FnOnce() -> Result<T>,
) -> Result<T> {
    // `replace`, as `kubectl edit` does it: nothing of the former one stays.
    let replace = |function: &Value| {
        let said = kubectl.run_with(&["replace", "-f", "-"], Some(&function.to_string()))?;
        ensure!(said.code == Some(0), "{}", said.text());
        Ok(())
    };
    replace(function)?;
    let judged = row();
    replace(&our_function()?)?;
    judged
}

fn of_the_original(world: &World) -> Result<()> {
    let disaster = Disaster::bare(world, "K12-force")?;
    let old = prefix(OLD);
    let stored = Original { prefix: &old, shares: SHARES, path: WITH_VOLUME, host: "host-0" };
    disaster.ground.store(&disaster.old, &stored)?;
    let restore = disaster.restore("forced", |spec| spec["task"] = forced(&old))?;
    disaster.ground.succeed(&restore)?;
    disaster.ensure_taken_over("forced")
}

fn wrong_prefix(world: &World) -> Result<()> {
    let disaster = Disaster::new(world, "K11-prefix")?;
    let restore = disaster.restore("wrong", |spec| spec["task"] = forced("k8s.nobody"))?;
    disaster.ensure_refused(&restore, &["oldKeyPrefix", "k8s.nobody", &prefix(OLD)])
}

fn too_few_shares(world: &World) -> Result<()> {
    let disaster = Disaster::bare(world, "K11-shares")?;
    let old = prefix(OLD);
    let stored = Original { prefix: &old, shares: 3, path: WITH_VOLUME, host: "host-0" };
    disaster.ground.store(&disaster.old, &stored)?;
    let restore = disaster.restore("few", |spec| spec["task"] = forced(&old))?;
    disaster.ensure_refused(&restore, &["secretShares", "unseal-key-3", "unseal-key-4"])
}

/// The user's own ServiceAccount, with all a restore needs but that one right.
fn no_right(world: &World) -> Result<()> {
    let disaster = Disaster::new(world, "K11-right")?;
    let scene = &disaster.ground.scene;
    let repository = scene.object(Resource::REPOSITORY, REPOSITORY)?;
    let lease = format!("sealift-{}", text(&repository, "/metadata/uid"));
    let stash = "stash.appscode.com";
    let rule = |group: &str, resources: &[&str], verbs: &[&str], names: &[&str]| {
        let mut rule = json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        if !names.is_empty() {
            rule["resourceNames"] = json!(names);
        }
        rule
    };
    let rules = [
        rule(stash, &["restoresessions"], &["get"], &["powerless"]),
        rule(stash, &["restoresessions/status"], &["get", "update"], &["powerless"]),
        rule(stash, &["repositories"], &["get"], &[REPOSITORY]),
        rule("appcatalog.appscode.com", &["appbindings"], &["get"], &[VAULT]),
        rule("", &["secrets"], &["get"], &[STORAGE_SECRET, "vault-backup-token", "vault-keys"]),
        rule("coordination.k8s.io", &["leases"], &["get", "update"], &[&lease]),
        rule("", &["events"], &["create"], &[]),
    ];
    let meta = json!({"name": "own", "namespace": scene.namespace});
    let rbac = "rbac.authorization.k8s.io";
    scene.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta},
        {"apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": meta, "rules": rules},
        {"apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": meta,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": "own"},
            "subjects": [{"kind": "ServiceAccount", "name": "own", "namespace": scene.namespace}]},
    ]}))?;
    let restore = disaster.restore("powerless", |spec| {
        spec["task"] = forced(&prefix(OLD));
        spec["runtimeSettings"]["pod"] = json!({"serviceAccountName": "own"});
    })?;
    disaster.ensure_refused(&restore, &["vault-keys", "grant patch"])
}
