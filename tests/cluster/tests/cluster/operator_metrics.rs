//! What the operator tells of itself: read by Prometheus' own parser, named as Prometheus asks,
//! and right through a success and a failure.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use sealift_cluster::Resource;
use serde_json::{Map, Value, json};

use crate::acted::{ended, report, sessions_are, succeed};
use crate::scene::{BACKUP, Scene};
use crate::world::{World, text, trial, trial_alone};

const AGE: &str = "sealift_backup_last_success_age_seconds";
/// Where a BackupConfiguration remembers it.
const SUCCESS: &str = "sealift.dev/last-success";
const FIRST: &str = "demo-backup-1700000001";
const SECOND: &str = "demo-backup-1700000002";

/// Every family, with its type and the labels its series may have. More labels are more series:
/// they are added on purpose, or not at all.
const FAMILIES: [(&str, &str, &[&str]); 11] = [
    ("sealift_reconcile_total", "COUNTER", &["kind", "reason", "class"]),
    ("sealift_reconcile_duration_seconds", "HISTOGRAM", &["kind"]),
    ("sealift_reconcile_running", "GAUGE", &["kind"]),
    ("sealift_reconcile_queue_depth", "GAUGE", &["kind"]),
    ("sealift_sessions", "GAUGE", &["kind", "phase"]),
    ("sealift_sessions_running", "GAUGE", &[]),
    ("sealift_sessions_waiting", "GAUGE", &[]),
    ("sealift_watch_works", "GAUGE", &["kind"]),
    ("sealift_objects_unreadable", "GAUGE", &["kind"]),
    ("sealift_backup_expected_interval_seconds", "GAUGE", &["namespace", "name"]),
    ("sealift_backup_last_success_age_seconds", "GAUGE", &["namespace", "name"]),
];

pub fn tests(world: &Arc<World>) -> Vec<Trial> {
    vec![
        trial(
            world,
            "the operator's metrics tell of a success and of a failure, in Prometheus' own form",
            told,
        ),
        trial_alone(
            world,
            "the age of the last success stays when its session is gone and the operator another one",
            remembered,
        ),
    ]
}

/// One look at /metrics.
struct Look(Map<String, Value>);

impl Look {
    fn take(world: &World, scene: &Scene<'_>) -> Result<Self> {
        let told = world.operator()?.metrics()?;
        let job = format!("scrape-of-{}", scene.namespace);
        let gateway = world.pushgateway()?;
        // What its parser refuses, a Prometheus would refuse.
        gateway.push(&job, &told)?;
        let families = gateway.families(&job)?.context("nothing arrived")?;
        let ours = |name: &String| !name.starts_with("push_");
        let families: Map<_, _> = families.into_iter().filter(|(name, _)| ours(name)).collect();
        for name in families.keys() {
            for line in [format!("# HELP {name} "), format!("# TYPE {name} ")] {
                let count = told.lines().filter(|told| told.starts_with(&line)).count();
                ensure!(count == 1, "{count} lines begin with {line:?}");
            }
        }
        Ok(Self(families))
    }

    /// The series of a family whose labels hold these.
    fn series(&self, family: &str, labels: &[(&str, &str)]) -> Vec<&Value> {
        let all = self.0.get(family).and_then(|family| family["metrics"].as_array());
        let wanted =
            |series: &&Value| labels.iter().all(|(name, value)| series["labels"][name] == *value);
        all.into_iter().flatten().filter(wanted).collect()
    }

    fn value(&self, family: &str, labels: &[(&str, &str)]) -> Result<Option<f64>> {
        match self.series(family, labels).as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(text(only, "/value").parse().with_context(|| only.to_string())?)),
            more => anyhow::bail!("{family} has several series with {labels:?}: {more:?}"),
        }
    }

    /// All of a counter.
    fn total(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        let series = self.series(family, labels);
        series.iter().filter_map(|series| text(series, "/value").parse::<f64>().ok()).sum()
    }
}

/// What `promtool check metrics` asks for, and no series that was not thought of.
fn ensure_conventions(look: &Look) -> Result<()> {
    let known: BTreeMap<_, _> =
        FAMILIES.iter().map(|(name, kind, labels)| (*name, (*kind, *labels))).collect();
    for (name, family) in &look.0 {
        let (kind, labels) =
            known.get(name.as_str()).with_context(|| format!("{name} is not known here"))?;
        ensure!(family["type"] == *kind, "{name} is a {}", family["type"]);
        let help = text(family, "/help");
        ensure!(help.ends_with('.') && help.len() > 10, "{name} has the help {help:?}");
        ensure!(
            name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{name} is no name of a metric"
        );
        let counter = *kind == "COUNTER";
        ensure!(counter == name.ends_with("_total"), "{name} is a {kind}");
        for suffix in ["_count", "_sum", "_bucket", "_info", "_milliseconds", "_ms", "_minutes"] {
            ensure!(!name.ends_with(suffix), "{name} ends with {suffix}");
        }
        ensure!(!name.contains("histogram") && !name.contains("gauge"), "{name} names its type");
        for series in family["metrics"].as_array().into_iter().flatten() {
            let found = series["labels"].as_object().into_iter().flat_map(Map::keys);
            // The Pushgateway adds these.
            let more: Vec<_> = found
                .filter(|label| !["job", "instance"].contains(&label.as_str()))
                .filter(|label| !labels.contains(&label.as_str()))
                .collect();
            ensure!(more.is_empty(), "{name} has the labels {more:?}");
        }
    }
    Ok(())
}

fn told(world: &World) -> Result<()> {
    let scene = Scene::new(world, "metrics")?;
    scene.apply_guide()?;
    let patch = json!({"spec": {"backupHistoryLimit": 5, "schedule": "0 2 * * *"}});
    scene.client().patch(Resource::BACKUP_CONFIGURATION, &scene.namespace, BACKUP, &patch)?;
    scene.wait_for_phase(BACKUP, "Ready")?;
    let mine = [("namespace", scene.namespace.as_str()), ("name", BACKUP)];
    let sessions = [("kind", "BackupSession")];

    let first = Look::take(world, &scene)?;
    ensure_conventions(&first)?;
    for (name, ..) in FAMILIES {
        ensure!(first.0.contains_key(name), "{name} is missing");
    }
    let interval = first.value("sealift_backup_expected_interval_seconds", &mine)?;
    ensure!(interval == Some(86_400.0), "the interval is {interval:?}");
    // Without a success it is its own age that an alarm sees.
    ensure!(first.value(AGE, &mine)?.is_some(), "without a success there is nothing to alarm by");

    scene.session(FIRST)?;
    report(&scene, FIRST, None)?;
    ended(&scene, FIRST, "Succeeded")?;
    let second = Look::take(world, &scene)?;
    ensure_conventions(&second)?;
    let of_phase = |look: &Look, phase: &str| -> Result<f64> {
        let labels = [("kind", "BackupSession"), ("phase", phase)];
        Ok(look.value("sealift_sessions", &labels)?.unwrap_or(-1.0))
    };
    ensure!(of_phase(&second, "Succeeded")? >= 1.0, "no session has succeeded");
    let after_success = second.value(AGE, &mine)?.context("a success has no age")?;
    ensure!(after_success >= 0.0, "its age is {after_success}");
    let count = "sealift_reconcile_total";
    ensure!(second.total(count, &sessions) > first.total(count, &sessions), "nothing was done");
    for kind in ["Repository", "BackupConfiguration", "BackupSession"] {
        let kind = [("kind", kind)];
        let histograms = second.series("sealift_reconcile_duration_seconds", &kind);
        let [histogram] = histograms.as_slice() else { anyhow::bail!("{histograms:?}") };
        let counted: f64 = text(histogram, "/count").parse()?;
        ensure!(counted > 0.0, "{histogram}");
    }

    scene.session(SECOND)?;
    report(&scene, SECOND, Some("the test says so"))?;
    ended(&scene, SECOND, "Failed")?;
    let third = Look::take(world, &scene)?;
    ensure_conventions(&third)?;
    ensure!(of_phase(&third, "Failed")? >= 1.0, "no session has failed");
    let after_failure = third.value(AGE, &mine)?.context("the age of the success is gone")?;
    ensure!(after_failure >= after_success, "a failure made the success younger");
    ensure!(of_phase(&third, "Running")? >= 0.0, "a phase without a session is not told");
    Ok(())
}

fn remembered(world: &World) -> Result<()> {
    let scene = Scene::new(world, "metrics-age")?;
    scene.apply_guide()?;
    let backups = Resource::BACKUP_CONFIGURATION;
    let patch = json!({"spec": {"backupHistoryLimit": 1, "schedule": "0 0 1 1 *"}});
    scene.client().patch(backups, &scene.namespace, BACKUP, &patch)?;
    // What the Repository knows may be another one's.
    let mut other = scene.backup()?;
    other["metadata"]["name"] = json!("other");
    other["spec"]["schedule"] = json!("0 0 1 1 *");
    scene.apply(&other)?;
    for name in [BACKUP, "other"] {
        scene.wait_for_phase(name, "Ready")?;
    }
    let first = succeed(&scene, FIRST)?;
    let began = text(&first, "/metadata/creationTimestamp");
    let remembers = |backup: &Value| backup["metadata"]["annotations"][SUCCESS] == began;
    scene.wait("the success is remembered", backups, BACKUP, remembers)?;
    scene.session(SECOND)?;
    report(&scene, SECOND, Some("the test says so"))?;
    ended(&scene, SECOND, "Failed")?;
    sessions_are(&scene, &[SECOND])?;
    let backup = scene.object(backups, BACKUP)?;
    ensure!(remembers(&backup), "the failure made it forget: {}", backup["metadata"]);
    let age = |name: &str| -> Result<f64> {
        let mine = [("namespace", scene.namespace.as_str()), ("name", name)];
        let look = Look::take(world, &scene)?;
        look.value(AGE, &mine)?.with_context(|| format!("{name} has no age"))
    };
    age(BACKUP)?;
    // As if that were long ago: nobody else knows of it any more.
    let long_ago = json!({"metadata": {"annotations": {SUCCESS: "2026-01-01T00:00:00Z"}}});
    scene.client().patch(backups, &scene.namespace, BACKUP, &long_ago)?;
    world.operator()?.restart()?;
    let (old, never) = (age(BACKUP)?, age("other")?);
    ensure!(never >= 0.0 && old > never + 86_400.0, "ages: {old} and {never}");
    Ok(())
}
