//! H and K: which snapshot a RestoreSession brings back, by the rules, the parameters and the
//! repository it has. Each row has real Vaults, and its Jobs run as processes.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use sealift_e2e::vault::SHARES;
use serde_json::{Value, json};

use crate::conditions;
use crate::ground::{Ground, Original, WITH_VOLUME, WITHOUT_VOLUME};
use crate::real_vault::prefix;
use crate::scene::{Scene, VAULT};
use crate::stage;
use crate::world::{World, text, trial};

const FIRST: &str = "first-1700000001";
const SECOND: &str = "second-1700000002";

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(world, "K02 K03 K04: the guide's restore goes forward and tells all of it", guide),
        trial(
            world,
            "H05: a restore's own parameters are added to those of the restoreTask",
            own_parameters,
        ),
        trial(world, "K05: the rules above replace those of the target", rules_above),
        trial(world, "K06: rules that contradict each other are refused by name", contradictions),
        trial(world, "K07: a short id, a whole id and latest name a snapshot", by_id),
        trial(world, "K07: an unknown id fails by its name and Vault is untouched", unknown_id),
        trial(world, "K08: latest is the newest of this Vault in a shared repository", shared),
        trial(
            world,
            "K08: where latest could be several Vaults' it is refused with the candidates",
            ambiguous,
        ),
        trial(
            world,
            "K12: what the original stored below either of its folders is restored",
            of_the_original,
        ),
    ]
}

fn rule(snapshot: &str) -> Value {
    json!([{ "snapshots": [snapshot] }])
}

fn guide(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K02")?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    vault.put("backed up")?;
    ground.back_up(VAULT, FIRST)?;
    vault.put("changed")?;
    let restore = ground.scene.restore()?;
    let name = text(&restore, "/metadata/name");
    ground.scene.apply(&restore)?;
    let started = ground.started(name)?;
    let (followed, ran) = std::thread::scope(|scope| {
        let ran = scope.spawn(|| started.run());
        (stage::follow(&ground.scene, Resource::RESTORE_SESSION, name), ran.join())
    });
    let (ended, phases) = followed?;
    // Vault applies a snapshot after it has answered: what counts is what it holds now.
    vault.ensure_holds("backed up")?;
    let ran = ran.ok().context("the Job panicked")??;
    ensure!(ran.code == Some(0), "{:?}: {} {}", ran.code, ran.left, ran.log);
    let order = ["", "Pending", "Running", "Succeeded"];
    let places: Option<Vec<usize>> =
        phases.iter().map(|phase| order.iter().position(|known| known == phase)).collect();
    let places = places.unwrap_or_default();
    ensure!(places.is_sorted() && places.last() == Some(&3), "phases: {phases:?}");
    let status = &ended["status"];
    ensure!(status["totalHosts"] == 1, "{status}");
    let stats = &status["stats"][0];
    ensure!(stats["phase"] == "Succeeded" && stats["hostname"] == "host-0", "{status}");
    ensure!(text(stats, "/duration").ends_with('s'), "{status}");
    ensure!(text(status, "/sessionDuration").ends_with('s'), "{status}");
    for (kind, wanted) in [
        ("RepositoryFound", "True RepositoryAvailable"),
        ("BackendSecretFound", "True BackendSecretAvailable"),
        ("ValidationPassed", "True ResourceValidationPassed"),
        ("RestoreTargetFound", "True TargetAvailable"),
        ("RestoreJobCreated", "True RestoreJobCreationSucceeded"),
        ("RestoreExecutorEnsured", "True SuccessfullyEnsuredRestoreExecutor"),
        ("MetricsPushed", "True SuccessfullyPushedMetrics"),
    ] {
        let found = conditions::of(&ended, kind);
        ensure!(found == wanted, "{kind}: {found:?} in {status}");
    }
    one_event(&ground, name, "Normal", "Host Restore Succeeded")
}

/// The one event about the host of a restore.
fn one_event(ground: &Ground<'_>, restore: &str, kind: &str, reason: &str) -> Result<()> {
    let events = ground.scene.client().list(Resource::EVENT, &ground.scene.namespace)?;
    let about: Vec<&Value> = events
        .iter()
        .filter(|event| event["involvedObject"]["name"] == restore)
        .filter(|event| text(event, "/reason").starts_with("Host Restore"))
        .collect();
    ensure!(about.len() == 1, "events: {about:?}");
    let event = about[0];
    ensure!(
        event["type"] == kind
            && event["reason"] == reason
            && event["source"]["component"] == "Status Updater"
            && event["involvedObject"]["kind"] == "RestoreSession",
        "event: {event}"
    );
    Ok(())
}

fn own_parameters(world: &World) -> Result<()> {
    let ground = Ground::new(world, "H05")?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    vault.put("backed up")?;
    ground.back_up(VAULT, FIRST)?;
    vault.put("changed")?;
    // What the original took by mistake would be seen.
    let task = |params: Value| json!({"stash": {"addon": params}});
    let patch = json!({"spec": {"parameters": task(json!({"backupTask": {"params": [
        {"name": "keyPrefix", "value": "of-the-backup"}, {"name": "waitTimeout", "value": "7"}]}}))}});
    let (client, namespace) = (ground.scene.client(), &ground.scene.namespace);
    client.patch(Resource::APP_BINDING, namespace, VAULT, &patch)?;
    let restore = ground.restore("own", |spec| {
        spec["task"] = json!({"params": [{"name": "waitTimeout", "value": "61"}]});
    })?;
    ground.succeed(&restore)?;
    vault.ensure_holds("backed up")?;
    let map = ground.scene.object(Resource::CONFIG_MAP, "sealift-plan-restore-own")?;
    let plan: Value = serde_json::from_str(text(&map, "/data/plan.json"))?;
    let stages = plan["stages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let sink = stages.iter().find(|stage| stage["function"] == "vault-restore-1.10.3");
    let parameters = sink.map(|sink| &sink["parameters"]).unwrap_or(&Value::Null);
    ensure!(
        parameters["keyPrefix"] == prefix(VAULT).as_str() && parameters["waitTimeout"] == "61",
        "parameters: {parameters} of {plan}"
    );
    Ok(())
}

fn rules_above(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K05")?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    vault.put("one")?;
    let older = ground.back_up(VAULT, FIRST)?;
    vault.put("two")?;
    let newer = ground.back_up(VAULT, SECOND)?;
    vault.put("three")?;
    let restore = ground.restore("both", |spec| {
        spec["rules"] = rule(&older);
        spec["target"]["rules"] = rule(&newer);
    })?;
    ground.succeed(&restore)?;
    vault.ensure_holds("one")?;
    // Without rules above those of the target count.
    let restore = ground.restore("target", |spec| {
        spec["rules"] = Value::Null;
        spec["target"]["rules"] = rule(&newer);
    })?;
    ground.succeed(&restore)?;
    vault.ensure_holds("two")
}

fn contradictions(world: &World) -> Result<()> {
    let scene = Scene::new(world, "K06")?;
    scene.apply_guide()?;
    let cases = [
        (
            "two-for-all",
            json!([{"snapshots": ["latest"]}, {"snapshots": ["0123abcd"]}]),
            "spec.rules[1].targetHosts",
        ),
        (
            "host-twice",
            json!([{"targetHosts": ["host-0"]}, {"targetHosts": ["other", "host-0"]}]),
            "spec.rules[1].targetHosts",
        ),
        (
            "snapshots-and-paths",
            json!([{"snapshots": ["latest"], "paths": ["/data"]}]),
            "spec.rules[0]",
        ),
    ];
    for (name, rules, named) in cases {
        for place in ["spec.rules", "spec.target.rules"] {
            let mut restore = scene.restore()?;
            let name = format!("{name}-{}", place.len());
            restore["metadata"]["name"] = json!(name);
            restore["spec"]["rules"] = Value::Null;
            let field = match place {
                "spec.rules" => &mut restore["spec"]["rules"],
                _ => &mut restore["spec"]["target"]["rules"],
            };
            *field = rules.clone();
            let named = named.replace("spec.rules", place);
            let arguments = ["-n", &scene.namespace, "apply", "-f", "-"];
            let said = scene.program().run_with(&arguments, Some(&restore.to_string()))?;
            let refusal = if said.code == Some(0) {
                let restore = scene.wait(
                    &format!("{name} is Invalid"),
                    Resource::RESTORE_SESSION,
                    &name,
                    |restore| conditions::phase(restore) == "Invalid",
                )?;
                conditions::message(&restore, "ValidationPassed")
            } else {
                said.stderr
            };
            ensure!(refusal.contains(&named), "{name}: {refusal:?} does not name {named}");
        }
    }
    let jobs = scene.client().names(Resource::JOB, &scene.namespace)?;
    let of_restores: Vec<_> = jobs.iter().filter(|job| job.starts_with("stash-restore")).collect();
    ensure!(of_restores.is_empty(), "Jobs: {of_restores:?}");
    Ok(())
}

fn by_id(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K07")?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    vault.put("one")?;
    let older = ground.back_up(VAULT, FIRST)?;
    vault.put("two")?;
    ground.back_up(VAULT, SECOND)?;
    ensure!(older.len() == 64, "id: {older}");
    for (name, snapshot, value) in
        [("short", &older[..8], "one"), ("latest", "latest", "two"), ("whole", &older, "one")]
    {
        vault.put("changed")?;
        let restore = ground.restore(name, |spec| spec["rules"] = rule(snapshot))?;
        ground.succeed(&restore)?;
        vault.ensure_holds(value)?;
    }
    Ok(())
}

fn unknown_id(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K07-unknown")?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    vault.put("one")?;
    let known = ground.back_up(VAULT, FIRST)?;
    vault.put("two")?;
    // The same length and letters, and another snapshot.
    let unknown: String = known[..8].chars().rev().collect();
    ensure!(!known.starts_with(&unknown), "ids read backwards are rarely the same");
    let (restore, error) =
        ground.fail(&ground.restore("unknown", |spec| spec["rules"] = rule(&unknown))?)?;
    ensure!(error.contains(&unknown), "error: {error:?} of {restore}");
    one_event(&ground, "unknown", "Warning", "Host Restore Failed")?;
    vault.ensure_untouched("two")
}

fn shared(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K08")?;
    let (vault, other) = (ground.vault("vault")?, ground.vault("other")?);
    ground.bind(VAULT, &vault)?;
    ground.bind("other", &other)?;
    vault.put("of vault")?;
    other.put("of other")?;
    ground.back_up(VAULT, FIRST)?;
    ground.back_up("other", SECOND)?;
    vault.put("changed")?;
    let restore = ground.restore("of-vault", |spec| {
        // A snapshot of another Vault would be taken, too.
        let params = json!([{"name": "force", "value": "true"}]);
        spec["task"] = json!({"name": "vault-restore-1.10.3", "params": params});
    })?;
    ground.succeed(&restore)?;
    vault.ensure_holds("of vault")?;
    other.ensure_untouched("of other")
}

fn ambiguous(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K08-original")?;
    let (vault, other) = (ground.vault("vault")?, ground.vault("other")?);
    ground.bind(VAULT, &vault)?;
    vault.put("of vault")?;
    let mut ids = Vec::new();
    for (from, name) in [(&vault, "vault-a"), (&other, "vault-b")] {
        let stored = Original { prefix: name, shares: SHARES, path: WITHOUT_VOLUME, host: name };
        ids.push(ground.store(from, &stored)?);
    }
    let (_, error) = ground.fail(&ground.restore("either", |_| ())?)?;
    for (id, host) in ids.iter().zip(["vault-a", "vault-b"]) {
        ensure!(error.contains(&id[..8]) && error.contains(host), "error: {error:?}, {id}");
    }
    vault.ensure_untouched("of vault")?;
    // Named by its host it is no longer several.
    vault.put("changed")?;
    let restore = ground.restore("by-host", |spec| {
        spec["rules"] = json!([{"sourceHost": "vault-a", "snapshots": ["latest"]}]);
    })?;
    ground.succeed(&restore)?;
    vault.ensure_holds("of vault")
}

fn of_the_original(world: &World) -> Result<()> {
    let ground = Ground::new(world, "K12")?;
    let vault = ground.vault("vault")?;
    ground.bind(VAULT, &vault)?;
    for (name, path) in [("without-volume", WITHOUT_VOLUME), ("with-volume", WITH_VOLUME)] {
        vault.put(name)?;
        let prefix = prefix(VAULT);
        let stored = Original { prefix: &prefix, shares: SHARES, path, host: "host-0" };
        ground.store(&vault, &stored)?;
        vault.put("changed")?;
        ground.succeed(&ground.restore(name, |_| ())?)?;
        vault.ensure_holds(name)?;
    }
    Ok(())
}
